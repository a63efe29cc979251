"""TLS at a pinned address: the certificate is that of the host name."""

import socket
import ssl
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from failover.core.model import CheckKind, Failure, Outcome, Sample
from failover.probes.prober import Prober
from tests.probes.asking import ask_server
from tests.probes.servers import Behaviour, Server, answers, drips, hangs, page

HOST = "www.example.org"
GOOD = answers(page())


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


def context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(made)
    return made


def ends_in(authority: trustme.CA, span: timedelta) -> ssl.SSLContext:
    return context(authority.issue_cert(HOST, not_after=datetime.now(UTC) + span))


def ask_tls(
    prober: Prober, server_context: ssl.SSLContext | None, behave: Behaviour = GOOD, **check: Any
) -> tuple[Sample, str]:
    """The sample, and its detail without the port."""
    with Server(behave, context=server_context) as server:
        sample = ask_server(prober, server, kind=CheckKind.HTTPS, **{"host": HOST, **check})
    return sample, sample.detail.replace(f":{server.port}", "")


def test_a_good_certificate_at_a_pinned_address(prober: Prober, authority: trustme.CA, ca_file: str) -> None:
    sample, detail = ask_tls(prober, ends_in(authority, timedelta(days=41, hours=1)), ca_file=ca_file)
    assert (sample.outcome, detail, sample.tls_days_left) == (Outcome.PASS, "status 200", 41)


def test_the_servers_choice_follows_the_host_name(prober: Prober, authority: trustme.CA, ca_file: str) -> None:
    asked: list[str | None] = []
    made = context(authority.issue_cert(HOST))
    made.sni_callback = lambda sock, name, context: asked.append(name)
    sample, _ = ask_tls(prober, made, ca_file=ca_file)
    assert sample.outcome is Outcome.PASS
    assert asked == [HOST]


def test_without_a_host_the_certificate_is_that_of_the_address(
    prober: Prober, authority: trustme.CA, ca_file: str
) -> None:
    made = context(authority.issue_cert("127.0.0.1"))
    sample, detail = ask_tls(prober, made, ca_file=ca_file, host=None)
    assert sample.outcome is Outcome.PASS, detail


def test_a_certificate_for_another_name(prober: Prober, authority: trustme.CA, ca_file: str) -> None:
    sample, detail = ask_tls(prober, context(authority.issue_cert("parked.example.net")), ca_file=ca_file)
    assert (sample.outcome, sample.failure) == (Outcome.FAIL, Failure.CERTIFICATE)
    assert detail.startswith("the certificate of 127.0.0.1 is not good: hostname mismatch")


def test_an_expired_certificate(prober: Prober, authority: trustme.CA, ca_file: str) -> None:
    expired = authority.issue_cert(
        HOST, not_before=datetime.now(UTC) - timedelta(days=9), not_after=datetime.now(UTC) - timedelta(days=2)
    )
    sample, detail = ask_tls(prober, context(expired), ca_file=ca_file)
    assert sample.failure is Failure.CERTIFICATE
    assert detail == "the certificate of 127.0.0.1 is not good: certificate has expired"


def test_an_unknown_authority(prober: Prober, ca_file: str) -> None:
    stranger = context(trustme.CA().issue_cert(HOST))
    sample, detail = ask_tls(prober, stranger, ca_file=ca_file)
    assert sample.failure is Failure.CERTIFICATE
    assert "certificate" in detail


def test_our_authority_is_unknown_to_the_system(prober: Prober, authority: trustme.CA) -> None:
    sample, _ = ask_tls(prober, context(authority.issue_cert(HOST)))
    assert sample.failure is Failure.CERTIFICATE


def test_verification_can_be_turned_off(prober: Prober) -> None:
    sample, detail = ask_tls(prober, context(trustme.CA().issue_cert("other.example")), verify_tls=False)
    assert (sample.outcome, sample.tls_days_left) == (Outcome.PASS, None), detail


