"""Linode's dialect (API v4, by its OpenAPI document): unique labels, tags, Cloud Firewalls given at creation."""

import re
import secrets
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import takewhile
from typing import ClassVar, TypeVar

import msgspec
from libcloud.compute.drivers.linode import LinodeNodeDriver

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
from failover.core.firewall import ANYWHERE_V4, ANYWHERE_V6, EVERYTHING, Firewall, Opening, wanted_openings
from failover.core.model import NodeSpec, NodeState, Size
from failover.core.reading import Answer
from failover.core.rights import Right
from failover.errors import Conflict, NotFound, Rejected
from failover.net.decode import decode
from failover.net.libcloud import Api, Ask
from failover.net.lists import Document, Page, by_id, items, part, whole

ENDPOINT = "https://api.linode.com"
_PAGE_SIZE = 500
"""The most that the API gives; libcloud would always ask for 25."""
_LABEL_MAX, _TAG_MAX, _FIREWALL_LABEL_MAX = 64, 50, 32
_PORTS_MAX = 15
"""In one rule of a firewall."""
_NAME_TAKEN = "must be unique"
_SUSPENDED = "billing_suspension"
_STATES = {
    "running": NodeState.RUNNING,
    "offline": NodeState.STOPPED,
    "stopped": NodeState.STOPPED,
    "shutting_down": NodeState.STOPPED,
    _SUSPENDED: NodeState.STOPPED,
    "deleting": None,
}
_ENABLED = "enabled"
_CLOUD_INIT, _METADATA = "cloud-init", "Metadata"
"""What an image and a region must be capable of, so that a Linode is given its user-data."""
_WALL = {"ipv4": [ANYWHERE_V4], "ipv6": [ANYWHERE_V6]}

T = TypeVar("T")


class _Linode(msgspec.Struct):
    id: int
    label: str
    status: str
    created: str
    ipv4: list[str]
    ipv6: str | None
    tags: list[str]


class _Price(msgspec.Struct):
    hourly: float | None


class _RegionPrice(_Price):
    id: str


class _Type(msgspec.Struct):
    id: str
    memory: int
    disk: int
    vcpus: int
    price: _Price
    region_prices: list[_RegionPrice] = []


class _Availability(msgspec.Struct):
    plan: str
    available: bool


class _Region(msgspec.Struct):
    capabilities: list[str]


class _Image(msgspec.Struct):
    id: str
    label: str
    created: str
    capabilities: list[str] = []
    deprecated: bool = False


class _Addresses(msgspec.Struct):
    ipv4: list[str] | None = None
    ipv6: list[str] | None = None


class _Rule(msgspec.Struct):
    action: str
    protocol: str
    addresses: _Addresses | None = None
    """None: everybody."""
    ports: str | None = None


class _Rules(msgspec.Struct):
    inbound: list[_Rule]
    inbound_policy: str


class _Entity(msgspec.Struct):
    id: int | None
    type: str
    parent_entity: "_Entity | None" = None
    """Of the type `linode_interface` it is the Linode."""


class _Firewall(msgspec.Struct):
    id: int
    status: str
    tags: list[str]
    rules: _Rules
    entities: list[_Entity] | None = None
    """What it stands before, of the types `linode` and `nodebalancer` among others; None: it does not say."""


class _Notification(msgspec.Struct):
    type: str
    message: str | None


class _Linodes(msgspec.Struct):
    data: list[_Linode]


class _Notifications(msgspec.Struct):
    data: list[_Notification]


