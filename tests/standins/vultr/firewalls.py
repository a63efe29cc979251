"""Vultr: firewall groups and their rules."""

import ipaddress
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.standins.base import Refused, route
from tests.standins.vultr.instances import InstancesPart
from tests.standins.wire import Call, Reply

PROTOCOLS = ("icmp", "tcp", "udp", "gre", "esp", "ah")
PORT = re.compile(r"[1-9]\d{0,4}([:-][1-9]\d{0,4})?")
RULES_MAX = 50
EVERYBODY = {"v4": "0.0.0.0", "v6": "::"}


@dataclass(slots=True, kw_only=True)
class Group:
    id: str
    description: str
    made: int
    changed: int
    rules: dict[int, dict[str, Any]] = field(default_factory=dict)


class FirewallsPart(InstancesPart):
    """An instance has one group or none; an empty group lets nothing in."""

    def __init__(self, **options: Any) -> None:
        self.groups: dict[str, Group] = {}
        super().__init__(**options)

    # ------------------------------------------------------------------------------------------ groups

    @route("GET", "/v2/firewalls")
    def list_groups(self, call: Call) -> Reply:
        return self._page(call, "firewall_groups", [self._group_shown(group) for group in self.groups.values()])

    @route("POST", "/v2/firewalls")
    def create_group(self, call: Call) -> Reply:
        description = call.document.get("description", "")
        group = Group(id=self._uuid(), description=description, made=self.ticks, changed=self.ticks)
        self.groups[group.id] = group
        return Reply(status=201, document={"firewall_group": self._group_shown(group)})

    @route("GET", "/v2/firewalls/{id}")
    def get_group(self, call: Call, id: str) -> Reply:
        return Reply(document={"firewall_group": self._group_shown(self._group(id))})

    @route("PUT", "/v2/firewalls/{id}")
    def update_group(self, call: Call, id: str) -> Reply:
        group = self._group(id)
        self._wanted(call.document, "description")
        group.description, group.changed = call.document["description"], self.ticks
        return Reply(status=204)

    @route("DELETE", "/v2/firewalls/{id}")
    def delete_group(self, call: Call, id: str) -> Reply:
        """Its instances are open to everybody then."""
        del self.groups[self._group(id).id]
        for instance in self.instances.values():
            instance.firewall = "" if instance.firewall == id else instance.firewall
        return Reply(status=204)

    def _group(self, id: str) -> Group:
        group: Group = self._one(self.groups, id, "firewall-group-id")
        return group

    def _group_shown(self, group: Group) -> dict[str, Any]:
        members = [i for i in self.instances.values() if i.firewall == group.id and i.deleted is None]
        return {
            "id": group.id,
            "description": group.description,
            "date_created": self.instant(group.made),
            "date_modified": self.instant(group.changed),
            "instance_count": len(members),
            "rule_count": len(group.rules),
            "max_rule_count": RULES_MAX,
        }

    def _check_changes(self, wish: Mapping[str, Any]) -> None:
        super()._check_changes(wish)
        if wish.get("firewall_group_id") and wish["firewall_group_id"] not in self.groups:
            raise Refused(400, "Invalid firewall group.")

    # ------------------------------------------------------------------------------------------ rules

    @route("GET", "/v2/firewalls/{id}/rules")
    def list_rules(self, call: Call, id: str) -> Reply:
        return self._page(call, "firewall_rules", list(self._group(id).rules.values()))

    @route("POST", "/v2/firewalls/{id}/rules")
    def create_rule(self, call: Call, id: str) -> Reply:
        group, wish = self._group(id), call.document
        self._check_rule(wish)
        if len(group.rules) >= RULES_MAX:
            raise Refused(400, "The firewall group has too many rules.")
        made = _rule(wish, max(group.rules, default=0) + 1)
        if any({**rule, "id": made["id"]} == made for rule in group.rules.values()):
            raise Refused(400, "This rule is already defined.")
        group.rules[made["id"]], group.changed = made, self.ticks
        return Reply(status=201, document={"firewall_rule": made})

    @route("GET", "/v2/firewalls/{id}/rules/{rule}")
    def get_rule(self, call: Call, id: str, rule: str) -> Reply:
        return Reply(document={"firewall_rule": self._one(self._group(id).rules, _number(rule), "firewall-rule-id")})

    @route("DELETE", "/v2/firewalls/{id}/rules/{rule}")
    def delete_rule(self, call: Call, id: str, rule: str) -> Reply:
        group = self._group(id)
        self._one(group.rules, _number(rule), "firewall-rule-id")
        del group.rules[_number(rule)]
        return Reply(status=204)

    def walls(self) -> Mapping[str, frozenset[int]]:
        return {group.description: frozenset(_open_to_all(group)) for group in self.groups.values()}

    def set_wall(self, name: str, ports: Collection[int]) -> None:
        wishes = [
            {"ip_type": family, "protocol": "tcp", "port": str(port), "subnet": subnet, "subnet_size": 0}
            for port in ports
            for family, subnet in EVERYBODY.items()
        ]
        with self._lock:
            group = next((group for group in self.groups.values() if group.description == name), None)
            if group is None:
                group = Group(id=self._uuid(), description=name, made=self.ticks, changed=self.ticks)
                self.groups[group.id] = group
            first = max(group.rules, default=0) + 1
            group.rules = {id: _rule(wish, id) for id, wish in enumerate(wishes, first)}

    def _check_rule(self, wish: Mapping[str, Any]) -> None:
        self._wanted(wish, "ip_type", "protocol", "subnet", "subnet_size")
        if wish["ip_type"] not in ("v4", "v6"):
            raise Refused(400, "ip_type must be v4 or v6")
        if str(wish["protocol"]).lower() not in PROTOCOLS:
            raise Refused(400, "Invalid protocol.")
        _check_subnet(wish)
        _check_port(wish)


def _open_to_all(group: Group) -> set[int]:
    opened = [
        {int(rule["port"]) for rule in group.rules.values() if (rule["ip_type"], rule["subnet"]) == everybody}
        for everybody in EVERYBODY.items()
    ]
    return set.intersection(*opened)


def _rule(wish: Mapping[str, Any], id: int) -> dict[str, Any]:
    return {
        "id": id,
        "type": wish["ip_type"],
        "ip_type": wish["ip_type"],
        "action": "accept",
        "protocol": str(wish["protocol"]).lower(),
        "port": str(wish.get("port", "")).replace("-", ":"),
        "subnet": wish["subnet"],
        "subnet_size": wish["subnet_size"],
        "source": wish.get("source", ""),
        "notes": wish.get("notes", ""),
    }


def _check_subnet(wish: Mapping[str, Any]) -> None:
    network = ipaddress.IPv4Network if wish["ip_type"] == "v4" else ipaddress.IPv6Network
    if not isinstance(wish["subnet_size"], int):
        raise Refused(400, "subnet_size must be a number")
    try:
        network(f"{wish['subnet']}/{wish['subnet_size']}", strict=False)
    except ValueError as error:
        raise Refused(400, "Invalid subnet.") from error


def _check_port(wish: Mapping[str, Any]) -> None:
    """A port or a range, for TCP and UDP only."""
    port, needed = str(wish.get("port", "")), str(wish["protocol"]).lower() in ("tcp", "udp")
    if needed and not port:
        raise Refused(400, "port is required")
    if not needed and port:
        raise Refused(400, "port is for TCP and UDP only")
    if port and not (PORT.fullmatch(port) and all(int(end) <= 65535 for end in re.split("[:-]", port))):
        raise Refused(400, "Invalid port.")


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
