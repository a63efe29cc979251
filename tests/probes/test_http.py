"""One HTTP probe: what each kind of answer, and each kind of silence, is called."""

import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from failover.core.model import CheckKind, Failure, Outcome
from failover.probes.prober import Prober
from tests.ports import free_port
from tests.probes.asking import RELEASE, ask, ask_server, target
from tests.probes.servers import Behaviour, Server, answers, drips, floods, hangs, page, resets

HOST = "www.example.org"
NAMED = f"X-Failover-Release: {RELEASE}"


def found(prober: Prober, behave: Behaviour, **check: Any) -> tuple[Failure | None, str]:
    with Server(behave) as server:
        sample = ask_server(prober, server, **check)
    assert (sample.outcome is Outcome.PASS) == (sample.failure is None)
    assert (sample.outcome is Outcome.UNKNOWN) == (sample.failure is Failure.LOCAL)
    return sample.failure, sample.detail.replace(f":{server.port}", "")


class TestAnswers:
    def test_a_good_page_passes(self, prober: Prober) -> None:
        assert found(prober, answers(page()), body="ok") == (None, "status 200")

    def test_the_request_is_plain_and_names_the_host(self, prober: Prober) -> None:
        with Server(answers(page())) as server:
            ask_server(prober, server, host=HOST, path="/healthz?at={address}")
        (request,) = server.requests
        lines = request.decode().split("\r\n")
        assert lines[0] == "GET /healthz?at=127.0.0.1 HTTP/1.1"
        assert f"Host: {HOST}" in lines
        assert "Connection: close" in lines
        assert not [line for line in lines if line.lower().startswith(("cookie", "authorization", "proxy"))]

    @pytest.mark.parametrize("told", ["Age: 7", "CF-Cache-Status: HIT", "cf-cache-status: Revalidated"])
    def test_what_a_cache_says_of_itself(self, prober: Prober, told: str) -> None:
        answer = answers(page(headers=(told,)))
        name, _, value = told.partition(": ")
        failure, detail = found(prober, answer, fresh=True)
        assert failure is Failure.HEADER
        assert detail.lower() == f"a cache on the way answers ({name}: '{value}'), not the site".lower()
        assert found(prober, answer)[0] is None, "checks of nodes do not mind"

    @pytest.mark.parametrize("told", ["Age: 0", "CF-Cache-Status: DYNAMIC", "CF-Cache-Status: MISS"])
    def test_what_comes_from_the_site(self, prober: Prober, told: str) -> None:
        assert found(prober, answers(page(headers=(told,))), fresh=True)[0] is None

    def test_without_a_host_the_address_is_named(self, prober: Prober) -> None:
        with Server(answers(page())) as server:
            ask_server(prober, server)
        assert f"Host: 127.0.0.1:{server.port}\r\n".encode() in server.requests[0]

    def test_no_proxy_is_asked(self, prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
        assert found(prober, answers(page()))[0] is None

    def test_ipv6(self, prober: Prober) -> None:
        with Server(answers(page()), address="::1") as server:
            sample = ask_server(prober, server)
        assert sample.outcome is Outcome.PASS, sample.detail
        assert f"Host: [::1]:{server.port}\r\n".encode() in server.requests[0]

    def test_another_method(self, prober: Prober) -> None:
        with Server(answers(page(b"", length=3))) as server:
            assert ask_server(prober, server, method="HEAD").outcome is Outcome.PASS
        assert server.requests[0].startswith(b"HEAD / HTTP/1.1\r\n")

    def test_chunks(self, prober: Prober) -> None:
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n4\r\nalth\r\n1\r\ny\r\n0\r\n\r\n"
        assert found(prober, answers(chunked), body="healthy")[0] is None

    def test_a_body_split_over_pieces_and_without_length(self, prober: Prober) -> None:
        def behave(server: Server, connection: socket.socket) -> None:
            server.read_request(connection)
            for piece in (b"HTTP/1.1 200 OK\r\n\r\nhea", b"lthy"):
                connection.sendall(piece)
                server.stopped.wait(0.05)

        assert found(prober, behave, body="healthy")[0] is None

    def test_the_word_is_enough_although_the_page_never_ends(self, prober: Prober) -> None:
        def behave(server: Server, connection: socket.socket) -> None:
            server.read_request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nhealthy")
            server.stopped.wait()

        assert found(prober, behave, body="healthy")[0] is None

    def test_one_of_several_releases_is_enough(self, prober: Prober) -> None:
        good = answers(page(headers=(NAMED, "X-Site: aurora")))
        headers = {"X-Failover-Release": "{release}", "x-site": "{site}"}
        assert found(prober, good, headers=headers, releases=["sha256:b", RELEASE])[0] is None


class TestWrongAnswers:
    def test_a_suspension_page_that_says_200_fails_by_its_body(self, prober: Prober) -> None:
        suspended = answers(page(b"<h1>Account suspended</h1>"))
        assert found(prober, suspended, body="ok") == (Failure.BODY, "body of 26 bytes does not hold 'ok'")

    def test_a_suspension_page_that_says_200_fails_by_its_header(self, prober: Prober) -> None:
        suspended = answers(page(b"ok: this account is suspended"))
        headers = {"X-Failover-Release": "{release}"}
        failure, detail = found(prober, suspended, body="ok", headers=headers, releases=["sha256:b"])
        assert (failure, detail) == (
            Failure.HEADER,
            "header X-Failover-Release is missing, expected 'sha256:b'",
        )

    def test_another_release(self, prober: Prober) -> None:
        stale = answers(page(headers=("X-Failover-Release: old",)))
        headers = {"X-Failover-Release": "{release}"}
        failure, detail = found(prober, stale, headers=headers, releases=["new", "newer"])
        assert (failure, detail) == (
            Failure.HEADER,
            "header X-Failover-Release is 'old', expected 'new' or 'newer'",
        )

    def test_no_release_is_known(self, prober: Prober) -> None:
        failure, detail = found(prober, answers(page()), headers={"X-Failover-Release": "{release}"})
        assert (failure, detail) == (
            Failure.LOCAL,
            "header X-Failover-Release cannot be judged: no release is known",
        )

    def test_a_strangers_text_cannot_draw_on_our_terminal(self, prober: Prober) -> None:
        evil = answers(page(headers=("X-Site: \x1b[2J" + "é" * 300,)))
        failure, detail = found(prober, evil, headers={"X-Site": "aurora"})
        assert failure is Failure.HEADER
        assert detail.startswith("header X-Site is '\\x1b[2J\\x")
        assert detail.endswith("…', expected 'aurora'")
        assert len(detail) < 1000

    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            ("503 Service Unavailable", "status 503, expected 200-299"),
            ("404 Not Found", "status 404, expected 200-299"),
            ("301 Moved Permanently", "status 301, expected 200-299 (redirects are not followed)"),
        ],
    )
    def test_wrong_status(self, prober: Prober, status: str, expected: str) -> None:
        location = f"Location: http://127.0.0.1:{free_port()}/"
        assert found(prober, answers(page(status=status, headers=(location,)))) == (Failure.STATUS, expected)

    def test_one_status_only(self, prober: Prober) -> None:
        created = answers(page(status="201 Created"))
        failure, detail = found(prober, created, statuses=((200, 200),))
        assert (failure, detail) == (Failure.STATUS, "status 201, expected 200")

    def test_a_redirect_can_be_what_is_expected(self, prober: Prober) -> None:
        moved = answers(page(status="301 Moved Permanently"))
        assert found(prober, moved, statuses=((301, 301),))[0] is None

    def test_a_huge_body_is_read_up_to_the_cap(self, prober: Prober) -> None:
        huge = floods(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536)
        assert found(prober, huge, body="healthy") == (
            Failure.BODY,
            "the first 64 KiB of the body do not hold 'healthy'",
        )

    def test_the_word_behind_the_cap_does_not_count(self, prober: Prober) -> None:
        late = answers(page(b"x" * (64 * 1024 - 3) + b"healthy"))
        assert found(prober, late, body="healthy")[0] is Failure.BODY

    def test_a_truncated_body(self, prober: Prober) -> None:
        assert found(prober, answers(page(b"heal", length=7)), body="healthy")[0] is Failure.BODY

    def test_broken_chunks(self, prober: Prober) -> None:
        broken = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhealthy\r\n"
        failure, detail = found(prober, answers(broken), body="healthy")
        assert failure is Failure.PROTOCOL
        assert "broke off its answer" in detail