@dataclass(frozen=True, slots=True, kw_only=True)
class Linode(TokenDialect):
    """See `Dialect`."""

    driver: ClassVar = LinodeNodeDriver

    endpoint: str = ENDPOINT
    kind: str = "linode"
    busy: tuple[int, str] = (400, "busy")

    # ------------------------------------------------------------------------------------------ servers

    def machines(self, api: Api) -> tuple[Machine, ...]:
        return tuple(_machine(one) for one in _listed(api, "instances.list", "/v4/linode/instances", _Linode))

    def machine(self, api: Api, id: str) -> Machine:
        return _machine(api.get(Ask(name="instances.get", path=f"/v4/linode/instances/{id}"), _Linode))

    def vet(self, spec: NodeSpec) -> None:
        """Labels have no two hyphens in a row (API reference, "Create a Linode")."""
        shortest(spec.name, _LABEL_MAX, "label", self.kind)
        for tag in tags_of(spec.labels):
            shortest(tag, _TAG_MAX, "tag", self.kind)
        if "--" in spec.name:
            hint = "choose names for the service, site and group without it"
            raise Rejected("give a label", spec.name, f"{self.kind} takes no two hyphens in a row", hint)

    def create(self, api: Api, wish: Wish) -> Machine:
        """The root password, which the API demands with an image, is known to nobody."""
        firewalls = _ours(_firewalls(api), wish.place)
        body: dict[str, object] = {
            "label": wish.spec.name,
            "region": self.region,
            "type": wish.size,
            "image": wish.image,
            "root_pass": f"Aa1-{secrets.token_urlsafe(48)}",
            "tags": tags_of(wish.spec.labels),
        }
        if wish.spec.user_data:
            body["metadata"] = {"user_data": b64encode(wish.spec.user_data.encode()).decode()}
        if firewalls:
            body["firewall_id"] = firewalls[0].id
        try:
            made = api.once(
                Ask(name="instances.create", method="POST", path="/v4/linode/instances", body=body), _Linode
            )
        except Rejected as error:
            if _NAME_TAKEN in str(error.cause):
                raise Conflict(
                    api.operation, api.object, error.cause, "apply again: a new one is listed late"
                ) from error
            raise
        return _machine(made)

    def start(self, api: Api, id: str) -> None:
        api.sent(Ask(name="instances.boot", method="POST", path=f"/v4/linode/instances/{id}/boot"))

    def delete(self, api: Api, id: str) -> None:
        api.done(Ask(name="instances.delete", method="DELETE", path=f"/v4/linode/instances/{id}"))

    # ------------------------------------------------------------------------------------------ what can be had

    def offered(self, api: Api) -> tuple[Offered, ...]:
        """The account's own images too, if they were made with cloud-init: others would be refused at creation."""
        images = _listed(api, "images.list", "/v4/images", _Image)
        usable = (image for image in images if _CLOUD_INIT in image.capabilities and not image.deprecated)
        return tuple(Offered(id=i.id, name=i.label, created=i.created) for i in usable)

    def sizes(self, api: Api) -> tuple[Size, ...]:
        """Disks are in MB here. Prices differ by region."""
        path = f"/v4/regions/{self.region}"
        try:
            region = api.get(Ask(name="regions.get", path=path), _Region)
            told = api.get(Ask(name="regions.availability", path=f"{path}/availability"), list[_Availability])
        except NotFound as error:
            raise Rejected(api.operation, api.object, f"there is no region {self.region}") from error
        if _METADATA not in region.capabilities:
            cause = f"nodes in {self.region} cannot be given user-data"
            raise Rejected(api.operation, api.object, cause, f"a region with the capability {_METADATA}")
        missing = {one.plan for one in told if not one.available}
        types = _listed(api, "types.list", "/v4/linode/types", _Type)
        return tuple(
            Size(
                name=t.id,
                cpus=t.vcpus,
                memory_mib=t.memory,
                disk_gib=t.disk // 1024,
                price_per_hour=next((p.hourly for p in t.region_prices if p.id == self.region), t.price.hourly),
            )
            for t in types
            if t.id not in missing
        )

    def nodes_max(self, api: Api) -> int | None:  # noqa: ARG002
        """The API tells no limit: only the refusal does."""
        return None

    # ------------------------------------------------------------------------------------------ account

    def look(self, api: Api) -> Iterator[Answer]:
        yield api.look(
            Ask(name="instances.list", path="/v4/linode/instances", query={"page_size": _PAGE_SIZE}), _suspension
        )
        yield api.look(Ask(name="notifications.list", path="/v4/account/notifications"), _notice)
        yield api.look(Ask(name="profile.get", path="/v4/profile"))

    def rights(self, api: Api, spec: NodeSpec) -> tuple[Right, ...]:
        wanted = Place(service=spec.service, site=spec.site).labels.items()
        ours = (one.id for one in self.machines(api) if wanted <= one.labels.items())
        return rights.linode(api, frozenset(ours))

    # ------------------------------------------------------------------------------------------ firewall

    def open(self, api: Api, place: Place, ports: Sequence[int]) -> None:
        """A firewall that `create` gives to the place's Linodes; those that stand without any get it here."""
        walls = _firewalls(api)
        found = next(iter(_ours(walls, place)), None)
        texts = [",".join(map(str, some)) for some in _some(sorted(set(ports)), _PORTS_MAX)]
        rules = {
            "inbound": [{"action": "ACCEPT", "protocol": "TCP", "ports": text, "addresses": _WALL} for text in texts],
            "inbound_policy": "DROP",
            "outbound": [],
            "outbound_policy": "ACCEPT",
        }
        if found is None:
            body = {"label": _label(place), "tags": tags_of(place.labels), "rules": rules}
            ask = Ask(name="firewalls.create", method="POST", path="/v4/networking/firewalls", body=body)
            found = api.once(ask, _Firewall)
            walls = [*walls, found]
        else:
            path = f"/v4/networking/firewalls/{found.id}"
            if _accepted(found.rules) != wanted_openings(ports):
                api.done(Ask(name="firewalls.rules", method="PUT", path=f"{path}/rules", body=rules))
            if found.status != _ENABLED:
                api.done(Ask(name="firewalls.update", method="PUT", path=path, body={"status": _ENABLED}))
        for machine in self._outside(api, place, walls):
            path = f"/v4/networking/firewalls/{found.id}/devices"
            device: dict[str, object] = {"id": int(machine.id), "type": "linode"}
            api.sent(Ask(name="firewalls.device", method="POST", path=path, body=device))

    def opened(self, api: Api, place: Place) -> Firewall:
        walls = _firewalls(api)
        found = next(iter(_ours(walls, place)), None)
        openings: frozenset[Opening] = frozenset()
        if found is not None:
            openings = _accepted(found.rules) if found.status == _ENABLED else EVERYTHING
        return Firewall(openings=openings, outside=tuple(m.name for m in self._outside(api, place, walls)))

    def _outside(self, api: Api, place: Place, walls: Sequence[_Firewall]) -> list[Machine]:
        """Each Linode is assigned by its id. One that has another firewall already keeps it: somebody chose that."""
        behind = {id for wall in walls for id in _linodes(wall.entities or ())}
        silent = any(wall.entities is None for wall in walls)
        wanted = place.labels.items()
        return [
            machine
            for machine in self.machines(api)
            if machine.id not in behind and machine.state is not None and wanted <= machine.labels.items()
            if not (silent and _listed(api, "instances.firewalls", _walls_of(machine), _Firewall))
        ]

    def clear(self, api: Api, place: Place) -> None:
        for found in _ours(_firewalls(api), place):
            gone(api, Ask(name="firewalls.delete", method="DELETE", path=f"/v4/networking/firewalls/{found.id}"))


