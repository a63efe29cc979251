"""Controls: anything that answers shows that we have a network."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import pytest

from failover.core.model import Control, ControlKind, ControlSample
from failover.probes.controls import host_and_port
from failover.probes.prober import Prober
from failover.probes.trouble import Trouble
from tests.ports import free_port
from tests.probes.servers import Server, answers, hangs, page

Reply = Callable[[bytes], list[bytes]]


def ask(
    prober: Prober, kind: ControlKind, target: str, timeout_s: float = 20.0, name: str | None = None
) -> ControlSample:
    control = Control(kind=kind, target=target, provider="other", name=name, timeout_s=timeout_s)
    (sample,) = prober.controls([control], 30.0)
    return sample


@contextmanager
def udp_server(reply: Reply, address: str = "127.0.0.1") -> Iterator[str]:
    """Answers datagrams; yields `address:port`."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((address, 0))
        port = sock.getsockname()[1]

        def serve() -> None:
            while True:
                query, client = sock.recvfrom(65535)
                if query == b"stop":
                    return
                for answer in reply(query):
                    sock.sendto(answer, client)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        with socket.socket(family, socket.SOCK_DGRAM) as stopper:
            stopper.sendto(b"stop", (address, port))
        thread.join()


def dns_answer(query: bytes, *, id_shift: int = 0, rcode: dns.rcode.Rcode = dns.rcode.NOERROR) -> bytes:
    asked = dns.message.from_wire(query)
    answer = dns.message.make_response(asked)
    answer.set_rcode(rcode)
    answer.id = (asked.id + id_shift) % 65536
    return answer.to_wire()


class TestTcp:
    def test_a_listener_is_ok(self, prober: Prober) -> None:
        with Server(hangs) as server:
            assert ask(prober, ControlKind.TCP, f"127.0.0.1:{server.port}").ok

    def test_a_listener_at_a_name_and_at_ipv6(self, prober: Prober) -> None:
        with Server(hangs, address="::1") as server:
            assert ask(prober, ControlKind.TCP, f"[::1]:{server.port}").ok
        with Server(hangs) as server:
            assert ask(prober, ControlKind.TCP, f"localhost:{server.port}").ok

    def test_a_refusal_is_not(self, prober: Prober) -> None:
        target = f"127.0.0.1:{free_port()}"
        sample = ask(prober, ControlKind.TCP, target)
        assert (sample.ok, sample.detail) == (False, f"{target} refused the connection")

    def test_metadata_addresses_are_never_asked(self, prober: Prober) -> None:
        sample = ask(prober, ControlKind.TCP, "169.254.169.254:80")
        assert (sample.ok, sample.detail) == (False, "169.254.169.254 is link-local and is never asked")

    def test_a_name_without_an_address(self, prober: Prober) -> None:
        sample = ask(prober, ControlKind.TCP, "..:80")
        assert not sample.ok
        assert "has no address" in sample.detail


class TestHttp:
    @pytest.mark.parametrize("status", ["204 No Content", "301 Moved", "404 Not Found", "503 Unavailable"])
    def test_any_answer_is_ok(self, prober: Prober, status: str) -> None:
        with Server(answers(page(status=status))) as server:
            sample = ask(prober, ControlKind.HTTP, f"http://127.0.0.1:{server.port}/generate_204?x=1")
        assert (sample.ok, sample.detail) == (True, f"127.0.0.1:{server.port} answers with status {status[:3]}")
        assert server.requests[0].startswith(b"GET /generate_204?x=1 HTTP/1.1\r\n")

    def test_silence_is_not(self, prober: Prober) -> None:
        with Server(hangs) as server:
            sample = ask(prober, ControlKind.HTTP, f"http://127.0.0.1:{server.port}", timeout_s=0.3)
        assert not sample.ok

    def test_something_else_is_not(self, prober: Prober) -> None:
        with Server(answers(b"SSH-2.0\r\n")) as server:
            assert not ask(prober, ControlKind.HTTP, f"http://127.0.0.1:{server.port}").ok

    def test_https_without_a_good_certificate_is_not(self, prober: Prober) -> None:
        with Server(answers(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 500)) as server:
            assert not ask(prober, ControlKind.HTTP, f"https://127.0.0.1:{server.port}", timeout_s=0.5).ok

    @pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "127.0.0.1:80", "http://"])
    def test_something_that_is_no_url(self, prober: Prober, url: str) -> None:
        assert not ask(prober, ControlKind.HTTP, url).ok


