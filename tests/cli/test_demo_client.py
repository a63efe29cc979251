"""The demo's client: what it counts as a failure, and how it resolves."""

import http.server
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.rcode
import pytest

from failover.cli.demo_client import NameFailure, Resolver, main, request
from tests.cli.small_authority import NAME, Authority
from tests.ports import free_port


@pytest.fixture
def one() -> Iterator[Authority]:
    authority = Authority("127.0.0.1")
    yield authority
    authority.stop()


@pytest.fixture
def other() -> Iterator[Authority]:
    authority = Authority("127.0.0.1")
    yield authority
    authority.stop()


class Page(http.server.BaseHTTPRequestHandler):
    """200 from site aurora, or what the server's `status` and `site` say."""

    status, site = 200, "aurora"

    def do_GET(self) -> None:
        assert self.headers["Host"].startswith(NAME + ":")
        self.send_response(self.status)
        if self.site:
            self.send_header("X-Failover-Site", self.site)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def web(status: int = 200, site: str = "aurora") -> Iterator[int]:
    page = type("Answering", (Page,), {"status": status, "site": site})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_a_good_answer_names_its_site_and_address(one: Authority) -> None:
    with web() as port:
        answer = request(Resolver(NAME, [one.place]), NAME, port)
    assert (answer.ok, answer.site, answer.address, answer.status, answer.error) == (
        True,
        "aurora",
        "127.0.0.1",
        200,
        None,
    )
    assert answer.sent_s <= answer.at_s


def test_a_page_of_somebody_else_is_a_failure(one: Authority) -> None:
    with web(site="") as port:
        answer = request(Resolver(NAME, [one.place]), NAME, port)
    assert (answer.ok, answer.status, answer.error) == (False, 200, "status 200 from a stranger")


def test_an_error_page_is_a_failure(one: Authority) -> None:
    with web(status=503) as port:
        answer = request(Resolver(NAME, [one.place]), NAME, port)
    assert (answer.ok, answer.error) == (False, "status 503 from aurora")


def test_a_refused_connection_is_a_failure(one: Authority) -> None:
    answer = request(Resolver(NAME, [one.place]), NAME, free_port())
    assert not answer.ok
    assert answer.error is not None
    assert answer.error.startswith("ConnectionRefusedError")
    assert (answer.address, answer.status) == ("127.0.0.1", None)


def test_an_address_is_kept_as_long_as_its_ttl_and_no_longer(one: Authority) -> None:
    one.ttl = 300
    resolver = Resolver(NAME, [one.place])
    assert {resolver.address() for _ in range(5)} == {"127.0.0.1"}
    assert one.asked == 1
    one.ttl = 0
    fresh = Resolver(NAME, [one.place])
    for _ in range(3):
        fresh.address()
    assert one.asked == 4


def test_every_address_gets_its_turn(one: Authority) -> None:
    one.answers["A"], one.ttl = ("127.0.0.2", "127.0.0.3"), 300
    resolver = Resolver(NAME, [one.place])
    assert sorted(resolver.address() for _ in range(4)) == ["127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.3"]


def test_both_name_servers_are_asked_in_turn(one: Authority, other: Authority) -> None:
    resolver = Resolver(NAME, [one.place, other.place])
    for _ in range(6):
        resolver.address()
    assert (one.asked, other.asked) == (3, 3)


def test_a_silent_name_server_is_passed_over(one: Authority, other: Authority) -> None:
    one.silent = True
    resolver = Resolver(NAME, [one.place, other.place], timeout_s=0.2)
    assert [resolver.address() for _ in range(2)] == ["127.0.0.1", "127.0.0.1"]
    assert one.asked == 1


def test_a_name_server_in_trouble_is_passed_over(one: Authority, other: Authority) -> None:
    one.rcode = dns.rcode.SERVFAIL
    resolver = Resolver(NAME, [one.place, other.place])
    assert [resolver.address() for _ in range(2)] == ["127.0.0.1", "127.0.0.1"]


@pytest.mark.parametrize("rcode", [dns.rcode.NXDOMAIN, dns.rcode.NOERROR])
def test_a_name_without_an_address_is_a_failure_at_once(
    one: Authority, other: Authority, rcode: dns.rcode.Rcode
) -> None:
    one.answers["A"] = other.answers["A"] = ()
    one.rcode = other.rcode = rcode
    with pytest.raises(NameFailure, match="without an address"):
        Resolver(NAME, [one.place, other.place]).address()
    assert one.asked + other.asked == 1
    answer = request(Resolver(NAME, [one.place, other.place]), NAME, 80)
    assert (answer.ok, answer.address) == (False, None)


def test_no_name_server_at_all_is_a_failure_that_names_them(one: Authority) -> None:
    one.silent = True
    with pytest.raises(NameFailure, match=f"127.0.0.1:{one.place[1]} Timeout"):
        Resolver(NAME, [one.place], timeout_s=0.1).address()


def test_the_program_counts_everything_and_sums_up_on_sigterm(one: Authority, tmp_path: Path) -> None:
    out = tmp_path / "requests.jsonl"
    options = ["--name", NAME, "--server", f"127.0.0.1:{one.place[1]}", "--out", str(out)]
    with web() as port:
        client = subprocess.Popen(
            [sys.executable, "-m", "failover.cli.demo_client", *options, "--port", str(port), "--rate", "50"],
            stdout=subprocess.PIPE,
            text=True,
        )
        while not out.exists() or out.read_text().count("\n") < 10:
            assert client.poll() is None
            time.sleep(0.05)
        one.rcode = dns.rcode.NXDOMAIN
        while '"ok": false' not in out.read_text():
            time.sleep(0.05)
        client.send_signal(signal.SIGTERM)
        summary = json.loads(client.communicate(timeout=30)[0])
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    failed = [line for line in lines if not line["ok"]]
    assert client.returncode == 0
    assert summary == {
        "requests": len(lines),
        "failures": len(failed),
        "sites": {"aurora": len(lines) - len(failed)},
    }
    assert set(lines[0]) == {"sent_s", "at_s", "ok", "address", "site", "status", "error"}
    assert failed[0]["error"].startswith("NameFailure")


def test_a_rate_of_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--name", NAME, "--server", "127.0.0.1:1", "--out", "x", "--rate", "0"])
    assert "above 0" in capsys.readouterr().err
