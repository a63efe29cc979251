"""DNS checks: what a name server answers, and what that is called."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from failover.core.model import CheckKind, Failure, Outcome, Question, Sample
from failover.probes.prober import Prober
from tests.ports import free_port
from tests.probes.asking import ask, target
from tests.probes.test_controls import udp_server

NAME = "www.example.org"


def answer(query: bytes, *values: str, type: str = "A", rcode: dns.rcode.Rcode = dns.rcode.NOERROR) -> bytes:
    made = dns.message.make_response(dns.message.from_wire(query))
    made.set_rcode(rcode)
    if values:
        made.answer.append(dns.rrset.from_text(f"{NAME}.", 60, "IN", type, *values))
    return made.to_wire()


def truncated(query: bytes) -> bytes:
    made = dns.message.make_response(dns.message.from_wire(query))
    made.flags |= dns.flags.TC
    return made.to_wire()


def asked(
    prober: Prober, where: str, *expected: str, type: str = "A", name: str = NAME, timeout_s: float = 20.0
) -> Sample:
    address, _, port = where.rpartition(":")
    question = Question(name=name, type=type, answer=frozenset(expected))
    return ask(
        prober,
        target(int(port), address=address.strip("[]"), kind=CheckKind.DNS, question=question, timeout_s=timeout_s),
    )


@pytest.mark.parametrize("expected", [(), ("192.0.2.1", "192.0.2.2"), ("192.0.2.2", "192.0.2.1")])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_the_right_answer(prober: Prober, expected: tuple[str, ...], address: str) -> None:
    with udp_server(lambda query: [answer(query, "192.0.2.1", "192.0.2.2")], address) as where:
        sample = asked(prober, where, *expected)
    assert (sample.outcome, sample.detail) == (Outcome.PASS, f"{where} answers '192.0.2.1, 192.0.2.2'")


def test_it_asks_without_recursion(prober: Prober) -> None:
    flags: list[int] = []

    def reply(query: bytes) -> list[bytes]:
        flags.append(dns.message.from_wire(query).flags & dns.flags.RD)
        return [answer(query, "192.0.2.1")]

    with udp_server(reply) as where:
        asked(prober, where)
    assert flags == [0]


def test_values_are_compared_in_normal_form(prober: Prober) -> None:
    with udp_server(lambda query: [answer(query, "2001:db8::1", type="AAAA")]) as where:
        assert asked(prober, where, "2001:0DB8:0::1", type="AAAA").outcome is Outcome.PASS
    with udp_server(lambda query: [answer(query, '"a b"', type="TXT")]) as where:
        assert asked(prober, where, '"a b"', type="TXT").outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("reply", "expected", "detail"),
    [
        (lambda q: answer(q, rcode=dns.rcode.NXDOMAIN), (), "{} answers NXDOMAIN for www.example.org A"),
        (lambda q: answer(q, rcode=dns.rcode.SERVFAIL), (), "{} answers SERVFAIL for www.example.org A"),
        (lambda q: answer(q, rcode=dns.rcode.REFUSED), (), "{} answers REFUSED for www.example.org A"),
        (answer, (), "{} has no www.example.org A"),
        (
            lambda q: answer(q, "203.0.113.9"),
            ("192.0.2.1",),
            "www.example.org A is '203.0.113.9' at {}, expected '192.0.2.1'",
        ),
        (
            lambda q: answer(q, "192.0.2.1", "203.0.113.9"),
            ("192.0.2.1",),
            "www.example.org A is '192.0.2.1, 203.0.113.9' at {}, expected '192.0.2.1'",
        ),
        (
            lambda q: answer(q, "192.0.2.1"),
            ("no address",),
            "www.example.org A is '192.0.2.1' at {}, expected 'no address'",
        ),
    ],
)
def test_a_wrong_answer(
    prober: Prober, reply: Callable[[bytes], bytes], expected: tuple[str, ...], detail: str
) -> None:
    with udp_server(lambda query: [reply(query)]) as where:
        sample = asked(prober, where, *expected)
    assert (sample.outcome, sample.failure, sample.detail) == (Outcome.FAIL, Failure.NAME, detail.format(where))


def test_a_lost_datagram_is_asked_for_again(prober: Prober) -> None:
    seen: list[bytes] = []

    def reply(query: bytes) -> list[bytes]:
        seen.append(query)
        return [answer(query, "192.0.2.1")] if len(seen) > 1 else []

    with udp_server(reply) as where:
        assert asked(prober, where).outcome is Outcome.PASS
    assert seen[0] == seen[1]


def test_silence_and_nobody_there(prober: Prober) -> None:
    with udp_server(lambda query: [b"junk"]) as where:
        assert asked(prober, where, timeout_s=0.3).failure is Failure.READ_TIMEOUT
    assert asked(prober, f"127.0.0.1:{free_port()}").failure is Failure.REFUSED


@pytest.mark.parametrize(("name", "type"), [("a" * 70, "A"), ("a..b", "A"), (NAME, "NOTHING")])
def test_what_cannot_be_asked_for(prober: Prober, name: str, type: str) -> None:
    sample = asked(prober, "127.0.0.1:53", name=name, type=type)
    assert (sample.outcome, sample.failure) == (Outcome.UNKNOWN, Failure.LOCAL)


def test_without_a_question(prober: Prober) -> None:
    assert ask(prober, target(53, kind=CheckKind.DNS)).failure is Failure.LOCAL


@contextmanager
def both(over_tcp: Callable[[bytes], list[bytes]]) -> Iterator[str]:
    """A server whose answers over UDP are truncated; over TCP it sends these pieces."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        port = listener.getsockname()[1]
        datagrams.bind(("127.0.0.1", port))

        def serve() -> None:
            query, client = datagrams.recvfrom(65535)
            datagrams.sendto(truncated(query), client)
            connection, _ = listener.accept()
            with connection:
                for piece in over_tcp(connection.recv(65535)[2:]):
                    connection.sendall(piece)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{port}"
        thread.join()


def framed(message: bytes) -> bytes:
    return len(message).to_bytes(2, "big") + message


def test_a_truncated_answer_is_asked_for_over_tcp(prober: Prober) -> None:
    def reply(query: bytes) -> list[bytes]:
        whole = framed(answer(query, "192.0.2.1"))
        return [whole[:1], whole[1:9], whole[9:]]

    with both(reply) as where:
        assert asked(prober, where, "192.0.2.1").outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        (lambda query: [b"\x00\x04junk"], Failure.PROTOCOL),
        (lambda query: [framed(answer(query, "192.0.2.1"))[:-3]], Failure.RESET),
        (lambda query: [], Failure.RESET),
    ],
)
def test_nonsense_over_tcp(prober: Prober, reply: Callable[[bytes], list[bytes]], failure: Failure) -> None:
    with both(reply) as where:
        assert asked(prober, where).failure is failure