class TestDns:
    @pytest.mark.parametrize("rcode", [dns.rcode.NOERROR, dns.rcode.NXDOMAIN, dns.rcode.REFUSED, dns.rcode.SERVFAIL])
    def test_any_answer_is_ok(self, prober: Prober, rcode: dns.rcode.Rcode) -> None:
        with udp_server(lambda query: [dns_answer(query, rcode=rcode)]) as target:
            sample = ask(prober, ControlKind.DNS, target, name="example.net")
        assert (sample.ok, sample.detail) == (True, f"{target} answers")

    def test_the_name_is_asked_for(self, prober: Prober) -> None:
        asked: list[str] = []

        def reply(query: bytes) -> list[bytes]:
            asked.append(str(dns.message.from_wire(query).question[0]))
            return [dns_answer(query)]

        with udp_server(reply, "::1") as target:
            assert ask(prober, ControlKind.DNS, target, name="example.net").ok
        assert asked == ["example.net. IN A"]

    def test_garbage_and_strange_ids_are_passed_over(self, prober: Prober) -> None:
        with udp_server(
            lambda query: [b"", b"junk", query, dns_answer(query, id_shift=1), dns_answer(query)]
        ) as target:
            assert ask(prober, ControlKind.DNS, target, name="example.net").ok

    def test_a_strange_id_alone_is_not_ok(self, prober: Prober) -> None:
        with udp_server(lambda query: [dns_answer(query, id_shift=1)]) as target:
            assert not ask(prober, ControlKind.DNS, target, name="example.net", timeout_s=0.5).ok

    def test_silence_and_refusal_are_not(self, prober: Prober) -> None:
        with udp_server(lambda query: []) as target:
            assert not ask(prober, ControlKind.DNS, target, name="example.net", timeout_s=0.3).ok
        assert not ask(prober, ControlKind.DNS, f"127.0.0.1:{free_port()}", name="example.net").ok

    @pytest.mark.parametrize("name", [None, "", "a" * 70])
    def test_a_name_that_cannot_be_asked_for(self, prober: Prober, name: str | None) -> None:
        assert not ask(prober, ControlKind.DNS, "127.0.0.1:53", name=name).ok


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("198.51.100.7:443", ("198.51.100.7", 443)),
        ("[2001:db8::1]:53", ("2001:db8::1", 53)),
        ("a.example:1", ("a.example", 1)),
    ],
)
def test_host_and_port(target: str, expected: tuple[str, int]) -> None:
    assert host_and_port(target) == expected


@pytest.mark.parametrize("target", ["", "198.51.100.7", ":53", "a:", "a:b", "2001:db8::1:53", "a:-1"])
def test_no_host_and_port(target: str) -> None:
    with pytest.raises(Trouble):
        host_and_port(target)


def test_a_name_with_several_addresses_is_ok_when_one_answers(prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("failover.probes.controls.resolved", lambda host: ("127.0.0.2", "127.0.0.1", "127.0.0.3"))
    with Server(hangs) as server:
        assert ask(prober, ControlKind.TCP, f"several.example:{server.port}").detail.startswith("127.0.0.1:")
    last = ask(prober, ControlKind.TCP, f"several.example:{free_port()}")
    assert not last.ok
    assert last.detail.startswith("127.0.0.3:")


def test_a_resolver_that_hangs_is_left_behind(prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    monkeypatch.setattr("failover.probes.controls.resolved", lambda host: (str(answered.wait()),))
    sample = ask(prober, ControlKind.TCP, "slow.example:80", timeout_s=0.2)
    assert (sample.ok, sample.detail) == (False, "slow.example was not resolved within 0.2 s")
    answered.set()
