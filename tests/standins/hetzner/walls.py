"""Firewalls, SSH keys and primary IPs of Hetzner Cloud."""

import base64
import hashlib
import ipaddress
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from tests.standins.base import Refused, route
from tests.standins.hetzner.catalog import good_labels, selected
from tests.standins.hetzner.project import Document, Machine, Project, Wall, invalid, of
from tests.standins.wire import Call, Reply

EVERYBODY = ["0.0.0.0/0", "::/0"]
_PORTS = re.compile(r"\d{1,5}(-\d{1,5})?|any")


class Walls(Project):
    """What protects servers, and lets in."""

    # ------------------------------------------------------------------------------------------ primary IPs

    @route("GET", "/v1/primary_ips")
    def list_primary_ips(self, call: Call) -> Reply:
        found = [ip for server in self.servers.values() for ip in self._primary_ips(server)]
        return self._page(call, "primary_ips", self._picked(call, found, "ip"))

    def _primary_ips(self, server: Machine) -> Iterable[Document]:
        for n, (type, ip) in enumerate((("ipv4", server.v4), ("ipv6", server.v6))):
            if ip is not None:
                yield {
                    "id": server.id * 10 + n,
                    "name": f"primary_ip-{server.id * 10 + n}",
                    "type": type,
                    "ip": ip,
                    "assignee_id": server.id,
                    "assignee_type": "server",
                    "auto_delete": True,
                    "blocked": False,
                    "created": self.instant(server.made).replace("Z", "+00:00"),
                    "dns_ptr": [],
                    "labels": {},
                    "location": server.location,
                    "protection": {"delete": False},
                }

    # ------------------------------------------------------------------------------------------ SSH keys

    @route("GET", "/v1/ssh_keys")
    def list_ssh_keys(self, call: Call) -> Reply:
        return self._page(call, "ssh_keys", self._picked(call, self.ssh_keys.values(), "fingerprint"))

    @route("POST", "/v1/ssh_keys")
    def create_ssh_key(self, call: Call) -> Reply:
        wish = call.document
        if not wish.get("name"):
            raise invalid("name")
        if not good_labels(wish.get("labels") or {}):
            raise invalid("labels")
        fingerprint = _fingerprint(str(wish.get("public_key")))
        for key in self.ssh_keys.values():
            if key["name"] == wish["name"]:
                raise Refused(409, "SSH key name is already used", "uniqueness_error")
            if key["fingerprint"] == fingerprint:
                raise Refused(409, "SSH key with the same fingerprint already exists", "uniqueness_error")
        made = {
            "id": self._id(),
            "name": wish["name"],
            "fingerprint": fingerprint,
            "public_key": wish["public_key"],
            "labels": wish.get("labels") or {},
            "created": self.instant(self.ticks).replace("Z", "+00:00"),
        }
        self.ssh_keys[made["id"]] = made
        return Reply(status=201, document={"ssh_key": made})

    @route("GET", "/v1/ssh_keys/{id}")
    def get_ssh_key(self, call: Call, id: str) -> Reply:
        return Reply(document={"ssh_key": of(tuple(self.ssh_keys.values()), id, "SSH key")})

    @route("DELETE", "/v1/ssh_keys/{id}")
    def delete_ssh_key(self, call: Call, id: str) -> Reply:
        del self.ssh_keys[of(tuple(self.ssh_keys.values()), id, "SSH key")["id"]]
        return Reply(status=204)

    # ------------------------------------------------------------------------------------------ firewalls

    def _shown_wall(self, firewall: Wall) -> Document:
        return {
            "id": firewall.id,
            "name": firewall.name,
            "labels": firewall.labels,
            "created": self.instant(firewall.made).replace("Z", "+00:00"),
            "rules": firewall.rules,
            "applied_to": [self._with_servers(resource) for resource in firewall.applied],
        }

    def _with_servers(self, resource: Document) -> Document:
        if resource["type"] == "server":
            return resource
        servers = [{"type": "server", "server": {"id": s.id}} for s in self.servers.values() if applies(resource, s)]
        return {**resource, "applied_to_resources": servers}

    def _wall(self, id: str) -> Wall:
        firewall = self.firewalls.get(int(id)) if id.isdecimal() else None
        if firewall is None:
            raise Refused(404, f"firewall with ID '{id}' not found")
        return firewall

    @route("GET", "/v1/firewalls")
    def list_firewalls(self, call: Call) -> Reply:
        found = [self._shown_wall(firewall) for firewall in self.firewalls.values()]
        return self._page(call, "firewalls", self._picked(call, found))

    @route("GET", "/v1/firewalls/{id}")
    def get_firewall(self, call: Call, id: str) -> Reply:
        return Reply(document={"firewall": self._shown_wall(self._wall(id))})

    @route("POST", "/v1/firewalls")
    def create_firewall(self, call: Call) -> Reply:
        wish = call.document
        if not wish.get("name"):
            raise invalid("name")
        if not good_labels(wish.get("labels") or {}):
            raise invalid("labels")
        if any(firewall.name == wish["name"] for firewall in self.firewalls.values()):
            raise Refused(409, "firewall name is already used", "uniqueness_error")
        made = Wall(
            id=self._id(),
            name=wish["name"],
            made=self.ticks,
            labels=wish.get("labels") or {},
            rules=_rules(wish.get("rules") or []),
            applied=wish.get("apply_to") or [],
        )
        self.firewalls[made.id] = made
        actions = [self._act("set_firewall_rules", [("firewall", made.id)], 0)]
        actions += [self._act("apply_firewall", [("firewall", made.id)], 1) for _ in made.applied]
        return Reply(status=201, document={"firewall": self._shown_wall(made), "actions": actions})

    @route("PUT", "/v1/firewalls/{id}")
    def update_firewall(self, call: Call, id: str) -> Reply:
        firewall = self._wall(id)
        firewall.labels = call.document.get("labels", firewall.labels)
        firewall.name = call.document.get("name", firewall.name)
        return Reply(document={"firewall": self._shown_wall(firewall)})

    @route("DELETE", "/v1/firewalls/{id}")
    def delete_firewall(self, call: Call, id: str) -> Reply:
        firewall = self._wall(id)
        if firewall.applied or any(firewall.id in server.firewalls for server in self.servers.values()):
            raise Refused(422, "firewall is in use", "resource_in_use")
        del self.firewalls[firewall.id]
        return Reply(status=204)

    @route("POST", "/v1/firewalls/{id}/actions/set_rules")
    def set_rules(self, call: Call, id: str) -> Reply:
        firewall = self._wall(id)
        firewall.rules = _rules(call.document.get("rules"))
        return Reply(
            status=201, document={"actions": [self._act("set_firewall_rules", [("firewall", firewall.id)], 1)]}
        )

    @route("POST", "/v1/firewalls/{id}/actions/apply_to_resources")
    def apply_to_resources(self, call: Call, id: str) -> Reply:
        firewall = self._wall(id)
        for resource in call.document["apply_to"]:
            if resource in firewall.applied:
                raise Refused(422, "firewall was already applied on resource", "firewall_already_applied")
            firewall.applied.append(resource)
        return Reply(status=201, document={"actions": [self._act("apply_firewall", [("firewall", firewall.id)], 1)]})

    @route("POST", "/v1/firewalls/{id}/actions/remove_from_resources")
    def remove_from_resources(self, call: Call, id: str) -> Reply:
        firewall = self._wall(id)
        leaving = [{k: v for k, v in r.items() if k != "applied_to_resources"} for r in call.document["remove_from"]]
        for resource in leaving:
            if resource not in firewall.applied:
                raise Refused(422, "firewall was already removed from resource", "firewall_already_removed")

        def removed() -> None:
            firewall.applied = [resource for resource in firewall.applied if resource not in leaving]

        action = self._act("remove_firewall", [("firewall", firewall.id)], 1, removed)
        return Reply(status=201, document={"actions": [action]})

    def walls(self) -> Mapping[str, frozenset[int]]:
        return {
            wall.name: frozenset(
                int(rule["port"])
                for rule in wall.rules
                if rule["protocol"] == "tcp" and set(rule["source_ips"]) == set(EVERYBODY)
            )
            for wall in self.firewalls.values()
        }

    def set_wall(self, name: str, ports: Collection[int]) -> None:
        """Pings stay."""
        rule = {"direction": "in", "protocol": "tcp", "source_ips": EVERYBODY}
        opened = _rules([{**rule, "port": str(port)} for port in ports])
        with self._lock:
            wall = next((wall for wall in self.firewalls.values() if wall.name == name), None)
            if wall is None:
                id = self._id()
                wall = self.firewalls[id] = Wall(id=id, name=name, made=self.ticks, labels={}, rules=[])
            wall.rules = [kept for kept in wall.rules if kept["protocol"] == "icmp"] + opened


