"""The supervisor: a cloud's nodes as child processes. Everything here runs in the loop's thread only.

A node's folder `nodes/ID/` holds `release/` (its own copy, the working directory), `home/`, `environment.json`, `log`.
"""

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from failover.errors import StateDamaged
from failover.local.files import read_json, write_private
from failover.local.ledger import NodeRecord
from failover.local.process import Identity, identify, kill_marked

MARK = "FAILOVER_NODE"
"""Every process of a node has this in its environment, whatever it forks."""
GRACE_S = 2.0
LOG_BYTES_MAX = 1024 * 1024
_LAUNCH = Path(__file__).with_name("launch.py")
_POLL_S = 0.02


def lay_out(folder: Path, environment: Mapping[str, str]) -> Path:
    """Make a new node's folder with its private environment; returns where its release goes."""
    (folder / "home").mkdir(parents=True, mode=0o700)
    write_private(folder / "environment.json", json.dumps(dict(environment)))
    return folder / "release"


def _environment(folder: Path, record: NodeRecord) -> dict[str, str]:
    """What the program finds: little of the machine's, the spec's own, and what the cloud tells its nodes."""
    own = read_json(folder / "environment.json")
    if own is None:
        raise StateDamaged("read", str(folder / "environment.json"), "there is no such file")
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
        "HOME": str(folder / "home"),
        "LANG": "C.UTF-8",
        **({"PORT": str(record.ports[0])} if record.ports else {}),
        **{name: str(value) for name, value in own.items()},
        "FAILOVER_ADDRESS": record.address,
        "FAILOVER_SITE": record.labels.get("failover-site", ""),
        "FAILOVER_RELEASE": record.release,
        MARK: record.id,
    }


class Supervisor:
    """Starts, freezes and kills nodes, and notices when one ends."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def folder(self, id: str) -> Path:
        return self._directory / id

    def start(self, record: NodeRecord) -> Identity:
        """Start the node's program. Raises OSError, StateDamaged when its disk is gone."""
        folder = self.folder(record.id)
        environment = _environment(folder, record)
        log = folder / "log"
        long = log.exists() and log.stat().st_size > LOG_BYTES_MAX
        with log.open("wb" if long else "ab") as out:
            child = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_LAUNCH), str(os.getpid()), *shlex.split(record.command)],
                env=environment,
                cwd=folder / "release",
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._children[record.id] = child
        identity = identify(child.pid)
        return identity or Identity(pid=child.pid, start=0, boot_id="")  # ended already: `reap` will tell

    def reap(self) -> dict[str, str]:
        """Nodes that ended by themselves since the last time, and how."""
        ended = [id for id, child in self._children.items() if _has_ended(child)]
        return self.kill(ended) if ended else {}

    def kill(self, ids: Iterable[str]) -> dict[str, str]:
        """Kill the nodes at once, with everything they started; by id how their programs ended."""
        doomed = {id: self._children.pop(id) for id in ids if id in self._children}
        for child in doomed.values():
            _signal_group(child, signal.SIGKILL)
        how = {id: _words(child.wait()) for id, child in doomed.items()}
        kill_marked(MARK, doomed.keys())
        return how

    def kill_all(self) -> None:
        self.kill(list(self._children))

    def stop_all(self) -> None:
        """Ask every node to end, wait a little, then kill."""
        for child in self._children.values():
            _signal_group(child, signal.SIGTERM)
            _signal_group(child, signal.SIGCONT)
        deadline = time.monotonic() + GRACE_S
        while time.monotonic() < deadline and not all(_has_ended(child) for child in self._children.values()):
            time.sleep(_POLL_S)
        self.kill_all()

    def freeze(self) -> None:
        """Every node stands still: connections to it hang."""
        for child in self._children.values():
            _signal_group(child, signal.SIGSTOP)

    def thaw(self) -> None:
        for child in self._children.values():
            _signal_group(child, signal.SIGCONT)

    def clear_strays(self, known: Iterable[str]) -> None:
        """What an earlier daemon left: processes of any node, and folders of nodes that are not known."""
        known = set(known)
        here = {entry.name for entry in self._directory.iterdir()} if self._directory.is_dir() else set()
        kill_marked(MARK, known | here)
        for name in here - known:
            shutil.rmtree(self._directory / name, ignore_errors=True)


def _has_ended(child: subprocess.Popen[bytes]) -> bool:
    """Looks without reaping: until `wait` the pid stays taken, so its group may still be signalled."""
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


def _words(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"
