"""What is asked of the sets that stand at a host, before a change and after it.

A host of grade 1 compares inside its transaction. For the others the adapter reads, compares, writes and reads again.
"""

from collections.abc import Iterable, Mapping, Sequence

from failover.core.rrsets import Changes, RRset, by_key, normal_name
from failover.dns.transaction import OPERATION
from failover.errors import Conflict, Rejected
from failover.ports import HostTraits

Key = tuple[str, str]
Records = Mapping[Key, RRset]
"""By normal name and type."""


def standing(records: Records, names: Sequence[tuple[str, str]]) -> tuple[RRset, ...]:
    """Of the (name, type) pairs asked for those that stand there: the set, or else the CNAME of that name."""
    found = (records.get((normal_name(n), t.upper())) or records.get((normal_name(n), "CNAME")) for n, t in names)
    return tuple({rrset.key: rrset for rrset in found if rrset is not None}.values())


def removed(changes: Changes) -> tuple[Key, ...]:
    """What goes, by normal name and type."""
    return tuple((normal_name(name), type.upper()) for name, type in changes.remove)


def require(zone: str, changes: Changes, expect: RRset | None, fence: RRset | None, records: Records) -> None:
    """Raises Conflict unless exactly the expected fence stands there, and every new set has room."""
    require_fence(zone, expect, fence, records)
    require_room(zone, changes, records)


def require_fence(zone: str, expect: RRset | None, fence: RRset | None, records: Records) -> None:
    """The expected fence stands there, or none where none is expected. Its values count, not its TTL.

    Raises Conflict.
    """
    for wanted in (expect, fence):
        found = None if wanted is None else records.get(wanted.key)
        values = None if found is None else found.values
        if wanted is not None and values != (None if expect is None else expect.values):
            raise Conflict(OPERATION, zone, f"the fence is {found}, not {expect}", "read again")


def require_room(zone: str, changes: Changes, keys: Iterable[Key]) -> None:
    """Nothing is put beside a CNAME, and no CNAME beside anything (RFC 1034, section 3.6.2). Raises Conflict.

    `keys`: what stands there now.
    """
    leaving = set(removed(changes))
    staying = [key for key in keys if key not in leaving]
    if "CNAME" not in {type for _, type in (*staying, *(rrset.key for rrset in changes.put))}:
        return
    left = types_by_name(staying)
    for rrset in changes.put:
        beside = left.get(rrset.name, set()) - {rrset.type}
        if beside and (rrset.type == "CNAME" or "CNAME" in beside):
            raise Conflict(
                OPERATION, zone, f"{rrset.name} {rrset.type} cannot stand beside {', '.join(sorted(beside))}"
            )


def types_by_name(keys: Iterable[Key]) -> Mapping[str, set[str]]:
    """What stands at each name."""
    found: dict[str, set[str]] = {}
    for name, type in keys:
        found.setdefault(name, set()).add(type)
    return found


def confirm(zone: str, changes: Changes, expect: RRset | None, fence: RRset | None, records: Records) -> None:
    """After a write by a host that does not compare: raises Conflict when something else stands there by now."""
    gone = removed(changes) + (() if expect is None or fence is not None else (expect.key,))
    wanted = by_key((*changes.put, *(() if fence is None else (fence,))))
    for key, rrset in wanted.items():
        found = records.get(key)
        if found is None or found.values != rrset.values:
            raise Conflict(OPERATION, zone, f"somebody else wrote meanwhile: {found} instead of {rrset}", "read again")
    for key in gone:
        if key in records:
            raise Conflict(OPERATION, zone, f"somebody else wrote meanwhile: {records[key]}", "read again")


def require_limits(zone: str, changes: Changes, traits: HostTraits) -> None:
    """Raises Rejected for a TTL that this host does not keep."""
    for rrset in changes.put:
        if not traits.ttl_s_min <= rrset.ttl_s <= traits.ttl_s_max:
            limits = f"{traits.ttl_s_min} to {traits.ttl_s_max} s"
            raise Rejected(OPERATION, zone, f"the TTL of {rrset.name} {rrset.type} is {rrset.ttl_s} s, not {limits}")
