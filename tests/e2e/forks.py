"""The real command, many times over: each run is a process of its own, forked from one that has everything imported.

What differs from typing the command is only that nothing is imported anew, AWS's descriptions of its services included,
which is most of a short command's time.
A run may be told to die like in a power cut: SIGKILL just before or just after its n-th write to the state.
"""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from failover.stores.database import Database, Work

T = TypeVar("T")
LOOK_S = 0.02
"""How often it is looked whether a command shall be killed."""


@dataclass(frozen=True, slots=True)
class Death:
    """`moment`: before or after the write of that number (counted from 1), of the lease and the store together."""

    number: int
    moment: str


# ------------------------------------------------------------------------------------ the side of the test


class Forks:
    """Runs one command at a time. `entering`: the beginning of a command line that leads elsewhere (nsenter's)."""

    def __init__(self, entering: Sequence[str] = ()) -> None:
        self._entering = tuple(entering)
        self._server: subprocess.Popen[bytes] | None = None

    def run(
        self,
        words: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        timeout_s: float,
        death: Death | None = None,
        kill_when: Callable[[], object] | None = None,
    ) -> tuple[int, str, str]:
        """Exit code (negative: the signal that ended it), standard output and error. Raises TimeoutError.

        `kill_when`: SIGKILL comes as soon as it is true.
        """
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            wish: dict[str, Any] = {"words": list(words), "cwd": str(cwd), "env": dict(env)}
            if death is not None:
                wish |= {"number": death.number, "moment": death.moment}
            code = self._ask(wish, out, err, timeout_s, kill_when)
            return code, _text(out), _text(err)

    def close(self) -> None:
        if self._server is not None:
            self._server.communicate(timeout=30)
            self._server = None

    def _ask(
        self,
        wish: dict[str, Any],
        out: IO[bytes],
        err: IO[bytes],
        timeout_s: float,
        kill_when: Callable[[], object] | None,
    ) -> int:
        server = self._server = self._server or _start(self._entering)
        assert server.stdin is not None
        assert server.stdout is not None
        # The server opens our files by their names in /proc, so nothing has to be handed over.
        here = f"/proc/{os.getpid()}/fd"
        wish |= {"out": f"{here}/{out.fileno()}", "err": f"{here}/{err.fileno()}"}
        server.stdin.write(json.dumps(wish).encode() + b"\n")
        pid = int(server.stdout.readline())
        until = time.monotonic() + timeout_s
        while not select.select([server.stdout], [], [], timeout_s if kill_when is None else LOOK_S)[0]:
            if kill_when is not None and kill_when():
                os.kill(pid, signal.SIGKILL)  # not reaped before its exit code was read
                break
            if time.monotonic() > until:
                os.kill(pid, signal.SIGKILL)
                server.stdout.readline()
                raise TimeoutError(f"{wish['words']} did not end:\n{_text(out)}{_text(err)}")
        return int(server.stdout.readline())


def _start(entering: Sequence[str]) -> "subprocess.Popen[bytes]":
    """Unbuffered: an exit code that came along with the process id would be out of sight of `select`."""
    return subprocess.Popen(
        [*entering, sys.executable, "-P", str(Path(__file__))],
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


# ------------------------------------------------------------------------------------ the side of the commands


def arm(number: int, moment: str) -> None:
    """From now on the write of that number is the last thing that this process does."""
    write = Database.write
    count = 0

    def counted(self: Database, operation: str, work: Work[T]) -> T:
        nonlocal count
        count += 1
        mine = count == number
        if mine and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = write(self, operation, work)
        if mine:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    Database.write = counted  # type: ignore[method-assign]


def serve() -> None:
    """One line of JSON per command; answers with its process id and then its exit code, a line each."""
    _import_everything()
    for line in sys.stdin:
        wish = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os._exit(_become(wish))
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _import_everything() -> None:
    import failover.cli.app
    import failover.cli.configuring
    import failover.cli.deploying
    import failover.cli.operating
    import failover.cli.playing
    import failover.cli.showing
    import failover.cli.watching
    import failover.config.build
    import failover.dns.authority
    import failover.dns.local
    import failover.dns.rfc2136
    import failover.hooks.commands
    import failover.hooks.notify
    import failover.probes.prober  # noqa: F401
    from failover.clouds.table import KINDS, factory
    from failover.net.aws import _LOADER

    for kind in KINDS:
        factory(kind)
    for service in ("account", "ec2", "s3", "service-quotas", "sts"):
        for description in ("service-2", "endpoint-rule-set-1"):
            _LOADER.load_service_model(service, description)
    for common in ("endpoints", "partitions", "sdk-default-configuration"):
        _LOADER.load_data(common)


def _become(wish: dict[str, Any]) -> int:
    from failover.__main__ import main

    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (_open(wish["out"]), 1), (_open(wish["err"]), 2)):
        os.dup2(source, target)
        os.close(source)
    os.environ.clear()
    os.environ.update(wish["env"])
    os.chdir(wish["cwd"])
    sys.argv = ["failover", *wish["words"]]
    if "number" in wish:
        arm(wish["number"], wish["moment"])
    try:
        main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # noqa: BLE001 - what a crash of the command would print
        sys.excepthook(*sys.exc_info())
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _open(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND)


if __name__ == "__main__":
    serve()
