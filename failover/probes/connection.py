"""Connections that end at a deadline, and what their errors say about the target."""

import errno
import io
import socket
import time
from collections.abc import Callable

from failover.core.model import Failure
from failover.probes.addresses import checked, family
from failover.probes.trouble import Trouble, place

ANSWER_BYTES_MAX = 512 * 1024
_UNREACHABLE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH})


class Limit:
    """The time that one probe has: its own timeout, cut by the end of the round (`until_s`, monotonic)."""

    def __init__(self, timeout_s: float, until_s: float) -> None:
        own_s = time.monotonic() + timeout_s
        self.timeout_s = timeout_s
        self.at_s = min(own_s, until_s)
        self.cut = until_s < own_s
        """The round ends first: running out of time says nothing about the target."""

    def left_s(self) -> float:
        """Seconds left, more than 0. Raises TimeoutError."""
        left_s = self.at_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return left_s


def connect(address: str, port: int, limit: Limit) -> socket.socket:
    """An open TCP connection. Raises Trouble."""
    ip = checked(address)
    try:
        sock = socket.socket(family(ip), socket.SOCK_STREAM)
    except OSError as error:
        raise Trouble(Failure.LOCAL, f"cannot open a socket: {error.strerror}") from None
    try:
        sock.settimeout(limit.left_s())
        sock.connect((address, port))
    except OSError as error:
        sock.close()
        raise connecting_trouble(error, address, port, limit) from None
    except BaseException:
        sock.close()
        raise
    return sock


def connecting_trouble(error: OSError, address: str, port: int, limit: Limit) -> Trouble:
    """What a failed connect says."""
    where = place(address, port)
    if isinstance(error, TimeoutError):
        return Trouble(Failure.CONNECT_TIMEOUT, f"{where} did not accept a connection within {limit.timeout_s:g} s")
    return _other_trouble(error, address, port)


def talking_trouble(error: OSError, address: str, port: int, limit: Limit) -> Trouble:
    """What an error on an open connection says."""
    where = place(address, port)
    if isinstance(error, TimeoutError):
        return Trouble(Failure.READ_TIMEOUT, f"{where} did not finish its answer within {limit.timeout_s:g} s")
    return _other_trouble(error, address, port)


def _other_trouble(error: OSError, address: str, port: int) -> Trouble:
    """Errors that are not known to come from the other side are our own trouble.

    "Unreachable" comes from both sides: without a route of our own it is ours; with one, a router on the way said so,
    as happens when a provider withdraws a customer's network. If it was our own router, the controls fail as well.
    """
    where = place(address, port)
    if isinstance(error, ConnectionRefusedError):
        return Trouble(Failure.REFUSED, f"{where} refused the connection")
    if isinstance(error, ConnectionError) or error.errno == errno.ENOTCONN:
        return Trouble(Failure.RESET, f"{where} reset the connection")
    if error.errno in _UNREACHABLE and _has_route(address, port):
        return Trouble(Failure.REFUSED, f"{where} is unreachable: a router on the way refused")
    return Trouble(Failure.LOCAL, f"{where} could not be asked from here: {error.strerror or type(error).__name__}")


def _has_route(address: str, port: int) -> bool:
    """Connecting a datagram socket asks the routing table and sends nothing."""
    try:
        with socket.socket(family(checked(address)), socket.SOCK_DGRAM) as sock:
            sock.connect((address, port))
            return True
    except OSError:
        return False


class LimitedSocket:
    """The three methods that http.client needs of a socket: one deadline for all of them, and a bounded total size.

    A timeout of the socket bounds each read only: a server that sends one byte a second would never end.
    Past ANSWER_BYTES_MAX, reads raise what `flood` makes.
    """

    def __init__(self, sock: socket.socket, limit: Limit, flood: Callable[[], Trouble]) -> None:
        self._sock = sock
        self._limit = limit
        self._flood = flood

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(self._limit.left_s())
        self._sock.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002 - always asked for with "rb"
        return io.BufferedReader(_LimitedStream(self._sock, self._limit, self._flood))

    def close(self) -> None:
        """Does nothing: the socket belongs to who opened it."""


class _LimitedStream(io.RawIOBase):
    def __init__(self, sock: socket.socket, limit: Limit, flood: Callable[[], Trouble]) -> None:
        super().__init__()
        self._sock = sock
        self._limit = limit
        self._flood = flood
        self._bytes_left = ANSWER_BYTES_MAX

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override] # typeshed asks for any buffer
        if self._bytes_left <= 0:
            raise self._flood()
        self._sock.settimeout(self._limit.left_s())
        count = self._sock.recv_into(buffer)
        self._bytes_left -= count
        return count
