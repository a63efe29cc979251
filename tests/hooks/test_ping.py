"""The dead man's switch, against a server of the test's own; and words to a service manager."""

import http.server
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from failover.hooks.ping import DeadMansSwitch
from failover.hooks.supervisor import Supervisor, from_environment


@pytest.fixture
def heard() -> Iterator[tuple[str, list[str]]]:
    """The address of a server, and the paths that it was asked for."""
    paths: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(200 if len(paths) < 3 else 500)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", paths
        server.shutdown()
        thread.join()


def test_beginning_and_end_are_told_in_order(heard: tuple[str, list[str]]) -> None:
    address, paths = heard
    switch = DeadMansSwitch(f"{address}/uuid/?key=1")
    switch.started()
    switch.ended(0)
    switch.started()
    switch.ended(75)
    switch.close()
    assert paths == ["/uuid/start?key=1", "/uuid/0?key=1", "/uuid/start?key=1", "/uuid/75?key=1"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x", "https://127.0.0.1:9/x", "http://no-such-name.invalid/x"])
def test_nothing_that_befalls_a_message_is_an_error(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    switch = DeadMansSwitch(url)
    switch.started()
    switch.ended(1)
    switch.close()
    assert capfd.readouterr() == ("", "")


def test_a_switch_that_was_never_told_anything_closes() -> None:
    DeadMansSwitch("http://127.0.0.1:9/x").close()


# ------------------------------------------------------------------------------------ the service manager


@pytest.mark.parametrize("abstract", [False, True])
def test_a_service_manager_hears_every_word(tmp_path: Path, abstract: bool) -> None:
    address = f"@failover-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{address[1:]}" if abstract else address)
        manager.settimeout(30)
        words = Supervisor(address)
        words.ready("all\nis well")
        words.alive("still")
        words.reloading(17)
        words.stopping()
        assert [manager.recv(4096).decode() for _ in range(4)] == [
            "READY=1\nSTATUS=all is well",
            "WATCHDOG=1\nSTATUS=still",
            "RELOADING=1\nMONOTONIC_USEC=17",
            "STOPPING=1",
        ]


def test_without_a_service_manager_nothing_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Supervisor(None).ready("x")
    Supervisor(str(tmp_path / "nobody")).ready("x")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "n"))
    from_environment()
    assert "NOTIFY_SOCKET" not in os.environ
