"""What Linode's API answers, read for the dialect: Linodes, what can be had, firewalls and what they stand before."""

import re
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import takewhile
from typing import TypeVar

import msgspec

from failover.clouds.libcloud_dialect import Machine, Place, labels_of, public, running, seconds
from failover.core.firewall import ANYWHERE_V4, ANYWHERE_V6, EVERYTHING, Opening
from failover.core.model import NodeState
from failover.errors import AccessRefused
from failover.net.decode import decode
from failover.net.libcloud import Api, Ask
from failover.net.lists import Document, Page, by_id, items, part, whole

PAGE_SIZE = 500
"""The most that the API gives; libcloud would always ask for 25."""
_FIREWALL_LABEL_MAX = 32
_SUSPENDED = "billing_suspension"
_STATES = {
    "running": NodeState.RUNNING,
    "offline": NodeState.STOPPED,
    "stopped": NodeState.STOPPED,
    "shutting_down": NodeState.STOPPED,
    _SUSPENDED: NodeState.STOPPED,
    "deleting": None,
}
_LEGACY, _OWN = "legacy_config", "linode"
"""Whether interfaces stand in a Linode's configuration profile, or are things of their own."""
_OWN_ONLY = "linode_only"

T = TypeVar("T")


class Linode(msgspec.Struct):
    id: int
    label: str
    status: str
    created: str
    ipv4: list[str]
    ipv6: str | None
    tags: list[str]
    interface_generation: str | None = None


class _Price(msgspec.Struct):
    hourly: float | None


class _RegionPrice(_Price):
    id: str


class Type(msgspec.Struct):
    id: str
    memory: int
    disk: int
    vcpus: int
    price: _Price
    region_prices: list[_RegionPrice] = []


class Availability(msgspec.Struct):
    plan: str
    available: bool


class Region(msgspec.Struct):
    capabilities: list[str]


class Image(msgspec.Struct):
    id: str
    label: str
    created: str
    capabilities: list[str] = []
    deprecated: bool = False


class _Addresses(msgspec.Struct):
    ipv4: list[str] | None = None
    ipv6: list[str] | None = None


class _Rule(msgspec.Struct):
    """One that names a set of rules, which somebody else may use, has neither action nor protocol."""

    action: str | None = None
    protocol: str | None = None
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


class Firewall(msgspec.Struct):
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
    data: list[Linode]


class _Notifications(msgspec.Struct):
    data: list[_Notification]


class _Settings(msgspec.Struct):
    interfaces_for_new_linodes: str | None = None


class _Interface(msgspec.Struct):
    id: int
    public: dict[str, object] | None = None


class _Interfaces(msgspec.Struct):
    interfaces: list[_Interface]


def machine_of(linode: Linode) -> Machine:
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


def listed(api: Api, name: str, path: str, kind: type[T]) -> list[T]:
    """Every item of every page."""

    def read(page: str | None) -> Page[T]:
        number = int(page or "1")
        document = api.get(Ask(name=name, path=path, query={"page": number, "page_size": PAGE_SIZE}), Document)
        more = number < part(api, document, "pages", int)
        return Page(
            items(api, document, "data", kind), part(api, document, "results", int), str(number + 1) if more else None
        )

    return whole(api, read, key=by_id)


def suspension(content: bytes) -> tuple[str, str]:
    """The only place where Linode says that an account is suspended: the status of its servers."""
    linodes = decode(content, _Linodes).data
    found = next((linode for linode in linodes if linode.status == _SUSPENDED), None)
    return (_SUSPENDED, f"the Linode {found.label} is suspended") if found is not None else ("", "")


def notice(content: bytes) -> tuple[str, str]:
    """What Linode wants to be answered or paid, before worse comes."""
    found = decode(content, _Notifications).data
    told = next((n for n in found if n.type in ("ticket_abuse", "payment_due")), None)
    return (told.type, told.message or "") if told is not None else ("", "")


def linodes(api: Api) -> list[Linode]:
    return listed(api, "instances.list", "/v4/linode/instances", Linode)


def firewalls(api: Api) -> list[Firewall]:
    return listed(api, "firewalls.list", "/v4/networking/firewalls", Firewall)


def ours(walls: Sequence[Firewall], place: Place) -> list[Firewall]:
    """By their tags: labels are too short to be told apart by. One, unless a reply was lost."""
    wanted = place.labels.items()
    return [wall for wall in walls if wanted <= labels_of(wall.tags).items()]


