"""Child processes that work for us until a deadline, and are killed when they miss it.

One child serves many requests, one after the other: importing octoDNS costs more than most requests. It ends with us.
"""

import atexit
import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time

from failover.errors import TimedOut, Unreachable, Unreadable

_MODULE = "failover.dns.octodns_worker"
_REPLY_BYTES_MAX = 64 * 1024 * 1024


class Child:
    """One process, for one request at a time."""

    def __init__(self) -> None:
        """Raises Unreachable when it cannot be started."""
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", _MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # what providers say there may hold secrets
                start_new_session=True,
            )
        except OSError as error:
            raise Unreachable("start octoDNS", _MODULE, error.strerror or str(error)) from error
        self._in, self._out = self._process.stdin, self._process.stdout

    def ask(self, request: bytes, until_s: float) -> bytes:
        """One line for one line. Raises TimeoutError, or EOFError when it has ended."""
        assert self._in is not None  # noqa: S101  (pipes, see above)
        try:
            os.set_blocking(self._in.fileno(), False)
            self._send(request + b"\n", until_s)
            return self._receive(until_s)
        except BrokenPipeError as error:
            raise EOFError from error

    def _send(self, data: bytes, until_s: float) -> None:
        assert self._in is not None  # noqa: S101
        view = memoryview(data)
        while view:
            _wait([], [self._in.fileno()], until_s)
            with contextlib.suppress(BlockingIOError):
                view = view[os.write(self._in.fileno(), view[:65536]) :]

    def _receive(self, until_s: float) -> bytes:
        assert self._out is not None  # noqa: S101
        data = bytearray()
        while not data.endswith(b"\n"):
            _wait([self._out.fileno()], [], until_s)
            part = os.read(self._out.fileno(), 1 << 20)
            if not part or len(data) > _REPLY_BYTES_MAX:
                raise EOFError
            data += part
        return bytes(data)

    def end(self) -> None:
        """Kill it with all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._in, self._out):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _wait(readable: list[int], writable: list[int], until_s: float) -> None:
    """Raises TimeoutError."""
    left_s = until_s - time.monotonic()
    if left_s <= 0 or not any(select.select(readable, writable, [], left_s)):
        raise TimeoutError


class Children:
    """Lends out idle children, one to each thread that asks."""

    def __init__(self) -> None:
        self._idle: list[Child] = []
        self._lock = threading.Lock()

    def ask(self, request: bytes, deadline_s: float, operation: str, object: str) -> bytes:
        """Raises TimedOut, and then the child is dead; Unreadable when it ended by itself."""
        until_s = time.monotonic() + deadline_s
        child = self._take()
        try:
            reply = child.ask(request, until_s)
        except BaseException as error:
            child.end()
            if isinstance(error, TimeoutError):
                cause = f"octoDNS was not done within {deadline_s:g} s and was killed"
                raise TimedOut(operation, object, cause, "what it did until then is unknown") from None
            if isinstance(error, EOFError):
                hint = f"is its package whole? {sys.executable} -m {_MODULE} </dev/null"
                raise Unreadable(operation, object, "octoDNS's process ended without an answer", hint) from None
            raise
        with self._lock:
            self._idle.append(child)
        return reply

    def _take(self) -> Child:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return Child()

    def end(self) -> None:
        """Those that are idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for child in idle:
            child.end()


CHILDREN = Children()
"""For all hosts: whom a request is for, it says itself."""
atexit.register(CHILDREN.end)
