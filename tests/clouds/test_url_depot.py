"""A release that the user uploads: asked for, linked, never written."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.request import urlopen

import pytest

from failover.clouds.url_depot import UrlDepot
from failover.errors import AdapterError, Rejected, Throttled, TimedOut, Unreachable, Unreadable

HEX = "a" * 64
DIGEST = f"sha256:{HEX}"


class Files(BaseHTTPRequestHandler):
    """One file, and whatever status a path asks for."""

    asked: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self.asked.append(self.path)
        status = 200 if self.path == f"/app-{HEX}.tar.gz" else int(self.path[1:4])
        self.send_response(status)
        if status == 302:
            self.send_header("Location", f"/app-{HEX}.tar.gz")
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture
def base() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    thread = threading.Thread(target=lambda: server.serve_forever(0.05))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_is_there_is_found_and_needs_no_upload(base: str) -> None:
    depot = UrlDepot(f"{base}/app-{{release}}.tar.gz")
    assert depot.has(DIGEST)
    depot.put(DIGEST, b"")
    assert depot.link(DIGEST, 60.0) == f"{base}/app-{HEX}.tar.gz"
    assert depot.list() == frozenset()
    depot.remove(DIGEST)
    assert depot.has(DIGEST)


def test_a_redirect_is_followed(base: str) -> None:
    assert UrlDepot(f"{base}/302-{{release}}").has(DIGEST)


@pytest.mark.parametrize("status", [403, 404, 410])
def test_what_is_not_there_can_only_be_uploaded_by_the_user(base: str, status: int) -> None:
    depot = UrlDepot(f"{base}/{status}-{{release}}")
    assert not depot.has(DIGEST)
    with pytest.raises(Rejected) as caught:
        depot.put(DIGEST, b"")
    assert caught.value.hint.startswith("upload")


@pytest.mark.parametrize(("status", "error"), [(429, Throttled), (500, Unreadable), (204, Unreadable)])
def test_any_other_answer_says_nothing(base: str, status: int, error: type[AdapterError]) -> None:
    with pytest.raises(error):
        UrlDepot(f"{base}/{status}-{{release}}").has(DIGEST)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/{release}", "http://nowhere.invalid/{release}"])
def test_no_answer_is_no_absence(url: str) -> None:
    with pytest.raises(Unreachable):
        UrlDepot(url, deadline_s=2.0).has(DIGEST)


def test_a_server_that_hangs_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/{{release}}"
        with pytest.raises(TimedOut):
            UrlDepot(url, deadline_s=0.1).has(DIGEST)


def test_a_handed_over_link_holds_its_contents() -> None:
    with urlopen(UrlDepot("http://x/{release}").hand_over("node", b'A="\xc3\xa9"\n', 60.0)) as answer:
        assert answer.read() == b'A="\xc3\xa9"\n'
