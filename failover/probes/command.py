"""Any plug-in of the Nagios kind: a program that looks for itself, and says what it found by its exit code."""

import contextlib
import os
import signal
import subprocess
import threading
from typing import IO

from failover.core.model import Failure, Target
from failover.probes.apart import Apart
from failover.probes.connection import Place
from failover.probes.loop import Patience, Talk
from failover.probes.trouble import Finding, Trouble, quoted

OUTPUT_BYTES_MAX = 64 * 1024
"""What comes after that is thrown away."""
REAP_S = 0.2
OK, WARNING, CRITICAL = 0, 1, 2

Process = subprocess.Popen[bytes]


def ask(target: Target, place: Place, now_utc_s: float) -> Talk[Finding]:  # noqa: ARG001 - all kinds are asked alike
    """Exit code 0 passes, 1 passes with a warning, 2 fails, anything else is no evidence (the plug-in API's "unknown").

    The first line of its output is the detail, without performance data. It runs without a shell and without input, in
    a group of its own, all of which is killed when it has ended and when its time is over.
    https://nagios-plugins.org/doc/guidelines.html#AEN78
    """
    argv = [_filled(part, target, place) for part in target.check.command]
    try:
        process: Process = yield Apart(lambda: _start(argv), undo=_kill_group)
    except TimeoutError:
        raise Trouble(Failure.LOCAL, f"{argv[0]} was not started within {place.timeout_s:g} s") from None
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise Trouble(Failure.LOCAL, f"{argv[0]} cannot be started: {cause}") from None
    try:
        line = yield from _first_line_until_end(process)
    except TimeoutError:
        raise Trouble(Failure.READ_TIMEOUT, f"{argv[0]} did not end within {place.timeout_s:g} s") from None
    except OSError as error:
        raise Trouble(Failure.LOCAL, f"{argv[0]} cannot be watched: {error.strerror}") from None
    finally:
        _kill_group(process)
    return _judge(process.returncode, line, argv[0])


def _filled(part: str, target: Target, place: Place) -> str:
    values = {"{address}": place.address, "{site}": target.site, "{port}": str(place.port)}
    for name, value in values.items():
        part = part.replace(name, value)
    return part


def _start(argv: list[str]) -> Process:
    """Blocks until the program is loaded, which may take for ever on a dead network file system."""
    return subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


class _Ends:
    """Becomes readable when the process ends. It is not reaped by that."""

    def __init__(self, process: Process) -> None:
        self._fd = os.pidfd_open(process.pid)

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        os.close(self._fd)


def _first_line_until_end(process: Process) -> Talk[str]:
    """The end of the process counts, not that of its output, which a child left behind may keep open."""
    output = process.stdout
    assert output is not None  # noqa: S101 - it was asked for
    os.set_blocking(output.fileno(), False)
    ends = _Ends(process)
    said = bytearray()
    try:
        yield Patience(ends, 0.0)  # from here on it is watched, whatever else is waited for
        while _is_alive(process):
            yield output if _read_all(output, said) else ends
        _read_all(output, said)
    finally:
        ends.close()
    lines = said.decode(errors="replace").splitlines()
    return lines[0].partition("|")[0].strip() if lines else ""


def _is_alive(process: Process) -> bool:
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def _read_all(output: IO[bytes], said: bytearray) -> bool:
    """All that is there now. False at its end."""
    while True:
        try:
            piece = os.read(output.fileno(), 65536)
        except BlockingIOError:
            return True
        said += piece[: OUTPUT_BYTES_MAX - len(said)]
        if not piece:
            return False


def _kill_group(process: Process) -> None:
    """The program leads its own group, and is not reaped yet, so the number cannot belong to somebody else."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # sudo, setuid: it is left to end by itself
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdout is not None:
        process.stdout.close()
    try:
        process.wait(REAP_S)
    except subprocess.TimeoutExpired:  # stuck in the kernel, or not ours to kill: nobody waits for that
        threading.Thread(target=process.wait, name="reap", daemon=True).start()


def _judge(exit_code: int, line: str, program: str) -> Finding:
    said = quoted(line) if line else f"{program} said nothing"
    if exit_code == OK:
        return Finding(detail=said)
    if exit_code == WARNING:
        return Finding(detail=f"warning: {said}", warning=True)
    if exit_code == CRITICAL:
        raise Trouble(Failure.COMMAND, f"critical: {said}")
    ended = f"ended by signal {-exit_code}" if exit_code < 0 else f"exited with {exit_code}"
    raise Trouble(Failure.LOCAL, f"{program} {ended}: {said}")
