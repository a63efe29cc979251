"""Many sets of a zone by one transfer (AXFR, RFC 5936) instead of a question for each.

A transfer shows what stands in a zone, not what the server answers: wildcards, delegations and records whose answers
are made up say more, or less, than their owner's name. The few names that this may concern are asked for one by one.
"""

from collections.abc import Mapping, Sequence

import dns.rcode

from failover.core.rrsets import RRset, normal_name
from failover.dns.conversation import Conversation
from failover.dns.found import Sets
from failover.dns.packets import CNAME, DNAME, NS, SOA, Packet, Record, parents, wire_name
from failover.dns.records import to_type
from failover.errors import Unreadable

_READ = "read DNS"
_TYPES_OF_THEIR_OWN = 65280
"""From here on types are private (RFC 6895, section 3.1), PowerDNS's ALIAS and LUA among them."""
_WILDCARD = b"\x01*"

Pair = tuple[str, str]


class NoTransfer(Exception):
    """The server gives none (`refused`), or more than it is worth."""

    def __init__(self, why: str, *, refused: bool) -> None:
        super().__init__(why)
        self.refused = refused


class ZoneCopy:
    """What a transfer has shown of some names."""

    def __init__(self, zone: str, names: Sequence[str]) -> None:
        self._zone, self._apex = zone, wire_name(normal_name(zone))
        self._names = {wire_name(name): name for name in map(normal_name, names)}
        self._sets = Sets(self._names)
        self._cuts: set[bytes] = set()
        self._wild: set[bytes] = set()
        self._unclear: set[bytes] = set()
        self.serial: int | None = None
        self.whole = False

    def add(self, packet: Packet) -> None:
        """One message. Raises Unreadable for what is no transfer: it begins and ends with the same SOA."""
        for record in packet.records:
            if record.section:
                continue
            if self.whole:
                raise Unreadable(_READ, self._zone, "the transfer goes on behind its end")
            if record.type == SOA and record.owner == self._apex:
                self._bound(packet, record)
            elif self.serial is None:
                raise Unreadable(_READ, self._zone, "the transfer does not begin with the SOA")
            else:
                self._note(packet, record)

    def _bound(self, packet: Packet, record: Record) -> None:
        serial = serial_of(packet, record)
        if self.serial is None:
            self.serial = serial
            if record.owner in self._names:
                self._sets.add(packet, record)
        elif self.serial != serial:
            raise Unreadable(_READ, self._zone, "the transfer ends with another version than it began with")
        else:
            self.whole = True

    def _note(self, packet: Packet, record: Record) -> None:
        owner, type = record.owner, record.type
        if owner.startswith(_WILDCARD):
            self._wild.add(owner[len(_WILDCARD) :])
        if (type == NS and owner != self._apex) or type == DNAME:
            self._cuts.add(owner)
        if owner not in self._names:
            return
        if type >= _TYPES_OF_THEIR_OWN:
            self._unclear.add(owner)
        else:
            self._sets.add(packet, record)

    def found(self, pairs: Sequence[Pair]) -> tuple[dict[Pair, RRset | None], list[Pair]]:
        """What stands at the pairs of which the copy knows, and the pairs of which the server has to tell."""
        known: dict[Pair, RRset | None] = {}
        asked: list[Pair] = []
        for pair in pairs:
            owner = wire_name(normal_name(pair[0]))
            rrset = self._sets.at(owner, (to_type(pair[1]), CNAME))
            if owner in self._unclear or self._hidden(owner) or (rrset is None and self._under_wildcard(owner)):
                asked.append(pair)
            else:
                known[pair] = rrset
        return known, asked

    def _hidden(self, owner: bytes) -> bool:
        """Below a delegation or a DNAME, or at one."""
        return bool(self._cuts) and any(name in self._cuts for name in (owner, *parents(owner)))

    def _under_wildcard(self, owner: bytes) -> bool:
        return bool(self._wild) and any(name in self._wild for name in parents(owner))


def serial_of(packet: Packet, record: Record) -> int:
    """Of an SOA: the first of the five numbers at its end (RFC 1035, section 3.3.13). Raises Unreadable."""
    numbers = packet.wire[record.at : record.at + record.size][-20:]
    if len(numbers) < 20:
        raise Unreadable(_READ, "SOA", "it is too short")
    return int.from_bytes(numbers[:4])


def copy_zone(conversation: Conversation, zone: str, names: Sequence[str], *, bytes_max: int) -> ZoneCopy:
    """The zone at one moment. Raises NoTransfer, also beyond so many bytes; Unreadable or TimedOut for half a zone."""
    stream = conversation.stream(zone, "AXFR")
    copy, size = ZoneCopy(zone, names), 0
    while not copy.whole:
        packet = stream.next()
        if packet.rcode:
            if copy.serial is not None or packet.rcode == dns.rcode.SERVFAIL:
                raise Unreadable(_READ, zone, f"the transfer ends with {_told(packet)}")
            raise NoTransfer(f"the server answers {_told(packet)}", refused=True)
        size += len(packet.wire)
        if size > bytes_max:
            raise NoTransfer(f"more than {bytes_max} bytes", refused=False)
        copy.add(packet)
    stream.finish()
    return copy


def _told(packet: Packet) -> str:
    return dns.rcode.to_text(dns.rcode.Rcode.make(packet.rcode))


def by_pair(pairs: Sequence[Pair], found: Mapping[Pair, RRset | None]) -> tuple[RRset, ...]:
    """The sets, in the order of the pairs, each once."""
    return tuple(dict.fromkeys(rrset for pair in pairs if (rrset := found[pair]) is not None))
