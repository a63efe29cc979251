"""The example application, as a process of its own: what a node runs."""

import hashlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from failover.net.archive import tree_digest
from failover.net.resources import resource

KEY = "open sesame"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    process: subprocess.Popen[str]
    port: int
    release: Path

    def ask(self, method: str, path: str, body: str | None = None, **headers: str) -> http.client.HTTPResponse:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            response.text = response.read().decode()  # type: ignore[attr-defined]
            return response
        finally:
            connection.close()

    def post(self, path: str, **fields: str) -> http.client.HTTPResponse:
        return self.ask("POST", path, urlencode(fields), Content_Type="application/x-www-form-urlencoded")

    def page(self) -> str:
        return text(self.ask("GET", "/"))


def text(response: http.client.HTTPResponse) -> str:
    found = response.text  # type: ignore[attr-defined]
    assert isinstance(found, str)
    return found


def start(release: Path, environment: Mapping[str, str]) -> Running:
    process = subprocess.Popen(
        [sys.executable, "server.py"],
        cwd=release,
        env={"PATH": os.environ["PATH"], "PORT": "0", "FAILOVER_SITE": "aurora", "GUESTBOOK_KEY": KEY, **environment},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    assert "http://127.0.0.1:" in line, line + process.stderr.read()
    return Running(process=process, port=int(line.split("127.0.0.1:")[1].split("/")[0]), release=release)


def stop(running: Running) -> str:
    assert running.process.stderr is not None
    running.process.terminate()
    with running.process.stderr:
        rest = running.process.stderr.read()
    assert running.process.wait(20) == 0
    return rest


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return shutil.copytree(resource("examples/guestbook"), tmp_path / "app")


@pytest.fixture
def book(release: Path) -> Iterator[Running]:
    running = start(release, {})
    yield running
    stop(running)


def test_it_is_healthy_and_names_its_site_and_release(book: Running) -> None:
    answer = book.ask("GET", "/healthz")
    assert (answer.status, text(answer)) == (200, "ok")
    assert answer.getheader("X-Failover-Site") == "aurora"
    assert answer.getheader("X-Failover-Release") == tree_digest(book.release)


def test_the_digest_is_that_of_sha256sum(book: Running) -> None:
    lines = []
    for path in sorted(book.release.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            name = path.relative_to(book.release)
            lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}\n")
    wanted = "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()
    assert book.ask("GET", "/healthz").getheader("X-Failover-Release") == wanted


def test_whatever_is_done_to_the_disk_it_tells_the_digest_of_what_is_there(book: Running) -> None:
    seen = {tree_digest(book.release)}

    def told() -> str:
        digest = tree_digest(book.release)
        assert book.ask("GET", "/healthz").getheader("X-Failover-Release") == digest
        assert digest not in seen
        seen.add(digest)
        return digest

    page = book.release / "page.html"
    before, times = page.read_bytes(), page.stat()
    page.write_bytes(before[:-2] + b"!\n")
    os.utime(page, ns=(times.st_atime_ns, times.st_mtime_ns))  # same size, same time: still another release
    told()
    page.chmod(0o755)
    told()
    (book.release / "deep" / "er").mkdir(parents=True)
    (book.release / "deep" / "er" / "ü.txt").write_text("x")
    told()
    (book.release / "link").symlink_to("page.html")
    told()
    (book.release / "deep.txt").write_text("sorts between by bytes")
    told()


def test_caches_of_the_interpreter_do_not_count(book: Running) -> None:
    wanted = tree_digest(book.release)
    (book.release / "__pycache__").mkdir()
    (book.release / "__pycache__" / "x.pyc").write_text("x")
    (book.release / "y.pyc").write_text("x")
    (book.release / ".git").mkdir()
    (book.release / ".git" / "HEAD").write_text("x")
    assert book.ask("GET", "/healthz").getheader("X-Failover-Release") == wanted


def test_a_release_that_cannot_be_read_is_not_healthy(book: Running) -> None:
    book.release.rename(book.release.with_name("moved"))
    answer = book.ask("GET", "/healthz")
    assert (answer.status, answer.getheader("X-Failover-Release")) == (503, "unreadable")
    book.release.with_name("moved").rename(book.release)
    assert book.ask("GET", "/healthz").status == 200


def test_signing_shows_on_the_page_and_changes_no_byte_of_the_release(book: Running) -> None:
    before = tree_digest(book.release)
    answer = book.post("/sign", name="Ada", message="It works!\nReally.")
    assert (answer.status, answer.getheader("Location")) == (303, "/")
    page = book.page()
    assert "<b>Ada</b>" in page
    assert "It works!\nReally." in page
    assert "aurora" in page
    assert before in page
    assert tree_digest(book.release) == before


def test_what_visitors_write_is_text_and_never_markup(book: Running) -> None:
    book.post("/sign", name="<script>alert(1)</script>", message="\"'&<img src=x onerror=alert(1)>$site ${release}")
    page = book.page()
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page
    assert "$site ${release}" in page


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"name": "", "message": "x"}, 400),
        ({"name": "x"}, 400),
        ({"name": " ", "message": "x"}, 400),
        ({"name": "x" * 81, "message": "x"}, 400),
        ({"name": "x", "message": "x" * 501}, 400),
        ({"name": "x", "message": "x" * 9000}, 413),
        ({"name": "x", "message": "x" * 300_000}, 413),
        ({str(number): "x" for number in range(20)}, 400),
    ],
)
def test_a_form_that_is_wrong_is_refused_with_the_reason(book: Running, fields: dict[str, str], status: int) -> None:
    if sum(map(len, fields.values())) > 65536:
        try:
            answer = book.post("/sign", **fields)
        except ConnectionError:  # the server may hang up on so much
            return
    else:
        answer = book.post("/sign", **fields)
    assert answer.status == status
    assert text(answer).endswith(".\n")
    assert "Nobody yet" in book.page()


