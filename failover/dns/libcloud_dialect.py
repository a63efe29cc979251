"""What a DNS host behind libcloud must be told in its own words: the contract of a dialect, and what all share."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from failover.core.rights import Right
from failover.core.rrsets import Changes, RRset, normal_name
from failover.dns.entries import Entry, Step
from failover.dns.transaction import OPERATION
from failover.errors import Rejected
from failover.net.libcloud import Api
from failover.ports import HostTraits


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A zone at the host: `id` is how its API's paths name it."""

    name: str
    id: str


class Dialect(Protocol):
    """One kind of DNS host. Leaves only: each method asks what it must and returns it; the flow stands elsewhere.

    Lists are whole or raise. All but `api` raise the AdapterErrors of `Api`.
    """

    @property
    def kind(self) -> str: ...

    @property
    def traits(self) -> HostTraits:
        """`servers` may be empty where `servers` below asks for them."""
        ...

    def api(self, timeout_s: float) -> Api:
        """A connection of its own, for one thread at a time. Asks nothing yet."""
        ...

    def zone(self, api: Api, name: str) -> Zone:
        """Raises NotFound, where the API has to be asked for it."""
        ...

    def servers(self, api: Api, zone: Zone) -> tuple[str, ...]:
        """The zone's name servers, each `name:port`."""
        ...

    def entries(self, api: Api, zone: Zone) -> tuple[Entry, ...]:
        """Every record of the zone. Raises NotFound."""
        ...

    def fitted(self, rrset: RRset) -> RRset:
        """The set as the host can hold it: the TTL is moved to the next that it has. Raises Rejected for a value that
        it cannot hold, before anything is sent.
        """
        ...

    def steps(self, changes: Changes, entries: Iterable[Entry]) -> tuple[Step, ...]:
        """The writes that are missing, in their order; () when all of the changes stand."""
        ...

    def send(self, api: Api, zone: Zone, step: Step) -> None:
        """One write. May raise NotFound for a record that is not there any more."""
        ...

    def rights(self, api: Api, zone: Zone, name: str) -> tuple[Right, ...]:
        """See `ports.Dns`; `name` is one of ours in the zone."""
        ...


# ------------------------------------------------------------------------------------ what dialects share


def whole_name(relative: str, zone: str) -> str:
    """`www`, `@` or nothing → `www.example.org`, `example.org`."""
    return normal_name(zone) if relative in ("", "@") else normal_name(f"{relative}.{zone}")


def relative_name(name: str, zone: str, apex: str) -> str:
    """The other way round; `apex` is how the host writes the zone's own name."""
    return apex if name == zone else name.removesuffix(f".{zone}")


def within(rrset: RRset, traits: HostTraits) -> RRset:
    """With a TTL that the host takes."""
    ttl_s = min(max(rrset.ttl_s, traits.ttl_s_min), traits.ttl_s_max)
    return replace(rrset, ttl_s=ttl_s)


def refuse_types(zone: str, kind: str, changes: Changes, types: frozenset[str]) -> None:
    """Raises Rejected for a set of a type that is never ours, or that cannot come without a gap."""
    for rrset in changes.put:
        if rrset.type not in types:
            alias = rrset.type == "CNAME"
            cause = f"failover does not write {rrset.name} {rrset.type} at {kind}" + (" without a gap" if alias else "")
            raise Rejected(OPERATION, zone, cause, "give addresses there" if alias else "")


def refuse_texts(rrset: RRset, wrong: Iterable[str], length_max: int) -> None:
    """Raises Rejected for a TXT value that is empty, too long, or holds one of the characters."""
    for value in rrset.values if rrset.type == "TXT" else ():
        found = [mark for mark in wrong if mark in value]
        if found or not 0 < len(value.encode()) <= length_max:
            cause = f"holds {' '.join(found)}" if found else f"has not 1 to {length_max} bytes"
            raise Rejected(OPERATION, f"{rrset.name} TXT", f"this host cannot keep a text that {cause}")
