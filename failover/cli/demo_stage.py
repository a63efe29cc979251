"""The demo's stage: a playground in a directory, the public command line, and every process that the demo starts."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from failover.errors import FailoverError

LEAVE_S = 5.0
"""How long a process may take to vanish after it was told to."""
STOP_S = 10.0
"""How long a process may take to end by itself."""


class DemoFailed(FailoverError):
    """Something of the demo did not happen."""


class Stage:
    """Runs `failover …` in the playground's directory as anybody would, and takes everything down at the end."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.logs = directory / "logs"
        self.play = directory / "play"
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._strangers = frozenset(processes_under(directory))
        self.logs.mkdir(parents=True)

    def run(self, *words: str, timeout_s: float = 60.0, cwd: Path | None = None) -> str:
        """Run one command to its end; returns its standard output. Raises DemoFailed when it fails or hangs."""
        name = f"failover {' '.join(words)}"
        try:
            done = subprocess.run(
                _command(words),
                cwd=cwd or self.play,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout_s,
                check=False,
                start_new_session=True,
            )
        except subprocess.TimeoutExpired as error:
            raise DemoFailed("run", f"`{name}`", f"it did not end within {timeout_s:g} s") from error
        out, problems = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        with (self.logs / "commands.log").open("a", encoding="utf-8") as log:
            log.write(f"$ {name}\n{out}{problems}exit {done.returncode}\n\n")
        if done.returncode != 0:
            last = (problems.strip() or out.strip() or "it said nothing").splitlines()[-3:]
            raise DemoFailed("run", f"`{name}`", f"exit {done.returncode}: {' | '.join(last)}")
        return out

    def ask(self, *words: str) -> dict[str, Any]:
        """The one JSON object that a command prints with `--output json`."""
        out = self.run(*words, "--output", "json")
        try:
            found = json.loads(out)
        except ValueError as error:
            raise DemoFailed("read the answer of", f"`failover {' '.join(words)}`", "it is not JSON") from error
        if not isinstance(found, dict):
            raise DemoFailed("read the answer of", f"`failover {' '.join(words)}`", "it is not one object")
        return found

    def start(self, name: str, *words: str, module: str = "failover") -> None:
        """Start a process that goes on beside; its output goes to a log of that name."""
        with (self.logs / f"{name}.log").open("ab") as log:
            self._children[name] = subprocess.Popen(
                _command(words, module),
                cwd=self.play,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def check_children(self) -> None:
        """Raises DemoFailed when one of them has ended though nobody asked it to."""
        for name, child in self._children.items():
            if child.poll() is not None:
                lines = (self.logs / f"{name}.log").read_text(errors="replace").strip().splitlines()[-3:]
                raise DemoFailed("keep running", name, f"it ended with exit {child.returncode}: {' | '.join(lines)}")

    def stop(self, name: str) -> None:
        """End one process: politely, then not."""
        child = self._children.pop(name, None)
        if child is None:
            return
        child.terminate()
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def close(self) -> list[str]:
        """End everything. Returns a sentence for each thing that did not end.

        Nothing is killed by its looks: a shell of yours may stand in this directory too.
        """
        for name in list(self._children):
            self.stop(name)
        problems = []
        if (self.play / "failover.yaml").exists():
            try:
                self.run("local", "stop", timeout_s=30.0)
            except DemoFailed as error:
                problems.append(str(error))
        return problems + [f"process {pid} is left over: {_words(pid)}" for pid in self._left_over()]

    def _left_over(self) -> list[int]:
        """The processes that still belong to this directory after a moment, except those that did before."""
        until_s = time.monotonic() + LEAVE_S
        while (pids := set(processes_under(self.directory)) - self._strangers) and time.monotonic() < until_s:
            time.sleep(0.05)
        return sorted(pids)

    def remove(self) -> None:
        shutil.rmtree(self.directory)


def _command(words: tuple[str, ...], module: str = "failover") -> list[str]:
    # -P: the playground's own directories must not be taken for Python modules.
    return [sys.executable, "-P", "-m", module, *words]


def _environment() -> Mapping[str, str]:
    """Ours, without what would point the commands at another config."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FAILOVER_")}
    return {**kept, "NO_COLOR": "1"}


def processes_under(directory: Path) -> list[int]:
    """Every process, except this one, that works in the directory or names it on its command line."""
    return [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and int(entry.name) != os.getpid() and _belongs(entry, str(directory))
    ]


def _belongs(process: Path, directory: str) -> bool:
    try:
        if (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return False  # it has ended; only its parent has not asked yet
        where = os.readlink(process / "cwd")
        words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return False  # it has gone, or is not ours
    return any(_within(place, directory) for place in (where, *words))


def _within(place: str, directory: str) -> bool:
    return place == directory or place.startswith(f"{directory}/")


def _words(pid: int) -> str:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return "(gone)"
