"""DNS messages as bytes (RFC 1035, section 4): written and read, no more.

For where there may be ten thousand records: dnspython makes objects of every label, half a millisecond of processor for
a set there and back. Here a record is a few bytes at a place, and becomes text only when somebody wants it; everything
unusual is left to dnspython.
"""

import re
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from failover.dns.records import to_name

IN, NONE, ANY = 1, 254, 255
NS, CNAME, SOA, DNAME, OPT, TSIG = 2, 5, 6, 39, 41, 250
QR, AA, TC = 0x8000, 0x0400, 0x0200
ANSWER, ADDITIONAL = 0, 2
_OPCODE = 0x7800
_HEADER = struct.Struct("!HHHHHH")
_COUNTS = struct.Struct("!HHHH")
_QUESTION = struct.Struct("!HH")
_RECORD = struct.Struct("!HHIH")
_POINTER = struct.Struct("!H")
_POINTED_MAX = 0x4000
_POINTER_BITS = 0xC0
_NAME_BYTES_MAX, _LABEL_BYTES_MAX = 255, 63
_HOPS_MAX = 127
_TTL_S_MAX = 2**31 - 1
_PLAIN = re.compile(r"[a-z0-9_*-]{1,63}(?:\.[a-z0-9_*-]{1,63})*")
_PLAIN_MAX = _NAME_BYTES_MAX - 2


class TooLong(Exception):
    """What was written exceeds the room."""


class Malformed(ValueError):
    """Bytes that are no DNS message."""


def wire_name(name: str) -> bytes:
    """A name as bytes, lower case and uncompressed: how names are compared here. Raises Rejected."""
    if _PLAIN.fullmatch(name) and len(name) <= _PLAIN_MAX:
        return b"".join(len(label).to_bytes() + label for label in name.encode().split(b".")) + b"\0"
    return to_name(name).to_digestable()


def parents(name: bytes) -> Iterator[bytes]:
    """The names above one, nearest first, down to the root."""
    while name[0]:
        name = name[name[0] + 1 :]
        yield name


# ---------------------------------------------------------------------------------------------- writing


class Writer:
    """Composes one message of at most `room` bytes. Names become pointers where they can (section 4.1.4)."""

    __slots__ = ("_data", "_known", "_room")

    def __init__(self, id: int, flags: int, *, room: int) -> None:
        self._data = bytearray(_HEADER.pack(id, flags, 0, 0, 0, 0))
        self._known: dict[str, int] = {}
        self._room = room

    def question(self, name: str, type: int, rdclass: int = IN) -> None:
        """Raises Rejected for what cannot be a name."""
        self._name(name)
        self._data += _QUESTION.pack(type, rdclass)

    def record(self, name: str, type: int, rdclass: int, ttl_s: int = 0, rdata: bytes = b"") -> None:
        """Raises Rejected, and TooLong."""
        self._name(name)
        self._data += _RECORD.pack(type, rdclass, ttl_s, len(rdata)) + rdata
        if len(self._data) > self._room:
            raise TooLong

    def finish(self, *counts: int) -> bytes:
        """The whole message; how many entries each of the four sections has."""
        _COUNTS.pack_into(self._data, 4, *counts)
        return bytes(self._data)

    def _name(self, name: str) -> None:
        data, known, rest = self._data, self._known, name
        if name not in known and not (_PLAIN.fullmatch(name) and len(name) <= _PLAIN_MAX):
            data += to_name(name).to_digestable()
            return
        while rest:
            at = known.get(rest)
            if at is not None:
                data += _POINTER.pack(_POINTER_BITS << 8 | at)
                return
            if len(data) < _POINTED_MAX:
                known[rest] = len(data)
            label, _, rest = rest.partition(".")
            data.append(len(label))
            data += label.encode()
        data.append(0)


# ---------------------------------------------------------------------------------------------- reading


class Record(NamedTuple):
    """`owner` is as of `wire_name`; the data are `size` bytes from `at`, the whole record begins at `start`."""

    section: int
    owner: bytes
    type: int
    rdclass: int
    ttl_s: int
    start: int
    at: int
    size: int


class Packet:
    """One message that came, with every record of its three sections. Raises Malformed."""

    __slots__ = ("_names", "flags", "id", "question", "records", "wire")

    id: int
    flags: int

    def __init__(self, wire: bytes) -> None:
        if len(wire) < _HEADER.size:
            raise Malformed("shorter than a header")
        self.wire = wire
        self.id, self.flags, questions, *counts = _HEADER.unpack_from(wire)
        self._names: dict[int, bytes] = {}
        self.question: tuple[bytes, int, int] | None = None
        at = _HEADER.size
        if questions > 1:
            raise Malformed(f"{questions} questions")
        if questions:
            name, at = self._name(at)
            if at + _QUESTION.size > len(wire):
                raise Malformed("ends within its question")
            self.question = (name, *_QUESTION.unpack_from(wire, at))
            at += _QUESTION.size
        self.records = list(self._read(at, counts))

    @property
    def opcode(self) -> int:
        return self.flags & _OPCODE

    @property
    def rcode(self) -> int:
        """With its upper bits, where there is an OPT record (RFC 6891, section 6.1.3)."""
        upper = sum(r.ttl_s >> 24 << 4 for r in self.records if r.type == OPT)
        return self.flags & 0xF | upper

    @property
    def signature(self) -> Record | None:
        """The TSIG record: the last one of the last section (RFC 8945, section 5.1), or it is none."""
        last = self.records[-1] if self.records else None
        return last if last is not None and last.type == TSIG and last.section == ADDITIONAL else None

    def _read(self, at: int, counts: Sequence[int]) -> Iterator[Record]:
        wire, end = self.wire, len(self.wire)
        for section, count in enumerate(counts):
            for _ in range(count):
                start = at
                owner, at = self._name(at)
                if at + _RECORD.size > end:
                    raise Malformed("ends within a record")
                type, rdclass, ttl_s, size = _RECORD.unpack_from(wire, at)
                at += _RECORD.size
                if at + size > end:
                    raise Malformed("ends within the data of a record")
                yield Record(section, owner, type, rdclass, ttl_s, start, at, size)
                at += size
        if at != end:
            raise Malformed("something follows its last record")

    def _name(self, at: int, hops: int = 0) -> tuple[bytes, int]:
        """The name that begins there, and where what follows it begins. Pointers lead backwards only."""
        wire, start = self.wire, at
        try:
            while (length := wire[at]) and length <= _LABEL_BYTES_MAX:
                at += length + 1
            if not length:
                name, after = wire[start : at + 1], at + 1
            else:
                (target,) = _POINTER.unpack_from(wire, at)
                target &= _POINTED_MAX - 1
                if length < _POINTER_BITS or target >= start or hops == _HOPS_MAX:
                    raise Malformed("a name that leads nowhere")
                end = self._names.get(target) or self._name(target, hops + 1)[0]
                name, after = wire[start:at] + end, at + 2
        except (IndexError, struct.error):
            raise Malformed("ends within a name") from None
        if len(name) > _NAME_BYTES_MAX:
            raise Malformed("a name of more than 255 bytes")
        name = self._names[start] = name.lower()  # a length is never a letter: it is below 64
        return name, after


def plain_ttl_s(ttl_s: int) -> int:
    """With the first bit set it counts as zero (RFC 2181, section 8)."""
    return ttl_s if ttl_s <= _TTL_S_MAX else 0
