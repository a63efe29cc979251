"""check and watch by the real command: bursts, formats, a textfile, signals, reloading, the service manager."""

import http.server
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from failover.stores.lease import FileLease
from tests.cli.states import published
from tests.cli.test_bad_days import FAILOVER

PATIENCE_S = 90.0
CONFIG = """\
version: 1
service: shop
runner: {{every: 1s, rounds: 4, call_timeout: 200ms{more}}}
sites:
  aurora: {{addresses: {{web: ["127.0.0.1"]}}}}
  boreas: {{addresses: {{web: ["127.0.0.2"]}}}}
dns:
  zones: [shop.test]
  hosts: {{ns1: {{kind: rfc2136, server: "127.0.0.1:9"}}}}
  records: {{www.shop.test: {{type: A, nodes: web}}}}
checks: {{tcp: {{tcp: "{{address}}:9", interval: 250ms, timeout: 200ms, fall: 2, rise: 1}}}}
policy: {{tilt: 0s}}
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Two given sites at which nothing listens, after a first `apply`."""
    (tmp_path / "failover.yaml").write_text(CONFIG.format(more=""))
    published(tmp_path)
    return tmp_path


def ran(here: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [*FAILOVER, *words], cwd=here, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def rounds(here: Path) -> list[float]:
    """Seconds between the rounds that were made, by the state."""
    found = json.loads(ran(here, "status", "-o", "json").stdout)
    assert found["last_check_age_s"] is not None
    import sqlite3

    with sqlite3.connect(here / ".failover" / "state.db") as connection:
        (body,) = connection.execute("SELECT body FROM documents WHERE name = 'state'").fetchone()
    kept = json.loads(body)["intervals_s"]
    assert isinstance(kept, list)
    return kept


# ------------------------------------------------------------------------------------ check


def test_a_burst_makes_its_rounds_one_after_the_other(here: Path) -> None:
    done = ran(here, "check", "--rounds", "3", "--every", "5")
    assert done.returncode == 0, done.stderr
    assert "aurora" in done.stdout
    found = rounds(here)
    assert 1 <= len(found) <= 2, "a busy machine may leave one out, never add one"
    assert all(seconds > 0 for seconds in found)
    assert len(rounds(here)) == len(found), "status makes none"


def test_a_burst_leaves_what_no_longer_fits_to_the_next_check(here: Path) -> None:
    """A round may take longer than the rounds are apart: the last one would reach into the next minute."""
    config = here / "failover.yaml"
    config.write_text(config.read_text().replace("call_timeout: 200ms", "call_timeout: 1h"))
    assert ran(here, "check", "--rounds", "60", "--every", "30").returncode == 0
    assert rounds(here) == []


def test_two_bursts_do_not_run_side_by_side(here: Path) -> None:
    lease = FileLease(here / ".failover" / "state.db")
    lease.acquire("burst")
    done = ran(here, "check")
    assert (done.returncode, done.stdout) == (75, "")
    quiet = ran(here, "check", "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (75, "", "")
    assert ran(here, "check", "--rounds", "1").returncode == 0, "one by hand is welcome in between"
    lease.release("burst")


def test_a_quiet_check_says_only_what_failed(here: Path) -> None:
    done = ran(here, "check", "--quiet", "--rounds", "1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (here / ".failover" / "state.db").write_bytes(b"damaged" * 1000)
    done = ran(here, "check", "--quiet", "--rounds", "1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "failover: " in done.stderr


def test_a_burst_by_hand_has_the_time_until_the_next_check(here: Path) -> None:
    """The rounds are over at once, but how long the last one may take would not fit into three times five seconds."""
    config = here / "failover.yaml"
    pace = "every: 2m, call_timeout: 30s"
    config.write_text(config.read_text().replace("every: 1s, rounds: 4, call_timeout: 200ms", pace))
    done = ran(here, "check", "--rounds", "3", "--every", "5")
    assert done.returncode == 0, done.stderr
    assert 1 <= len(rounds(here)) <= 2


def test_rounds_that_do_not_fit_are_told(here: Path) -> None:
    config = here / "failover.yaml"
    config.write_text(config.read_text().replace("call_timeout: 200ms", "call_timeout: 1h"))
    done = ran(here, "check", "--rounds", "3", "--every", "1")
    assert (done.returncode, "1 of 3 rounds were made" in done.stderr) == (0, True)
    assert ran(here, "check", "--rounds", "3", "--every", "1", "--quiet").stderr == ""


@pytest.mark.parametrize(
    "words",
    [["--every", "0"], ["--rounds", "0"], ["--rounds", "2", "--every", "-1"], ["--every", "nan"], ["--every", "1e9"]],
)
def test_a_pace_that_makes_no_sense(here: Path, words: list[str]) -> None:
    assert ran(here, "check", *words).returncode == 64


def test_a_plug_in_says_one_line_and_exits_with_its_word(here: Path) -> None:
    done = ran(here, "status", "--format", "nagios")
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith("FAILOVER UNKNOWN - shop: no check has run yet | sites_ready=0;;;0;2 ")
    done = ran(here, "check", "--format", "nagios", "--rounds", "1")
    assert (done.returncode, done.stderr) == (3, ""), "one bad round decides nothing"
    assert re.fullmatch(r"FAILOVER UNKNOWN - shop: [^|]+ \| last_check_age=[\d.]+s;;[\d.]+;0 .*\n", done.stdout)
    assert ran(here, "pause", "--reason", "a|b").returncode == 0
    assert "paused: a/b" in ran(here, "status", "--format", "nagios").stdout
    lease = FileLease(here / ".failover" / "state.db")
    lease.acquire("tick")
    kept_out = ran(here, "check", "--format", "nagios", "--rounds", "1")
    lease.release("tick")
    assert (kept_out.returncode in (2, 3), kept_out.stderr) == (True, ""), "it tells what the others found"


def test_a_plug_in_is_unknown_when_it_cannot_tell(here: Path) -> None:
    (here / "failover.yaml").write_text("version: 2\n")
    for command in ("check", "status"):
        done = ran(here, command, "--format", "nagios")
        assert (done.returncode, done.stderr) == (3, "")
        assert done.stdout.startswith("FAILOVER UNKNOWN - read config failover.yaml: ")
        assert len(done.stdout.splitlines()) == 1


def test_a_textfile_that_cannot_be_written_stops_no_round(here: Path) -> None:
    """Metrics are for looking at: without them, sites must be watched as before."""
    done = ran(here, "check", "--rounds", "3", "--every", "5", "--textfile", str(here / "nowhere" / "failover.prom"))
    assert (done.returncode, "write metrics" in done.stderr, "aurora" in done.stdout) == (1, True, True)
    assert len(rounds(here)) >= 1


def test_a_textfile_holds_the_last_round(here: Path) -> None:
    assert ran(here, "check", "--rounds", "1", "--textfile", "shop.prom").returncode == 0
    text = (here / "shop.prom").read_text()
    names = {family.name for family in text_string_to_metric_families(text)}
    assert {"failover_last_check_timestamp_seconds", "failover_alarm_level"} <= names
    done = ran(here, "check", "--rounds", "1", "--textfile", "nowhere/shop.prom")
    assert done.returncode == 1
    assert "nowhere/shop.prom" in done.stderr


@pytest.fixture
def heard() -> Iterator[tuple[str, list[str]]]:
    paths: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/k3y", paths
        server.shutdown()
        thread.join()


def test_a_dead_man_s_switch_hears_of_every_check_but_not_of_one_that_stepped_back(
    here: Path, heard: tuple[str, list[str]]
) -> None:
    address, paths = heard
    (here / "failover.yaml").write_text(CONFIG.format(more=f', ping: "{address}"'))
    assert ran(here, "check", "--rounds", "1").returncode == 0
    assert paths == ["/k3y/start", "/k3y/0"]
    lease = FileLease(here / ".failover" / "state.db")
    lease.acquire("tick")
    done = ran(here, "check", "--rounds", "1")
    lease.release("tick")
    assert (done.returncode, len(paths)) == (75, 2)
    (here / ".failover" / "state.db").write_bytes(b"damaged" * 1000)
    done = ran(here, "check", "--rounds", "1")
    assert done.returncode == 1
    assert paths[2:] == ["/k3y/1"]
    assert "k3y" not in done.stderr


# ------------------------------------------------------------------------------------ watch


class Watching:
    """A `failover watch` that is taken down at the end."""

    def __init__(self, here: Path, *words: str, env: dict[str, str] | None = None) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [*FAILOVER, "watch", *words], cwd=here, env={**os.environ, **(env or {})}, stderr=subprocess.PIPE, text=True
        )
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def until(self, look: Callable[[str], bool]) -> str:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            for line in list(self.lines):
                if look(line):
                    return line
            assert time.monotonic() < deadline, self.lines
            assert self.process.poll() is None, self.lines
            time.sleep(0.02)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE_S)
        self._thread.join()
        return code


@pytest.fixture
def watching(here: Path) -> Iterator[Callable[..., Watching]]:
    made: list[Watching] = []

    def make(*words: str, env: dict[str, str] | None = None) -> Watching:
        made.append(Watching(here, *words, env=env))
        return made[-1]

    yield make
    for each in made:
        if each.process.poll() is None:
            each.process.kill()
        each.process.wait()
        each._thread.join()
        if each.process.stderr is not None:
            each.process.stderr.close()


def test_a_watcher_logs_json_serves_metrics_reloads_and_ends(here: Path, watching: Callable[..., Watching]) -> None:
    found = watching("--log", "json", "--metrics", "0", "--textfile", "shop.prom")
    line = found.until(lambda line: '"metrics at' in line)
    address = re.search(r"http://127\.0\.0\.1:\d+/metrics", line)
    assert address is not None
    first = json.loads(found.until(lambda line: '"event": "round"' in line))
    assert (first["service"], first["active_site"], first["decision"]) == ("shop", "aurora", first["decision"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["at"])
    with urllib.request.urlopen(address[0], timeout=PATIENCE_S) as answer:
        names = {family.name for family in text_string_to_metric_families(answer.read().decode())}
    assert {"failover_rounds", "failover_safe"} <= names
    assert (here / "shop.prom").exists()

    good = (here / "failover.yaml").read_text()
    (here / "failover.yaml").write_text("version: 2\n")
    found.process.send_signal(signal.SIGHUP)
    refused = json.loads(found.until(lambda line: "not-reloaded" in line))
    assert "the old config still counts" in refused["message"]
    assert "failover.yaml:1:10" in refused["message"], "every finding"
    (here / "failover.yaml").write_text(good.replace("service: shop", "service: other"))
    found.process.send_signal(signal.SIGHUP)
    found.until(lambda line: "restart the service" in line or "another one" in line)
    (here / "failover.yaml").write_text(good.replace("every: 1s", "every: 2s"))
    found.process.send_signal(signal.SIGHUP)
    found.until(lambda line: "watching every 0.5 s" in line)
    assert found.end() == 0
    events = [json.loads(line) for line in found.lines]
    assert "stopping" in [e["event"] for e in events]
    assert events[-1]["event"] == "stopped"
    assert all({"at", "level", "event", "service", "message"} <= set(e) for e in events)


def test_a_watcher_that_waits_for_answers_ends_at_once(here: Path, watching: Callable[..., Watching]) -> None:
    """Nothing answers, and each answer may take an hour: told to stop, it does not wait for them."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = here / "failover.yaml"
        text = config.read_text().replace("call_timeout: 200ms", "call_timeout: 1h")
        config.write_text(text.replace("127.0.0.1:9", f"127.0.0.1:{silent.getsockname()[1]}"))
        found = watching()
        silent.settimeout(PATIENCE_S)
        asked, _ = silent.accept()  # the round has begun: the name server is being asked
        time.sleep(0.2)
        assert found.end(signal.SIGTERM) == 0
        asked.close()
    assert any("SIGTERM: ends now" in line for line in found.lines), found.lines
    assert not (here / ".failover" / "state.db.tick.lock").read_text(), "the lock is free"
    assert rounds_made(here) == 0


def rounds_made(here: Path) -> int:
    return 0 if json.loads(ran(here, "status", "-o", "json").stdout)["last_check_age_s"] is None else 1


def test_the_service_manager_hears_of_every_round(here: Path, watching: Callable[..., Watching]) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(here / "notify"))
        manager.settimeout(PATIENCE_S)
        found = watching("--every", "0.2", env={"NOTIFY_SOCKET": str(here / "notify")})
        words = [manager.recv(4096).decode().splitlines()[0] for _ in range(3)]
        assert words == ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]
        found.process.send_signal(signal.SIGHUP)
        while words[-1] != "RELOADING=1":
            words.append(manager.recv(4096).decode().splitlines()[0])
        assert manager.recv(4096).decode().startswith("READY=1\n")
        assert found.end(signal.SIGINT) == 0
        while words[-1] != "STOPPING=1":
            words.append(manager.recv(4096).decode().splitlines()[0])


@pytest.mark.parametrize(
    "words", [["--metrics", "nowhere"], ["--metrics", ":9099"], ["--metrics", "127.0.0.1:99999"], ["--every", "0"]]
)
def test_a_watcher_with_wishes_that_make_no_sense(here: Path, words: list[str]) -> None:
    done = ran(here, "watch", *words)
    assert done.returncode == 64
    assert "next: " in done.stderr or "--every" in done.stderr


def test_an_address_that_is_taken(here: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = ran(here, "watch", "--metrics", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "serve metrics 127.0.0.1" in done.stderr
