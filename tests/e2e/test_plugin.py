"""The worked example of a plug-in: installed as a user would, it passes its own tests and serves the real command."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.eyes import answer
from tests.e2e.given import ZONE, directory, name_servers
from tests.e2e.play import COMMAND_S, FAILOVER, Play, environment
from tests.ports import free_port

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "plugin-cloud"
GUESTBOOK = EXAMPLE.parent / "guestbook"
HOME, CELLAR = ("127.91.0.1", "127.91.0.2"), ("127.91.0.3", "127.91.0.4")
SUITE_S = 300.0
pytestmark = pytest.mark.timeout(600)

CONFIG = """\
version: 1
service: shop
runner: {{every: 1s, call_timeout: 20s}}
providers:
  house: {{kind: rack, machines: [{home}], root: "{root}/{{address}}"}}
  cellar: {{kind: rack, machines: [{cellar}], root: "{root}/{{address}}", reach: [sh, -c]}}
sites:
  near: {{provider: house}}
  far: {{provider: cellar}}
release: {{path: app, run: python3 server.py, env: {{WHO: "it's us"}}}}
nodes: {{web: {{count: 1, cpus: 1, memory: 64MiB, disk: 1GiB, image: {image}, ports: [{port}]}}}}
dns:
  zones: [{zone}]
  ttl: 1
  hosts:
    one: {{kind: rfc2136, server: '{server}', tsig: {{name: failover-one, secret: {{file: one.key}}}}}}
  records: {{www.{zone}: {{type: A, nodes: web}}}}
checks:
  main: {{url: "http://{{address}}:{port}/healthz", expect: {{body: ok, header: {{X-Failover-Release: "{{release}}"}}}},
          interval: 2s, timeout: 2s, fall: 2, rise: 1}}
"""


@dataclass(frozen=True, slots=True)
class Installed:
    """The command in an environment that has the plug-in besides."""

    target: Path
    play: Play

    def run(self, *words: str, code: int | tuple[int, ...] = 0) -> str:
        done = subprocess.run(
            [*FAILOVER, *words],
            cwd=self.play.directory,
            env=environment({"PYTHONPATH": str(self.target)}),
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
        self.play.keep(words, done.returncode, done.stdout, done.stderr)
        assert done.returncode in ((code,) if isinstance(code, int) else code), self.play.said[-1]
        assert "Traceback" not in done.stderr, self.play.said[-1]
        return done.stdout

    def ask(self, *words: str, code: int = 0) -> dict[str, Any]:
        found = json.loads(self.run(*words, "-o", "json", code=code))
        assert isinstance(found, dict)
        return found


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("plugin")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--target", str(found))
    words = [*pip, *options, str(EXAMPLE)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=COMMAND_S, check=False)
    assert done.returncode == 0, done.stderr
    return found


@pytest.fixture
def installed(target: Path, tmp_path: Path) -> Iterator[Installed]:
    play = directory(tmp_path / "play")
    found = Installed(target, play)
    yield found
    if (play.directory / "racks").exists():
        found.run("destroy", "--yes", code=(0, 1, 78))
    play.close()


def test_its_own_tests_pass(target: Path, tmp_path: Path) -> None:
    """With the suite that failover ships, and without anything of this repository's tests."""
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", str(EXAMPLE / "pyproject.toml"), str(EXAMPLE))
    done = subprocess.run(
        [sys.executable, *words, "--basetemp", str(tmp_path / "machines")],
        cwd=tmp_path,
        env=environment({"PYTHONPATH": str(target), "PYTHONDONTWRITEBYTECODE": "1"}),
        capture_output=True,
        text=True,
        timeout=SUITE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout


def test_it_is_one_more_cloud_for_the_real_command(installed: Installed) -> None:
    play = installed.play
    _deployment(play)
    assert "is valid" in installed.run("validate")
    plan = installed.ask("plan", code=2)
    assert [a["kind"] for s in plan["sites"] for a in s["actions"]] == ["upload", "create"] * 2
    installed.run("apply", "--yes")
    assert _published(play) in ({HOME[0]}, {HOME[1]})
    installed.run("plan")
    first = _published(play)
    (play.directory / "app" / "page.html").write_text("<h1>another release</h1>")
    kinds = [a["kind"] for s in installed.ask("plan", code=2)["sites"] for a in s["actions"]]
    assert kinds == ["upload", "replace", "remove"] * 2
    installed.run("apply", "--yes")
    assert _published(play) == set(HOME) - (first or set()), "the new node serves on the other machine"
    installed.run("destroy", "--yes")
    assert not list((play.directory / "racks").glob("*/node"))
    assert not list((play.directory / "racks").glob("*/depot/*"))


def test_what_it_cannot_use_is_said(installed: Installed) -> None:
    _deployment(installed.play)
    installed.play.edit({r"machines: \[127.91.0.3, 127.91.0.4\]": "machines: here"})
    plan = installed.ask("plan", code=1)
    (problem,) = [s["problem"] for s in plan["sites"] if s["problem"]]
    assert "`machines` must be a list of IP addresses" in problem
    installed.play.edit({"kind: rack": "kind: rak"})
    installed.run("validate", code=78)
    assert "did you mean rack" in installed.play.said[-1].replace("`", "").replace('"', "")


def _deployment(play: Play) -> None:
    """A config with two racks of two machines each, and a real name server."""
    (server,) = name_servers(play, "one").values()
    app = play.directory / "app"
    app.mkdir()
    for file in GUESTBOOK.glob("*.*"):
        (app / file.name).write_bytes(file.read_bytes())
    system = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines() if "=" in line
    )
    image = f"{system['ID']}-{system.get('VERSION_ID', '')}".replace('"', "")
    play.config.write_text(
        CONFIG.format(
            home=", ".join(HOME),
            cellar=", ".join(CELLAR),
            root=play.directory / "racks",
            image=image,
            port=free_port(*HOME, *CELLAR),
            zone=ZONE,
            server=server,
        )
    )


def _published(play: Play) -> set[str] | None:
    (address, _, port) = play.config.read_text().partition("server: '")[2].partition("'")[0].rpartition(":")
    return answer((address, int(port)), f"www.{ZONE}", "A")