def outside(api: Api, place: Place, walls: Sequence[Firewall]) -> list[Linode]:
    """Those of the place's Linodes that stand without a firewall. Who has another one keeps it: somebody chose that."""
    behind = {id for wall in walls for id in _linodes(wall.entities or ())}
    silent = any(wall.entities is None for wall in walls)
    wanted = place.labels.items()
    return [
        linode
        for linode in linodes(api)
        if str(linode.id) not in behind and linode.status != "deleting" and wanted <= labels_of(linode.tags).items()
        if not (silent and listed(api, "instances.firewalls", f"/v4/linode/instances/{linode.id}/firewalls", Firewall))
    ]


def _linodes(entities: Iterable[_Entity]) -> Iterator[str]:
    """The ids of the Linodes among them, by themselves or by their interfaces."""
    for entity in entities:
        found = entity if entity.type == "linode" else entity.parent_entity
        if found is not None and found.type == "linode":
            yield str(found.id)


def accepted(rules: _Rules) -> frozenset[Opening]:
    """What comes in by these rules, of which the first that fits decides: after one that drops, none counts here."""
    kept = list(takewhile(lambda rule: rule.action == "ACCEPT", rules.inbound))
    openings = {
        Opening(protocol=(rule.protocol or "").lower(), ports=ports, source=source)
        for rule in kept
        for ports in re.split(", ?", rule.ports or "")
        for source in _sources(rule)
    }
    return frozenset(openings) if rules.inbound_policy == "DROP" else EVERYTHING


def _sources(rule: _Rule) -> list[str]:
    if rule.addresses is None:
        return [ANYWHERE_V4, ANYWHERE_V6]
    return [*(rule.addresses.ipv4 or ()), *(rule.addresses.ipv6 or ())]


def label_of(place: Place) -> str:
    """Unique in the account, and readable as far as there is room."""
    mark = sha256(place.mark.encode()).hexdigest()[:8]
    readable = f"{place.service}-{place.site}".replace("--", "-")[: _FIREWALL_LABEL_MAX - len(mark) - 1].rstrip("-")
    return f"{readable}-{mark}"


def pieces(ports: Sequence[int], most: int) -> list[Sequence[int]]:
    return [ports[at : at + most] for at in range(0, len(ports), most)]


# ------------------------------------------------------------------------------------ interfaces


def connection(api: Api, wall: Firewall | None) -> dict[str, object]:
    """The part of a wish that says how a new Linode is connected, and which firewall stands before it.

    By a configuration profile wherever the account allows it, also where that is not its default: then the firewall is
    the Linode's. Otherwise by an interface of its own, which then has the firewall. Who may not see the account's
    settings asks for the former; where that is not allowed, the API says so.
    Source: https://techdocs.akamai.com/linode-api/reference/post-linode-instance (interface_generation, firewall_id),
    get-account-settings (interfaces_for_new_linodes)
    """
    if not _own_only(api):
        return {"interface_generation": _LEGACY, **({"firewall_id": wall.id} if wall is not None else {})}
    interface: dict[str, object] = {
        "public": {"ipv4": {"addresses": [{"address": "auto", "primary": True}]}},
        "default_route": {"ipv4": True, "ipv6": True},
    }
    if wall is not None:
        interface["firewall_id"] = wall.id
    return {"interface_generation": _OWN, "interfaces": [interface], "network_helper": True}


def _own_only(api: Api) -> bool:
    try:
        settings = api.get(Ask(name="account.settings", path="/v4/account/settings"), _Settings)
    except AccessRefused:
        return False
    return settings.interfaces_for_new_linodes == _OWN_ONLY


def devices(api: Api, linode: Linode) -> list[dict[str, object]]:
    """What a firewall is put before, so that it stands before the Linode: itself, or its public interfaces.

    Source: https://techdocs.akamai.com/linode-api/reference/post-firewall-device
    """
    if linode.interface_generation != _OWN:
        return [{"id": linode.id, "type": "linode"}]
    path = f"/v4/linode/instances/{linode.id}/interfaces"
    found = api.get(Ask(name="instances.interfaces", path=path), _Interfaces).interfaces
    return [{"id": one.id, "type": "linode_interface"} for one in found if one.public is not None]
