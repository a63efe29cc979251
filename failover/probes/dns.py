"""DNS: does a server answer a question as it should."""

import socket

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from failover.core.model import Failure, Question, Target
from failover.probes.connection import Place, connect, open_socket, talking_trouble
from failover.probes.loop import Patience, Talk
from failover.probes.trouble import Finding, Trouble, quoted

DATAGRAM_BYTES_MAX = 65535
REPEAT_S = 1.0
"""A datagram may get lost without anybody being down: the question is asked again."""


def ask(target: Target, place: Place, now_utc_s: float) -> Talk[Finding]:  # noqa: ARG001 - all kinds are asked alike
    """Asks without recursion, over UDP, and over TCP when the answer is truncated. Raises Trouble."""
    question = target.check.question
    if question is None:
        raise Trouble(Failure.LOCAL, "a dns check needs a name to ask for")
    query = made_query(question.name, question.type)
    answer = yield from over_udp(query, place)
    if answer.flags & dns.flags.TC:
        answer = yield from _over_tcp(query, place)
    return Finding(detail=_judge(answer, question, place))


def made_query(name: str, type: str, *, recursive: bool = False) -> dns.message.QueryMessage:
    """Raises Trouble (LOCAL) for what cannot be asked for."""
    try:
        query = dns.message.make_query(name, type)
    except (dns.exception.DNSException, ValueError) as error:
        raise Trouble(Failure.LOCAL, f"{quoted(name)} {type} cannot be asked for: {error}") from None
    if not recursive:
        query.flags &= ~dns.flags.RD
    return query


def over_udp(query: dns.message.QueryMessage, place: Place) -> Talk[dns.message.Message]:
    """The first well-formed answer to our question; other datagrams are passed over. Raises Trouble."""
    sock = yield from open_socket(place.address, socket.SOCK_DGRAM)
    wire = query.to_wire()
    with sock:
        try:
            sock.connect((place.address, place.port))
            sock.send(wire)
            while True:
                try:
                    datagram = sock.recv(DATAGRAM_BYTES_MAX)
                except BlockingIOError:
                    if not (yield Patience(sock, REPEAT_S)):
                        sock.send(wire)
                    continue
                answer = _parsed(datagram)
                if answer is not None and query.is_response(answer):
                    return answer
        except OSError as error:
            raise talking_trouble(error, place) from None


def _over_tcp(query: dns.message.QueryMessage, place: Place) -> Talk[dns.message.Message]:
    wire = query.to_wire()
    with (yield from connect(place)) as stream:
        yield from stream.send(len(wire).to_bytes(2) + wire)
        data = b""
        while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2]):
            piece = yield from stream.receive()
            if not piece:
                raise Trouble(Failure.RESET, f"{place} closed the connection within its answer")
            data += piece
    answer = _parsed(data[2 : 2 + int.from_bytes(data[:2])])
    if answer is None or not query.is_response(answer):
        raise Trouble(Failure.PROTOCOL, f"{place} does not speak DNS over TCP")
    return answer


def _parsed(data: bytes) -> dns.message.Message | None:
    try:
        return dns.message.from_wire(data, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError):
        return None


def _judge(answer: dns.message.Message, question: Question, place: Place) -> str:
    """What was good, in words. Raises Trouble (NAME)."""
    asked = f"{question.name} {question.type}"
    rcode = answer.rcode()
    if rcode != dns.rcode.NOERROR:
        raise Trouble(Failure.NAME, f"{place} answers {dns.rcode.to_text(rcode)} for {asked}")
    wanted_type = dns.rdatatype.from_text(question.type)
    found = {rdata.to_text() for rrset in answer.answer if rrset.rdtype == wanted_type for rdata in rrset}
    if not found:
        raise Trouble(Failure.NAME, f"{place} has no {asked}")
    expected = {_normal(value, wanted_type) for value in question.answer}
    if expected and found != expected:
        raise Trouble(Failure.NAME, f"{asked} is {_listed(found)} at {place}, expected {_listed(expected)}")
    return f"{place} answers {_listed(found)}"


def _normal(value: str, type: dns.rdatatype.RdataType) -> str:
    """As dnspython writes it. What it cannot read matches nothing."""
    try:
        return dns.rdata.from_text(dns.rdataclass.IN, type, value).to_text()
    except (dns.exception.DNSException, ValueError):
        return value


def _listed(values: set[str]) -> str:
    return quoted(", ".join(sorted(values)))
