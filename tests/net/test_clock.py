"""A provider's clock by the Date of its answers, whatever else they say."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from failover.errors import Unreachable, Unreadable
from failover.net.clock import utc_of

NOON = 1_767_268_800.0
"""2026-01-01 12:00:00 UTC."""
DATE = "Thu, 01 Jan 2026 12:00:00 GMT"
TIMEOUT_S = 30.0


@contextmanager
def server(answer: str | None) -> Iterator[tuple[str, list[bytes]]]:
    """Its URL and what it was sent. Answers one request, or (None) takes the connection and says nothing."""
    sent: list[bytes] = []
    done = threading.Event()

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with closing(connection):
            sent.append(connection.recv(65536))
            if answer is None:
                done.wait(TIMEOUT_S)
            else:
                connection.sendall(answer.encode())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v2", sent
        done.set()
        thread.join(TIMEOUT_S)
        assert not thread.is_alive()


def said(status: str, *headers: str) -> str:
    return "\r\n".join((f"HTTP/1.1 {status}", *headers, "Content-Length: 0", "Connection: close", "", ""))


@pytest.mark.parametrize(
    "status", ["200 OK", "401 Unauthorized", "404 Not Found", "405 Method Not Allowed", "503 Busy"]
)
def test_any_answer_tells_the_time(status: str) -> None:
    with server(said(status, f"Date: {DATE}")) as (url, sent):
        assert utc_of(url, timeout_s=TIMEOUT_S) == NOON
    assert sent[0].startswith(b"HEAD /v2 ")


def test_no_credential_is_sent() -> None:
    with server(said("200 OK", f"Date: {DATE}")) as (url, sent):
        utc_of(url, timeout_s=TIMEOUT_S)
    assert b"authorization" not in sent[0].lower()
    assert b"cookie" not in sent[0].lower()


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    with server(said("302 Found", f"Date: {DATE}", "Location: http://127.0.0.1:1/")) as (url, _):
        assert utc_of(url, timeout_s=TIMEOUT_S) == NOON


@pytest.mark.parametrize("headers", [(), ("Date: soon",), ("Date:",), ("Date: Thu, 41 Jan 2026 12:00:00 GMT",)])
def test_an_answer_that_does_not_tell_the_time(headers: tuple[str, ...]) -> None:
    with server(said("200 OK", *headers)) as (url, _), pytest.raises(Unreadable):
        utc_of(url, timeout_s=TIMEOUT_S)


def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # not listening: connections are refused
        with pytest.raises(Unreachable):
            utc_of(f"http://127.0.0.1:{taken.getsockname()[1]}", timeout_s=TIMEOUT_S)


def test_a_server_that_says_nothing_is_left_at_the_timeout() -> None:
    with server(None) as (url, _), pytest.raises(Unreachable):
        utc_of(url, timeout_s=0.1)


def test_something_that_is_no_http() -> None:
    with server("220 ready\r\n") as (url, _), pytest.raises(Unreachable):
        utc_of(url, timeout_s=TIMEOUT_S)
