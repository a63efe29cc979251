"""What a DNS host can promise for this very service: its grade, its TTLs, and when it is its turn in a change."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from failover.core.cutover import ALIAS, names_of
from failover.core.model import HostReading, HostTraits, Service
from failover.core.rrsets import BESIDE_NO_ALIAS, RRset, by_key, normal_name

ONE_AFTER_ANOTHER = 3
"""The grade of a change that does not fit into one transaction."""
_HEADER_BYTES, _RR_BYTES, _POINTER_BYTES = 400, 10, 2
"""The header holds the zone and the fence as well."""
_POINTED_BYTES = 16384
"""Names that first stand within so many bytes are pointers later on (RFC 1035, section 4.1.4)."""
_VALUE_BYTES = {"A": 4, "AAAA": 16}
_GUARDS = {"CNAME": len(("A", "AAAA", *BESIDE_NO_ALIAS))}
"""How many prerequisites guard a put of that type; else one."""


def fitting_grade(
    service: Service, traits: HostTraits, rrsets: Iterable[RRset] = (), standing: Iterable[RRset] = ()
) -> tuple[int, str]:
    """The grade of a whole change of this service there, and why it is worse than the host's own ("" if it is not).

    `rrsets`: the change, if it is known, and `standing`: what it replaces. What goes may be more than what comes.
    """
    sets, old = tuple(rrsets), tuple(standing)
    for zone in service.zones:
        why = _too_much(service, traits, zone, sets, old)
        if why and traits.grade < ONE_AFTER_ANOTHER:
            return ONE_AFTER_ANOTHER, f"{why}: let the names be aliases of one steering name, and move that"
    return traits.grade, ""


def _too_much(service: Service, traits: HostTraits, zone: str, sets: Sequence[RRset], standing: Sequence[RRset]) -> str:
    """Why a change of all our names in the zone does not fit into one transaction; "" when it does."""
    both = [by_key(sets), by_key(standing)]
    there = [[known[key] for known in both if key in known] for key in names_of(service, zone)]
    values = sum(max([len(r.values) for r in found], default=1) for found in there)
    if traits.atomic_changes is not None and values > traits.atomic_changes:
        return f"{values} values in {zone}, one transaction takes {traits.atomic_changes}"
    length = sum(max([_characters(r) for r in found], default=0) for found in there)
    if traits.atomic_characters is not None and length > traits.atomic_characters:
        return f"values of {length} characters in {zone}, one transaction takes {traits.atomic_characters}"
    size = message_bytes(service, zone, sets)
    if traits.message_bytes is not None and size > traits.message_bytes:
        count = len(there)
        return f"{count} record sets in {zone} need up to {size} bytes, one message takes {traits.message_bytes}"
    return ""


def _characters(rrset: RRset) -> int:
    """With a final dot, or quotes."""
    return sum(len(value) + 2 for value in rrset.values)


@dataclass(slots=True)
class UpdateSize:
    """How long an update message (RFC 2136) becomes at most, as what stands at one name after the other is added.

    The prerequisites come first, so these are what later mentions of a name may point to.
    """

    zone: str
    guards: int = 0
    bytes: int = _HEADER_BYTES

    def add(self, name: str, puts: Iterable[tuple[str, int, int]], removed: int = 0) -> None:
        """`puts`: type, number of values and their bytes, for each set at the name; `removed`: so many sets go."""
        own = len(name) - len(normal_name(self.zone)) + 3
        sets = tuple(puts)
        guards = sum(_GUARDS.get(type, 1) for type, _, _ in sets)
        others = removed + sum(1 + values for _, values, _ in sets)
        later = _POINTER_BYTES if guards and self.guards < _POINTED_BYTES - _HEADER_BYTES else own
        spent = (own + (guards - 1) * later if guards else own - later) + guards * _RR_BYTES
        self.guards += spent
        self.bytes += spent + others * (later + _RR_BYTES) + sum(size for _, _, size in sets)


def value_bytes(rrset: RRset) -> int:
    """What the values of a set take at most."""
    return sum(_VALUE_BYTES.get(rrset.type, len(v) * 2 + 2) for v in rrset.values)


def message_bytes(service: Service, zone: str, rrsets: Sequence[RRset] = ()) -> int:
    """The most that one update of all our names in the zone takes on the wire."""
    size, known = UpdateSize(zone), by_key(rrsets)
    for name, type in names_of(service, zone)[:-1]:
        rrset = known.get((name, type))
        if rrset is not None:
            size.add(name, [(type, len(rrset.values), value_bytes(rrset))])
        elif rrsets or type == ALIAS:
            size.add(name, (), removed=1)
        else:
            size.add(name, [(type, 1, _VALUE_BYTES[type])])
    return size.bytes


def held_ttl_s(ttl_s: int, traits: HostTraits) -> int:
    """The TTL that the host really keeps when asked for this one."""
    return min(max(ttl_s, traits.ttl_s_min), traits.ttl_s_max)


def held(rrset: RRset, traits: HostTraits) -> RRset:
    return replace(rrset, ttl_s=held_ttl_s(rrset.ttl_s, traits))


def longest_ttl_s(ttl_s: int, readings: Iterable[HostReading]) -> int:
    """The longest that caches keep an answer of any of these hosts, when asked for this TTL."""
    return max([held_ttl_s(ttl_s, r.traits) for r in readings if r.traits is not None], default=ttl_s)


def bound_s(reading: HostReading, service: Service) -> float:
    """How long after a change was accepted an older one may still overwrite it there: 0 for grade 1."""
    if reading.grade == 1:
        return 0.0
    return max(service.call_s, reading.traits.converges_s if reading.traits is not None else 0.0)


def unread(service: Service, host: str, before: HostReading | None = None) -> HostReading:
    """What is known of a host that cannot be asked now: what it could do `before`, or else what its kind can do."""
    if before is not None and before.traits is not None:
        return replace(before, rrsets=())
    grade = service.host_grades.get(host)
    return HostReading(host=host) if grade is None else HostReading(host=host, grade=grade, by_kind=True)


def is_graded(reading: HostReading) -> bool:
    """Whether anybody knows what the host can do."""
    return reading.problem is None or reading.traits is not None or reading.by_kind


# ---------------------------------------------------------------------------------------------- order


def turns(readings: Mapping[str, HostReading]) -> list[tuple[str, ...]]:
    """The hosts in the order in which they are changed, those of one grade together, the best fenced ones first.

    A host of which nobody knows what it can do leads: the others wait for what it holds.
    """
    ranks = {name: r.grade if is_graded(r) else 1 for name, r in readings.items()}
    return [tuple(n for n, rank in ranks.items() if rank == grade) for grade in sorted(set(ranks.values()))]


def holding_up(readings: Mapping[str, HostReading]) -> tuple[str, ...]:
    """The hosts for whose sake nothing would be changed anywhere: none of the leaders can be read, and these answer.

    The others wait for them, as `held_back` says, for ever; () where something can be changed, or nothing at all.
    """
    order = turns(readings)
    readable = {name for name, reading in readings.items() if reading.problem is None}
    if not readable or readable & set(order[0]):
        return ()
    return tuple(name for name in order[0] if not readings[name].unreachable)


def held_back(
    leaders: Collection[HostReading], accepted: Collection[str], *, patience_over: bool, forced: bool
) -> str | None:
    """Why hosts of a lower grade may not be changed yet, or None when they may.

    They follow once one of the `leaders` has accepted the plan. Until then an older plan may be on its way to them,
    and only the leaders would tell. When none did in time, each of them must have been seen to hold nothing newer, or
    be out of reach; one that answers but cannot be read might hold a newer plan, and only a person passes it over.
    """
    if any(leader.host in accepted for leader in leaders):
        return None
    names = ", ".join(leader.host for leader in leaders)
    if not patience_over:
        return f"waits until {names} has accepted it"
    unclear = [r.host for r in leaders if r.problem is not None and not r.unreachable]
    if unclear and not forced:
        return (
            f"{', '.join(unclear)} answers, but cannot be read, and may hold a newer plan (`failover continue --force`)"
        )
    return None
