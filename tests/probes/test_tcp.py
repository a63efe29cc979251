"""TCP and TLS conversations: what is said, and what is expected."""

import socket

import pytest
import trustme

from failover.core.model import CheckKind, Failure, Outcome
from failover.probes.prober import Prober
from tests.ports import free_port
from tests.probes.asking import ask, ask_server, target
from tests.probes.servers import Server, drips, floods, hangs
from tests.probes.test_tls import HOST, context


def greets(word: bytes) -> "object":
    def behave(server: Server, connection: socket.socket) -> None:
        connection.sendall(word)
        server.stopped.wait()

    return behave


def echoes(server: Server, connection: socket.socket) -> None:
    """Greets, waits for one line, and repeats it in two pieces."""
    connection.sendall(b"220 ready\r\n")
    said = connection.recv(1000)
    connection.sendall(b"250 " + said[:3])
    server.stopped.wait(0.05)
    connection.sendall(said[3:])


@pytest.mark.parametrize("expected", [{"body": "250 EHLO me"}, {"regex": r"(?m)^250 EHLO \w+\r$"}])
def test_it_talks_and_listens(prober: Prober, expected: dict[str, str]) -> None:
    with Server(echoes) as server:
        sample = ask_server(prober, server, kind=CheckKind.TCP, send="EHLO me\r\n", **expected)
    assert sample.outcome is Outcome.PASS, sample.detail


def test_a_greeting_that_comes_with_the_connection(prober: Prober) -> None:
    with Server(greets(b"SSH-2.0-OpenSSH_9.6\r\n")) as server:  # type: ignore[arg-type] # a behaviour
        assert ask_server(prober, server, kind=CheckKind.TCP, body="SSH-2.0").outcome is Outcome.PASS


def test_the_wrong_word_and_then_the_end(prober: Prober) -> None:
    def behave(server: Server, connection: socket.socket) -> None:
        connection.sendall(b"421 suspended\r\n")

    with Server(behave) as server:
        sample = ask_server(prober, server, kind=CheckKind.TCP, body="220")
    assert (sample.failure, sample.detail) == (Failure.BODY, "body of 15 bytes does not hold '220'")


def test_the_wrong_word_and_then_silence(prober: Prober) -> None:
    with Server(greets(b"421 wait\r\n")) as server:  # type: ignore[arg-type] # a behaviour
        sample = ask_server(prober, server, kind=CheckKind.TCP, body="220", timeout_s=0.3)
    assert sample.failure is Failure.READ_TIMEOUT


def test_closed_without_a_word(prober: Prober) -> None:
    with Server(lambda server, connection: None) as server:
        sample = ask_server(prober, server, kind=CheckKind.TCP, body="220")
    assert sample.failure is Failure.RESET
    assert sample.detail.endswith("closed the connection without a word")


def test_one_byte_at_a_time_does_not_stretch_the_timeout(prober: Prober) -> None:
    with Server(drips(b"x" * 50)) as server:
        sample = ask_server(prober, server, kind=CheckKind.TCP, send="GET\r\n\r\n", body="220", timeout_s=0.4)
    assert sample.failure is Failure.READ_TIMEOUT


def test_talk_without_end_is_cut_off(prober: Prober) -> None:
    with Server(floods(b"", b"x" * 65536)) as server:
        sample = ask_server(prober, server, kind=CheckKind.TCP, send="GET\r\n\r\n", regex="(x+)+y")
    assert (sample.failure, sample.detail) == (Failure.BODY, "the first 64 KiB of the body do not match '(x+)+y'")


class TestTls:
    @pytest.fixture
    def ca(self, tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, str]:
        authority, path = trustme.CA(), tmp_path_factory.mktemp("ca") / "ca.pem"
        authority.cert_pem.write_to_path(path)
        return authority, str(path)

    def test_handshake_and_certificate_only(self, prober: Prober, ca: tuple[trustme.CA, str]) -> None:
        with Server(hangs, context=context(ca[0].issue_cert(HOST))) as server:
            sample = ask_server(prober, server, kind=CheckKind.TLS, host=HOST, ca_file=ca[1])
        assert (sample.outcome, sample.detail) == (Outcome.PASS, f"127.0.0.1:{server.port} speaks TLS")
        assert sample.tls_days_left is not None

    def test_a_certificate_for_another_name(self, prober: Prober, ca: tuple[trustme.CA, str]) -> None:
        with Server(hangs, context=context(ca[0].issue_cert("parked.example.net"))) as server:
            sample = ask_server(prober, server, kind=CheckKind.TLS, host=HOST, ca_file=ca[1])
        assert sample.failure is Failure.CERTIFICATE

    def test_the_days_left_are_known_although_the_word_is_wrong(
        self, prober: Prober, ca: tuple[trustme.CA, str]
    ) -> None:
        with Server(echoes, context=context(ca[0].issue_cert(HOST))) as server:
            sample = ask_server(
                prober, server, kind=CheckKind.TLS, host=HOST, ca_file=ca[1], send="EHLO me\r\n", body="554"
            )
        assert sample.failure is Failure.BODY
        assert sample.tls_days_left is not None

    def test_it_talks_under_tls(self, prober: Prober, ca: tuple[trustme.CA, str]) -> None:
        with Server(echoes, context=context(ca[0].issue_cert(HOST))) as server:
            sample = ask_server(
                prober, server, kind=CheckKind.TLS, host=HOST, ca_file=ca[1], send="EHLO me\r\n", body="250 EHLO me"
            )
        assert sample.outcome is Outcome.PASS, sample.detail

    def test_nobody_listens(self, prober: Prober) -> None:
        assert ask(prober, target(free_port(), kind=CheckKind.TLS, host=HOST)).failure is Failure.REFUSED
