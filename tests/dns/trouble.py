"""Requests that write made to end badly, for `failover.testing.dns_trouble`: at stand-ins, in memory, by updates."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import dns.opcode
import dns.rcode
import pytest

from failover.errors import AccessRefused, AdapterError, Throttled, TimedOut
from failover.local.nameserver import NameServer
from failover.testing.dns import End
from failover.testing.memory_dns import MemoryDns, ReplyLost
from tests.dns.scripted import reply
from tests.standins.base import Fault, StandIn

FAULTS = {
    End.BROKEN: Fault.BROKEN,
    End.GATEWAY: Fault.GATEWAY,
    End.DROPPED: Fault.DROP,
    End.LOST: Fault.LOST,
    End.THROTTLED: Fault.THROTTLED,
    End.REFUSED: Fault.REFUSED,
}
ERRORS: dict[End, type[AdapterError]] = {End.THROTTLED: Throttled, End.REFUSED: AccessRefused}


@contextmanager
def spoiled(standin: StandIn, writing: str, end: End, after: int) -> Iterator[None]:
    """`writing`: a pattern of the requests that write."""
    standin.fault(writing, FAULTS[end], times=None, skip=after, retry_after_s=0)
    yield
    standin.mend()


@contextmanager
def one_by_one(standin: StandIn, writing: str, end: End, after: int) -> Iterator[None]:
    """Likewise, where each change is one request."""
    if after:
        pytest.skip("all of a change is one request")
    with spoiled(standin, writing, end, after):
        yield


@contextmanager
def memory_spoiled(host: MemoryDns, end: End, after: int) -> Iterator[None]:
    """It says itself what it knows of its outcome. Better than grade 3 it is one transaction."""
    one = host.traits().grade < 3
    if one and after:
        pytest.skip("all of a change is one transaction")
    writes, kind = count(), "apply" if one else "write"

    def fault(operation: str) -> Exception | None:
        if operation != kind or next(writes) < after:
            return None
        return ReplyLost() if end is End.LOST else ERRORS.get(end, TimedOut)("change DNS", "", end.value)

    host.faults = fault
    yield
    host.faults = lambda _: None


class Relay:
    """The way to a name server, on which updates may end badly: the script of a `Scripted`."""

    def __init__(self, server: NameServer) -> None:
        self._server = server
        self._end: End | None = None
        self._after = 0

    @contextmanager
    def spoiled(self, end: End, after: int) -> Iterator[None]:
        if end is End.THROTTLED:
            pytest.skip("DNS has no such answer")
        self._end, self._after = end, after
        yield
        self._end = None
        self._server.set_fault("none")

    def __call__(self, wire: bytes) -> bytes | None:
        if self._end is None or wire[2] >> 3 & 15 != dns.opcode.UPDATE:
            return self._passed_on(wire)
        self._after -= 1
        if self._after >= 0:
            return self._passed_on(wire)
        match self._end:
            case End.BROKEN:
                return reply(wire, lambda answer: answer.set_rcode(dns.rcode.SERVFAIL))
            case End.GATEWAY:
                return wire[:2] + b"<html>502 Bad Gateway</html>"
            case End.REFUSED:
                self._server.set_fault("refuse-updates")
                return self._passed_on(wire)
            case End.LOST:
                self._passed_on(wire)
        return None

    def _passed_on(self, wire: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self._server.port), timeout=30) as way, way.makefile("rb") as back:
            way.sendall(len(wire).to_bytes(2) + wire)
            return back.read(int.from_bytes(back.read(2)))
