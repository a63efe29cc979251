"""A clean room with an init system of its own: systemd as the first process, from one loss of power to the next."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.servers.clean_room import CLEAN, Room, eventually
from tests.servers.tools import need

_INIT = """\
set -e
cd "$1"
mount --make-rprivate /
mount -t proc proc proc && mount --bind proc/sys proc/sys && mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys && mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for node in null zero full random urandom tty; do touch dev/$node && mount --bind /dev/$node dev/$node; done
mkdir dev/shm dev/pts && mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx && ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=755 tmpfs run
hostname node
exec chroot . /usr/bin/env -i container=failover /lib/systemd/systemd --log-target=null
"""
"""The kernel's own settings are this machine's too: there they can only be read."""
ON = ("running", "degraded")
PATIENCE_S = 60.0
_INTO = 'echo $$ >"$0/cgroup.procs" && exec "$@"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Booted:
    """`init` is the first process, seen from outside."""

    room: Room
    init: int

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        into = ["nsenter", f"--target={self.init}", "--mount", "--net", "--pid", "--ipc", "--uts", "--cgroup"]
        full = [*into, "chroot", f"{self.room.directory}/root", *command]
        return subprocess.run(full, capture_output=True, text=True, timeout=60, env=CLEAN)

    def must(self, *command: str) -> str:
        done = self.run(*command)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def first_boot(self, user_data: str) -> None:
        """What cloud-init does with `runcmd`. Only when a node is new."""
        for command in YAML(typ="safe").load(user_data)["runcmd"]:
            self.must(*command)

    def started(self, unit: str) -> int:
        """The process of the service, once there is one."""
        return int(eventually(lambda: int(self.must("systemctl", "show", "-P", "MainPID", unit))))


@contextlib.contextmanager
def booted(room: Room) -> Iterator[Booted]:
    """The room, switched on. At the end the power goes: what was written so far is there at the next start."""
    with _cgroup(room.directory.name) as cgroup:
        unshare = ["unshare", "--mount", "--pid", "--ipc", "--uts", "--cgroup", "--fork", "--kill-child"]
        init = room.inside(*unshare, "sh", "-c", _INIT, "sh", f"{room.directory}/root")
        process = subprocess.Popen(["sh", "-c", _INTO, str(cgroup), *init], stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        try:
            machine = Booted(room=room, init=_first(process))
            eventually(lambda: machine.run("systemctl", "is-system-running").stdout.strip() in ON, PATIENCE_S)
            yield machine
        finally:
            with contextlib.suppress(ProcessLookupError, AssertionError):
                os.kill(_child(_child(process.pid)), 9)
            process.kill()
            process.wait()
            process.stderr.close()


def _first(process: "subprocess.Popen[str]") -> int:
    """The first process of the new machine: nsenter's child's child, once it is systemd."""

    def look() -> int:
        if process.poll() is not None:
            assert process.stderr is not None
            pytest.fail(f"it does not boot: {process.stderr.read()}")
        with contextlib.suppress(OSError, IndexError):
            init = _child(_child(process.pid))
            return init if Path(f"/proc/{init}/comm").read_text() == "systemd\n" else 0
        return 0

    return int(eventually(look))


def _child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


@contextlib.contextmanager
def _cgroup(name: str) -> Iterator[Path]:
    """A control group of the unified hierarchy for one machine."""
    need("systemctl", "systemd")
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    root = next((Path(words[1]) for words in mounts if words[2] == "cgroup2"), None)
    if root is None or not os.access(root, os.W_OK):
        pytest.skip("this machine's kernel has no unified hierarchy of control groups to write to, which systemd needs")
    made = root / f"failover-test-{os.getpid()}-{name}"
    made.mkdir()
    try:
        yield made
    finally:
        eventually(lambda: "populated 0" in (made / "cgroup.events").read_text())
        for folder, _, _ in os.walk(made, topdown=False):
            os.rmdir(folder)
