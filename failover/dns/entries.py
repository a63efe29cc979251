"""Hosts whose API knows single records: their records as sets, and the fewest writes that turn one into the other.

Pure: what is listed and what is wanted come in, writes come out. A set is never empty on the way: a record that has to
go is rewritten into one that has to come, further ones are added, and only then the rest is removed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from failover.core.rrsets import Changes, RRset, normal_name
from failover.core.survey import MadeUp
from failover.dns.compare import removed
from failover.dns.transaction import OPERATION
from failover.errors import Conflict, Rejected, Unreadable

VENDORS = ("ALIAS", "ANAME")
"""Types that no resolver ever sees: name servers answer with the addresses of another name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One record as a host lists it; all records of a name and type are one set.

    The name is normal and whole. `value` is as in an RRset for A, AAAA, CNAME and TXT; of other types, which are never
    ours, it is whatever the host says. `proxied`: name servers answer the host's own addresses in its place.
    """

    id: str
    name: str
    type: str
    ttl_s: int
    value: str
    proxied: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return (self.name, self.type)


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """A record more."""

    name: str
    type: str
    ttl_s: int
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """A record gets another value or TTL, in place."""

    entry: Entry
    ttl_s: int
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """A record less."""

    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Replace:
    """All sets of one name at once; none: the name is gone."""

    name: str
    sets: tuple[RRset, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceSet:
    """One set at once."""

    rrset: RRset


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteSet:
    """One set less."""

    name: str
    type: str


Step = Create | Update | Delete | Replace | ReplaceSet | DeleteSet

# ---------------------------------------------------------------------------------------------- as sets


def sets_of(entries: Iterable[Entry], names: Iterable[tuple[str, str]]) -> tuple[RRset, ...]:
    """The sets asked for, and CNAMEs that stand at their names. Raises Unreadable for values that cannot be."""
    keys = [key for name, type in names for key in ((normal_name(name), type.upper()), (normal_name(name), "CNAME"))]
    found: dict[tuple[str, str], list[Entry]] = {key: [] for key in keys}
    for entry in entries:
        if entry.key in found:
            found[entry.key].append(entry)
    return tuple(_set_of(several) for several in found.values() if several)


def _set_of(entries: Sequence[Entry]) -> RRset:
    """Where the records of a set differ in their TTL (RFC 2181, section 5.2, forbids it) the longest counts."""
    name, type = entries[0].key
    values = frozenset(entry.value for entry in entries)
    try:
        return RRset(name=name, type=type, ttl_s=max(entry.ttl_s for entry in entries), values=values)
    except ValueError as error:
        raise Unreadable("read records", f"{name} {type}", str(error)) from error


def made_up_of(entries: Iterable[Entry], names: Iterable[str]) -> tuple[MadeUp, ...]:
    """Records of a vendor's own kind at these names (see `ports.Dns.made_up`)."""
    wanted = {normal_name(name) for name in names}
    here = {(e.name, e.type, normal_name(e.value)) for e in entries if e.name in wanted and e.type in VENDORS}
    return tuple(MadeUp(name=name, kind=type, target=target) for name, type, target in sorted(here))


# ---------------------------------------------------------------------------------------------- what must hold


def require_plain(entries: Iterable[Entry], names: Iterable[str], operation: str) -> None:
    """No answers are made up at these names. Raises Rejected."""
    for odd in made_up_of(entries, names):
        cause = f"its answers come from a record of type {odd.kind}"
        hint = f"failover does not touch it: remove the {odd.kind} record, or take another name"
        raise Rejected(operation, odd.name, cause, hint)


def require_fence(zone: str, entries: Iterable[Entry], place: tuple[str, str], allowed: Iterable[RRset | None]) -> None:
    """What stands where the fence belongs is one of these (None: nothing). Its TTL does not matter. Raises Conflict."""
    stands = frozenset(entry.value for entry in entries if entry.key == place)
    if all(stands != (frozenset() if rrset is None else rrset.values) for rrset in allowed):
        told = ", ".join(sorted(stands)) or "not there"
        raise Conflict(OPERATION, zone, f"the fence is {told}; somebody else has changed it", "read again")


