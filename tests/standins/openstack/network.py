"""neutron: a public provider network and a private one, ports, security groups, floating addresses."""

import ipaddress
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from tests.standins.base import Refused, addresses, route
from tests.standins.openstack.identity import PROJECT_ID, Document
from tests.standins.openstack.image import Image
from tests.standins.wire import Call, Reply

EVERYBODY = {"0.0.0.0/0": "IPv4", "::/0": "IPv6"}
PUBLIC, PRIVATE = "Ext-Net", "private"
_RULE_FIELDS = ("direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix")
_PROTOCOLS = (None, "tcp", "udp", "icmp", "ipv6-icmp", "icmpv6", "1", "6", "17", "58")


class Network(Image):
    """What servers are reached by. Every project begins with the security group `default`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.networks: dict[str, Document] = {}
        self.subnets: dict[str, Document] = {}
        self.ports: dict[str, Document] = {}
        self.groups: dict[str, Document] = {}
        self.rules: dict[str, Document] = {}
        self.floating: dict[str, Document] = {}
        self._free: dict[str, Iterable[str]] = {}
        self._add_network(PUBLIC, public=True, networks={"198.18.0.0/15": self.free_v4, "2001:db8::/64": self.free_v6})
        self._add_network(PRIVATE, public=False, networks={"10.0.0.0/24": addresses("10.0.0.0/24")})
        self.default_group = self._add_group("default", "Default security group")["id"]

    def empty(self) -> None:
        """Networks are the provider's; everything else is gone."""
        for all in (self.ports, self.groups, self.rules, self.floating):
            all.clear()
        self.default_group = self._add_group("default", "Default security group")["id"]

    def _add_network(self, name: str, *, public: bool, networks: dict[str, Any]) -> None:
        id = self.new_id()
        subnets = [self._add_subnet(id, cidr, free) for cidr, free in networks.items()]
        self.networks[id] = {
            "id": id,
            "name": name,
            "tenant_id": "provider" if public else PROJECT_ID,
            "project_id": "provider" if public else PROJECT_ID,
            "admin_state_up": True,
            "status": "ACTIVE",
            "shared": public,
            "router:external": public,
            "mtu": 1500,
            "port_security_enabled": True,
            "subnets": subnets,
            "availability_zones": ["nova"],
            "availability_zone_hints": [],
            "description": "",
            "tags": [],
            "created_at": self.instant(0),
            "updated_at": self.instant(0),
            "revision_number": 1,
        }

    def _add_subnet(self, network: str, cidr: str, free: Iterable[str]) -> str:
        id, parsed = self.new_id(), ipaddress.ip_network(cidr)
        self._free[id] = iter(free)
        self.subnets[id] = {
            "id": id,
            "name": "",
            "network_id": network,
            "tenant_id": PROJECT_ID,
            "project_id": PROJECT_ID,
            "ip_version": parsed.version,
            "cidr": cidr,
            "gateway_ip": None,
            "enable_dhcp": True,
            "dns_nameservers": [],
            "allocation_pools": [],
            "host_routes": [],
            "ipv6_address_mode": "slaac" if parsed.version == 6 else None,
            "ipv6_ra_mode": None,
            "tags": [],
        }
        return id

    # ------------------------------------------------------------------------------------------ the service

    @route("GET", "/network")
    @route("GET", "/network/")
    def network_versions(self, call: Call) -> Reply:
        link = {"rel": "self", "href": f"{self.url}/network/v2.0/"}
        return Reply(document={"versions": [{"id": "v2.0", "status": "CURRENT", "links": [link]}]})

    @route("GET", "/network/v2.0")
    @route("GET", "/network/v2.0/")
    def network_version(self, call: Call) -> Reply:
        return Reply(document={"resources": []})

    @route("GET", "/network/v2.0/extensions")
    def list_extensions(self, call: Call) -> Reply:
        names = ("security-group", "router", "external-net", "standard-attr-tag", "port-security", "pagination")
        return Reply(
            document={
                "extensions": [
                    {"alias": n, "name": n, "description": n, "links": [], "updated": "2017-01-01T00:00:00-00:00"}
                    for n in names
                ]
            }
        )

    def _listed(self, call: Call, key: str, items: Iterable[Document]) -> Reply:
        """Filtered by any fields, each of which may be given several times; in pages where they are limited."""
        special = ("limit", "marker", "fields", "sort_key", "sort_dir", "page_reverse")
        asked: dict[str, set[str]] = {}
        for name, value in call.query:
            if name not in special:
                asked.setdefault(name, set()).add(value)
        found = [item for item in items if all(_matches(item.get(n), values) for n, values in asked.items())]
        found.sort(key=lambda item: str(item["id"]))
        ids = [item["id"] for item in found]
        if (marker := call.asked("marker")) and marker in ids:
            found = found[ids.index(marker) + 1 :]
        limit = min(int(call.asked("limit", "0")) or 10_000, self.page_max or 10_000)
        document: Document = {key: found[:limit]}
        if len(found) > limit:
            query = [(n, v) for n, v in call.query if n != "marker"] + [("marker", found[limit - 1]["id"])]
            href = f"{self.url}{call.path}?{urlencode(query)}"
            document[f"{key}_links"] = [{"rel": "next", "href": href}]
        return Reply(document=document)

    @route("GET", "/network/v2.0/networks")
    def list_networks(self, call: Call) -> Reply:
        return self._listed(call, "networks", self.networks.values())

    @route("GET", "/network/v2.0/networks/{id}")
    def get_network(self, call: Call, id: str) -> Reply:
        return Reply(document={"network": _of(self.networks, id, "Network")})

    @route("GET", "/network/v2.0/subnets")
    def list_subnets(self, call: Call) -> Reply:
        return self._listed(call, "subnets", self.subnets.values())

    @route("GET", "/network/v2.0/subnets/{id}")
    def get_subnet(self, call: Call, id: str) -> Reply:
        return Reply(document={"subnet": _of(self.subnets, id, "Subnet")})

    @route("GET", "/network/v2.0/quotas/{project}")
    def get_network_quota(self, call: Call, project: str) -> Reply:
        return Reply(document={"quota": {"network": 100, "port": 500, "security_group": 100, "floatingip": 50}})

    # ------------------------------------------------------------------------------------------ ports

    def add_port(self, network: str, device: str, groups: list[str]) -> Document:
        id = self.new_id()
        subnets = [self.subnets[s] for s in self.networks[network]["subnets"]]
        subnets.sort(key=lambda s: -s["ip_version"])  # no client may rely on IPv4 being first
        port: Document = {
            "id": id,
            "name": "",
            "network_id": network,
            "tenant_id": PROJECT_ID,
            "project_id": PROJECT_ID,
            "device_id": device,
            "device_owner": "compute:nova" if device else "",
            "mac_address": f"fa:16:3e:{len(self.ports) // 65536 % 256:02x}:{self._last_id // 256 % 256:02x}"
            f":{self._last_id % 256:02x}",
            "admin_state_up": True,
            "status": "ACTIVE" if device else "DOWN",
            "security_groups": groups,
            "fixed_ips": [{"subnet_id": s["id"], "ip_address": next(iter(self._free[s["id"]]))} for s in subnets],
            "allowed_address_pairs": [],
            "port_security_enabled": True,
            "tags": [],
            "description": "",
        }
        self.ports[id] = port
        return port

    @route("GET", "/network/v2.0/ports")
    def list_ports(self, call: Call) -> Reply:
        return self._listed(call, "ports", self.ports.values())

    @route("GET", "/network/v2.0/ports/{id}")
    def get_port(self, call: Call, id: str) -> Reply:
        return Reply(document={"port": _of(self.ports, id, "Port")})

    @route("PUT", "/network/v2.0/ports/{id}")
    def update_port(self, call: Call, id: str) -> Reply:
        port, wish = _of(self.ports, id, "Port"), call.document["port"]
        for group in wish.get("security_groups") or ():
            _of(self.groups, group, "SecurityGroup")
        port.update({k: v for k, v in wish.items() if k in ("name", "description", "security_groups")})
        return Reply(document={"port": port})

    # ------------------------------------------------------------------------------------------ security groups

    def _add_group(self, name: str, description: str) -> Document:
        id = self.new_id()
        self.groups[id] = {
            "id": id,
            "name": name,
            "description": description,
            "tenant_id": PROJECT_ID,
            "project_id": PROJECT_ID,
            "stateful": True,
            "shared": False,
            "tags": [],
            "created_at": self.instant(self.ticks),
            "updated_at": self.instant(self.ticks),
            "revision_number": 1,
        }
        for version in ("IPv4", "IPv6"):
            self._add_rule({"security_group_id": id, "direction": "egress", "ethertype": version})
        return self.groups[id]

    def _shown_group(self, group: Document) -> Document:
        rules = [rule for rule in self.rules.values() if rule["security_group_id"] == group["id"]]
        return {**group, "security_group_rules": rules}

    @route("GET", "/network/v2.0/security-groups")
    def list_groups(self, call: Call) -> Reply:
        return self._listed(call, "security_groups", [self._shown_group(group) for group in self.groups.values()])

    @route("POST", "/network/v2.0/security-groups")
    def create_group(self, call: Call) -> Reply:
        wish = call.document["security_group"]
        name, description = wish.get("name", ""), wish.get("description", "")
        if name == "default":
            raise Refused(409, "Default security group already exists.", "SecurityGroupDefaultAlreadyExists")
        if len(name) > 255 or len(description) > 255:
            raise Refused(400, "Invalid input for description.", "HTTPBadRequest")
        return Reply(status=201, document={"security_group": self._shown_group(self._add_group(name, description))})

    @route("GET", "/network/v2.0/security-groups/{id}")
    def get_group(self, call: Call, id: str) -> Reply:
        return Reply(document={"security_group": self._shown_group(_of(self.groups, id, "SecurityGroup"))})

    @route("PUT", "/network/v2.0/security-groups/{id}")
    def update_group(self, call: Call, id: str) -> Reply:
        group, wish = _of(self.groups, id, "SecurityGroup"), call.document["security_group"]
        group.update({k: v for k, v in wish.items() if k in ("name", "description")})
        return Reply(document={"security_group": self._shown_group(group)})

    @route("DELETE", "/network/v2.0/security-groups/{id}")
    def delete_group(self, call: Call, id: str) -> Reply:
        _of(self.groups, id, "SecurityGroup")
        if id == self.default_group:
            raise Refused(409, "Removing default security group not allowed.", "SecurityGroupCannotRemoveDefault")
        if any(id in port["security_groups"] for port in self.ports.values()):
            raise Refused(409, f"Security Group {id} in use.", "SecurityGroupInUse")
        del self.groups[id]
        self.rules = {k: rule for k, rule in self.rules.items() if rule["security_group_id"] != id}
        return Reply(status=204)

    @route("PUT", "/network/v2.0/security-groups/{id}/tags")
    def tag_group(self, call: Call, id: str) -> Reply:
        group = _of(self.groups, id, "SecurityGroup")
        group["tags"] = sorted(call.document["tags"])
        return Reply(document={"tags": group["tags"]})

    # ------------------------------------------------------------------------------------------ rules

    def _add_rule(self, wish: Document) -> Document:
        rule = {
            "id": self.new_id(),
            "security_group_id": wish["security_group_id"],
            "tenant_id": PROJECT_ID,
            "project_id": PROJECT_ID,
            "remote_group_id": wish.get("remote_group_id"),
            "remote_address_group_id": None,
            "description": wish.get("description") or "",
            "ethertype": wish.get("ethertype") or "IPv4",
            **{field: wish.get(field) for field in _RULE_FIELDS if field != "ethertype"},
        }
        self.rules[rule["id"]] = rule
        return rule

    @route("GET", "/network/v2.0/security-group-rules")
    def list_rules(self, call: Call) -> Reply:
        return self._listed(call, "security_group_rules", self.rules.values())

    @route("POST", "/network/v2.0/security-group-rules")
    def create_rule(self, call: Call) -> Reply:
        wish = call.document["security_group_rule"]
        _of(self.groups, wish.get("security_group_id", ""), "SecurityGroup")
        _check_rule(wish)
        same = {field: wish.get(field) for field in _RULE_FIELDS} | {"ethertype": wish.get("ethertype") or "IPv4"}
        for rule in self.rules.values():
            if rule["security_group_id"] == wish["security_group_id"] and all(rule[k] == v for k, v in same.items()):
                message = f"Security group rule already exists. Rule id is {rule['id']}."
                raise Refused(409, message, "SecurityGroupRuleExists")
        return Reply(status=201, document={"security_group_rule": self._add_rule(wish)})

    @route("DELETE", "/network/v2.0/security-group-rules/{id}")
    def delete_rule(self, call: Call, id: str) -> Reply:
        del self.rules[_of(self.rules, id, "SecurityGroupRule")["id"]]
        return Reply(status=204)

    def walls(self) -> Mapping[str, frozenset[int]]:
        return {group["name"]: frozenset(self._open_to_all(group["id"])) for group in self.groups.values()}

    def _open_to_all(self, group: str) -> set[int]:
        ingress = [r for r in self.rules.values() if r["security_group_id"] == group and r["direction"] == "ingress"]
        opened = [{r["port_range_min"] for r in ingress if r["remote_ip_prefix"] == prefix} for prefix in EVERYBODY]
        return set.intersection(*opened)

    def set_wall(self, name: str, ports: Collection[int]) -> None:
        with self._lock:
            found = [group["id"] for group in self.groups.values() if group["name"] == name]
            id = found[0] if found else self._add_group(name, "")["id"]
            for rule in list(self.rules.values()):
                if rule["security_group_id"] == id and rule["direction"] == "ingress":
                    del self.rules[rule["id"]]
            wish = {"security_group_id": id, "direction": "ingress", "protocol": "tcp"}
            for port in ports:
                for prefix, family in EVERYBODY.items():
                    ends = {"port_range_min": port, "port_range_max": port}
                    self._add_rule({**wish, **ends, "ethertype": family, "remote_ip_prefix": prefix})

    # ------------------------------------------------------------------------------------------ floating addresses

    @route("GET", "/network/v2.0/floatingips")
    def list_floating(self, call: Call) -> Reply:
        return self._listed(call, "floatingips", self.floating.values())

    @route("POST", "/network/v2.0/floatingips")
    def create_floating(self, call: Call) -> Reply:
        wish = call.document["floatingip"]
        if not _of(self.networks, wish.get("floating_network_id", ""), "Network")["router:external"]:
            raise Refused(400, "Network is not a valid external network.", "BadRequest")
        made = {
            "id": self.new_id(),
            "floating_network_id": wish["floating_network_id"],
            "floating_ip_address": next(self.free_v4),
            "fixed_ip_address": None,
            "port_id": None,
            "router_id": None,
            "status": "DOWN",
            "tenant_id": PROJECT_ID,
            "project_id": PROJECT_ID,
            "description": wish.get("description", ""),
            "tags": [],
        }
        self._bind(made, wish.get("port_id"))
        self.floating[made["id"]] = made
        return Reply(status=201, document={"floatingip": made})

    @route("PUT", "/network/v2.0/floatingips/{id}")
    def update_floating(self, call: Call, id: str) -> Reply:
        found = _of(self.floating, id, "FloatingIP")
        self._bind(found, call.document["floatingip"].get("port_id"))
        return Reply(document={"floatingip": found})

    @route("DELETE", "/network/v2.0/floatingips/{id}")
    def delete_floating(self, call: Call, id: str) -> Reply:
        del self.floating[_of(self.floating, id, "FloatingIP")["id"]]
        return Reply(status=204)

    def _bind(self, floating: Document, port: str | None) -> None:
        fixed = _of(self.ports, port, "Port")["fixed_ips"] if port else []
        v4 = [ip["ip_address"] for ip in fixed if ":" not in ip["ip_address"]]
        floating.update(port_id=port, fixed_ip_address=v4[0] if v4 else None, status="ACTIVE" if v4 else "DOWN")


def _matches(value: Any, asked: set[str]) -> bool:
    if isinstance(value, bool):
        return str(value).lower() in {a.lower() for a in asked}
    return str(value) in asked


def _of(items: dict[str, Document], id: str, what: str) -> Document:
    if id not in items:
        raise Refused(404, f"{what} {id} could not be found.", f"{what}NotFound")
    return items[id]


def _check_rule(wish: Document) -> None:
    """Raises Refused for what neutron does not take."""
    low, high, prefix = wish.get("port_range_min"), wish.get("port_range_max"), wish.get("remote_ip_prefix")
    version = wish.get("ethertype") or "IPv4"
    if wish.get("direction") not in ("ingress", "egress") or version not in ("IPv4", "IPv6"):
        raise Refused(400, "Invalid input for direction or ethertype.", "HTTPBadRequest")
    if wish.get("protocol") not in _PROTOCOLS:
        raise Refused(400, f"Security group rule protocol {wish['protocol']} not supported.", "BadRequest")
    if low is not None and (wish.get("protocol") is None or high is None or low > high):
        raise Refused(400, "Invalid range of ports.", "SecurityGroupInvalidPortRange")
    if prefix is not None and f"IPv{ipaddress.ip_network(prefix).version}" != version:
        message = f"Conflicting value ethertype {version} for CIDR {prefix}"
        raise Refused(400, message, "SecurityGroupRuleParameterConflict")
