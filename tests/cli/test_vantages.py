"""vantage serve and ask by the real command: as documented, with a wrong key, without an agent, with one that hangs."""

import json
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from failover.config.units import listen_at
from tests.cli.test_bad_days import FAILOVER
from tests.cli.test_installing import verified
from tests.ports import free_port
from tests.probes.servers import Server, answers, hangs, page
from tests.probes.test_agents import certificates

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 90.0
CONFIG = """\
version: 1
service: shop
runner: {{every: 10s, call_timeout: 1s}}
sites:
  aurora: {{addresses: {{web: ["127.0.0.1"]}}}}
  boreas: {{addresses: {{web: ["127.0.0.2"]}}}}
dns:
  zones: [shop.test]
  hosts: {{ns1: {{kind: rfc2136, server: "127.0.0.1:9"}}}}
  records: {{www.shop.test: {{type: A, nodes: web}}}}
checks: {{http: {{url: "http://{{address}}:{page}/", timeout: 1s}}}}
quorum:
  need: 2
  vantages:
    home: {{provider: home}}
    paris: {{provider: ovh, agent: "https://127.0.0.1:{paris}", key: {{file: vantage.key}}, ca_file: ca.pem}}
    oregon: {{provider: other, agent: "http://127.0.0.1:{oregon}", key: {{file: vantage.key}}}}
"""


def installed(here: Path, *words: str) -> Path:
    """The unit that `failover install vantage` writes."""
    line = [*FAILOVER, "install", "vantage", "--system", "--root", "root", *words]
    done = subprocess.run(line, cwd=here, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    assert "enable --now failover-shop-vantage.service" in done.stderr
    return here / "root/etc/systemd/system/failover-shop-vantage.service"


def unit_words(unit: Path) -> list[str]:
    """What it runs, from `-c` on."""
    (line,) = [line for line in unit.read_text().splitlines() if line.startswith("ExecStart=")]
    words = shlex.split(line.removeprefix("ExecStart="))
    return words[words.index("-c") :]


def private(path: Path, text: str) -> None:
    path.touch(0o600)
    path.write_text(text)


@contextmanager
def running(here: Path, words: list[str]) -> Iterator[None]:
    """An agent that has said that it answers."""
    process = subprocess.Popen([*FAILOVER, *words], cwd=here, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        said = process.stderr.readline()
        assert "answers at" in said, said + process.stderr.read()
        yield
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def asked(here: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [*FAILOVER, "vantage", "ask", *words],
        cwd=here,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_what_the_page_starts_may_listen() -> None:
    page = (ROOT / "docs" / "vantages.md").read_text(encoding="utf-8")
    lines = re.findall(r"failover (?:vantage serve|install vantage) .*", page)
    places = [listen_at(found, 1) for line in lines for found in re.findall(r"--listen (\S+)", line)]
    assert places == [("0.0.0.0", 8443)] * 2


def test_the_unit_of_a_vantage_is_what_systemd_takes_for_good(tmp_path: Path) -> None:
    (tmp_path / "failover.yaml").write_text(CONFIG.format(page=80, paris=8443, oregon=8444))
    unit = installed(tmp_path, "--vantage", "oregon", "--listen", "0.0.0.0:8443", "--plain")
    assert unit_words(unit)[2:] == ["vantage", "serve", "--vantage", "oregon", "--listen", "0.0.0.0:8443", "--plain"]
    verified([unit])
    wrong = (["--vantage", "tokyo"], ["--vantage", "paris", "--listen", "0.0.0.0:8443"], ["--listen", "here"])
    for words in wrong:
        line = [*FAILOVER, "install", "vantage", "--root", "root", *words]
        done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert (done.returncode, "Traceback" in done.stderr) == (64, False), done.stderr
    line = [*FAILOVER, "install", "vantage", "--system", "--root", "root", "--remove"]
    assert subprocess.run(line, cwd=tmp_path, capture_output=True, timeout=PATIENCE_S, check=False).returncode == 0
    assert not unit.exists()


def test_agents_are_asked_by_name_and_what_is_wrong_with_one_is_told(tmp_path: Path) -> None:
    """Paris is run as its unit runs it, with HTTPS; Oregon takes the connection, and never answers."""
    certificate, key, _ = certificates(tmp_path)
    private(tmp_path / "vantage.key", "a key that both of them share")
    paris = free_port()
    words = ["--vantage", "paris", "--listen", f"127.0.0.1:{paris}"]
    words += ["--certificate", str(certificate), "--private-key", str(key)]
    with ExitStack() as stack:
        site, oregon = stack.enter_context(Server(answers(page()))), stack.enter_context(Server(hangs))
        config = CONFIG.format(page=site.port, paris=paris, oregon=oregon.port)
        (tmp_path / "failover.yaml").write_text(config)
        with running(tmp_path, unit_words(installed(tmp_path, *words))):
            done = asked(tmp_path, "paris", "-o", "json")
            assert done.returncode == 0, done.stdout + done.stderr
            (only,) = json.loads(done.stdout)["vantages"]
            assert (only["name"], only["problem"], only["samples"][0]["outcome"]) == ("paris", None, "pass")
            assert not oregon.connections, "it was not named"
            private(tmp_path / "other.key", "a key that the agent does not know")
            (tmp_path / "other.yaml").write_text(config.replace("vantage.key", "other.key"))
            done = asked(tmp_path, "paris", "-c", "other.yaml")
            assert (done.returncode, "not signed with this vantage's key" in done.stdout) == (1, True)
            assert "a key that" not in done.stdout + done.stderr
            (tmp_path / "newer.yaml").write_text(config.replace(f"{site.port}/", f"{site.port}/other"))
            done = asked(tmp_path, "paris", "-c", "newer.yaml")
            assert (done.returncode, "not the same checks as this one: http" in done.stdout) == (1, True), done.stdout
            done = asked(tmp_path)
            assert (done.returncode, done.stdout.count("NOT HEARD")) == (1, 1), "the one that hangs holds up nobody"
        done = asked(tmp_path, "paris")
        assert (done.returncode, "NOT HEARD: ask vantage paris" in done.stdout) == (1, True), done.stdout
        done = asked(tmp_path, "tokyo")
        assert (done.returncode, "known are: paris, oregon" in done.stderr) == (64, True)


@pytest.mark.parametrize("words", [["--listen", "0.0.0.0:8443"], ["--listen", "[::]:8443"], ["--listen", "here:8443"]])
def test_beyond_this_machine_it_wants_https(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "failover.yaml").write_text(CONFIG.format(page=1, paris=2, oregon=3))
    private(tmp_path / "vantage.key", "a key that both of them share")
    (tmp_path / "ca.pem").touch()
    serve = [*FAILOVER, "vantage", "serve", "--vantage", "paris", *words]
    done = subprocess.run(serve, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    expected = "literal IP address" if "here" in words[1] else "without HTTPS it answers on this machine only"
    assert (done.returncode, expected in done.stderr) == (64, True), done.stderr
