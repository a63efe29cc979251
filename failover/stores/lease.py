"""The right to write, by flock: it ends with the process, however that ends."""

import contextlib
import fcntl
import os
import re
import sys
import time
from pathlib import Path

from failover.errors import LockedError, StateError
from failover.stores.database import Database
from failover.stores.files import beside, lock_now, open_lock, private_directory
from failover.stores.terms import next_term

POLL_S = 0.05
_WAIT_HINT = "wait, or look with `failover status`"
_ROLE = re.compile(r"[a-z]+(-[a-z]+)*")
_COMMAND_CHARS = 120


class FileLease:
    """`ports.Lease` next to the state: `state.db.<role>.lock`, and `….urgent` while an operator's command waits.

    `may_create` is for the command that makes the first state: it makes a missing directory. Without it a missing
    directory is StateMissing, and nothing is made.
    """

    def __init__(self, path: Path, *, may_create: bool = False) -> None:
        self.path = path.absolute()
        self._may_create = may_create
        self._held: dict[str, int] = {}

    def acquire(self, role: str, *, wait_s: float = 0.0, urgent: bool = False) -> int:
        """Raises LockedError naming the holder, StateMissing, StateError. Polls about every 50 ms.

        Threads of one run keep each other out just as processes do: sites are mirrored in parallel.
        """
        if not _ROLE.fullmatch(role):
            raise ValueError(f"not a role: {role!r}")
        if self._may_create:
            private_directory(self.path.parent)
        with contextlib.ExitStack() as stack:
            number = self._wait(role, time.monotonic() + wait_s, urgent)
            stack.callback(os.close, number)
            _sign(number)
            term = self._term(role)
            self._held[role] = number
            stack.pop_all()
        return term

    def release(self, role: str) -> None:
        """Nothing happens when it is not held."""
        number = self._held.pop(role, None)
        if number is not None:
            try:
                os.ftruncate(number, 0)
            finally:
                os.close(number)

    def _term(self, role: str) -> int:
        database = Database(self.path)
        try:
            return next_term(database, role)
        finally:
            database.close()

    def _wait(self, role: str, until_s: float, urgent: bool) -> int:
        """The locked file's descriptor."""
        with contextlib.ExitStack() as stack:
            queue = open_lock(beside(self.path, f".{role}.urgent"), "take the lock")
            stack.callback(os.close, queue)
            first = False
            while True:
                if urgent:
                    first = first or lock_now(queue, fcntl.LOCK_EX)
                elif _taken(queue):
                    raise LockedError("take the lock", role, "an operator's command is waiting", _WAIT_HINT)
                number = self._try(role)
                if number is not None:
                    return number
                left_s = until_s - time.monotonic()
                if left_s <= 0:
                    raise LockedError("take the lock", role, self._holder(role), _WAIT_HINT)
                time.sleep(min(POLL_S, left_s))

    def _try(self, role: str) -> int | None:
        path = self._lock_path(role)
        with contextlib.ExitStack() as stack:
            number = open_lock(path, "take the lock")
            stack.callback(os.close, number)
            if not (lock_now(number, fcntl.LOCK_EX) and _still_there(number, path)):
                return None
            stack.pop_all()
        return number

    def _holder(self, role: str) -> str:
        try:
            text = self._lock_path(role).read_text(errors="replace").strip()
        except OSError:
            text = ""
        shown = "".join(c if c.isprintable() else "?" for c in text)
        return f"held by process {shown}" if shown else "another process holds it"

    def _lock_path(self, role: str) -> Path:
        return beside(self.path, f".{role}.lock")


def _taken(queue: int) -> bool:
    """Whether an operator's command waits. A shared lock, so that two who look do not see each other."""
    if lock_now(queue, fcntl.LOCK_SH):
        fcntl.flock(queue, fcntl.LOCK_UN)
        return False
    return True


def _still_there(number: int, path: Path) -> bool:
    """A lock on a file that was deleted meanwhile keeps nobody out."""
    try:
        return os.path.samestat(os.fstat(number), path.stat())
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StateError("take the lock", str(path), error.strerror or str(error)) from error


def _sign(number: int) -> None:
    """Who holds it, for the one who is kept out. Only a courtesy: on a full disk the lock counts all the same."""
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:_COMMAND_CHARS]
    with contextlib.suppress(OSError):
        os.ftruncate(number, 0)
        os.pwrite(number, f"{os.getpid()} ({command})\n".encode(errors="replace"), 0)
