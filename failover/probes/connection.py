"""Connections, and what their errors say about the target."""

import errno
import os
import socket
from dataclasses import dataclass

from failover.core.model import Failure
from failover.probes.addresses import Pinned, family
from failover.probes.loop import FULL, Talk
from failover.probes.trouble import Trouble, place

RECEIVE_BYTES = 64 * 1024
_UNREACHABLE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH})
_UNDER_WAY = frozenset({errno.EINPROGRESS, errno.EALREADY, errno.EINTR})
_NO_DESCRIPTOR = frozenset({errno.EMFILE, errno.ENFILE})


@dataclass(frozen=True, slots=True)
class Place:
    """Where to ask, and how long the whole probe may take."""

    address: Pinned
    port: int
    timeout_s: float

    def __str__(self) -> str:
        return place(self.address, self.port)


class Stream:
    """One open connection. Every method raises Trouble when the connection breaks, and when time is over."""

    later: tuple[type[OSError], ...] = (BlockingIOError,)
    """What the socket raises when it has to wait."""

    def __init__(self, sock: socket.socket, place: Place) -> None:
        self.sock = sock
        self.place = place

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> Talk[None]:
        """All of it."""
        try:
            while data:
                try:
                    data = data[self.sock.send(data) :]
                except self.later:
                    yield self.sock
        except OSError as error:
            raise self.trouble(error) from None

    def receive(self) -> Talk[bytes]:
        """What comes next, up to RECEIVE_BYTES; b"" when the other side has closed."""
        try:
            while True:
                try:
                    return self.sock.recv(RECEIVE_BYTES)
                except self.later:
                    yield self.sock
        except OSError as error:
            raise self.trouble(error) from None

    def trouble(self, error: OSError) -> Trouble:
        return talking_trouble(error, self.place)


def open_socket(address: Pinned, kind: socket.SocketKind) -> Talk[socket.socket]:
    """A socket of the right family that never blocks. Raises Trouble (LOCAL)."""
    while True:
        try:
            return socket.socket(family(address), kind | socket.SOCK_NONBLOCK)
        except OSError as error:
            if error.errno not in _NO_DESCRIPTOR:
                raise Trouble(Failure.LOCAL, f"cannot open a socket: {error.strerror}") from None
        try:
            yield FULL
        except OSError as error:
            raise Trouble(Failure.LOCAL, f"cannot open a socket: {error.strerror}") from None


def connect(place: Place) -> Talk[Stream]:
    """An open TCP connection. Raises Trouble."""
    sock = yield from open_socket(place.address, socket.SOCK_STREAM)
    try:
        while (code := sock.connect_ex((place.address, place.port))) in _UNDER_WAY:
            yield sock
        if code not in (0, errno.EISCONN):
            raise OSError(code, os.strerror(code))
    except OSError as error:
        sock.close()
        raise connecting_trouble(error, place) from None
    except BaseException:
        sock.close()
        raise
    return Stream(sock, place)


def connecting_trouble(error: OSError, place: Place) -> Trouble:
    """What a failed connect says."""
    if isinstance(error, TimeoutError):
        detail = f"{place} did not accept a connection within {place.timeout_s:g} s"
        return Trouble(Failure.CONNECT_TIMEOUT, detail)
    return _other_trouble(error, place)


def talking_trouble(error: OSError, place: Place) -> Trouble:
    """What an error on an open connection says."""
    if isinstance(error, TimeoutError):
        return Trouble(Failure.READ_TIMEOUT, f"{place} did not finish its answer within {place.timeout_s:g} s")
    return _other_trouble(error, place)


def _other_trouble(error: OSError, place: Place) -> Trouble:
    """Errors that are not known to come from the other side are our own trouble.

    "Unreachable" comes from both sides: without a route of our own it is ours; with one, a router on the way said so,
    as happens when a provider withdraws a customer's network. If it was our own router, the controls fail as well.
    """
    if isinstance(error, ConnectionRefusedError):
        return Trouble(Failure.REFUSED, f"{place} refused the connection")
    if isinstance(error, ConnectionError) or error.errno == errno.ENOTCONN:
        return Trouble(Failure.RESET, f"{place} reset the connection")
    if error.errno in _UNREACHABLE and _has_route(place):
        return Trouble(Failure.REFUSED, f"{place} is unreachable: a router on the way refused")
    return Trouble(Failure.LOCAL, f"{place} could not be asked from here: {error.strerror or type(error).__name__}")


def _has_route(place: Place) -> bool:
    """Connecting a datagram socket asks the routing table and sends nothing."""
    try:
        with socket.socket(family(place.address), socket.SOCK_DGRAM) as sock:
            sock.connect((place.address, place.port))
            return True
    except OSError:
        return False
