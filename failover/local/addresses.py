"""Loopback addresses of their own for nodes, so that several may use the same port."""

import contextlib
import errno
import ipaddress
import secrets
import socket
from collections.abc import Collection, Sequence

FIRST = int(ipaddress.IPv4Address("127.16.0.0"))
LAST = int(ipaddress.IPv4Address("127.250.255.254"))
_TRIES = 50


class NoAddress(Exception):
    """Why no address could be had, as a sentence."""


def pick(ports: Sequence[int], used: Collection[str]) -> str:
    """A random address that nobody uses, on which every one of the ports is free now. Raises NoAddress."""
    why = ""
    for _ in range(_TRIES):
        address = str(ipaddress.IPv4Address(FIRST + secrets.randbelow(LAST - FIRST + 1)))
        if address in used:
            continue
        try:
            _bind_all(address, ports)
        except OSError as error:
            why = error.strerror or str(error)
            if error.errno in (errno.EACCES, errno.EPERM):
                break
        else:
            return address
    raise NoAddress(f"ports {', '.join(map(str, ports))} cannot be had on any loopback address: {why}")


def _bind_all(address: str, ports: Sequence[int]) -> None:
    with contextlib.ExitStack() as stack:
        for port in ports:
            trial = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((address, port))
            trial.listen(1)  # with SO_REUSEADDR only this shows a listener on 0.0.0.0
