"""What travels over libcloud's connections: within the deadline, once, to the address it is for."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from libcloud.common.base import Connection, ConnectionKey, JsonResponse

from failover.core.reading import Signal, Transport, classify
from failover.errors import AdapterError, TimedOut, Unreachable, Unreadable
from failover.net.answers import answer_behind
from failover.net.libcloud import Api, Ask, Line, placed

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class Plain(ConnectionKey):
    responseCls = JsonResponse  # noqa: N815 - libcloud's name

    def add_default_params(self, params: dict[str, object]) -> dict[str, object]:
        return {**params, "per_page": 25}

    def add_default_headers(self, headers: dict[str, str]) -> dict[str, str]:
        return {**headers, "Authorization": f"Bearer {self.key}"}


class Peer:
    """A server that answers each connection by `say`, and counts them."""

    def __init__(self, say: Callable[[socket.socket], None]) -> None:
        self._say = say
        self.asked: list[bytes] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def _serve(self) -> None:
        while not self._over.is_set():
            connection, _ = self._listening.accept()
            with connection:
                request = connection.recv(65536)
                if request:
                    self.asked.append(request)
                    try:
                        self._say(connection)
                    except OSError:
                        continue

    def wait(self, seconds: float) -> bool:
        """Sleep so long. True when the test is over."""
        return self._over.wait(seconds)

    def close(self) -> None:
        self._over.set()
        socket.create_connection(self._listening.getsockname()).close()
        self._thread.join()
        self._listening.close()


@pytest.fixture
def peers() -> Iterator[Callable[[Callable[[socket.socket], None]], Peer]]:
    made: list[Peer] = []

    def peer(say: Callable[[socket.socket], None]) -> Peer:
        made.append(Peer(say))
        return made[-1]

    yield peer
    for one in made:
        one.close()


@pytest.fixture
def apis() -> Iterator[Callable[..., Api]]:
    made: list[Api] = []

    def api(url: str, *, timeout_s: float = 5.0, deadline_s: float = 5.0) -> Api:
        connection: Connection = Plain("secret-of-tests")  # type: ignore[no-untyped-call]
        found = Api("acme", Line(timeout_s), {"api": placed(connection, url)})
        found.begin("list nodes", "acme", deadline_s)
        made.append(found)
        return found

    yield api
    for one in made:
        one.line.close()


Peers = Callable[[Callable[[socket.socket], None]], Peer]
Apis = Callable[..., Api]
LIST = Ask(name="nodes.list", path="/v1/nodes", query={"page": 1})


def says(body: bytes, head: bytes = HEAD) -> Callable[[socket.socket], None]:
    return lambda c: c.sendall(head + f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)


def test_only_our_own_parameters_are_sent(peers: Peers, apis: Apis) -> None:
    peer = peers(says(b'{"nodes": []}'))
    assert apis(f"{peer.url}/below").get(LIST, dict) == {"nodes": []}
    assert peer.asked[0].startswith(b"GET /below/v1/nodes?page=1 HTTP/1.1\r\n")
    assert b"Authorization: Bearer secret-of-tests" in peer.asked[0]


def test_one_byte_a_moment_does_not_outlast_the_deadline(peers: Peers, apis: Apis) -> None:
    holder: list[Peer] = []

    def trickle(connection: socket.socket) -> None:
        connection.sendall(HEAD + b"Content-Length: 100000\r\n\r\n")
        while not holder[0].wait(0.05):
            connection.sendall(b" ")

    holder.append(peers(trickle))
    with pytest.raises(TimedOut) as caught:
        apis(holder[0].url, timeout_s=0.5, deadline_s=0.5).get(LIST, dict)
    answer = answer_behind(caught.value)
    assert answer is not None
    assert answer.transport is Transport.TIMEOUT


def test_silence_ends_at_the_timeout(peers: Peers, apis: Apis) -> None:
    holder: list[Peer] = []

    def keep_silent(_: socket.socket) -> None:
        holder[0].wait(60)

    holder.append(peers(keep_silent))
    with pytest.raises(TimedOut):
        apis(holder[0].url, timeout_s=0.2).get(LIST, dict)
    assert len(holder[0].asked) == 1


def test_after_the_deadline_nothing_is_sent(peers: Peers, apis: Apis) -> None:
    peer = peers(says(b"{}"))
    api = apis(peer.url, deadline_s=0.0)
    with pytest.raises(TimedOut):
        api.get(LIST, dict)
    assert api.look(LIST).transport is Transport.TIMEOUT
    assert peer.asked == []


@pytest.mark.parametrize("body", [b"", b"<html>portal</html>", b"[1]", b'{"nodes": 3', b"\xff\xfe"])
def test_what_is_not_the_apis_own_answer_is_unreadable(peers: Peers, apis: Apis, body: bytes) -> None:
    peer = peers(says(body))
    api = apis(peer.url)
    with pytest.raises(Unreadable):
        api.get(LIST, dict[str, int])
    if body != b"[1]":
        assert classify(api.look(LIST)) is Signal.UNKNOWN


def test_a_token_follows_no_redirect(peers: Peers, apis: Apis) -> None:
    elsewhere = peers(says(b"{}"))
    there = f"HTTP/1.1 302 Found\r\nLocation: {elsewhere.url}/\r\n".encode()
    with pytest.raises(AdapterError):
        apis(peers(says(b"", there)).url).get(LIST, dict)
    assert elsewhere.asked == []


def test_a_netrc_replaces_no_token(peers: Peers, apis: Apis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    peer = peers(says(b"{}"))
    apis(peer.url).get(LIST, dict)
    assert b"Authorization: Bearer secret-of-tests" in peer.asked[0]


@pytest.mark.parametrize("value", ["1", "0"])
def test_libcloud_repeats_nothing(peers: Peers, apis: Apis, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Any text in that variable makes libcloud send creations again."""
    monkeypatch.setenv("LIBCLOUD_RETRY_FAILED_HTTP_REQUESTS", value)
    peer = peers(lambda _: None)
    with pytest.raises(Unreachable):
        apis(peer.url).sent(Ask(name="nodes.create", path="/v1/nodes", method="POST", body={"name": "web"}))
    assert len(peer.asked) == 1


def test_an_answer_belongs_to_its_own_call(peers: Peers, apis: Apis) -> None:
    """A refusal of the first call says nothing about the second, which got no answer."""
    head = b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\n"
    replies: list[Callable[[socket.socket], None]] = [says(b'{"message": "no"}', head), lambda _: None]

    def reply(connection: socket.socket) -> None:
        replies.pop(0)(connection)

    peer = peers(reply)
    api = apis(peer.url)
    assert api.look(LIST).status == 403
    second = api.look(LIST)
    assert (second.status, second.transport) == (None, Transport.RESET)


def test_an_endless_answer_is_cut(peers: Peers, apis: Apis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("failover.net.libcloud.ANSWER_BYTES_MAX", 1000)
    with pytest.raises(AdapterError):
        apis(peers(says(b" " * 100_000)).url).once(LIST, dict)