JSON = b'{"status": "ok", "checks": [{"a/b~c": 1}], "ready": true, "lag": 0.5, "error": null, "": "empty"}'


class TestBodies:
    def test_a_regular_expression(self, prober: Prober) -> None:
        assert found(prober, answers(page(b"guestbook v12 ready\n")), regex=r"v[0-9]+ ready")[0] is None
        assert found(prober, answers(page(b"guestbook\n")), regex=r"v[0-9]+") == (
            Failure.BODY,
            "body of 10 bytes does not match 'v[0-9]+'",
        )

    def test_a_text_and_a_regular_expression_must_both_be_there(self, prober: Prober) -> None:
        assert found(prober, answers(page(b"ready v1")), body="ready", regex="v2")[0] is Failure.BODY
        assert found(prober, answers(page(b"v2")), body="ready", regex="v2")[0] is Failure.BODY
        assert found(prober, answers(page(b"v2 ready")), body="ready", regex="v2")[0] is None

    @pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*a){12}b"])
    def test_no_expression_holds_up_the_round(self, prober: Prober, pattern: str) -> None:
        assert found(prober, answers(page(b"a" * 60_000 + b"!")), regex=pattern)[0] is Failure.BODY

    def test_an_expression_that_is_none(self, prober: Prober) -> None:
        failure, detail = found(prober, answers(page()), regex="(a")
        assert (failure, detail) == (Failure.LOCAL, "'(a' is no regular expression that RE2 knows: missing ): (a")

    def test_without_the_package_it_says_what_to_install(self, prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "re2", None)
        failure, detail = found(prober, answers(page()), regex="never seen before")
        assert (failure, "pip install 'failover[regex]'" in detail) == (Failure.LOCAL, True)

    @pytest.mark.parametrize(
        "wanted",
        [
            {"/status": "ok"},
            {"/checks/0/a~1b~0c": 1},
            {"/ready": True, "/lag": 0.5, "/error": None, "/": "empty"},
            {"/checks/0/a~1b~0c": 1.0},
        ],
    )
    def test_json_fields(self, prober: Prober, wanted: dict[str, Any]) -> None:
        assert found(prober, answers(page(JSON)), json=wanted) == (None, "status 200")

    @pytest.mark.parametrize(
        ("body", "wanted", "expected"),
        [
            (JSON, {"/status": "bad"}, '/status in the JSON body is \'"ok"\', expected "bad"'),
            (JSON, {"/ready": 1}, "/ready in the JSON body is 'true', expected 1"),
            (JSON, {"/checks/0/a~1b~0c": True}, "/checks/0/a~1b~0c in the JSON body is '1', expected true"),
            (JSON, {"/none": None}, "there is no /none in the JSON body"),
            (JSON, {"/checks/7": 1}, "there is no /checks/7 in the JSON body"),
            (JSON, {"/checks/x": 1}, "there is no /checks/x in the JSON body"),
            (JSON, {"/status/x": 1}, "there is no /status/x in the JSON body"),
            (b"<h1>Suspended</h1>", {"/status": "ok"}, "body of 18 bytes is not JSON"),
            (b"", {"/status": "ok"}, "body of 0 bytes is not JSON"),
            (b"[" * 60_000, {"/status": "ok"}, "body of 60000 bytes is not JSON"),
            (b"1" * 60_000, {"/status": "ok"}, "body of 60000 bytes is not JSON"),
            (b"\xff\xfe", {"/status": "ok"}, "body of 2 bytes is not JSON"),
            (b'"' + b"x" * 70_000 + b'"', {"/status": "ok"}, "a JSON document of more than 64 KiB is not read"),
        ],
    )
    def test_json_that_is_not_as_it_should_be(
        self, prober: Prober, body: bytes, wanted: dict[str, Any], expected: str
    ) -> None:
        assert found(prober, answers(page(body)), json=wanted) == (Failure.BODY, expected)

    def test_several_ranges_of_statuses(self, prober: Prober) -> None:
        ranges = ((200, 299), (401, 401))
        assert found(prober, answers(page(status="401 Unauthorized")), statuses=ranges)[0] is None
        assert found(prober, answers(page(status="403 Forbidden")), statuses=ranges) == (
            Failure.STATUS,
            "status 403, expected 200-299 or 401",
        )

    def test_headers_of_ones_own_are_sent(self, prober: Prober) -> None:
        with Server(answers(page())) as server:
            ask_server(prober, server, request_headers={"X-Asked-By": "me", "user-agent": "mine"})
        request = server.requests[0].decode().lower()
        assert "x-asked-by: me\r\n" in request
        assert request.count("user-agent:") == 1


