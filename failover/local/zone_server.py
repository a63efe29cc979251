"""One message in, one message out: the name server without its sockets.

Takes questions (RFC 1035) from anybody and updates (RFC 2136) signed by its key (TSIG, RFC 8945). An update is on the
disk before it is answered.
"""

import enum
import logging
import threading
import time
from collections import deque
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.update

from failover.local.zone_answer import answer
from failover.local.zone_data import KEY_FILE, ZoneVersion, load, save
from failover.local.zone_update import UpdateRefused, updated
from failover.net.tsig import read_key

UDP_PAYLOAD = 1232
"""Bytes of the largest UDP answer: passes every usual path without fragments (DNS flag day 2020)."""
TCP_PAYLOAD = 65535
_FUDGE_S = 300
_log = logging.getLogger(__name__)
_TSIG_ERRORS = {
    dns.message.UnknownTSIGKey: dns.rcode.BADKEY,
    dns.tsig.BadKey: dns.rcode.BADKEY,
    dns.tsig.BadAlgorithm: dns.rcode.BADKEY,
    dns.tsig.BadSignature: dns.rcode.BADSIG,
    dns.tsig.BadTime: dns.rcode.BADTIME,
}


class Fault(enum.StrEnum):
    """How the server misbehaves."""

    NONE = "none"
    DROP = "drop"
    """Nothing is answered."""
    SERVFAIL = "servfail"
    REFUSE = "refuse"
    REFUSE_UPDATES = "refuse-updates"
    LAG = "lag"
    """Updates are carried out and acknowledged, but questions see them only later."""


class Zone:
    """A zone as it is, and as questions see it."""

    def __init__(self, version: ZoneVersion) -> None:
        self.current = version
        self._visible = version
        self._held: deque[tuple[float, ZoneVersion]] = deque()
        self._lock = threading.Lock()

    def put(self, version: ZoneVersion, *, visible_at: float) -> None:
        """Make this the current version; questions see it from `visible_at` (monotonic seconds) on."""
        with self._lock:
            self.current = version
            self._held.append((visible_at, version))

    def visible(self, now: float) -> ZoneVersion:
        if self._held:
            with self._lock:
                while self._held and self._held[0][0] <= now:
                    self._visible = self._held.popleft()[1]
        return self._visible

    def show_all(self) -> None:
        """End the lag: questions see what is."""
        with self._lock:
            self._held.clear()
            self._visible = self.current