def touched(changes: Changes) -> frozenset[str]:
    """The names at which something changes."""
    return frozenset({*(rrset.name for rrset in changes.put), *(name for name, _ in removed(changes))})


def retyped(changes: Changes) -> frozenset[str]:
    """The names that change between a CNAME and data."""
    gone = removed(changes)
    put = {(rrset.name, rrset.type == "CNAME") for rrset in changes.put}
    return frozenset(name for name, type in gone if (name, type != "CNAME") in put)


def stands(changes: Changes, entries: Iterable[Entry]) -> bool:
    """Whether all of it stands there, whatever the TTLs: some hosts round them."""
    found: dict[tuple[str, str], set[str]] = {}
    for entry in entries:
        found.setdefault(entry.key, set()).add(entry.value)
    put = all(found.get(rrset.key, set()) == set(rrset.values) for rrset in changes.put)
    return put and not any(key in found for key in removed(changes))


# ---------------------------------------------------------------------------------------------- writes


def record_steps(changes: Changes, entries: Iterable[Entry]) -> tuple[Step, ...]:
    """For hosts that write one record at a time: records are rewritten first, then added, then removed."""
    by_key: dict[tuple[str, str], list[Entry]] = {}
    for entry in sorted(entries, key=lambda e: e.id):
        by_key.setdefault(entry.key, []).append(entry)
    first: list[Step] = []
    last: list[Step] = []
    for rrset in changes.put:
        coming, going = _set_steps(rrset, by_key.get(rrset.key, []))
        first += coming
        last += going
    for key in sorted(removed(changes)):
        last += [Delete(entry=entry) for entry in by_key.get(key, [])]
    return (*first, *last)


def _set_steps(rrset: RRset, entries: Sequence[Entry]) -> tuple[list[Step], list[Step]]:
    """The writes that come, and the removals that follow, of one set."""
    kept: dict[str, Entry] = {}
    spare: list[Entry] = []
    for entry in entries:
        if entry.value in rrset.values and entry.value not in kept:
            kept[entry.value] = entry
        else:
            spare.append(entry)  # a value to go, or a copy
    missing = sorted(rrset.values - kept.keys())
    rewritten = list(zip(spare, missing, strict=False))
    steps: list[Step] = [Update(entry=entry, ttl_s=rrset.ttl_s, value=value) for entry, value in rewritten]
    steps += [
        Update(entry=entry, ttl_s=rrset.ttl_s, value=value)
        for value, entry in sorted(kept.items())
        if entry.ttl_s != rrset.ttl_s
    ]
    steps += [
        Create(name=rrset.name, type=rrset.type, ttl_s=rrset.ttl_s, value=value) for value in missing[len(rewritten) :]
    ]
    return steps, [Delete(entry=entry) for entry in spare[len(rewritten) :]]


def set_steps(changes: Changes, entries: Iterable[Entry]) -> tuple[Step, ...]:
    """For hosts that write a set, or all sets of a name, at once.

    A change between a CNAME and data is one write of the name. Nothing else can stand there: beside a CNAME nothing
    may, and `require_room` has seen to the rest.
    """
    listed = tuple(entries)
    here = {entry.key for entry in listed}
    found = {rrset.key: rrset for rrset in sets_of(listed, here)}
    puts_cname = {rrset.name for rrset in changes.put if rrset.type == "CNAME"}
    moved = {name for name in retyped(changes) if name in puts_cname or (name, "CNAME") in here}
    wanted = [rrset for rrset in changes.put if found.get(rrset.key) != rrset]
    gone = [key for key in sorted(removed(changes)) if key in here]
    names = [n for n in sorted(moved) if any(r.name == n for r in wanted) or any(key[0] == n for key in gone)]
    steps: list[Step] = [Replace(name=n, sets=tuple(r for r in changes.put if r.name == n)) for n in names]
    steps += [ReplaceSet(rrset=rrset) for rrset in wanted if rrset.name not in names]
    steps += [DeleteSet(name=name, type=type) for name, type in gone if name not in names]
    return tuple(steps)