class TestNoHttp:
    def test_another_protocol(self, prober: Prober) -> None:
        failure, detail = found(prober, answers(b"SSH-2.0-OpenSSH_9.6\r\n"))
        assert (failure, detail) == (Failure.PROTOCOL, "127.0.0.1 does not speak HTTP: 'SSH-2.0-OpenSSH_9.6'")

    def test_garbage(self, prober: Prober) -> None:
        failure, detail = found(prober, answers(bytes(range(256)) * 8))
        assert failure is Failure.PROTOCOL
        assert detail.isascii() or "…" in detail

    def test_a_huge_header(self, prober: Prober) -> None:
        huge = answers(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n")
        assert found(prober, huge)[0] is Failure.PROTOCOL

    def test_headers_without_end(self, prober: Prober) -> None:
        assert found(prober, floods(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 100))[0] is Failure.PROTOCOL

    def test_preliminary_answers_without_end(self, prober: Prober) -> None:
        piece = b"HTTP/1.1 100 Continue\r\n\r\n" * 1000
        failure, detail = found(prober, floods(b"", piece))
        assert (failure, detail) == (Failure.PROTOCOL, "127.0.0.1 sends an answer without end")

    def test_closed_without_a_word(self, prober: Prober) -> None:
        failure, detail = found(prober, answers(b""))
        assert (failure, detail) == (Failure.RESET, "127.0.0.1 closed the connection without an answer")

    def test_reset(self, prober: Prober) -> None:
        assert found(prober, resets) == (Failure.RESET, "127.0.0.1 reset the connection")


class TestSilence:
    def test_refused(self, prober: Prober) -> None:
        port = free_port()
        sample = ask(prober, target(port))
        assert (sample.outcome, sample.failure) == (Outcome.FAIL, Failure.REFUSED)
        assert sample.detail == f"127.0.0.1:{port} refused the connection"

    def test_no_answer(self, prober: Prober) -> None:
        failure, detail = found(prober, hangs, timeout_s=0.3)
        assert (failure, detail) == (Failure.READ_TIMEOUT, "127.0.0.1 did not finish its answer within 0.3 s")

    @pytest.mark.parametrize(
        "data",
        [
            b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000,
            b"HTTP/1.1 100 Continue\r\n\r\n",
        ],
        ids=["header", "preliminary"],
    )
    def test_one_byte_at_a_time_does_not_stretch_the_timeout(self, prober: Prober, data: bytes) -> None:
        assert found(prober, drips(data), timeout_s=0.5)[0] is Failure.READ_TIMEOUT

    def test_a_body_that_drips_does_not_stretch_the_timeout(self, prober: Prober) -> None:
        def behave(server: Server, connection: socket.socket) -> None:
            server.read_request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while not server.stopped.wait(0.02):
                connection.sendall(b"x")

        assert found(prober, behave, body="healthy", timeout_s=0.5)[0] is Failure.READ_TIMEOUT

    def test_a_full_backlog(self, prober: Prober, full_listener: int) -> None:
        sample = ask(prober, target(full_listener, timeout_s=0.3))
        assert (sample.outcome, sample.failure) == (Outcome.FAIL, Failure.CONNECT_TIMEOUT)
        assert sample.detail == f"127.0.0.1:{full_listener} did not accept a connection within 0.3 s"


@pytest.fixture
def full_listener() -> Iterator[int]:
    """A port whose queue of connections is full, so that the kernel drops new ones."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port: int = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(8)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        yield port
        for filler in fillers:
            filler.close()


class TestBadChecks:
    @pytest.mark.parametrize(
        "check",
        [
            {"path": "/a b"},
            {"host": "a\r\nX: y"},
            {"path": "/é"},
            {"method": "G\nT"},
            {"request_headers": {"X Y": "a"}},
            {"request_headers": {"X": "a\r\nY: b"}},
        ],
    )
    def test_a_request_that_cannot_be_sent_says_nothing_about_the_target(
        self, prober: Prober, check: dict[str, Any]
    ) -> None:
        failure, detail = found(prober, hangs, **check)
        assert failure is Failure.LOCAL
        assert detail.startswith("the request cannot be sent: ")

    def test_days_left_without_verification(self, prober: Prober) -> None:
        failure, _ = found(prober, hangs, kind=CheckKind.HTTPS, tls_days_left_min=14, verify_tls=False)
        assert failure is Failure.LOCAL


class TestAnything:
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(
        st.one_of(
            st.binary(max_size=300),
            st.binary(max_size=300).map(lambda rest: b"HTTP/1.1 200 OK\r\n" + rest),
            st.binary(max_size=60).map(lambda rest: b"HTTP/1.1 200 OK\r\nContent-Length: " + rest + b"\r\n\r\nok"),
            st.binary(max_size=60).map(
                lambda rest: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + rest + b"\r\nok\r\n0\r\n\r\n"
            ),
        )
    )
    def test_no_answer_breaks_the_probe(self, prober: Prober, data: bytes) -> None:
        """Whatever a target sends is judged: it cannot make itself UNKNOWN, and cannot pass without the word."""
        with Server(answers(data)) as server:
            sample = ask_server(prober, server, body="a word that is not there")
        assert sample.outcome is Outcome.FAIL, sample.detail
        assert sample.detail.isprintable()
