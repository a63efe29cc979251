"""Linode: Cloud Firewalls and the Linodes that they are assigned to."""

import ipaddress
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.standins.base import Refused, route
from tests.standins.linode.instances import LABEL, InstancesPart, Linode
from tests.standins.wire import Call, Reply

LABEL_LENGTH = (3, 32)
RULES_MAX = 25
PORT_PIECES_MAX = 15
PORTS = re.compile(r"[1-9]\d{0,4}(-[1-9]\d{0,4})?")
PROTOCOLS = ("TCP", "UDP", "ICMP", "IPENCAP")
POLICIES = ("ACCEPT", "DROP")
EVERYBODY = {"ipv4": ["0.0.0.0/0"], "ipv6": ["::/0"]}


@dataclass(slots=True, kw_only=True)
class Firewall:
    id: int
    label: str
    made: int
    rules: dict[str, Any]
    tags: list[str]
    status: str = "enabled"
    devices: dict[int, int] = field(default_factory=dict)
    """From the device's id to the Linode's."""


class FirewallsPart(InstancesPart):
    """A firewall follows no tag: every Linode is assigned by name."""

    def __init__(self, **options: Any) -> None:
        self.firewalls: dict[int, Firewall] = {}
        super().__init__(**options)

    @route("GET", "/v4/networking/firewalls")
    def list_firewalls(self, call: Call) -> Reply:
        return self._page(call, "firewalls", [self._wall(firewall) for firewall in self.firewalls.values()])

    @route("POST", "/v4/networking/firewalls")
    def create_firewall(self, call: Call) -> Reply:
        wish = call.document
        self._wanted(wish, "label", "rules")
        self._check_firewall_label(wish["label"])
        rules = _rules(wish["rules"])
        linodes = [self._unguarded(self._linode(str(id))) for id in (wish.get("devices") or {}).get("linodes", ())]
        firewall = Firewall(
            id=self._number(),
            label=wish["label"],
            made=self.ticks,
            rules=rules,
            tags=self._checked_tags(wish.get("tags") or []),
            devices={self._number(): linode.id for linode in linodes},
        )
        self.firewalls[firewall.id] = firewall
        return self._reply(self._wall(firewall))

    @route("GET", "/v4/networking/firewalls/{id}")
    def get_firewall(self, call: Call, id: str) -> Reply:
        return self._reply(self._wall(self._firewall(id)))

    @route("PUT", "/v4/networking/firewalls/{id}")
    def update_firewall(self, call: Call, id: str) -> Reply:
        firewall, wish = self._firewall(id), call.document
        if "label" in wish:
            self._check_firewall_label(wish["label"], firewall.id)
        if wish.get("status", "enabled") not in ("enabled", "disabled"):
            raise Refused(400, "status is not valid", "status")
        firewall.label = wish.get("label", firewall.label)
        firewall.status = wish.get("status", firewall.status)
        firewall.tags = self._checked_tags(wish["tags"]) if "tags" in wish else firewall.tags
        return self._reply(self._wall(firewall))

    @route("DELETE", "/v4/networking/firewalls/{id}")
    def delete_firewall(self, call: Call, id: str) -> Reply:
        del self.firewalls[self._firewall(id).id]
        return self._reply({})

    @route("GET", "/v4/networking/firewalls/{id}/rules")
    def get_rules(self, call: Call, id: str) -> Reply:
        return self._reply(self._firewall(id).rules)

    @route("PUT", "/v4/networking/firewalls/{id}/rules")
    def replace_rules(self, call: Call, id: str) -> Reply:
        firewall = self._firewall(id)
        firewall.rules = _rules({**firewall.rules, **call.document})
        return self._reply(firewall.rules)

    @route("GET", "/v4/networking/firewalls/{id}/devices")
    def list_devices(self, call: Call, id: str) -> Reply:
        firewall = self._firewall(id)
        return self._page(call, "devices", [self._device(firewall, device) for device in firewall.devices])

    @route("POST", "/v4/networking/firewalls/{id}/devices")
    def create_device(self, call: Call, id: str) -> Reply:
        firewall, wish = self._firewall(id), call.document
        self._wanted(wish, "id", "type")
        linode = self._to_guard(wish["type"], wish["id"])
        if linode.id in firewall.devices.values():
            raise Refused(400, f"Linode {linode.label} is already assigned to this firewall.", "id")
        device = self._number()
        firewall.devices[device] = self._unguarded(linode).id
        return self._reply(self._device(firewall, device))

    @route("GET", "/v4/networking/firewalls/{id}/devices/{device}")
    def get_device(self, call: Call, id: str, device: str) -> Reply:
        firewall = self._firewall(id)
        self._one(firewall.devices, self._id(device))
        return self._reply(self._device(firewall, int(device)))

    @route("DELETE", "/v4/networking/firewalls/{id}/devices/{device}")
    def delete_device(self, call: Call, id: str, device: str) -> Reply:
        firewall = self._firewall(id)
        self._one(firewall.devices, self._id(device))
        del firewall.devices[int(device)]
        return self._reply({})

    @route("GET", "/v4/linode/instances/{id}/firewalls")
    def list_linode_firewalls(self, call: Call, id: str) -> Reply:
        linode = self._linode(id)
        ours = [self._wall(wall) for wall in self.firewalls.values() if linode.id in wall.devices.values()]
        return self._page(call, "firewalls", ours)

    # ------------------------------------------------------------------------------------------ what is there

    def attached(self, linode: Linode, wish: Mapping[str, Any]) -> None:
        named = [one["firewall_id"] for one in (wish, *wish.get("interfaces", ())) if one.get("firewall_id")]
        for id in named:
            self._firewall(str(id)).devices[self._number()] = linode.id

    def _creatable(self, wish: Mapping[str, Any]) -> None:
        super()._creatable(wish)
        named = {one["firewall_id"] for one in (wish, *wish.get("interfaces", ())) if one.get("firewall_id")}
        if not named <= self.firewalls.keys():
            raise Refused(400, "firewall_id is not valid", "firewall_id")

    def delete_linode(self, call: Call, id: str) -> Reply:
        """Its devices go with it."""
        reply = super().delete_linode(call, id)
        for firewall in self.firewalls.values():
            firewall.devices = {device: linode for device, linode in firewall.devices.items() if linode != int(id)}
        return reply

    def walls(self) -> Mapping[str, frozenset[int]]:
        return {
            wall.label: frozenset(
                int(port)
                for rule in wall.rules["inbound"]
                if rule["addresses"] == EVERYBODY
                for port in rule["ports"].split(",")
            )
            for wall in self.firewalls.values()
        }

    def set_wall(self, name: str, ports: Collection[int]) -> None:
        inbound = [{"action": "ACCEPT", "protocol": "TCP", "ports": str(p), "addresses": EVERYBODY} for p in ports]
        rules = _rules({"inbound": inbound, "inbound_policy": "DROP", "outbound_policy": "ACCEPT"})
        with self._lock:
            wall = next((wall for wall in self.firewalls.values() if wall.label == name), None)
            if wall is None:
                id = self._number()
                wall = self.firewalls[id] = Firewall(id=id, label=name, made=self.ticks, rules=rules, tags=[])
            wall.rules = rules

    def _to_guard(self, type: str, id: int) -> Linode:
        """The reference: `linode` is not allowed for Linodes using Linode interfaces, and the other way round."""
        if type == "linode_interface":
            found = next((linode for linode in self._existing() if linode.interface == id), None)
            if found is None:
                raise Refused(400, "id is not valid", "id")
            return found
        if type != "linode":
            raise Refused(400, "type is not valid", "type")
        linode = self._linode(str(id))
        if linode.interface is not None:
            raise Refused(400, "Firewalls are assigned to the interfaces of this Linode", "type")
        return linode

    def _unguarded(self, linode: Linode) -> Linode:
        """A service can have one active firewall at a time."""
        if any(linode.id in wall.devices.values() and wall.status == "enabled" for wall in self.firewalls.values()):
            raise Refused(400, f"Linode {linode.label} is already assigned to an active firewall.", "id")
        return linode

    def _firewall(self, id: str) -> Firewall:
        firewall: Firewall = self._one(self.firewalls, self._id(id))
        return firewall

    def _check_firewall_label(self, label: str, ours: int | None = None) -> None:
        low, high = LABEL_LENGTH
        if not low <= len(label) <= high:
            raise Refused(400, "Length must be 3-32 characters", "label")
        if not LABEL.fullmatch(label):
            raise Refused(400, "Must only use ASCII letters, numbers, underscores, periods, and dashes", "label")
        if any(wall.label == label and wall.id != ours for wall in self.firewalls.values()):
            raise Refused(400, "Label must be unique among your Cloud Firewalls", "label")

    def _wall(self, firewall: Firewall) -> dict[str, Any]:
        return {
            "id": firewall.id,
            "label": firewall.label,
            "created": self.instant(firewall.made),
            "updated": self.instant(firewall.made),
            "status": firewall.status,
            "rules": {**firewall.rules, "version": 1, "fingerprint": "997dd135"},
            "tags": firewall.tags,
            "entities": [self._entity(linode) for linode in firewall.devices.values()],
        }

    def _entity(self, id: int) -> dict[str, Any]:
        linode, url = self.linodes[id], f"/v4/linode/instances/{id}"
        itself = {"id": id, "type": "linode", "label": linode.label, "url": url, "parent_entity": None}
        if linode.interface is None:
            return itself
        url = f"{url}/interfaces/{linode.interface}"
        return {**itself, "id": linode.interface, "type": "linode_interface", "url": url, "parent_entity": itself}

    def _device(self, firewall: Firewall, device: int) -> dict[str, Any]:
        made = self.instant(firewall.made)
        return {"id": device, "created": made, "updated": made, "entity": self._entity(firewall.devices[device])}


