"""The record sets in messages that came, at the names that were asked for."""

import ipaddress
from collections.abc import Iterable, Mapping

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from failover.core.rrsets import RRset
from failover.dns.packets import IN, Packet, Record, plain_ttl_s
from failover.errors import Unreadable

_READ = "read records"
_A, _TXT, _AAAA = 1, 16, 28


class Sets:
    """Collects records by owner and type, and reads only those that are asked for: the others are somebody else's.

    `names`: as of `wire_name`, and as a set of ours has it.
    """

    def __init__(self, names: Mapping[bytes, str]) -> None:
        self._names = names
        self._found: dict[tuple[bytes, int], list[tuple[bytes, Record]]] = {}

    def add(self, packet: Packet, record: Record) -> None:
        if record.rdclass == IN:
            self._found.setdefault((record.owner, record.type), []).append((packet.wire, record))

    def at(self, owner: bytes, types: Iterable[int]) -> RRset | None:
        """The set of the first of these types that stands there. Raises Unreadable for data that are none of it."""
        for type in types:
            if (owner, type) in self._found:
                return self._set(owner, type)
        return None

    def _set(self, owner: bytes, type: int) -> RRset:
        records, name = self._found[owner, type], self._names[owner]
        text = dns.rdatatype.to_text(dns.rdatatype.RdataType.make(type))
        ttl_s = min(plain_ttl_s(record.ttl_s) for _, record in records)  # the same for all (RFC 2181, section 5.2)
        try:
            values = frozenset(_text(wire, record) for wire, record in records)
            return RRset(name=name, type=text, ttl_s=ttl_s, values=values)
        except (dns.exception.DNSException, ValueError) as error:
            raise Unreadable(_READ, f"{name} {text}", f"{error.__class__.__name__}: {error}") from error


def _text(wire: bytes, record: Record) -> str:
    """As an RRset has it. Raises ValueError."""
    _, _, type, _, _, _, at, size = record
    data = wire[at : at + size]
    if type == _A and size == 4:
        return "%d.%d.%d.%d" % tuple(data)  # noqa: UP031 - the quickest there is, and there may be thousands
    if type == _AAAA:
        return str(ipaddress.IPv6Address(data))
    rdata = dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.RdataType.make(type), wire, at, size)
    if type == _TXT:
        return b"".join(rdata.strings).decode()  # type: ignore[attr-defined]  # a TXT has them
    return rdata.to_text()
