"""The daemons' HTTP server against clients that do not keep to the rules."""

import socket
from collections.abc import Iterator

import pytest

from failover.local.daemon import bind_stable
from failover.local.server import ApiServer, Reply, Request


def echo(request: Request) -> Reply | None:
    if request.path == ("silence",):
        return None
    return Reply(document={"path": list(request.path), "length": len(request.body(100)), "token": request.token})


@pytest.fixture
def server() -> Iterator[ApiServer]:
    made = ApiServer(echo, None)
    yield made
    made.stop()


def say(server: ApiServer, data: bytes) -> bytes:
    """All that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        pieces = []
        while piece := connection.recv(65536):
            pieces.append(piece)
        return b"".join(pieces)


def test_requests_on_one_connection_are_answered_in_order(server: ApiServer) -> None:
    one = b"POST /a%2fb/c?d HTTP/1.1\r\nContent-Length: 3\r\nAuthorization: bearer x \r\n\r\nxyz"
    two = b"GET /e HTTP/1.1\r\nConnection: close\r\n\r\n"
    answer = say(server, one + two)
    assert b'{"path": ["a/b", "c"], "length": 3, "token": "x"}' in answer
    assert b'{"path": ["e"], "length": 0, "token": ""}' in answer


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET\r\n\r\n", b"400"),
        (b"GET / HTTP/9.9\r\n\r\n", b"505"),
        (b"BREW / HTTP/1.1\r\n\r\n", b"501"),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"411"),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"411"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
        (b"POST / HTTP/1.1\r\nContent-Length: 101\r\n\r\n" + b"x" * 101, b"413"),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999999\r\n\r\n", b"413"),
        (b"GET /" + b"x" * 70000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", b"431"),
    ],
)
def test_bad_requests_get_proper_answers(server: ApiServer, request_text: bytes, status: bytes) -> None:
    assert status in say(server, request_text).split(b"\r\n")[0]
    assert b"200 OK" in say(server, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize("data", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nxy"])
def test_a_client_that_goes_away_harms_nobody(server: ApiServer, data: bytes) -> None:
    say(server, data)
    assert b"200 OK" in say(server, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")


def test_silence_is_a_closed_connection(server: ApiServer) -> None:
    assert say(server, b"GET /silence HTTP/1.1\r\n\r\n") == b""


def test_when_no_port_is_free_the_error_says_so() -> None:
    def bind(port: int) -> None:
        raise OSError(98, f"port {port} is taken")

    with pytest.raises(OSError, match="is taken"):
        bind_stable(1, bind)