def _rules(wish: Mapping[str, Any]) -> dict[str, Any]:
    """Both sides with their policies. Raises Refused."""
    made: dict[str, Any] = {}
    for side in ("inbound", "outbound"):
        policy = wish.get(f"{side}_policy")
        if policy not in POLICIES:
            raise Refused(400, f"{side}_policy is required", f"rules.{side}_policy")
        rules = wish.get(side) or []
        made |= {side: [_rule(r, f"rules.{side}[{at}]") for at, r in enumerate(rules)], f"{side}_policy": policy}
    if len(made["inbound"]) + len(made["outbound"]) > RULES_MAX:
        raise Refused(400, "A firewall may have up to 25 rules", "rules")
    return made


def _rule(rule: Mapping[str, Any], field: str) -> dict[str, Any]:
    if rule.get("protocol") not in PROTOCOLS:
        raise Refused(400, "Must be one of TCP, UDP, ICMP, IPENCAP", f"{field}.protocol")
    if rule.get("action") not in POLICIES:
        raise Refused(400, "Must be one of ACCEPT, DROP", f"{field}.action")
    _check_ports(rule, f"{field}.ports")
    _check_addresses(rule.get("addresses") or {}, f"{field}.addresses")
    if "label" in rule and not 3 <= len(rule["label"]) <= 32:
        raise Refused(400, "Length must be 3-32 characters", f"{field}.label")
    return {"label": None, "description": None, **rule}


