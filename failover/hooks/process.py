"""Runs one program of the user: no shell, input on standard input, killed with all its children at the deadline."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from failover.errors import TimedOut, Unreachable
from failover.net.secret import redact

STDERR_BYTES_KEPT = 4096
LINE_CHARS_MAX = 200
POLL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a program ended. A negative `exit_code` is the signal that ended it."""

    exit_code: int
    last_line: str
    """The last line with text on its standard error, redacted and without control characters."""

    @property
    def cause(self) -> str:
        """Why it counts as failed, for an error."""
        ended = f"ended by {signal_name(-self.exit_code)}" if self.exit_code < 0 else f"exited with {self.exit_code}"
        return f"{ended}: {self.last_line}" if self.last_line else ended


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def run_program(
    command: Sequence[str],
    *,
    operation: str,
    document: bytes,
    environment: Mapping[str, str],
    timeout_s: float,
    directory: Path | None = None,
) -> Finished:
    """Run `command` with `document` on its standard input and `environment` on top of our own; its output is dropped.

    Raises Unreachable when it cannot be started, TimedOut when it did not end in time: then its process group is
    killed, and what it had done by then is unknown. Arguments are not shown in errors, as they may hold secrets.
    """
    until_s = time.monotonic() + timeout_s
    try:
        process = _start(command, document, environment, directory)
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise Unreachable(operation, command[0], f"cannot be started: {cause}", "check its path and mode") from None
    with process:
        try:
            tail = _tail_until_end(process, until_s)
        except BaseException as error:
            _kill_group(process)
            if isinstance(error, subprocess.TimeoutExpired):
                cause = f"did not end within {timeout_s:.3g} s and was killed"
                raise TimedOut(operation, command[0], cause, "what it did until then is unknown") from None
            raise
    return Finished(exit_code=process.returncode, last_line=_last_line(tail))


def _start(
    command: Sequence[str], document: bytes, environment: Mapping[str, str], directory: Path | None
) -> "subprocess.Popen[bytes]":
    """Input comes from an anonymous file in memory: a program that does not read it cannot block or break us."""
    with os.fdopen(os.memfd_create("failover-input"), "w+b") as source:
        source.write(document)
        source.flush()
        source.seek(0)
        return subprocess.Popen(
            list(command),
            stdin=source,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
            cwd=directory,
            start_new_session=True,
        )


def _tail_until_end(process: "subprocess.Popen[bytes]", until_s: float) -> bytes:
    """The last bytes of standard error, read until the program ended. Raises subprocess.TimeoutExpired.

    The program's own end counts, not that of the pipe, which a child left in the background may keep open.
    """
    assert process.stderr is not None  # noqa: S101 - it was asked for
    os.set_blocking(process.stderr.fileno(), False)
    tail = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stderr, selectors.EVENT_READ)
        while process.poll() is None and time.monotonic() < until_s:
            if not selector.select(min(POLL_S, max(0.0, until_s - time.monotonic()))):
                continue
            piece = _read(process.stderr)
            if not piece:
                process.wait(max(0.0, until_s - time.monotonic()))
            tail = (tail + piece)[-STDERR_BYTES_KEPT:]
    if process.poll() is None:
        raise subprocess.TimeoutExpired(process.args, 0.0)
    return (tail + _read(process.stderr))[-STDERR_BYTES_KEPT:]


def _read(stream: IO[bytes]) -> bytes:
    """What is there now; b"" at the end, or when nothing is there."""
    try:
        return os.read(stream.fileno(), 65536)
    except BlockingIOError:
        return b""


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    """The program leads its own group, and is not reaped yet, so the number cannot belong to somebody else."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _last_line(tail: bytes) -> str:
    lines = [line.strip() for line in tail.decode(errors="replace").splitlines() if line.strip()]
    if not lines:
        return ""
    shown = "".join(c if c.isprintable() else "?" for c in redact(lines[-1]))
    return shown[:LINE_CHARS_MAX]
