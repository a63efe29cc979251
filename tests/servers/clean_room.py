"""A clean machine to boot a node in: a minimal Debian with python3, in namespaces of its own, without any way out.

The system is built once into `build/`, which `make clean` removes; each room sees it through an overlay in memory.
"""

import contextlib
import fcntl
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.servers.tools import need

BUILD = Path(__file__).resolve().parents[2] / "build"
INCLUDED = "python3,nftables,systemd"
WASTE = ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man")
NOBODY = 65534
TUNNEL = Path(__file__).with_name("tunnel.py")
OPEN = """\
import socket
with socket.socket() as asked:
    print("open" if asked.connect_ex(("127.0.0.1", {port})) == 0 else "closed")
"""
_SETUP = """\
set -e
mount --make-rprivate / && mount -t tmpfs none "$2"
mkdir "$2/up" "$2/work" "$2/root"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/up,workdir=$2/work" "$2/root"
mount -t proc proc "$2/root/proc" && mount --rbind /dev "$2/root/dev"
ip link set lo up
echo ready
exec sleep infinity
"""


def system() -> Path:
    """The root of a minimal Debian. Skips where it cannot be built."""
    debootstrap = need("debootstrap", "debootstrap")
    need("unshare", "util-linux")
    need("ip", "iproute2")
    if os.geteuid() != 0:
        pytest.skip("only root can enter another root")
    suite = _suite()
    root = BUILD / f"clean-root-{suite}-{INCLUDED.replace(',', '-')}"
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "clean-root.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            _build(debootstrap, suite, root)
    return root


def _build(debootstrap: str, suite: str, root: Path) -> None:
    part = root.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    command = [debootstrap, "--variant=minbase", f"--include={INCLUDED}", suite, str(part), *_mirror(suite)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    if done.returncode != 0:
        shutil.rmtree(part, ignore_errors=True)
        reason = f"no clean system could be built: {done.stdout[-300:]}{done.stderr[-300:]}"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    for waste in WASTE:
        shutil.rmtree(part / waste, ignore_errors=True)
    part.rename(root)


def _suite() -> str:
    lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line).get("VERSION_CODENAME", "stable")


def _mirror(suite: str) -> list[str]:
    """Where this machine's own packages come from."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", f"Codename: {suite}"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.split()[:1]


@dataclass(slots=True)
class Room:
    """`keeper` is the process whose namespaces the room consists of."""

    keeper: subprocess.Popen[str]
    directory: Path

    @property
    def root(self) -> Path:
        """Its file system, seen from outside."""
        return Path(f"/proc/{self._pid()}/root{self.directory}/root")

    def _pid(self) -> int:
        children = Path(f"/proc/{self.keeper.pid}/task/{self.keeper.pid}/children").read_text()
        return int(children.split()[0])

    def inside(self, *command: str) -> list[str]:
        """The command line of a program of this machine that shall see the room's network."""
        return ["nsenter", "--target", str(self._pid()), "--mount", "--net", "--pid", *command]

    def entering(self, *command: str, user: int = 0, cwd: str = "/") -> list[str]:
        """The command line of a program of the room."""
        root = f"{self.directory}/root"
        return self.inside(
            "chroot", f"--userspec={user}:{user}", "--groups=", root, "/usr/bin/env", "-C", cwd, *command
        )

    def run(self, *command: str, user: int = 0) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.entering(*command, user=user), capture_output=True, text=True, timeout=60, env=CLEAN)

    def must(self, *command: str) -> str:
        done = self.run(*command)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextlib.contextmanager
    def reaching(self, port: int) -> Iterator[None]:
        """127.0.0.1:port of this machine can be reached there by the same address, as long as the block lasts."""
        with tempfile.TemporaryDirectory() as folder:
            door = f"unix:{folder}/door"
            out = subprocess.Popen([sys.executable, str(TUNNEL), door, f"tcp:{port}"], stderr=subprocess.DEVNULL)
            into = subprocess.Popen(
                self.inside("--", sys.executable, str(TUNNEL), f"tcp:{port}", door), stderr=subprocess.DEVNULL
            )
            try:
                eventually(lambda: Path(folder, "door").exists())
                eventually(lambda: self.ask(OPEN.format(port=port)) == "open\n")
                yield
            finally:
                for process in (into, out):
                    process.terminate()
                    process.wait()

    def ask(self, code: str) -> str:
        """What a Python program of this machine prints that sees the room's network."""
        command = self.inside(sys.executable, "-c", code)
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout


CLEAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


@contextlib.contextmanager
def room(directory: Path) -> Iterator[Room]:
    """A fresh room. Whatever runs in it ends with it."""
    root = system()
    directory.mkdir()
    command = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", _SETUP, "sh"]
    keeper = subprocess.Popen(
        [*command, str(root), str(directory)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert keeper.stdout is not None
    assert keeper.stderr is not None
    try:
        if keeper.stdout.readline() != "ready\n":
            pytest.fail(f"no room: {keeper.stderr.read()}")
        yield Room(keeper, directory)
    finally:
        keeper.kill()
        keeper.wait()
        keeper.stdout.close()
        keeper.stderr.close()


# ---------------------------------------------------------------------------------------------- what boots there


@dataclass(slots=True)
class Unit:
    """What a systemd unit says, as far as the room can follow it."""

    text: str

    def values(self, key: str) -> list[str]:
        return [line.split("=", 1)[1] for line in self.text.splitlines() if line.startswith(f"{key}=")]

    @property
    def before(self) -> list[str]:
        (line,) = self.values("ExecStartPre")
        return _words(line.removeprefix("+"))

    @property
    def command(self) -> list[str]:
        (line,) = self.values("ExecStart")
        return _words(line)

    def environment(self, files: Path) -> dict[str, str]:
        """Its variables; its file, which stands below `files`, is read as a shell would."""
        (name,) = self.values("EnvironmentFile")
        script = 'set -a; . "$0"; exec /usr/bin/env -0'
        command = ["/bin/sh", "-c", script, str(files.joinpath(name.lstrip("-/")))]
        found = subprocess.run(command, capture_output=True, check=True, env={}).stdout.decode().split("\0")
        words = [word for line in self.values("Environment") for word in shlex.split(line)]
        return dict(word.split("=", 1) for word in (*words, *found) if word and not word.startswith("PWD="))


def _words(line: str) -> list[str]:
    return [word.replace("%%", "%").replace("$$", "$") for word in shlex.split(line)]


def lay_out(user_data: str, root: Path) -> Unit:
    """What cloud-init does with `write_files`; returns the service's unit."""
    document: Mapping[str, Any] = YAML(typ="safe").load(user_data)
    unit = ""
    for file in document["write_files"]:
        path = root / file["path"].lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file["content"], encoding="utf-8")
        path.chmod(int(file.get("permissions", "0644"), 8))
        if path.suffix == ".service":
            unit = file["content"]
    return Unit(unit)


def eventually(look: Any, seconds: float = 20.0) -> Any:
    """What `look` returns as soon as it returns something."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it never came")
