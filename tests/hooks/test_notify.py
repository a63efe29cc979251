"""Notices: the promised JSON, delivery, and how it can fail."""

import json
import socket
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from failover.errors import (
    AccessRefused,
    AdapterError,
    NotFound,
    Rejected,
    Throttled,
    TimedOut,
    Unreachable,
    Unreadable,
)
from failover.hooks.notify import CommandNotifier, WebhookNotifier, signature
from failover.ports import Notifier
from tests.hooks.made import NOTICE
from tests.hooks.programs import program
from tests.ports import free_port
from tests.probes.servers import Server, answers, drips, hangs, page

DOCUMENT = {
    "active_site": "boreas",
    "at": "2026-05-19T08:00:00Z",
    "epoch": 7,
    "event": "cutover-done",
    "kind": "notice",
    "plan": "k3j9x0ab",
    "reasons": ["aurora says: account closed", "é"],
    "schema_version": 1,
    "service": "guestbook",
    "severity": "warning",
    "title": "guestbook runs at boreas",
}


class TestCommand:
    def test_it_gets_the_notice(self, tmp_path: Path) -> None:
        text = (
            'cat > notice; printf \'%s|\' "$FAILOVER_EVENT" "$FAILOVER_SERVICE" "$FAILOVER_SEVERITY" '
            '"$FAILOVER_TITLE" "$FAILOVER_ACTIVE_SITE" "$FAILOVER_EPOCH" > env'
        )
        notifier: Notifier = CommandNotifier(program(tmp_path / "p", text), 30.0, tmp_path)
        notifier.send(NOTICE)
        assert json.loads((tmp_path / "notice").read_text()) == DOCUMENT
        assert (tmp_path / "env").read_text() == "cutover-done|guestbook|warning|guestbook runs at boreas|boreas|7|"

    def test_a_notice_without_an_active_site(self, tmp_path: Path) -> None:
        text = 'cat > notice; echo "<$FAILOVER_ACTIVE_SITE>" > env'
        notice = replace(NOTICE, active_site=None, plan=None)
        CommandNotifier(program(tmp_path / "p", text), 30.0, tmp_path).send(notice)
        assert (tmp_path / "env").read_text() == "<>\n"
        assert json.loads((tmp_path / "notice").read_text()) == DOCUMENT | {"active_site": None, "plan": None}

    def test_an_exit_code_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(Rejected, match="exited with 9: no signal"):
            CommandNotifier(program(tmp_path / "p", "echo no signal >&2; exit 9"), 30.0).send(NOTICE)

    def test_a_missing_program(self) -> None:
        with pytest.raises(Unreachable):
            CommandNotifier(["/nowhere/p"], 30.0).send(NOTICE)

    def test_a_program_that_hangs(self, tmp_path: Path) -> None:
        with pytest.raises(TimedOut):
            CommandNotifier(program(tmp_path / "p", "sleep 600"), 0.5).send(NOTICE)


def received(server: Server, connection: socket.socket) -> None:
    """Takes head and body whole, and answers 204."""
    request = b""
    while not request.endswith(b"}\n"):
        request += connection.recv(65536)
    server.requests.append(request)
    connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


def hook(server: Server, timeout_s: float = 30.0, secret: str | None = None) -> WebhookNotifier:
    return WebhookNotifier(f"http://127.0.0.1:{server.port}/T0P/s3cret?a=b", secret, timeout_s)


class TestWebhook:
    def test_it_posts_the_notice(self) -> None:
        with Server(received) as server:
            hook(server).send(NOTICE)
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
        assert json.loads(body) == DOCUMENT
        assert head.startswith(b"POST /T0P/s3cret?a=b HTTP/1.1\r\n")
        assert b"Content-Type: application/json" in head
        assert b"Signature" not in head

    def test_it_signs_the_body(self) -> None:
        with Server(received) as server:
            hook(server, secret="key").send(NOTICE)
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
        assert f"X-Failover-Signature: {signature('key', body)}".encode() in head

    def test_the_signature_is_hmac_sha256(self) -> None:
        # RFC 4231, test case 2.
        assert signature("Jefe", b"what do ya want for nothing?") == (
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        )

    @pytest.mark.parametrize(
        ("status", "error"),
        [
            ("301 Moved", Rejected),
            ("400 Bad Request", Rejected),
            ("401 Unauthorized", AccessRefused),
            ("403 Forbidden", AccessRefused),
            ("404 Not Found", NotFound),
            ("410 Gone", NotFound),
            ("429 Too Many Requests", Throttled),
            ("500 Internal Server Error", Unreachable),
        ],
    )
    def test_other_statuses(self, status: str, error: type[AdapterError]) -> None:
        headers = (f"Location: http://127.0.0.1:{free_port()}/", "Retry-After: 7")
        with Server(answers(page(status=status, headers=headers))) as server, pytest.raises(error) as caught:
            hook(server, secret="key").send(NOTICE)
        assert type(caught.value) is error
        assert f"status {status[:3]}" in str(caught.value)
        assert "s3cret" not in f"{caught.value!r}{caught.value.hint}"
        if isinstance(caught.value, Throttled):
            assert caught.value.retry_after_s == 7.0

    def test_nobody_there(self) -> None:
        with pytest.raises(Unreachable) as caught:
            WebhookNotifier(f"http://127.0.0.1:{free_port()}/s3cret", None, 30.0).send(NOTICE)
        assert "s3cret" not in repr(caught.value)

    def test_something_else_there(self) -> None:
        with Server(answers(b"SSH-2.0\r\n")) as server, pytest.raises(Unreadable):
            hook(server).send(NOTICE)

    def test_silence(self) -> None:
        with Server(hangs) as server, pytest.raises(TimedOut):
            hook(server, 0.3).send(NOTICE)

    def test_one_byte_at_a_time_does_not_stretch_the_deadline(self) -> None:
        slow = drips(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000)
        with Server(slow) as server, pytest.raises(TimedOut):
            hook(server, 0.5).send(NOTICE)

    def test_it_needs_a_url(self) -> None:
        with pytest.raises(Rejected):
            WebhookNotifier("hooks.example.org/x", None, 1.0)

    def test_its_repr_keeps_the_path_to_itself(self) -> None:
        made = WebhookNotifier("https://user:pw@hooks.example.org/T0P/s3cret", "key", 1.0)
        assert repr(made) == "WebhookNotifier(https://hooks.example.org)"

    def test_an_unknown_certificate(self) -> None:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(made)
        with Server(received, context=made) as server, pytest.raises(Unreachable, match="certificate"):
            WebhookNotifier(f"https://127.0.0.1:{server.port}/", None, 30.0).send(NOTICE)