@pytest.mark.parametrize(
    ("method", "path", "body", "kind", "status"),
    [
        ("GET", "/nothing", None, "", 404),
        ("POST", "/nothing", "a=b", "application/x-www-form-urlencoded", 404),
        ("GET", "/sign", None, "", 405),
        ("POST", "/", "a=b", "application/x-www-form-urlencoded", 405),
        ("POST", "/sign", "{}", "application/json", 415),
        ("POST", "/sign", "name=%ff&message=x", "application/x-www-form-urlencoded", 400),
        ("POST", "/sign", "name=\x80", "application/x-www-form-urlencoded", 400),
        ("DELETE", "/", None, "", 501),
    ],
)
def test_what_it_does_not_know_is_refused(
    book: Running, method: str, path: str, body: str | None, kind: str, status: int
) -> None:
    assert book.ask(method, path, body, Content_Type=kind).status == status
    assert book.ask("GET", "/healthz").status == 200


def test_a_body_without_a_length_is_refused(book: Running) -> None:
    with socket.create_connection(("127.0.0.1", book.port), timeout=10) as raw:
        raw.sendall(b"POST /sign HTTP/1.1\r\nHost: x\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 411 ")


def test_head_has_the_headers_and_no_body(book: Running) -> None:
    answer = book.ask("HEAD", "/")
    assert (answer.status, text(answer)) == (200, "")
    assert int(answer.getheader("Content-Length") or 0) > 100


def test_a_query_does_not_hide_the_page(book: Running) -> None:
    assert book.ask("GET", "/?from=mail").status == 200


def test_only_who_has_the_key_removes_an_entry(book: Running) -> None:
    book.post("/sign", name="Mallory", message="buy now")
    book.post("/sign", name="Ada", message="stays")
    id = book.page().split("<b>Mallory</b>")[0].rsplit('id="', 1)[1].split('"')[0]
    assert book.post("/remove", id=id, key="guess").status == 403
    assert book.post("/remove", id=id).status == 403
    assert book.post("/remove", id="none", key=KEY).status == 404
    assert book.post("/remove", id=id, key=KEY).status == 303
    assert "Mallory" not in book.page()
    assert "Ada" in book.page()
    assert KEY not in book.page()


def test_without_a_key_nobody_removes(release: Path) -> None:
    running = start(release, {"GUESTBOOK_KEY": ""})
    assert running.post("/remove", id="x", key="").status == 403
    stop(running)


def test_entries_outlive_a_restart_where_there_is_a_place_for_them(release: Path, tmp_path: Path) -> None:
    environment = {"GUESTBOOK_DATA": str(tmp_path / "data")}
    (tmp_path / "data").mkdir()
    running = start(release, environment)
    running.post("/sign", name="Ada", message="Grüße")
    stop(running)
    running = start(release, environment)
    assert "Grüße" in running.page()
    stop(running)


def test_a_disk_that_fails_is_an_error_and_not_a_signature(release: Path, tmp_path: Path) -> None:
    running = start(release, {"GUESTBOOK_DATA": str(tmp_path / "absent")})
    assert running.post("/sign", name="Ada", message="lost?").status == 503
    assert "Ada" not in running.page()
    stop(running)


def test_it_binds_the_address_that_it_is_given(release: Path) -> None:
    process = subprocess.run(
        [sys.executable, "server.py"],
        cwd=release,
        env={"PATH": os.environ["PATH"], "PORT": "0", "FAILOVER_ADDRESS": "192.0.2.1"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert process.returncode != 0
    assert "Cannot assign requested address" in process.stderr


def test_a_stop_finishes_the_request_under_way(release: Path) -> None:
    running = start(release, {})
    body = urlencode({"name": "Ada", "message": "last words"})
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as raw:
        head = (
            f"POST /sign HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
        )
        raw.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 100 ")  # the handler runs
        running.process.send_signal(signal.SIGTERM)
        raw.sendall(body.encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 303 ")
    stop(running)


def test_the_log_holds_neither_reads_nor_forms(release: Path) -> None:
    running = start(release, {})
    running.ask("GET", "/healthz")
    running.post("/remove", id="x", key=KEY)
    log = stop(running)
    assert "healthz" not in log
    assert "/remove" in log
    assert "sesame" not in log
