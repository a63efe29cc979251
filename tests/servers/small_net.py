"""A small internet of network namespaces on one bridge: every host of it has an address and routes of its own."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from tests.servers.tools import need

PREFIX = "192.0.2."


@dataclass(slots=True)
class SmallNet:
    """Hosts by name. Cuts are blackhole routes: what they swallow is gone without a word, as on a real cut."""

    tag: str
    hosts: dict[str, str] = field(default_factory=dict)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def address(self, host: str) -> str:
        return self.hosts[host]

    def run(self, host: str, *words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([*self.entering(host), *words], check=check, capture_output=True, text=True, timeout=60)

    def start(self, host: str, words: Sequence[str], **options: object) -> "subprocess.Popen[bytes]":
        """A process there, ended with the net."""
        process = subprocess.Popen([*self.entering(host), *words], **options)  # type: ignore[call-overload]
        self.processes.append(process)
        assert isinstance(process, subprocess.Popen)
        return process

    def cut(self, host: str, *to: str) -> None:
        """What `host` sends to these hosts is swallowed; their packets still come."""
        for other in to:
            self.run(host, "ip", "route", "replace", "blackhole", f"{self.hosts[other]}/32")

    def heal(self) -> None:
        for host in self.hosts:
            self.run(host, "ip", "route", "flush", "type", "blackhole", check=False)

    def others(self, host: str) -> list[str]:
        return [name for name in self.hosts if name != host]

    def entering(self, host: str) -> list[str]:
        """How the command line of a process there begins."""
        return ["ip", "netns", "exec", self._space(host)]

    def _space(self, host: str) -> str:
        return f"{self.tag}-{host}"

    def add(self, host: str) -> None:
        number, space = len(self.hosts) + 1, self._space(host)
        self.hosts[host] = f"{PREFIX}{number + 10}"
        link = f"{self.tag[-6:]}v{number}"
        _ip("netns", "add", space)
        _ip("-n", self._space("net"), "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", space)
        _ip("-n", self._space("net"), "link", "set", link, "master", "br0", "up")
        _ip("-n", space, "address", "add", f"{self.hosts[host]}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", space, "link", "set", device, "up")

    def open(self) -> None:
        _ip("netns", "add", self._space("net"))
        _ip("-n", self._space("net"), "link", "add", "br0", "type", "bridge")
        _ip("-n", self._space("net"), "link", "set", "br0", "up")

    def close(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for host in ("net", *self.hosts):
            _ip("netns", "delete", self._space(host), check=False)


def _ip(*words: str, check: bool = True) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0 or not check, f"ip {' '.join(words)}: {done.stderr}"


@contextmanager
def small_net(*hosts: str) -> Iterator[SmallNet]:
    """A net of these hosts. Skips where namespaces cannot be made; under CI=true that fails."""
    need("ip", "iproute2")
    net = SmallNet(tag=f"fo{os.getpid()}")
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("only root can make network namespaces")
    try:
        net.open()
        for host in hosts:
            net.add(host)
        yield net
    finally:
        net.close()
