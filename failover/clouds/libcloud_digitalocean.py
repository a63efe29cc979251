"""DigitalOcean's dialect (API v2, by its OpenAPI document): droplets, tags, firewalls that follow a tag."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar
from urllib.parse import quote

import msgspec
from libcloud.compute.drivers.digitalocean import DigitalOceanNodeDriver

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
    shortest,
    tags_of,
)
from failover.clouds.libcloud_token import TokenDialect, cloud_by_token
from failover.core.firewall import ANYWHERE_V4, ANYWHERE_V6, Firewall, Opening, wanted_openings
from failover.core.model import NodeSpec, NodeState, Size
from failover.core.reading import Answer
from failover.core.rights import Right
from failover.errors import Conflict, NotFound, Rejected
from failover.net.decode import decode
from failover.net.libcloud import Api, Ask
from failover.net.lists import Document, Page, by_id, items, part, whole

ENDPOINT = "https://api.digitalocean.com"
_PER_PAGE = 200
_TEXT_MAX = 255
"""The most that the API gives."""
_STATES = {"new": NodeState.PENDING, "active": NodeState.RUNNING}
_SHARED_LABELS = ("failover-group", "failover-ordinal", "failover-spec")
"""Those that nodes of several places may have in common."""
_EVERYWHERE = {"addresses": [ANYWHERE_V4, ANYWHERE_V6]}

T = TypeVar("T")


class _Address(msgspec.Struct):
    ip_address: str
    type: str


class _Networks(msgspec.Struct):
    v4: list[_Address] = []
    v6: list[_Address] = []


class _Droplet(msgspec.Struct):
    id: int
    name: str
    status: str
    created_at: str
    networks: _Networks
    tags: list[str] = []


class _One(msgspec.Struct):
    droplet: _Droplet


class _Size(msgspec.Struct):
    slug: str
    memory: int
    vcpus: int
    disk: int
    price_hourly: float
    regions: list[str]
    available: bool = True


class _Image(msgspec.Struct):
    slug: str | None
    name: str
    created_at: str
    regions: list[str]


class _Sources(msgspec.Struct):
    """From where a rule lets in. What is missing or null is not named by the rule."""

    addresses: list[str] | None = None
    tags: list[str] | None = None
    droplet_ids: list[int] | None = None
    load_balancer_uids: list[str] | None = None
    kubernetes_ids: list[str] | None = None


class _Rule(msgspec.Struct):
    protocol: str
    sources: _Sources
    ports: str = ""


class _Firewall(msgspec.Struct):
    id: str
    name: str
    inbound_rules: list[_Rule] | None = None
    tags: list[str] | None = None
    droplet_ids: list[int] | None = None


class _Links(msgspec.Struct):
    next: str | None = None


class _Pages(msgspec.Struct):
    pages: _Links | None = None


class _Meta(msgspec.Struct):
    total: int


class _Resources(msgspec.Struct):
    count: int


class _Tag(msgspec.Struct):
    name: str
    resources: _Resources


class _State(msgspec.Struct):
    status: str
    status_message: str
    droplet_limit: int


class _Account(msgspec.Struct):
    account: _State


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitalOcean(TokenDialect):
    """See `Dialect`."""

    driver: ClassVar = DigitalOceanNodeDriver

    endpoint: str = ENDPOINT
    kind: str = "digitalocean"
    busy: tuple[int, str] = (422, "pending event")

    # ------------------------------------------------------------------------------------------ servers

    def machines(self, api: Api) -> tuple[Machine, ...]:
        return tuple(_machine(d) for d in _listed(api, "droplets.list", "/v2/droplets", "droplets", _Droplet))

    def machine(self, api: Api, id: str) -> Machine:
        return _machine(api.get(Ask(name="droplets.get", path=f"/v2/droplets/{id}"), _One).droplet)

    def vet(self, spec: NodeSpec) -> None:
        """Names and tags take 255 characters each (OpenAPI document)."""
        for what, text in (("name", spec.name), *(("tag", tag) for tag in tags_of(spec.labels))):
            shortest(text, _TEXT_MAX, what, self.kind)

    def create(self, api: Api, wish: Wish) -> Machine:
        body = {
            "name": wish.spec.name,
            "region": self.region,
            "size": wish.size,
            "image": wish.image,
            "ipv6": True,
            "tags": [*tags_of(wish.spec.labels), wish.place.mark],
            "user_data": wish.spec.user_data,
        }
        ask = Ask(name="droplets.create", method="POST", path="/v2/droplets", body=body)
        return _machine(api.once(ask, _One).droplet)

    def start(self, api: Api, id: str) -> None:
        path, body = f"/v2/droplets/{id}/actions", {"type": "power_on"}
        api.sent(Ask(name="droplets.power_on", method="POST", path=path, body=body))

    def delete(self, api: Api, id: str) -> None:
        api.done(Ask(name="droplets.delete", method="DELETE", path=f"/v2/droplets/{id}"))

    # ------------------------------------------------------------------------------------------ what can be had

    def offered(self, api: Api) -> tuple[Offered, ...]:
        images = _listed(api, "images.list", "/v2/images", "images", _Image, type="distribution")
        return tuple(
            Offered(id=i.slug, name=i.name, created=i.created_at)
            for i in images
            if i.slug is not None and self.region in i.regions
        )

    def sizes(self, api: Api) -> tuple[Size, ...]:
        sizes = [s for s in _listed(api, "sizes.list", "/v2/sizes", "sizes", _Size) if s.available]
        known = sorted({region for size in sizes for region in size.regions})
        if self.region not in known:
            cause = f"nothing can be had in {self.region}, but in {', '.join(known) or 'no region'}"
            raise Rejected(api.operation, api.object, cause)
        return tuple(
            Size(name=s.slug, cpus=s.vcpus, memory_mib=s.memory, disk_gib=s.disk, price_per_hour=s.price_hourly)
            for s in sizes
            if self.region in s.regions
        )

    def nodes_max(self, api: Api) -> int | None:
        return api.get(Ask(name="account.get", path="/v2/account"), _Account).account.droplet_limit

    # ------------------------------------------------------------------------------------------ account

    def look(self, api: Api) -> Iterator[Answer]:
        yield api.look(Ask(name="account.get", path="/v2/account"), _state)
        yield api.look(Ask(name="droplets.list", path="/v2/droplets", query={"per_page": 1}))
        yield api.look(Ask(name="firewalls.list", path="/v2/firewalls", query={"per_page": 1}))

    def rights(self, api: Api, spec: NodeSpec) -> tuple[Right, ...]:  # noqa: ARG002
        return rights.digitalocean(api)

    # ------------------------------------------------------------------------------------------ firewall

    def open(self, api: Api, place: Place, ports: Sequence[int]) -> None:
        """A firewall that follows the tag of the place, which must exist before. What else it protects it keeps."""
        found = _firewall(api, place)
        if found is not None and _openings(found) == wanted_openings(ports):
            return
        texts = sorted({str(port) for port in ports})
        body = {
            "name": _name(place),
            "tags": [place.mark] if found is None else found.tags,
            "droplet_ids": [] if found is None else found.droplet_ids or [],
            "inbound_rules": [{"protocol": "tcp", "ports": port, "sources": _EVERYWHERE} for port in texts],
            "outbound_rules": [
                {"protocol": protocol, "ports": "all", "destinations": _EVERYWHERE}
                for protocol in ("tcp", "udp", "icmp")
            ],
        }
        self._tag(api, place.mark)
        if found is None:
            api.sent(Ask(name="firewalls.create", method="POST", path="/v2/firewalls", body=body))
        else:
            api.done(Ask(name="firewalls.update", method="PUT", path=f"/v2/firewalls/{found.id}", body=body))

    def opened(self, api: Api, place: Place) -> Firewall:
        """Whatever carries the tag stands behind it, so nothing stands outside."""
        found = _firewall(api, place)
        return Firewall(openings=_openings(found) if found is not None else frozenset())

    def _tag(self, api: Api, name: str) -> None:
        try:
            api.get(Ask(name="tags.get", path=f"/v2/tags/{quote(name, safe='')}"), dict)
        except NotFound:
            api.sent(Ask(name="tags.create", method="POST", path="/v2/tags", body={"name": name}))

    def clear(self, api: Api, place: Place) -> None:
        found = _firewall(api, place)
        if found is not None:
            gone(api, Ask(name="firewalls.delete", method="DELETE", path=f"/v2/firewalls/{found.id}"))
        for name in (place.mark, *_unused(api, place)):
            gone(api, Ask(name="tags.delete", method="DELETE", path=f"/v2/tags/{quote(name, safe='')}"))


cloud = cloud_by_token(DigitalOcean)


def _machine(droplet: _Droplet) -> Machine:
    """By all of its public addresses: libcloud keeps the last IPv4 one only."""
    networks = droplet.networks
    addresses = public(a.ip_address for a in (*networks.v4, *networks.v6) if a.type == "public")
    state = _STATES.get(droplet.status, NodeState.STOPPED)
    return Machine(
        id=str(droplet.id),
        name=droplet.name,
        labels=labels_of(droplet.tags),
        state=running(addresses) if state is NodeState.RUNNING else state,
        addresses=addresses,
        created_at_s=seconds(droplet.created_at),
    )


def _listed(api: Api, name: str, path: str, key: str, kind: type[T], **query: str) -> list[T]:
    def read(page: str | None) -> Page[T]:
        number = page or "1"
        document = api.get(Ask(name=name, path=path, query={"per_page": _PER_PAGE, "page": number, **query}), Document)
        links = part(api, document, "links", _Pages).pages if "links" in document else None
        more = links is not None and links.next is not None
        total = part(api, document, "meta", _Meta).total
        return Page(items(api, document, key, kind), total, str(int(number) + 1) if more else None)

    return whole(api, read, key=by_id)


def _unused(api: Api, place: Place) -> list[str]:
    """The labels of nodes that are gone: a tag outlives what carried it. One that anything still carries stays."""
    firewalls = _listed(api, "firewalls.list", "/v2/firewalls", "firewalls", _Firewall)
    followed = {tag for firewall in firewalls for tag in firewall.tags or ()}
    tags = _listed(api, "tags.list", "/v2/tags", "tags", _Tag)
    free = [tag.name for tag in tags if tag.resources.count == 0 and tag.name not in followed]
    return [name for name in free if name.partition(":")[0] in _SHARED_LABELS or name in tags_of(place.labels)]


def _state(content: bytes) -> tuple[str, str]:
    account = decode(content, _Account).account
    return account.status, account.status_message


def _name(place: Place) -> str:
    """Names of firewalls have letters, digits, hyphens and dots; those of places have no dots."""
    return f"failover.{place.service}.{place.site}"


def _openings(firewall: _Firewall) -> frozenset[Opening]:
    """`0` and `all` are every port (OpenAPI document)."""
    return frozenset(
        Opening(protocol=rule.protocol, ports="" if rule.ports in ("0", "all") else rule.ports, source=source)
        for rule in firewall.inbound_rules or ()
        for source in _named(rule.sources)
    )


def _named(sources: _Sources) -> Iterator[str]:
    yield from sources.addresses or ()
    for kind, ids in (
        ("tag", sources.tags),
        ("droplet", sources.droplet_ids),
        ("load balancer", sources.load_balancer_uids),
        ("cluster", sources.kubernetes_ids),
    ):
        yield from (f"{kind} {id}" for id in ids or ())


def _firewall(api: Api, place: Place) -> _Firewall | None:
    """Ours. Raises Conflict where somebody else's has its name."""
    found = [
        f for f in _listed(api, "firewalls.list", "/v2/firewalls", "firewalls", _Firewall) if f.name == _name(place)
    ]
    if found and place.mark not in (found[0].tags or ()):
        cause = f"the firewall {_name(place)} is not ours: it does not follow the tag {place.mark}"
        raise Conflict(api.operation, api.object, cause, "rename or delete it")
    return found[0] if found else None
