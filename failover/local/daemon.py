"""What every daemon has in common: its own session, a log, a record of itself, and an end.

A daemon ends on SIGTERM or SIGINT, and by itself when its directory is gone: nothing survives `rm -r`.
"""

import argparse
import importlib
import os
import random
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from failover.errors import FailoverError, LockedError
from failover.local.files import locked
from failover.local.loop import Loop
from failover.local.process import Identity, identify
from failover.local.registry import Record, read_record, write_record

LOOK_EVERY_S = 1.0
LOG_BYTES_MAX = 1024 * 1024
PORTS = range(20_000, 30_000)
"""Below the range for outgoing connections, so that a stopped daemon's port stays free."""
_PORT_TRIES = 50
_READY = b"ready"
SERVICES = {
    "cloud": "failover.local.cloud:CloudService",
    "dns": "failover.local.dnshost:DnsService",
    "control": "failover.local.beacon:BeaconService",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a service answers. `admin_port` takes the operator's orders, None when there are none to take."""

    address: str
    port: int
    admin_port: int | None = None


class Service(Protocol):
    """One kind of daemon."""

    def start(self) -> Endpoint:
        """Bind, and serve on own threads. Raises OSError, FailoverError."""
        ...

    def stop(self) -> None:
        """Serve no longer; every child is gone when this returns. Also called when `start` failed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a service gets. `port_before` is the port of the last run; `tell_fault` writes a fault into the record."""

    directory: Path
    loop: Loop
    port_before: int | None
    tell_fault: Callable[[str | None], None]


def bind_stable(before: int | None, bind: Callable[[int], None]) -> None:
    """Call `bind` with the port of the last run, or with others while that is taken. Raises the last OSError."""
    choices = random.sample(PORTS, _PORT_TRIES)
    last: OSError | None = None
    for port in choices if before is None else [before, *choices]:
        try:
            return bind(port)
        except OSError as error:
            last = error
    raise last or OSError("no port to try")


class Daemon:
    """A service, and what others may know of it."""

    def __init__(self, kind: str, directory: Path) -> None:
        me = identify(os.getpid())
        if me is None:
            raise OSError("/proc does not show this process")
        before = read_record(directory)
        found = directory.stat()
        self._directory = directory
        self._inode = (found.st_dev, found.st_ino)
        self._loop = Loop()
        self._record = Record(identity=me, address="", port=0)
        module, _, name = SERVICES[kind].partition(":")
        context = Context(
            directory=directory,
            loop=self._loop,
            port_before=before.port if before else None,
            tell_fault=self._tell_fault,
        )
        self._service: Service = getattr(importlib.import_module(module), name)(context)

    @property
    def identity(self) -> Identity:
        return self._record.identity

    def serve(self, ready: Callable[[], None]) -> None:
        """Until told to end. `ready` is called once, when the record can be read."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._loop.post(self._loop.end))
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            end = self._service.start()
            self._record = replace(self._record, address=end.address, port=end.port, admin_port=end.admin_port)
            write_record(self._directory, self._record)
            ready()
            self._loop.run(self._look, LOOK_EVERY_S)
        finally:
            self._service.stop()

    def _tell_fault(self, fault: str | None) -> None:
        self._record = replace(self._record, fault=fault)
        write_record(self._directory, self._record)

    def _look(self) -> None:
        try:
            found = self._directory.stat()
            gone = (found.st_dev, found.st_ino) != self._inode
        except FileNotFoundError:
            gone = True
        if gone:
            self._loop.end()


def main(arguments: list[str]) -> int:
    """Start one daemon. Returns 0 when it is ready; the daemon itself goes on as a child of that process's child.

    Otherwise the reason is written to standard error. In the daemon this raises SystemExit at its end.
    """
    parser = argparse.ArgumentParser(prog="python -m failover.local")
    parser.add_argument("kind", choices=sorted(SERVICES))
    parser.add_argument("--directory", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    hear, tell = os.pipe()
    if os.fork():
        os.close(tell)
        return _report(hear)
    os.close(hear)
    os.setsid()
    raise SystemExit(_run(chosen.kind, chosen.directory.absolute(), tell))


def _report(hear: int) -> int:
    """Wait until the daemon says how it went."""
    with open(hear, "rb") as pipe:
        said = pipe.read()
    if said == _READY:
        return 0
    sys.stderr.write(said.decode(errors="replace") or "it ended without a word")
    return 1


def _run(kind: str, directory: Path, tell: int) -> int:
    """The daemon's life: tells `ready`, or why not, and logs what ends it."""
    with open(tell, "wb") as pipe:

        def ready() -> None:
            pipe.write(_READY)
            pipe.close()

        try:
            _redirect(directory / "log")
            with locked(directory / "daemon.lock", wait_s=0.0):
                os.chdir("/")
                Daemon(kind, directory).serve(ready)
        except Exception as error:  # noqa: BLE001 - the edge: nobody above could say what happened
            traceback.print_exc()
            if not pipe.closed:
                pipe.write(_words(error).encode())
            return 1
    return 0


def _words(error: Exception) -> str:
    if isinstance(error, LockedError):
        return "it runs already"
    return str(error) if isinstance(error, FailoverError) else f"{type(error).__name__}: {error}"


def _redirect(log: Path) -> None:
    """Standard input from nowhere, output and errors to the log; a long one begins anew."""
    os.umask(0o077)
    long = log.exists() and log.stat().st_size > LOG_BYTES_MAX
    null = os.open(os.devnull, os.O_RDONLY)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if long else os.O_APPEND), 0o600)
    for source, target in ((null, 0), (out, 1), (out, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(out)