class ZoneServer:
    """The zones and the key of one directory. Raises StateDamaged or SecretError when they cannot be read."""

    def __init__(self, directory: Path) -> None:
        key = read_key(directory / KEY_FILE)
        name = dns.name.from_text(key.name)
        self._directory = directory
        self._keyring = {name: dns.tsig.Key(name, key.secret, key.algorithm)}
        self._zones = {version.origin: Zone(version) for version in load(directory)}
        self._lock = threading.Lock()
        self._fault = Fault.NONE
        self._lag_s = 0.0

    @property
    def zones(self) -> tuple[str, ...]:
        return tuple(sorted(origin.to_text(omit_final_dot=True) for origin in self._zones))

    def set_fault(self, fault: Fault, lag_s: float) -> None:
        with self._lock:
            self._fault, self._lag_s = fault, lag_s
            if fault != Fault.LAG:
                for zone in self._zones.values():
                    zone.show_all()

    def respond(self, wire: bytes, *, udp: bool) -> bytes | None:
        """The answer to one message; None where silence is the right answer. Never raises for what the wire holds."""
        if self._fault == Fault.DROP or len(wire) < 12 or wire[2] & 0x80:  # no header, or itself an answer
            return None
        try:
            query = dns.message.from_wire(wire, keyring=self._keyring)
        except tuple(_TSIG_ERRORS) as error:
            return self._refuse_signature(wire, _TSIG_ERRORS[type(error)])
        except Exception:  # noqa: BLE001 - whatever a packet does to the parser, the server goes on
            return _complain(wire, dns.rcode.FORMERR)
        try:
            response = dns.message.make_response(query, our_payload=UDP_PAYLOAD)
            self._fill(query, response)
            return _render(query, response, udp=udp)
        except Exception:  # noqa: BLE001 - a defect costs one answer, not the server
            _log.exception("cannot answer %s", query.question)
            return _complain(wire, dns.rcode.SERVFAIL)

    def _fill(self, query: dns.message.Message, response: dns.message.Message) -> None:
        if self._fault in (Fault.SERVFAIL, Fault.REFUSE):
            response.set_rcode(dns.rcode.SERVFAIL if self._fault == Fault.SERVFAIL else dns.rcode.REFUSED)
        elif query.edns > 0:
            response.set_rcode(dns.rcode.BADVERS)
        elif isinstance(query, dns.update.UpdateMessage):
            response.set_rcode(self._update(query))
        elif query.opcode() == dns.opcode.QUERY:
            self._answer(query, response)
        else:
            response.set_rcode(dns.rcode.NOTIMP)

    # ------------------------------------------------------------------------------------------ questions

    def _answer(self, query: dns.message.Message, response: dns.message.Message) -> None:
        if len(query.question) != 1:
            response.set_rcode(dns.rcode.FORMERR)
            return
        question = query.question[0]
        zone = self._zone_of(question.name)
        transfer = question.rdtype in (dns.rdatatype.AXFR, dns.rdatatype.IXFR)
        if zone is None or transfer or question.rdclass not in (dns.rdataclass.IN, dns.rdataclass.ANY):
            response.set_rcode(dns.rcode.REFUSED)
            return
        answer(response, zone.visible(time.monotonic()), question.name, question.rdtype)

    def _zone_of(self, name: dns.name.Name) -> Zone | None:
        """The zone that holds the name: the longest, where one of ours lies below another."""
        for labels in range(len(name), 0, -1):
            zone = self._zones.get(name.split(labels)[1])
            if zone is not None:
                return zone
        return None

    # ------------------------------------------------------------------------------------------ updates

    def _update(self, message: dns.update.UpdateMessage) -> dns.rcode.Rcode:
        if not message.had_tsig or self._fault == Fault.REFUSE_UPDATES:
            return dns.rcode.REFUSED
        if len(message.zone) != 1:
            return dns.rcode.FORMERR
        zone = self._zones.get(message.zone[0].name)
        if zone is None or message.zone[0].rdclass != dns.rdataclass.IN:
            return dns.rcode.NOTAUTH
        try:
            with self._lock:
                self._commit(zone, updated(zone.current, message))
        except UpdateRefused as refusal:
            return refusal.rcode
        except OSError:  # the disk did not take it: nobody is told that it was done
            return dns.rcode.SERVFAIL
        return dns.rcode.NOERROR

    def _commit(self, zone: Zone, version: ZoneVersion) -> None:
        if version is zone.current:
            return
        save(self._directory, version)
        lag_s = self._lag_s if self._fault == Fault.LAG else 0.0
        zone.put(version, visible_at=time.monotonic() + lag_s)

    def _refuse_signature(self, wire: bytes, error: dns.rcode.Rcode) -> bytes | None:
        """NOTAUTH with the reason (RFC 8945, section 5.2). Only BADTIME is signed: there the key is right."""
        try:
            query = dns.message.from_wire(wire, keyring=False)
        except Exception:  # noqa: BLE001 - as above
            return _complain(wire, dns.rcode.FORMERR)
        if query.tsig is None:
            return _complain(wire, dns.rcode.FORMERR)
        owner, asked = query.tsig.name, query.tsig[0]
        response = dns.message.make_response(query)
        response.set_rcode(dns.rcode.NOTAUTH)
        rdata = asked.replace(error=error, mac=b"", other=b"", original_id=query.id, fudge=_FUDGE_S)
        if error == dns.rcode.BADTIME:
            now = int(time.time())  # noqa: TID251 - the protocol carries the server's clock
            rdata = rdata.replace(other=now.to_bytes(6, "big"))
            signed = dns.tsig.sign(  # type: ignore[no-untyped-call]
                response.to_wire(), self._keyring[owner], rdata, asked.time_signed, asked.mac
            )
            rdata = signed[0]
        response.tsig = dns.rrset.from_rdata(owner, 0, rdata)
        response.want_tsig_sign = False
        return response.to_wire()


def _render(query: dns.message.Message, response: dns.message.Message, *, udp: bool) -> bytes:
    """Cut to what fits, with TC set, so that the client comes again by TCP (RFC 2181, section 9)."""
    asked = query.payload if query.edns >= 0 else 512
    size = min(max(asked, 512), UDP_PAYLOAD) if udp else TCP_PAYLOAD
    return response.to_wire(max_size=size, prefer_truncation=True)


def _complain(wire: bytes, rcode: dns.rcode.Rcode) -> bytes:
    """An error as the answer to a message of which no more than the header is needed."""
    flags = int.from_bytes(wire[2:4], "big")
    response = dns.message.Message(id=int.from_bytes(wire[0:2], "big"))
    response.flags = dns.flags.QR | (flags & dns.flags.RD)
    response.set_opcode(dns.opcode.from_flags(flags))
    response.set_rcode(rcode)
    return response.to_wire()
