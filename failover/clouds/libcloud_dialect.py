"""What a provider behind libcloud must be told in its own words: the contract of a dialect, and what all share."""

import contextlib
import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Protocol

from failover.core.firewall import Firewall
from failover.core.model import NodeSpec, NodeState, Size
from failover.core.reading import Answer
from failover.core.rights import Right
from failover.errors import NotFound, Rejected
from failover.net.libcloud import Api, Ask

LABEL_PREFIX = "failover-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A server as the provider lists it, whoever owns it."""

    id: str
    name: str
    labels: Mapping[str, str]
    """Those of its tags that have the shape of ours."""
    state: NodeState | None
    """None: it is being deleted."""
    addresses: tuple[str, ...] = ()
    created_at_s: float = 0.0
    trouble: str = ""
    """Why it will never run, in the provider's words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One service at one site: what a firewall is for."""

    service: str
    site: str

    @property
    def labels(self) -> dict[str, str]:
        return {"failover-service": self.service, "failover-site": self.site}

    @property
    def mark(self) -> str:
        """One word for both; names hold no colon, so no two places share it."""
        return f"failover-nodes:{self.service}:{self.site}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """An image that the provider has. `created`: any text that sorts by time."""

    id: str
    name: str
    created: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A server that shall be made: the spec, with image and size by the provider's own names."""

    spec: NodeSpec
    image: str
    size: str
    place: Place = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "place", Place(service=self.spec.service, site=self.spec.site))


class Dialect(Protocol):
    """One kind of provider. Leaves only: each method asks what it must and returns it; the flow stands elsewhere.

    Lists are whole or raise. All but `api` raise the AdapterErrors of `Api`.
    """

    @property
    def kind(self) -> str: ...

    @property
    def busy(self) -> tuple[int, str]:
        """Status and words (a regular expression) of the refusal that passes by itself: something is still in use."""
        ...

    def api(self, timeout_s: float) -> Api:
        """A driver of its own, for one thread at a time. Asks nothing yet."""
        ...

    def machines(self, api: Api) -> tuple[Machine, ...]:
        """Every server of the account (of the region, where accounts are by region), ours or not."""
        ...

    def machine(self, api: Api, id: str) -> Machine:
        """Raises NotFound."""
        ...

    def vet(self, spec: NodeSpec) -> None:
        """Raises Rejected for a name or tag that does not fit."""
        ...

    def create(self, api: Api, wish: Wish) -> Machine:
        """Sends the request once."""
        ...

    def start(self, api: Api, id: str) -> None: ...

    def delete(self, api: Api, id: str) -> None:
        """May raise NotFound, and Rejected or Conflict while the server is busy."""
        ...

    def offered(self, api: Api) -> tuple[Offered, ...]:
        """The public images that can be had."""
        ...

    def sizes(self, api: Api) -> tuple[Size, ...]:
        """Those that can be had in the region now. Raises Rejected for a region that does not exist."""
        ...

    def nodes_max(self, api: Api) -> int | None: ...

    def look(self, api: Api) -> Iterator[Answer]:
        """What the services answer, the one that knows the account's state first.

        Three of them: so many must refuse us together before that says anything (`core.evidence`).
        """
        ...

    def rights(self, api: Api, spec: NodeSpec) -> tuple[Right, ...]:
        """See `ports.Account`, without the depot."""
        ...

    def open(self, api: Api, place: Place, ports: Sequence[int]) -> None:
        """A firewall for the place's servers that lets exactly these TCP ports in."""
        ...

    def opened(self, api: Api, place: Place) -> Firewall:
        """What that firewall lets in now; an empty one where there is none."""
        ...

    def clear(self, api: Api, place: Place) -> None:
        """What `open` and `create` made there besides servers is gone. May raise Conflict while servers are going."""
        ...


# ------------------------------------------------------------------------------------ what dialects share


def tags_of(labels: Mapping[str, str]) -> list[str]:
    """`key:value`, for providers whose tags are plain words."""
    return [f"{key}:{value}" for key, value in labels.items()]


def labels_of(tags: Iterable[str]) -> dict[str, str]:
    """The other way round; what has another shape is somebody else's."""
    pairs = (tag.partition(":") for tag in tags)
    return {key: value for key, colon, value in pairs if colon and key.startswith(LABEL_PREFIX)}


def seconds(text: str) -> float:
    """A time as APIs write it, in seconds since 1970; without a zone it is UTC. Raises ValueError."""
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()


def public(addresses: Iterable[str]) -> tuple[str, ...]:
    """The addresses that others can reach, IPv4 first; none of those that stand for "not yet"."""
    found = [known for text in addresses if text and (known := _public(text)) is not None]
    return tuple(dict.fromkeys(text for _, text in sorted(found, key=lambda known: known[0])))


@lru_cache(maxsize=16384)
def _public(text: str) -> tuple[int, str] | None:
    """Version and plain form; None for one that others cannot reach. Every list of a command shows it again."""
    address = ipaddress.ip_address(text.partition("/")[0])
    if address.is_unspecified or address.is_link_local or any(address in net for net in _INSIDE):
        return None
    return address.version, str(address)


_INSIDE = tuple(
    ipaddress.ip_network(net)
    for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")  # RFC 1918, 6598, 4193
)


def running(addresses: Sequence[str]) -> NodeState:
    """A server that runs but has no address yet is still on its way."""
    return NodeState.RUNNING if addresses else NodeState.PENDING


def matching(offered: Iterable[Offered], entry: Mapping[str, str]) -> Offered | None:
    """The image of an entry of the image table: by id where it names one, else the newest whose name fits."""
    whole = entry.get("slug") or entry.get("id")
    if whole is not None:
        return next((image for image in offered if image.id == whole), None)
    pattern = entry.get("name", "").lower()
    fitting = [image for image in offered if fnmatchcase(image.name.lower(), pattern)]
    return max(fitting, key=lambda image: (image.created, image.name), default=None)


def gone(api: Api, ask: Ask) -> None:
    """What a DELETE removes is not there, whoever removed it."""
    with contextlib.suppress(NotFound):
        api.done(ask)


def shortest(text: str, length_max: int, what: str, kind: str) -> str:
    """The text if it is short enough. Raises Rejected: what is cut could be mistaken for something else."""
    if len(text) > length_max:
        cause = f"{kind} takes {length_max} characters, it has {len(text)}"
        raise Rejected(f"give a {what}", text, cause, "shorten the names of the service, site or group")
    return text