def test_few_days_left(prober: Prober, authority: trustme.CA, ca_file: str) -> None:
    soon = ends_in(authority, timedelta(days=3, hours=1))
    sample, detail = ask_tls(prober, soon, ca_file=ca_file, tls_days_left_min=14)
    assert (sample.outcome, sample.failure, sample.tls_days_left) == (Outcome.FAIL, Failure.CERTIFICATE, 3)
    assert detail == "the certificate ends in 3 days, expected 14 or more"


def test_a_wrong_answer_still_tells_the_days_left(prober: Prober, authority: trustme.CA, ca_file: str) -> None:
    good = ends_in(authority, timedelta(days=41, hours=1))
    sample, _ = ask_tls(prober, good, answers(page(status="503 No")), ca_file=ca_file)
    assert (sample.failure, sample.tls_days_left) == (Failure.STATUS, 41)


def test_plain_http_on_the_port(prober: Prober, ca_file: str) -> None:
    def behave(server: Server, connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    sample, detail = ask_tls(prober, None, behave, ca_file=ca_file)
    assert sample.failure is Failure.TLS
    assert detail.startswith("no TLS with 127.0.0.1: ")


def test_an_immediate_answer_that_is_no_tls(prober: Prober, ca_file: str) -> None:
    def behave(server: Server, connection: socket.socket) -> None:
        connection.sendall(b"220 mail.example.org ESMTP\r\n" * 20)
        server.stopped.wait()

    sample, detail = ask_tls(prober, None, behave, ca_file=ca_file)
    assert sample.failure is Failure.TLS
    assert detail.startswith("no TLS with 127.0.0.1: ")


def test_a_handshake_that_hangs(prober: Prober, ca_file: str) -> None:
    sample, _ = ask_tls(prober, None, hangs, ca_file=ca_file, timeout_s=0.3)
    assert (sample.outcome, sample.failure) == (Outcome.FAIL, Failure.READ_TIMEOUT)


def test_a_handshake_that_is_closed(prober: Prober, ca_file: str) -> None:
    def behave(server: Server, connection: socket.socket) -> None:
        connection.recv(65536)

    sample, detail = ask_tls(prober, None, behave, ca_file=ca_file)
    assert (sample.failure, detail) == (Failure.RESET, "127.0.0.1 closed the connection during the TLS handshake")


def test_a_handshake_that_is_reset(prober: Prober, ca_file: str) -> None:
    def behave(server: Server, connection: socket.socket) -> None:
        connection.recv(65536)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    sample, detail = ask_tls(prober, None, behave, ca_file=ca_file)
    assert (sample.failure, detail) == (Failure.RESET, "127.0.0.1 reset the connection")


def test_an_answer_that_drips_under_tls(prober: Prober, authority: trustme.CA, ca_file: str) -> None:
    made = context(authority.issue_cert(HOST))
    sample, _ = ask_tls(prober, made, drips(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000), ca_file=ca_file, timeout_s=0.7)
    assert sample.failure is Failure.READ_TIMEOUT


def test_authorities_that_cannot_be_read_say_nothing_about_the_target(prober: Prober, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    sample, detail = ask_tls(prober, None, hangs, ca_file=str(missing))
    assert (sample.outcome, sample.failure) == (Outcome.UNKNOWN, Failure.LOCAL)
    assert detail == f"cannot use the authorities in {missing}: No such file or directory"


def test_authorities_without_certificates_say_nothing_about_the_target(prober: Prober, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing\n")
    sample, detail = ask_tls(prober, None, hangs, ca_file=str(empty))
    assert (sample.outcome, sample.failure) == (Outcome.UNKNOWN, Failure.LOCAL)
    assert detail == f"cannot use the authorities in {empty}: it holds no certificates"


def test_a_changed_file_of_authorities_is_read_again(prober: Prober, authority: trustme.CA, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(path)
    made = context(authority.issue_cert(HOST))
    assert ask_tls(prober, made, ca_file=str(path))[0].failure is Failure.CERTIFICATE
    path.unlink()
    authority.cert_pem.write_to_path(path)
    assert ask_tls(prober, made, ca_file=str(path))[0].failure is None