def applies(resource: Document, server: Machine) -> bool:
    if resource["type"] == "server":
        return bool(resource["server"]["id"] == server.id)
    return selected(resource["label_selector"]["selector"], server.labels)


def _rules(rules: Any) -> list[Document]:
    """As they are kept: every field is there. Raises Refused."""
    if not isinstance(rules, list) or len(rules) > 50:
        raise invalid("rules")
    for rule in rules:
        sources = rule.get("source_ips") or []
        needs_port = rule.get("protocol") in ("tcp", "udp")
        good_port = bool(_PORTS.fullmatch(rule.get("port") or "")) if needs_port else rule.get("port") is None
        good_kind = rule.get("protocol") in ("tcp", "udp", "icmp", "esp", "gre")
        if rule.get("direction") not in ("in", "out") or not good_kind or not good_port:
            raise invalid("rules")
        if rule["direction"] == "in" and (not sources or not all(_is_network(ip) for ip in sources)):
            raise invalid("rules")
    empty: Document = {"source_ips": [], "destination_ips": [], "port": None, "description": None}
    return [{**empty, **rule} for rule in rules]


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _fingerprint(public_key: str) -> str:
    """As in RFC 4716, section 4. Raises Refused."""
    parts = public_key.split()
    try:
        blob = base64.b64decode(parts[1], validate=True)
    except (IndexError, ValueError):
        raise invalid("public_key") from None
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[n : n + 2] for n in range(0, 32, 2))