def _check_ports(rule: Mapping[str, Any], field: str) -> None:
    """`22-24, 80, 443`: at most fifteen pieces, a range counts as two."""
    if not (ports := rule.get("ports")):
        return
    if rule["protocol"] not in ("TCP", "UDP"):
        raise Refused(400, f"Ports are not allowed for {rule['protocol']}", field)
    parts = re.split(", ?", ports)
    ranges = [[int(end) for end in part.split("-")] for part in parts if PORTS.fullmatch(part)]
    good = len(ranges) == len(parts) and all(r[-1] <= 65535 and r == sorted(set(r)) for r in ranges)
    if not good or sum(map(len, ranges)) > PORT_PIECES_MAX:
        raise Refused(400, "Must contain only valid ports", field)


def _check_addresses(addresses: Mapping[str, Any], field: str) -> None:
    if not addresses.get("ipv4") and not addresses.get("ipv6"):
        raise Refused(400, "Must contain ipv4, ipv6, or both", field)
    for family, network in (("ipv4", ipaddress.IPv4Network), ("ipv6", ipaddress.IPv6Network)):
        if addresses.get(family) == []:
            raise Refused(400, "Must not be an empty list", f"{field}.{family}")
        for at, address in enumerate(addresses.get(family) or ()):
            try:
                network(address)
            except ValueError as error:
                raise Refused(400, "Must be an IP in IP/mask format", f"{field}.{family}[{at}]") from error
            if "/" not in address:
                raise Refused(400, "Must be an IP in IP/mask format", f"{field}.{family}[{at}]")
