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
    """Collects records by owner and type. `names`: as of `wire_name`, and as a set of ours has it."""

    def __init__(self, names: Mapping[bytes, str]) -> None:
        self._names = names
        self._found: dict[tuple[bytes, int], tuple[int, list[str]]] = {}

    def add(self, packet: Packet, record: Record) -> None:
        """Raises Unreadable for data that are none of their type."""
        if record.rdclass != IN:
            return
        ttl_s, key = plain_ttl_s(record.ttl_s), (record.owner, record.type)
        before, values = self._found.setdefault(key, (ttl_s, []))
        values.append(self._text(packet, record))
        if ttl_s < before:  # RFC 2181, section 5.2: they ought to be the same
            self._found[key] = (ttl_s, values)

    def at(self, owner: bytes, types: Iterable[int]) -> RRset | None:
        """The set of the first of these types that stands there. Raises Unreadable."""
        for type in types:
            if (owner, type) in self._found:
                ttl_s, values = self._found[owner, type]
                name, text = self._names[owner], dns.rdatatype.to_text(dns.rdatatype.RdataType.make(type))
                try:
                    return RRset(name=name, type=text, ttl_s=ttl_s, values=frozenset(values))
                except ValueError as error:
                    raise Unreadable(_READ, f"{name} {text}", str(error)) from error
        return None

    def _text(self, packet: Packet, record: Record) -> str:
        try:
            return _text(packet.wire, record)
        except (dns.exception.DNSException, ValueError) as error:
            object = f"{self._names[record.owner]} of type {record.type}"
            raise Unreadable(_READ, object, f"{type(error).__name__}: {error}") from error


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
