"""Vultr's dialect (API v2, by its reference): tags, firewall groups, addresses that are pending as 0.0.0.0."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import msgspec
from libcloud.compute.drivers.vultr import VultrNodeDriver

from failover.clouds import libcloud_rights as rights
from failover.clouds.libcloud_dialect import (
    Machine,
    Offered,
    Place,
    Wish,
    gone,
    labels_of,
    public,
    running,
    seconds,
    tags_of,
)
from failover.clouds.libcloud_token import TokenDialect, cloud_by_token
from failover.core.firewall import Firewall, Opening, wanted_openings
from failover.core.model import NodeSpec, NodeState, Size
from failover.core.reading import Answer
from failover.core.rights import Right
from failover.errors import Rejected
from failover.net.libcloud import Api, Ask
from failover.net.lists import Document, Page, by_id, items, part, whole

ENDPOINT = "https://api.vultr.com"
_PER_PAGE = 500
"""The most that the API gives."""
_HOURS_PER_MONTH = 730
_HOST_NAME_MAX = 63
_NOT_FOR_US = ("-v6", "-free")
"""Endings of the cheapest sizes: without an IPv4 address, and for chosen accounts only."""

T = TypeVar("T")


class _Instance(msgspec.Struct):
    id: str
    label: str
    status: str
    power_status: str
    server_status: str
    main_ip: str
    v6_main_ip: str
    date_created: str
    tags: list[str]
    firewall_group_id: str = ""


class _One(msgspec.Struct):
    instance: _Instance


class _Plan(msgspec.Struct):
    id: str
    vcpu_count: int
    ram: int
    disk: int
    monthly_cost: float
    locations: list[str]
    hourly_cost: float | None = None


class _System(msgspec.Struct):
    id: int
    name: str


class _Group(msgspec.Struct):
    id: str
    description: str


class _OneGroup(msgspec.Struct):
    firewall_group: _Group


class _Rule(msgspec.Struct):
    id: int
    ip_type: str
    protocol: str
    port: str
    subnet: str
    subnet_size: int
    source: str = ""
    """In place of a subnet: `cloudflare`, or the id of a load balancer."""


class _Links(msgspec.Struct):
    next: str


class _Meta(msgspec.Struct):
    total: int
    links: _Links


@dataclass(frozen=True, slots=True, kw_only=True)
class Vultr(TokenDialect):
    """See `Dialect`. Bare metal is left out: it has lists of its own."""

    driver: ClassVar = VultrNodeDriver

    endpoint: str = ENDPOINT
    kind: str = "vultr"
    busy: tuple[int, str] = (500, "currently locked|not currently active")
    """While it is being made: vultr/ansible-collection-vultr, issue 113, and dstackai/dstack, pull request 2132."""

    # ------------------------------------------------------------------------------------------ servers

    def machines(self, api: Api) -> tuple[Machine, ...]:
        return tuple(_machine(i) for i in _listed(api, "instances.list", "/v2/instances", "instances", _Instance))

    def machine(self, api: Api, id: str) -> Machine:
        return _machine(api.get(Ask(name="instances.get", path=f"/v2/instances/{id}"), _One).instance)

    def vet(self, spec: NodeSpec) -> None:
        """Labels and tags are free texts. The host name is cut: servers are told apart by their labels."""

    def create(self, api: Api, wish: Wish) -> Machine:
        groups = _groups(api, wish.place)
        body: dict[str, object] = {
            "label": wish.spec.name,
            "hostname": wish.spec.name[:_HOST_NAME_MAX].rstrip("-"),
            "region": self.region,
            "plan": wish.size,
            "os_id": int(wish.image),
            "enable_ipv6": True,
            "activation_email": False,
            "tags": tags_of(wish.spec.labels),
        }
        if wish.spec.user_data:
            body["user_data"] = b64encode(wish.spec.user_data.encode()).decode()
        if groups:
            body["firewall_group_id"] = groups[0].id
        return _machine(
            api.once(Ask(name="instances.create", method="POST", path="/v2/instances", body=body), _One).instance
        )

    def start(self, api: Api, id: str) -> None:
        api.sent(Ask(name="instances.start", method="POST", path=f"/v2/instances/{id}/start"))

    def delete(self, api: Api, id: str) -> None:
        api.done(Ask(name="instances.delete", method="DELETE", path=f"/v2/instances/{id}"))

    # ------------------------------------------------------------------------------------------ what can be had

    def offered(self, api: Api) -> tuple[Offered, ...]:
        return tuple(Offered(id=str(s.id), name=s.name) for s in _listed(api, "os.list", "/v2/os", "os", _System))

    def sizes(self, api: Api) -> tuple[Size, ...]:
        plans = _listed(api, "plans.list", "/v2/plans", "plans", _Plan)
        known = sorted({region for plan in plans for region in plan.locations})
        if self.region not in known:
            cause = f"nothing can be had in {self.region}, but in {', '.join(known) or 'no region'}"
            raise Rejected(api.operation, api.object, cause)
        return tuple(
            Size(
                name=p.id,
                cpus=p.vcpu_count,
                memory_mib=p.ram,
                disk_gib=p.disk,
                price_per_hour=p.monthly_cost / _HOURS_PER_MONTH if p.hourly_cost is None else p.hourly_cost,
            )
            for p in plans
            if self.region in p.locations and not p.id.endswith(_NOT_FOR_US)
        )

    def nodes_max(self, api: Api) -> int | None:  # noqa: ARG002
        """The API tells no limit: only the refusal does."""
        return None

    # ------------------------------------------------------------------------------------------ account

    def look(self, api: Api) -> Iterator[Answer]:
        yield api.look(Ask(name="account.get", path="/v2/account"))
        yield api.look(Ask(name="instances.list", path="/v2/instances", query={"per_page": 1}))
        yield api.look(Ask(name="keys.list", path="/v2/ssh-keys", query={"per_page": 1}))

    def rights(self, api: Api, spec: NodeSpec) -> tuple[Right, ...]:  # noqa: ARG002
        return rights.vultr(api)

    # ------------------------------------------------------------------------------------------ firewall

    def open(self, api: Api, place: Place, ports: Sequence[int]) -> None:
        """A group that `create` gives to the place's instances. New rules come before old ones go.

        Instances that stand without any group get it last. One that has another keeps it: somebody chose that.
        """
        groups = _groups(api, place)
        group = groups[0] if groups else _new_group(api, place)
        path = f"/v2/firewalls/{group.id}/rules"
        found, wanted = _rules(api, group), wanted_openings(ports)
        for opening in sorted(wanted - {_opening(rule) for rule in found}):
            subnet, _, size = opening.source.partition("/")
            family = "v6" if ":" in subnet else "v4"
            body = {
                "ip_type": family,
                "protocol": opening.protocol,
                "port": opening.ports,
                "subnet": subnet,
                "subnet_size": int(size),
            }
            api.sent(Ask(name="firewalls.rule", method="POST", path=path, body=body))
        for rule in found:
            if _opening(rule) not in wanted:
                gone(api, Ask(name="firewalls.rule", method="DELETE", path=f"{path}/{rule.id}"))
        for instance in _outside(api, place):
            path, body = f"/v2/instances/{instance.id}", {"firewall_group_id": group.id}
            api.done(Ask(name="instances.update", method="PATCH", path=path, body=body))

    def opened(self, api: Api, place: Place) -> Firewall:
        groups = _groups(api, place)
        rules = _rules(api, groups[0]) if groups else []
        outside = tuple(instance.label for instance in _outside(api, place))
        return Firewall(openings=frozenset(map(_opening, rules)), outside=outside)

    def clear(self, api: Api, place: Place) -> None:
        for group in _groups(api, place):
            gone(api, Ask(name="firewalls.delete", method="DELETE", path=f"/v2/firewalls/{group.id}"))


cloud = cloud_by_token(Vultr)


def _machine(instance: _Instance) -> Machine:
    addresses = public((instance.main_ip, instance.v6_main_ip))
    return Machine(
        id=instance.id,
        name=instance.label,
        labels=labels_of(instance.tags),
        state=_state(instance, addresses),
        addresses=addresses,
        created_at_s=seconds(instance.date_created),
    )


def _state(instance: _Instance, addresses: Sequence[str]) -> NodeState:
    """`status` is about the subscription, `power_status` about the machine, `server_status` about its making."""
    if instance.status == "active" and instance.power_status == "running":
        return running(addresses)
    off = instance.status == "active" and instance.server_status == "ok"
    return NodeState.STOPPED if off or instance.status == "suspended" else NodeState.PENDING


def _listed(api: Api, name: str, path: str, key: str, kind: type[T]) -> list[T]:
    def read(cursor: str | None) -> Page[T]:
        query = {"per_page": _PER_PAGE, **({"cursor": cursor} if cursor else {})}
        document = api.get(Ask(name=name, path=path, query=query), Document)
        meta = part(api, document, "meta", _Meta)
        return Page(items(api, document, key, kind), meta.total, meta.links.next or None)

    return whole(api, read, key=by_id)


def _groups(api: Api, place: Place) -> list[_Group]:
    """Ours, by their descriptions. One, unless a reply was lost."""
    groups = _listed(api, "firewalls.list", "/v2/firewalls", "firewall_groups", _Group)
    return [group for group in groups if group.description == place.mark]


def _rules(api: Api, group: _Group) -> list[_Rule]:
    return _listed(api, "firewalls.rules", f"/v2/firewalls/{group.id}/rules", "firewall_rules", _Rule)


def _opening(rule: _Rule) -> Opening:
    source = rule.source or f"{rule.subnet}/{rule.subnet_size}"
    return Opening(protocol=rule.protocol, ports=rule.port.replace(":", "-"), source=source)


def _outside(api: Api, place: Place) -> list[_Instance]:
    """Those of the place's instances that stand without any group."""
    instances = _listed(api, "instances.list", "/v2/instances", "instances", _Instance)
    wanted = place.labels.items()
    return [i for i in instances if not i.firewall_group_id and wanted <= labels_of(i.tags).items()]


def _new_group(api: Api, place: Place) -> _Group:
    body = {"description": place.mark}
    return api.once(
        Ask(name="firewalls.create", method="POST", path="/v2/firewalls", body=body), _OneGroup
    ).firewall_group
