"""Networks of the test's own (network namespaces), joined by cables, with nothing else in them. Needs root.

A network lives as long as somebody is in it or holds it open; so nothing of it is left over when the test ends.
"""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.servers.tools import need

_CLONE_NEWNET = 0x40000000
"""unshare(2), setns(2): the network of the calling thread alone."""
_libc = ctypes.CDLL(None, use_errno=True)


def _must(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class Network:
    """One network, with its loopback up. Use as a context manager."""

    def __init__(self) -> None:
        self._ip = need("ip", "iproute2")
        self._nsenter = need("nsenter", "util-linux")
        if os.geteuid() != 0:
            pytest.skip("only root can make a network")
        before = _open()
        try:
            _must(_libc.unshare(_CLONE_NEWNET))
            self._fd = _open()
        finally:
            _must(_libc.setns(before, _CLONE_NEWNET))
            os.close(before)
        self.ip("link", "set", "lo", "up")

    def __enter__(self) -> "Network":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    @property
    def path(self) -> str:
        return f"/proc/{os.getpid()}/fd/{self._fd}"

    def entering(self, *command: str) -> list[str]:
        """The command line of a program that shall see this network."""
        return [self._nsenter, f"--net={self.path}", "--", *command]

    def ip(self, *words: str) -> None:
        """ip(8), there."""
        done = subprocess.run(self.entering(self._ip, *words), capture_output=True, text=True)
        assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"

    @contextmanager
    def inside(self) -> Iterator[None]:
        """What this thread opens within the block is of this network, and stays so."""
        before = _open()
        try:
            _must(_libc.setns(self._fd, _CLONE_NEWNET))
            yield
        finally:
            _must(_libc.setns(before, _CLONE_NEWNET))
            os.close(before)

    def serve(self, block: str) -> None:
        """Every address of this block is one of its own."""
        self.ip("route", "add", "local", block, "dev", "lo")

    def cable(self, other: "Network", name: str, here: str, there: str) -> None:
        """A cable to the other network, with an address at each end. It is called `name` here, and `uplink` there."""
        self.ip("link", "add", name, "type", "veth", "peer", "name", "uplink", "netns", other.path)
        self.ip("addr", "add", here, "peer", there, "dev", name)
        self.ip("link", "set", name, "up")
        other.ip("addr", "add", there, "peer", here, "dev", "uplink")
        other.ip("link", "set", "uplink", "up")


def _open() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
