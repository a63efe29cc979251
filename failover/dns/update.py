"""A change as update messages (RFC 2136): as few as it fits into."""

import secrets
from collections.abc import Iterable, Iterator, Sequence
from socket import AF_INET, AF_INET6, inet_pton

from failover.core.hosting import UpdateSize, value_bytes
from failover.core.rrsets import BESIDE_NO_ALIAS, Changes, RRset, normal_name
from failover.dns.packets import ANY, CNAME, IN, NONE, SOA, TooLong, Writer
from failover.dns.proof import ROOM
from failover.dns.records import to_rdatas, to_type
from failover.dns.transaction import OPERATION
from failover.errors import Rejected

MESSAGE_ROOM = 65535 - ROOM
"""Of a message without its signature."""
_UPDATE = 5 << 11
"""The opcode, where the flags have it."""
_IDS = 1 << 16
_BESIDE = ("A", "AAAA", *BESIDE_NO_ALIAS)
"""What keeps an alias away. There is no prerequisite for "nothing but this"; beside any other type a server would
pass over the CNAME in silence, and remove the addresses all the same."""
_FAMILIES = {"A": AF_INET, "AAAA": AF_INET6}

Part = tuple[list[RRset], list[tuple[str, str]]]
"""What comes and what goes at one name."""


def compose(zone: str, changes: Changes, expect: RRset | None, fence: RRset | None) -> list[bytes]:
    """The messages, in their order, each on condition that the expected fence stands; the last one replaces it.

    What stands at one name changes in one message. Raises Rejected for a name whose sets do not fit into any, and for
    what cannot be said in DNS.
    """
    try:
        return [_message(zone, changes, expect, fence)]
    except TooLong:
        pass
    chunks = list(_chunks(zone, changes))
    return [_fitting(zone, c, expect, fence, keep=c is not chunks[-1]) for c in chunks]


def compose_removal(zone: str, rrsets: Sequence[RRset]) -> bytes:
    """One message: these values go, where they stand (section 2.5.4). Raises TooLong."""
    writer = Writer(secrets.randbelow(_IDS), _UPDATE, room=MESSAGE_ROOM)
    writer.question(normal_name(zone), SOA)
    return writer.finish(1, 0, sum(_each(writer, rrset, 0, NONE) for rrset in rrsets), 0)


def _fitting(zone: str, changes: Changes, expect: RRset | None, fence: RRset | None, *, keep: bool) -> bytes:
    try:
        return _message(zone, changes, expect, fence, keep=keep)
    except TooLong:
        (name, *_) = [*(r.name for r in changes.put), *(n for n, _ in changes.remove)]
        raise Rejected(OPERATION, zone, f"the sets of {name} do not fit into one message of 64 KiB") from None


def _message(zone: str, changes: Changes, expect: RRset | None, fence: RRset | None, *, keep: bool = False) -> bytes:
    """`keep`: the fence stays as it is expected. Raises TooLong."""
    writer = Writer(secrets.randbelow(_IDS), _UPDATE, room=MESSAGE_ROOM)
    writer.question(normal_name(zone), SOA)
    guards = _require_fence(writer, expect, fence) + _require_room(writer, changes)
    # Removals first: an addition beside a CNAME that is still there would be passed over.
    count = sum(_remove(writer, normal_name(name), type) for name, type in changes.remove)
    count += sum(_replace(writer, rrset) for rrset in changes.put)
    if fence is not None and not keep:
        count += _replace(writer, fence)
    elif expect is not None and not keep:
        count += _remove(writer, expect.name, expect.type)
    return writer.finish(1, guards, count, 0)


def _require_fence(writer: Writer, expect: RRset | None, fence: RRset | None) -> int:
    """Exactly the expected set (RFC 2136, section 2.4.2), or none (section 2.4.3). Returns the number of records.

    Where none is, no CNAME may be either: the server would pass over the fence in silence, and take the rest.
    """
    if expect is not None:
        return _each(writer, expect, 0)
    if fence is None:
        return 0
    for type in (to_type(fence.type), CNAME):
        writer.record(fence.name, type, NONE)
    return 2


def _require_room(writer: Writer, changes: Changes) -> int:
    """No data may stand beside a CNAME, other than what this very update removes."""
    leaving = {(normal_name(name), type.upper()) for name, type in changes.remove}
    needed = dict.fromkeys(
        (rrset.name, type) for rrset in changes.put for type in (_BESIDE if rrset.type == "CNAME" else ("CNAME",))
    )
    guards = [pair for pair in needed if pair not in leaving]
    for name, type in guards:
        writer.record(name, to_type(type), NONE)
    return len(guards)


def _replace(writer: Writer, rrset: RRset) -> int:
    """Whatever stands there goes (section 2.5.2), then the values come (section 2.5.1)."""
    return _remove(writer, rrset.name, rrset.type) + _each(writer, rrset, rrset.ttl_s)


def _remove(writer: Writer, name: str, type: str) -> int:
    writer.record(name, to_type(type), ANY)
    return 1


def _each(writer: Writer, rrset: RRset, ttl_s: int, rdclass: int = IN) -> int:
    type = to_type(rrset.type)
    for data in _rdata(rrset):
        writer.record(rrset.name, type, rdclass, ttl_s, data)
    return len(rrset.values)


def _rdata(rrset: RRset) -> Iterable[bytes]:
    """Addresses without a detour: an RRset has looked at them, and there may be thousands."""
    family = _FAMILIES.get(rrset.type)
    if family is not None:
        return [inet_pton(family, value) for value in sorted(rrset.values)]
    return [rdata.to_digestable() for rdata in to_rdatas(rrset)]


# ---------------------------------------------------------------------------------------------- several messages


def _chunks(zone: str, changes: Changes) -> Iterator[Changes]:
    """The changes in parts that fit into one message each. What stands at a name changes in one part."""
    names: dict[str, Part] = {}
    for rrset in changes.put:
        names.setdefault(rrset.name, ([], []))[0].append(rrset)
    for key in changes.remove:
        names.setdefault(normal_name(key[0]), ([], []))[1].append(key)
    size, some = UpdateSize(zone), list[Part]()
    for name, (put, gone) in names.items():
        sets = [(r.type, len(r.values), value_bytes(r)) for r in put]
        size.add(name, sets, removed=len(gone))
        if some and size.bytes > MESSAGE_ROOM:
            yield _joined(some)
            size, some = UpdateSize(zone), []
            size.add(name, sets, removed=len(gone))
        some.append((put, gone))
    yield _joined(some)


def _joined(parts: Sequence[Part]) -> Changes:
    return Changes(put=tuple(r for put, _ in parts for r in put), remove=tuple(k for _, gone in parts for k in gone))
