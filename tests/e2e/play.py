"""A playground under test: the real command in a directory of its own, and everything taken down at the end."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from failover.cli.demo_stage import processes_under
from tests.e2e.forks import Death, Forks

PATIENCE_S = 120.0
"""Machines are busy: a condition gets this long, and nothing is asserted about time itself."""
COMMAND_S = 90.0
FORKS = Forks()
FAILOVER = [sys.executable, "-P", "-m", "failover"]

QUICK = {
    r"\bconfirm: \w+": "confirm: 0s",
    r"\bcooldown: \w+": "cooldown: 0s",
    r"\btilt: \w+": "tilt: 0s",
    r"\bretry_after: \w+": "retry_after: 0s",
    r"\bfall: \w+": "fall: 2",
    r"\brise: \w+": "rise: 1",
    r"\binterval: \w+": "interval: 2s",
    r"(?m)^    timeout: \w+": "    timeout: 2s",
    r"\bcall_timeout: \w+": "call_timeout: 3s",
}
"""Fewer rounds for the same story, and more patience with each answer of a busy machine."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How one command ended."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

    def __str__(self) -> str:
        return f"$ failover {' '.join(self.words)}\n{self.out}{self.err}exit {self.code}"


@dataclass(slots=True)
class Play:
    """Commands run in `directory`. Everything that they print is kept in `said`."""

    directory: Path
    said: list[str] = field(default_factory=list)
    known: dict[str, tuple[str, int]] = field(default_factory=dict)
    forks: Forks = FORKS

    # ------------------------------------------------------------------------------------ commands

    def run(
        self,
        *words: str,
        code: int | Sequence[int] = 0,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        death: Death | None = None,
        kill_when: Callable[[], object] | None = None,
    ) -> Ran:
        """Run one command to its end. It must end by itself, unless it is killed, and with (one of) the code(s)."""
        at, with_ = cwd or self.directory, environment(env)
        ended = self.forks.run(words, cwd=at, env=with_, timeout_s=COMMAND_S, death=death, kill_when=kill_when)
        ran = self.keep(words, *ended)
        assert ran.code in ([code] if isinstance(code, int) else code), str(ran)
        assert "Traceback" not in ran.err, str(ran)
        return ran

    def keep(self, words: Sequence[str], code: int, out: str, err: str) -> Ran:
        ran = Ran(tuple(words), code, out, err)
        self.said.append(str(ran))
        return ran

    def ask(self, *words: str, code: int | Sequence[int] = 0) -> dict[str, Any]:
        """The one object that a command prints with `-o json`."""
        document = self.run(*words, "-o", "json", code=code).document
        assert document["schema_version"] == 1
        return document

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """A command that goes on beside; end it by `end`."""
        return subprocess.Popen(
            [*FAILOVER, *words],
            cwd=self.directory,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, process: "subprocess.Popen[str]", *words: str) -> Ran:
        """Wait for a command that was started."""
        try:
            out, err = process.communicate(timeout=COMMAND_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return self.keep(words, process.returncode, out, err)

    # ------------------------------------------------------------------------------------ the story

    def status(self) -> dict[str, Any]:
        return self.ask("status")

    def site(self, name: str) -> dict[str, Any]:
        """One site of `failover status`."""
        (found,) = [s for s in self.status()["sites"] if s["name"] == name]
        assert isinstance(found, dict)
        return found

    def check(self, code: int | Sequence[int] = 0) -> dict[str, Any]:
        return self.ask("check", code=code)

    def check_until(self, wanted: Callable[[dict[str, Any]], object], *, pause_s: float = 0.0) -> dict[str, Any]:
        """Check as cron does, again and again, until its answer is as wanted."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            found = self.check()
            if wanted(found):
                return found
            assert time.monotonic() < deadline, f"this did not come about:\n{self.said[-1]}"
            time.sleep(pause_s)

    def begin(self) -> None:
        """The first `apply`, and checks until every site is ready."""
        self.run("apply", "--yes")
        self.check_until(_all_well)

    def settle(self, active: str = "aurora") -> None:
        """Whatever a test left behind: everything runs, `active` serves, and every site is ready."""
        self.run("local", "start")
        self.run("unpause")
        if self._reopen():
            self.run("apply", "--yes", code=(0, 1))
        if self.check_until(lambda c: not c["debts"] and c["decision"] != "continue")["active_site"] != active:
            self.run("cutover", active, "--yes")
        self.check_until(_all_well)

    def _reopen(self) -> bool:
        """Whether something must be applied: an account was closed, or a node does not run."""
        clouds = self.ask("local", "list")["clouds"]
        closed = [c["name"] for c in clouds if c["account"] != "active"]
        for name in closed:
            self.run("local", "reopen", name)
        return bool(closed) or any(n["state"] != "running" for c in clouds for n in c["nodes"])

    def nodes(self, cloud: str) -> list[dict[str, Any]]:
        (found,) = [c for c in self.ask("local", "list")["clouds"] if c["name"] == cloud]
        nodes = found["nodes"]
        assert isinstance(nodes, list)
        return nodes

    def servers(self) -> dict[str, tuple[str, int]]:
        """Address and port of each DNS host, which they keep."""
        if not self.known:
            self.known.update({h["name"]: _address(h["server"]) for h in self.ask("local", "list")["dns"]})
        return self.known

    # ------------------------------------------------------------------------------------ files

    @property
    def config(self) -> Path:
        return self.directory / "failover.yaml"

    @property
    def local(self) -> Path:
        return self.directory / ".failover" / "local"

    @property
    def secret(self) -> str:
        return (self.directory / "secrets" / "guestbook-key").read_text().strip()

    def hide(self, name: str, secret: str) -> None:
        """In a private file beside the config."""
        (self.directory / name).touch(0o600)
        (self.directory / name).write_text(f"{secret}\n")

    def edit(self, changes: Mapping[str, str]) -> None:
        """Replace texts (regular expressions) of the config; each must stand there."""
        text = self.config.read_text()
        for old, new in changes.items():
            text, count = re.subn(old, new, text)
            assert count, old
        self.config.write_text(text)

    def daemon(self, kind: str, name: str) -> int:
        """The process id of `clouds`, `dns` or `controls` NAME."""
        found = json.loads((self.local / kind / name / "daemon.json").read_text())["pid"]
        assert isinstance(found, int)
        return found

    def close(self) -> None:
        """Stop every daemon, and prove that nothing is left running."""
        if self.config.exists() and self.local.exists():
            # By a config that surely can be read: the test may have spoilt its own.
            spare = self.directory / ".stop.yaml"
            spare.write_text(_STOP.format(root=self.local))
            self.run("-c", str(spare), "local", "stop")
        deadline = time.monotonic() + PATIENCE_S
        while left := processes_under(self.directory):
            assert time.monotonic() < deadline, f"left running: {left}"
            time.sleep(0.05)


def _all_well(check: dict[str, Any]) -> bool:
    return set(check["verdicts"].values()) == {"UP"} and not check["debts"] and check["decision"] == "hold"


_STOP = """\
version: 1
service: stop
local: {{root: {root}}}
sites: {{one: {{addresses: {{web: [127.0.0.1]}}}}, two: {{addresses: {{web: [127.0.0.2]}}}}}}
dns:
  zones: [stop.test]
  hosts: {{ns1: {{kind: local}}}}
  records: {{www.stop.test: {{type: A, nodes: web}}}}
checks: {{tcp: {{tcp: "{{address}}:1"}}}}
"""


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours, without what would point a command at another config."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FAILOVER_")}
    return {**kept, **(more or {})}


def playground(directory: Path, changes: Mapping[str, str] | None = None) -> Play:
    """`failover init --local`, with changes to the config. Nothing runs yet."""
    play = Play(directory)
    play.run("init", "--local", str(directory), cwd=directory.parent)
    if changes:
        play.edit(changes)
    return play


def notify_to(play: Play, path: Path) -> None:
    """Have every notice appended to the file, one JSON object a line."""
    program = play.directory / "page.sh"
    program.write_text(f"#!/bin/sh\ncat >> {path}\n")
    program.chmod(0o755)
    with play.config.open("a") as config:
        config.write(f"\nnotify: [{{command: [{program}]}}]\n")


def notices(path: Path) -> list[dict[str, Any]]:
    """What was sent so far."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def until(look: Callable[[], object], what: str = "this") -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + PATIENCE_S
    while not look():
        assert time.monotonic() < deadline, f"{what} did not come about"
        time.sleep(0.05)


def _address(server: str) -> tuple[str, int]:
    match = re.fullmatch(r"(.+):(\d+)", server)
    assert match is not None
    return match[1], int(match[2])
