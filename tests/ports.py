"""Ports by number, for servers that must be told one, and for places where nobody shall listen.

Nobody else takes one between choice and use: they lie below those that Linux gives to outgoing connections and to
who asks for any port (`ip_local_port_range`, from 32768 on), and each test process has a block of them for itself.
"""

import itertools
import socket
from collections.abc import Iterator
from functools import cache

FIRST = 12_000
BLOCK, BLOCKS = 200, 100


def free_port(*addresses: str) -> int:
    """One that is free for TCP and UDP at all of these addresses; at 127.0.0.1 when none is named."""
    wanted = addresses or ("127.0.0.1",)
    for port in itertools.islice(_ports(), BLOCK):
        if all(_free(address, port, kind) for address in wanted for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)):
            return port
    raise AssertionError(f"no port is free at {', '.join(wanted)}")


def _free(address: str, port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind) as trial:
        try:
            trial.bind((address, port))
        except OSError:
            return False
    return True


@cache
def _ports() -> Iterator[int]:
    """Those of this process, again and again."""
    first = FIRST + _block() * BLOCK
    return itertools.cycle(range(first, first + BLOCK))


def _block() -> int:
    """The number of a block that no other process has. An abstract socket is the flag: it falls with the process."""
    for number in range(BLOCKS):
        flag = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            flag.bind(f"\0failover-tests-ports-{number}")
        except OSError:
            flag.close()
            continue
        flag.detach()  # stays open as long as we live
        return number
    raise AssertionError("every block of ports is taken")
