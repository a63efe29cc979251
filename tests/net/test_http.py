"""The HTTP client against servers that misbehave in every way that we know of."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import msgspec
import pytest

from failover.errors import (
    AccessRefused,
    AdapterError,
    Conflict,
    NotFound,
    QuotaExceeded,
    Rejected,
    Throttled,
    TimedOut,
    Unreachable,
    Unreadable,
)
from failover.net import secret
from failover.net.calls import ATTEMPTS
from failover.net.http import ApiClient, answer_of
from tests.ports import free_port


class Thing(msgspec.Struct):
    name: str


class Script:
    """A server that gives each connection the next answer (the last one again and again) and keeps what it was sent.

    An answer is bytes, or a function that does something with the connection.
    """

    def __init__(self) -> None:
        self.answers: list[bytes | Callable[[socket.socket], None]] = []
        self.requests: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._ended.is_set():
                connection.close()
                return
            worker = threading.Thread(target=self._serve, args=(connection, len(self._threads) - 1))
            self._threads.append(worker)
            worker.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with connection, contextlib.suppress(OSError):
            request = b""
            while b"\r\n\r\n" not in request:
                request += connection.recv(65536)
            self.requests.append(request)
            answer = self.answers[min(number, len(self.answers) - 1)]
            if isinstance(answer, bytes):
                connection.sendall(answer)
            else:
                answer(connection)

    def hang(self, connection: socket.socket) -> None:
        """Say nothing until the test ends."""
        self._ended.wait()

    def drip(self, connection: socket.socket) -> None:
        """A body of which one byte comes now and then, for ever."""
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not self._ended.wait(0.05):
            connection.sendall(b" ")

    def close(self) -> None:
        self._ended.set()
        with closing(socket.create_connection(("127.0.0.1", self.port))):
            pass
        for thread in self._threads:
            thread.join()
        self._listener.close()


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def reply(status: int, document: object = None, *headers: str, html: bool = False) -> bytes:
    body = b"<html>no</html>" if html else json.dumps(document).encode()
    kind = "text/html" if html else "application/json"
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", f"Content-Length: {len(body)}", "Connection: close"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


def problem(status: int, code: str, message: str = "because", *headers: str) -> bytes:
    return reply(status, {"error": {"code": code, "message": message}}, *headers)


@pytest.fixture
def script() -> Iterator[Script]:
    with closing(Script()) as made:
        yield made


def client(script: Script, *, timeout_s: float = 20.0, deadline_s: float = 20.0) -> ApiClient:
    return ApiClient(
        base=f"http://127.0.0.1:{script.port}",
        token="opensesame",
        timeout_s=timeout_s,
        deadline_s=deadline_s,
        codes={"quota_exceeded": QuotaExceeded},
    )


def get(script: Script, **bounds: float) -> Thing:
    return client(script, **bounds).get("/thing", Thing, "read thing", "one", {"a": "b c"})


def test_an_answer_is_read(script: Script) -> None:
    script.answers = [reply(200, {"name": "one", "more": 1})]
    assert get(script) == Thing(name="one")
    assert script.requests[0].startswith(b"GET /thing?a=b+c HTTP/1.1\r\n")
    assert b"Authorization: Bearer opensesame\r\n" in script.requests[0]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (problem(400, "bad"), Rejected),
        (problem(401, "unauthorized"), AccessRefused),
        (problem(403, "forbidden"), AccessRefused),
        (problem(403, "quota_exceeded"), QuotaExceeded),
        (problem(404, "gone"), NotFound),
        (problem(409, "taken"), Conflict),
        (problem(412, "changed"), Conflict),
        (problem(422, "wrong"), Rejected),
        (problem(500, "oops"), Unreadable),
        (reply(401, html=True), AccessRefused),
        (reply(500, html=True), Unreadable),
        (reply(200, html=True), Unreadable),
        (reply(200, ["not", "a", "thing"]), Unreadable),
        (reply(200, {"name": 7}), Unreadable),
        (reply(200, {}), Unreadable),
        (reply(301, {}, "Location: http://127.0.0.1:1/"), Unreadable),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", Unreadable),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\xff\xff\xff\xff", Unreadable),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Unreadable),
        (b"", Unreachable),
        (reset, Unreachable),
    ],
)
def test_each_answer_is_an_error_of_its_own(
    script: Script, answer: bytes | Callable[[socket.socket], None], error: type[AdapterError]
) -> None:
    script.answers = [answer]
    with pytest.raises(AdapterError) as caught:
        get(script)
    assert type(caught.value) is error
    assert (caught.value.operation, caught.value.object) == ("read thing", "one")
    assert "opensesame" not in f"{caught.value!r} {caught.value}"


def test_the_providers_own_words_are_on_the_error(script: Script) -> None:
    script.answers = [problem(403, "account_closed", "terms of service")]
    with pytest.raises(AccessRefused) as caught:
        get(script)
    answer = answer_of(caught.value)
    assert answer is not None
    assert (answer.status, answer.code, answer.message) == (403, "account_closed", "terms of service")
    assert str(caught.value) == "read thing one: 403 account_closed: terms of service"


def test_messages_are_one_line_without_secrets(script: Script) -> None:
    secret.remember("hunter2hunter2")
    script.answers = [problem(400, "bad", "hunter2hunter2\n\x1b[31m" + "x" * 1000)]
    with pytest.raises(Rejected) as caught:
        get(script)
    assert "hunter2" not in caught.value.cause
    assert caught.value.cause.isprintable()
    assert len(caught.value.cause) < 400


@pytest.mark.parametrize(
    "answer", [problem(502, "bad_gateway"), reply(503, html=True), problem(429, "slow", "down", "Retry-After: 0"), b""]
)
def test_what_may_pass_is_tried_again(script: Script, answer: bytes) -> None:
    script.answers = [answer, answer, reply(200, {"name": "one"})]
    assert get(script) == Thing(name="one")
    assert len(script.requests) == ATTEMPTS == 3


@pytest.mark.parametrize("answer", [problem(500, "oops"), problem(404, "gone"), problem(401, "no"), reply(200, [])])
def test_what_will_not_pass_is_not_tried_again(script: Script, answer: bytes) -> None:
    script.answers = [answer]
    with pytest.raises(AdapterError):
        get(script)
    assert len(script.requests) == 1


def test_it_gives_up_after_some_attempts(script: Script) -> None:
    script.answers = [b""]
    with pytest.raises(Unreachable):
        get(script)
    assert len(script.requests) == ATTEMPTS


def test_a_wait_beyond_the_deadline_is_not_waited(script: Script) -> None:
    script.answers = [problem(429, "slow", "down", "Retry-After: 3600")]
    with pytest.raises(Throttled) as caught:
        get(script)
    assert caught.value.retry_after_s == 3600
    assert len(script.requests) == 1


def test_an_odd_retry_after_is_no_number(script: Script) -> None:
    script.answers = [problem(429, "slow", "down", "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT")]
    with pytest.raises(Throttled) as caught:
        client(script).get_once("/thing", Thing, "read thing")
    assert caught.value.retry_after_s is None


def test_a_post_is_never_tried_again(script: Script) -> None:
    script.answers = [problem(503, "later")]
    with pytest.raises(Unreadable):
        client(script).post("/things", {"name": "one"}, Thing, "create thing")
    assert len(script.requests) == 1


def test_put_and_delete_are_tried_again(script: Script) -> None:
    script.answers = [b"", reply(200, {}), b"", reply(200, {})]
    client(script).put("/things/1", b"data", "store thing")
    client(script).delete("/things/1", "remove thing")
    assert [request.split()[0] for request in script.requests] == [b"PUT", b"PUT", b"DELETE", b"DELETE"]


def test_a_server_that_says_nothing_is_left_in_time(script: Script) -> None:
    script.answers = [script.hang]
    with pytest.raises(TimedOut):
        get(script, timeout_s=0.2)
    assert len(script.requests) == 1


def test_a_server_that_says_a_little_now_and_then_is_left_in_time(script: Script) -> None:
    script.answers = [script.drip]
    with pytest.raises(TimedOut):
        get(script, deadline_s=0.4)


def test_nobody_there_is_unreachable() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        nobody = ApiClient(base=f"http://127.0.0.1:{port}", token="x", timeout_s=5, deadline_s=5)
        with pytest.raises(Unreachable) as caught:
            nobody.get_once("/", Thing, "read thing")
    assert "connection refused" in caught.value.cause


def test_proxies_of_the_environment_are_not_used(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    script.answers = [reply(200, {"name": "one"})]
    assert get(script) == Thing(name="one")


# ---------------------------------------------------------------------------------------------- changes sent once


def send(script: Script) -> None:
    client(script).send("PATCH", "/thing", {"a": 1}, "change thing", "one", deadline_s=20.0)


@pytest.mark.parametrize("status", [200, 204])
def test_a_change_is_done_whatever_the_answer_holds(script: Script, status: int) -> None:
    script.answers = [reply(status, html=True)]
    send(script)
    assert script.requests[0].startswith(b"PATCH /thing HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "answer", [reply(500), reply(502, html=True), reply(504, html=True), b""], ids=["500", "502", "504", "nothing"]
)
def test_a_change_that_may_be_done_is_unknown_and_sent_once(script: Script, answer: bytes) -> None:
    script.answers = [answer]
    with pytest.raises(TimedOut, match="may be done"):
        send(script)
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    ("status", "error"), [(401, AccessRefused), (404, NotFound), (409, Conflict), (422, Rejected), (429, Throttled)]
)
def test_a_no_to_a_change_is_a_no(script: Script, status: int, error: type[AdapterError]) -> None:
    script.answers = [reply(status, {"error": "in plain words"})]
    with pytest.raises(error, match="in plain words"):
        send(script)
    assert len(script.requests) == 1


def test_a_change_that_was_never_sent_is_not_unknown() -> None:
    nobody = ApiClient(base=f"http://127.0.0.1:{free_port()}", token="x", timeout_s=5, deadline_s=5)
    with pytest.raises(Unreachable):
        nobody.send("PATCH", "/thing", {}, "change thing", deadline_s=5)


def test_a_token_in_a_header_of_its_own(script: Script) -> None:
    script.answers = [reply(200, {"name": "one"})]
    keyed = ApiClient(
        base=f"http://127.0.0.1:{script.port}", token="opensesame", timeout_s=20, deadline_s=20, header="X-API-Key"
    )
    keyed.get("/thing", Thing, "read thing")
    assert b"X-API-Key: opensesame\r\n" in script.requests[0]
    assert b"Authorization" not in script.requests[0]
