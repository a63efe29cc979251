"""The files beside the database: private directories, locks, and the reserve for a full disk."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from failover.errors import StateError, StateMissing

RESERVE_BYTES = 1024 * 1024
_ROOM_BYTES = 8 * RESERVE_BYTES
_FULL_BYTES = 256 * 1024

MISSING_HINT = "`failover apply` creates it; if there was one, bring back its copy first"


def beside(path: Path, suffix: str) -> Path:
    """`state.db` and `.tick.lock` → `state.db.tick.lock` in the same directory."""
    return path.with_name(path.name + suffix)


def private_directory(path: Path) -> None:
    """Make the directory, readable by its owner only. One that is there stays as it is. Raises StateError."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StateError("create directory", str(path), error.strerror or str(error)) from error


def sync_directory(path: Path) -> None:
    """Make new names in the directory survive a power failure."""
    number = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def open_lock(path: Path, operation: str) -> int:
    """A private file to lock; the caller closes it. Children that run another program do not inherit it.

    Raises StateMissing when the directory is missing, StateError when it cannot be opened.
    """
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileNotFoundError as error:
        raise StateMissing(operation, str(path.parent), "there is no such directory", MISSING_HINT) from error
    except OSError as error:
        raise StateError(
            operation, str(path), error.strerror or str(error), "the state's directory must be writable"
        ) from error


def lock_now(number: int, kind: int) -> bool:
    """Take a flock without waiting; False when another open file holds it. Raises StateError where there are none."""
    try:
        fcntl.flock(number, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise StateError("take the lock", "", error.strerror or str(error), "use a local disk") from error
    return True


@contextlib.contextmanager
def locked(path: Path, operation: str) -> Iterator[int]:
    """Hold an exclusive lock on a file for a moment, waiting for it. Gives its descriptor."""
    number = open_lock(path, operation)
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        yield number
    finally:
        os.close(number)


class Reserve:
    """A file of 1 MiB that is given up when the disk is full, so that a plan in flight can finish."""

    def __init__(self, path: Path) -> None:
        self._path = beside(path, ".reserve")

    def release(self) -> bool:
        """Whether there was something to give up."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True

    def full(self) -> bool:
        """Whether the file system has no room left for SQLite's own files."""
        try:
            return _free_bytes(self._path.parent) < _FULL_BYTES
        except OSError:
            return False

    def ensure(self) -> None:
        """Set it aside where there is ample room. Without it everything works, so trouble here is passed over."""
        with contextlib.suppress(OSError):
            if self._path.exists() or _free_bytes(self._path.parent) < _ROOM_BYTES:
                return
            number = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(number, 0, RESERVE_BYTES)
            finally:
                os.close(number)


def _free_bytes(directory: Path) -> int:
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize
