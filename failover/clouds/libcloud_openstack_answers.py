"""What OpenStack's services answer, read for the dialect: servers, flavors, images, networks, security groups."""

from collections.abc import Iterable, Mapping
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit

import msgspec

from failover.clouds.libcloud_dialect import (
    LABEL_PREFIX,
    Machine,
    Place,
    public,
    running,
    seconds,
)
from failover.core.firewall import ALL, ANYWHERE_V4, ANYWHERE_V6, Opening
from failover.core.model import NodeState
from failover.errors import AccessRefused, Rejected, Unreadable
from failover.net.libcloud import Api, Ask
from failover.net.lists import PAGES_MAX, Document, items, part

COMPUTE, NETWORK, IMAGE = "compute", "network", "image"
_STATES = {
    "ACTIVE": NodeState.RUNNING,
    **dict.fromkeys(("BUILD", "REBUILD", "REBOOT", "HARD_REBOOT", "RESIZE", "VERIFY_RESIZE"), NodeState.PENDING),
    **dict.fromkeys(("REVERT_RESIZE", "MIGRATING", "PASSWORD", "UNKNOWN"), NodeState.PENDING),
    **dict.fromkeys(("DELETED", "SOFT_DELETED")),
}

T = TypeVar("T")


class _Address(msgspec.Struct):
    addr: str
    type: str = msgspec.field(name="OS-EXT-IPS:type", default="fixed")


class _Fault(msgspec.Struct):
    message: str = ""


class _Named(msgspec.Struct):
    name: str


class Server(msgspec.Struct):
    id: str
    name: str
    status: str
    created: str
    metadata: dict[str, str]
    addresses: dict[str, list[_Address]]
    fault: _Fault | None = None
    groups: list[_Named] = msgspec.field(name="security_groups", default=[])
    """nova leaves out what has none."""
    task: str | None = msgspec.field(name="OS-EXT-STS:task_state", default=None)


class OneServer(msgspec.Struct):
    server: Server


class _New(msgspec.Struct):
    id: str


class OneNew(msgspec.Struct):
    server: _New


class _Flavor(msgspec.Struct):
    id: str
    name: str
    vcpus: int
    ram: int
    disk: int
    disabled: bool = msgspec.field(name="OS-FLV-DISABLED:disabled", default=False)


class _Absolute(msgspec.Struct):
    instances_max: int = msgspec.field(name="maxTotalInstances")
    instances_used: int = msgspec.field(name="totalInstancesUsed")


class _Limits(msgspec.Struct):
    absolute: _Absolute


class _AllLimits(msgspec.Struct):
    limits: _Limits


class Image(msgspec.Struct):
    id: str
    name: str | None
    created_at: str
    status: str


class Network(msgspec.Struct):
    id: str
    name: str
    external: bool = msgspec.field(name="router:external", default=False)


class Rule(msgspec.Struct):
    id: str
    direction: str
    ethertype: str
    protocol: str | None
    port_range_min: int | None
    port_range_max: int | None
    remote_ip_prefix: str | None
    remote_group_id: str | None = None
    remote_address_group_id: str | None = None


class Group(msgspec.Struct):
    id: str
    name: str
    rules: list[Rule] = msgspec.field(name="security_group_rules")


class _OneGroup(msgspec.Struct):
    security_group: Group


class _Link(msgspec.Struct):
    rel: str
    href: str


# ------------------------------------------------------------------------------------ lists


def listed(api: Api, what: str, path: str, key: str, kind: type[T], service: str, **query: str) -> list[T]:
    """Every item of every page, by the links from each to the next."""
    found: list[T] = []
    asked: Mapping[str, object] = query
    for _ in range(PAGES_MAX):
        document = api.get(Ask(name=f"{service}.{what}", path=path, query=asked, service=service), Document)
        page = items(api, document, key, kind)
        found += page
        following = _next(api, document, key)
        if following is None:
            return found
        if not page or following == asked:
            break
        asked = following
    raise Unreadable(api.operation, api.object, f"the list of {key} breaks off after {len(found)}")


def _next(api: Api, document: Document, key: str) -> Mapping[str, object] | None:
    """The query of the next page: nova and neutron have `{key}_links`, glance has `next`."""
    links = items(api, document, f"{key}_links", _Link) if f"{key}_links" in document else []
    hrefs = [link.href for link in links if link.rel == "next"]
    if "next" in document:
        hrefs.append(part(api, document, "next", str))
    return dict(parse_qsl(urlsplit(hrefs[0]).query)) if hrefs else None


def limits(api: Api) -> _Absolute:
    return api.get(Ask(name="compute.limits.get", path="/limits"), _AllLimits).limits.absolute


def used(api: Api) -> int:
    """How many servers the project uses; 0 where this credential may not ask, while others of the project may be."""
    try:
        return limits(api).instances_used
    except AccessRefused:
        return 0


def machine_of(server: Server, network: str | None) -> Machine:
    addresses = _reachable(server.addresses, network)
    state = None if server.task == "deleting" else _STATES.get(server.status, NodeState.STOPPED)
    trouble = server.fault.message if server.fault is not None else "no reason was given"
    return Machine(
        id=server.id,
        name=server.name,
        labels={key: value for key, value in server.metadata.items() if key.startswith(LABEL_PREFIX)},
        state=running(addresses) if state is NodeState.RUNNING else state,
        addresses=addresses,
        created_at_s=seconds(server.created),
        trouble=f"the server ended in ERROR: {trouble}" if server.status == "ERROR" else "",
    )


def _reachable(addresses: Mapping[str, Iterable[_Address]], network: str | None) -> tuple[str, ...]:
    """The public ones. In a cloud without any: floating ones, else those of the network that was named, else all."""
    all_of = [a for found in addresses.values() for a in found]
    floating = [a for a in all_of if a.type == "floating"]
    choices = (floating, list(addresses.get(network or "", ())), all_of)
    chosen = next((found for found in choices if found), [])
    return public(a.addr for a in all_of) or tuple(a.addr for a in chosen)


def flavors(api: Api) -> list[_Flavor]:
    return listed(api, "flavors.list", "/flavors/detail", "flavors", _Flavor, COMPUTE)


def flavor_id(api: Api, name: str) -> str:
    found = next((f.id for f in flavors(api) if f.name == name), None)
    if found is None:
        raise Rejected(api.operation, api.object, f"there is no size {name}")
    return found


def ingress(group: Group) -> list[Rule]:
    return [rule for rule in group.rules if rule.direction == "ingress"]


def opening(rule: Rule) -> Opening:
    """Without a prefix or a group a rule is for everybody of its family (network API reference)."""
    low, high = rule.port_range_min, rule.port_range_max
    ports = "" if low is None else str(low) if low == high else f"{low}-{high}"
    everybody = ANYWHERE_V6 if rule.ethertype == "IPv6" else ANYWHERE_V4
    source = rule.remote_ip_prefix or rule.remote_group_id or rule.remote_address_group_id or everybody
    return Opening(protocol=rule.protocol or ALL, ports=ports, source=source)


def groups(api: Api, place: Place) -> list[Group]:
    """Ours, by their names. One, unless a reply was lost."""
    path = "/v2.0/security-groups"
    return listed(api, "groups.list", path, "security_groups", Group, NETWORK, name=place.mark)


def new_group(api: Api, place: Place) -> Group:
    body = {"security_group": {"name": place.mark, "description": f"{place.service} at {place.site}"}}
    path = "/v2.0/security-groups"
    ask = Ask(name="network.groups.create", method="POST", path=path, body=body, service=NETWORK)
    return api.once(ask, _OneGroup).security_group
