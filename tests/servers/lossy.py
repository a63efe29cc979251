"""A cable that loses packets, between two networks of the test's own: a TUN device at each end, and we in between.

The kernel's own lossy cable (`tc … netem`) is not in every kernel; TUN devices are, and losses drawn from a seed can be
counted.
"""

import fcntl
import os
import random
import select
import struct
import threading
from pathlib import Path

import pytest

from tests.servers.network import Network

_TUN = Path("/dev/net/tun")
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
"""linux/if_tun.h"""
PACKET_BYTES_MAX = 65535


def _plugged(network: Network, here: str) -> int:
    """One end: packets that the network sends to the other can be read from it, and the other way round."""
    if not _TUN.exists():
        pytest.skip("this kernel has no TUN devices")
    with network.inside():
        fd = os.open(_TUN, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", b"lossy", _IFF_TUN | _IFF_NO_PI))
    network.ip("addr", "add", f"{here}/24", "dev", "lossy")
    network.ip("link", "set", "lossy", "up")
    return fd


class LossyCable:
    """Joins two networks until the end of the `with` block. `loss` (0 to 1) may be changed meanwhile."""

    def __init__(self, near: Network, far: Network, *, near_address: str, far_address: str, seed: int = 1) -> None:
        self.loss = 0.0
        self.lost = 0
        self._random = random.Random(seed)
        self._ends = (_plugged(near, near_address), _plugged(far, far_address))
        self._stop_read, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._carry)

    def __enter__(self) -> "LossyCable":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._stop)
        self._thread.join()
        for fd in (self._stop_read, *self._ends):
            os.close(fd)

    def _carry(self) -> None:
        other = dict(zip(self._ends, reversed(self._ends), strict=True))
        while True:
            ready, _, _ = select.select([self._stop_read, *self._ends], [], [])
            if self._stop_read in ready:
                return
            for fd in ready:
                packet = os.read(fd, PACKET_BYTES_MAX)
                if self._random.random() < self.loss:
                    self.lost += 1
                else:
                    os.write(other[fd], packet)