cloud = cloud_by_token(Linode)


def _machine(linode: _Linode) -> Machine:
    addresses = public((*linode.ipv4, linode.ipv6 or ""))
    state = _STATES.get(linode.status, NodeState.PENDING)
    return Machine(
        id=str(linode.id),
        name=linode.label,
        labels=labels_of(linode.tags),
        state=running(addresses) if state is NodeState.RUNNING else state,
        addresses=addresses,
        created_at_s=seconds(linode.created),
    )


def _listed(api: Api, name: str, path: str, kind: type[T]) -> list[T]:
    def read(page: str | None) -> Page[T]:
        number = int(page or "1")
        document = api.get(Ask(name=name, path=path, query={"page": number, "page_size": _PAGE_SIZE}), Document)
        more = number < part(api, document, "pages", int)
        return Page(
            items(api, document, "data", kind), part(api, document, "results", int), str(number + 1) if more else None
        )

    return whole(api, read, key=by_id)


def _suspension(content: bytes) -> tuple[str, str]:
    """The only place where Linode says that an account is suspended: the status of its servers."""
    linodes = decode(content, _Linodes).data
    found = next((linode for linode in linodes if linode.status == _SUSPENDED), None)
    return (_SUSPENDED, f"the Linode {found.label} is suspended") if found is not None else ("", "")


def _notice(content: bytes) -> tuple[str, str]:
    """What Linode wants to be answered or paid, before worse comes."""
    found = decode(content, _Notifications).data
    told = next((n for n in found if n.type in ("ticket_abuse", "payment_due")), None)
    return (told.type, told.message or "") if told is not None else ("", "")


def _firewalls(api: Api) -> list[_Firewall]:
    return _listed(api, "firewalls.list", "/v4/networking/firewalls", _Firewall)


def _ours(walls: Sequence[_Firewall], place: Place) -> list[_Firewall]:
    """By their tags: labels are too short to be told apart by. One, unless a reply was lost."""
    wanted = place.labels.items()
    return [wall for wall in walls if wanted <= labels_of(wall.tags).items()]


def _walls_of(machine: Machine) -> str:
    return f"/v4/linode/instances/{machine.id}/firewalls"


def _linodes(entities: Iterable[_Entity]) -> Iterator[str]:
    """The ids of the Linodes among them, by themselves or by their interfaces."""
    for entity in entities:
        found = entity if entity.type == "linode" else entity.parent_entity
        if found is not None and found.type == "linode":
            yield str(found.id)


def _accepted(rules: _Rules) -> frozenset[Opening]:
    """What comes in by these rules, of which the first that fits decides: after one that drops, none counts here."""
    kept = list(takewhile(lambda rule: rule.action == "ACCEPT", rules.inbound))
    openings = {
        Opening(protocol=rule.protocol.lower(), ports=ports, source=source)
        for rule in kept
        for ports in re.split(", ?", rule.ports or "")
        for source in _sources(rule)
    }
    return frozenset(openings) if rules.inbound_policy == "DROP" else EVERYTHING


def _sources(rule: _Rule) -> list[str]:
    if rule.addresses is None:
        return [ANYWHERE_V4, ANYWHERE_V6]
    return [*(rule.addresses.ipv4 or ()), *(rule.addresses.ipv6 or ())]


def _label(place: Place) -> str:
    """Unique in the account, and readable as far as there is room."""
    mark = sha256(place.mark.encode()).hexdigest()[:8]
    readable = f"{place.service}-{place.site}".replace("--", "-")[: _FIREWALL_LABEL_MAX - len(mark) - 1].rstrip("-")
    return f"{readable}-{mark}"


def _some(ports: Sequence[int], most: int) -> list[Sequence[int]]:
    return [ports[at : at + most] for at in range(0, len(ports), most)]
