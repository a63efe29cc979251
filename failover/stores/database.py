"""One SQLite file: opened with suspicion, written in whole transactions, its errors translated once.

WAL with `synchronous=FULL`: a transaction is on the disk when `write` returns. The file is on a local disk.
"""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from failover.errors import StateDamaged, StateError, StateMissing, StateStale
from failover.stores import schema
from failover.stores.files import MISSING_HINT, Reserve, beside, private_directory, sync_directory

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

BUSY_TIMEOUT_S = 5.0
DAMAGE_HINT = "nothing is changed while it cannot be trusted; keep the file, and bring back a good copy"

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_READ_ONLY = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}
_NO_ROOM = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}


class DiskFull(StateError):
    """There is no room for the write; nothing of it was kept."""


class Database:
    """Opens at the first use and never creates. May be used from several threads, one at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._reserve = Reserve(self.path)
        self._mutex = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._identity = (0, 0)

    def read(self, operation: str, work: Work[T]) -> T:
        """Run `work` on one unchanging snapshot."""
        return self._run(operation, "BEGIN", work)

    def write(self, operation: str, work: Work[T]) -> T:
        """Run `work` in one transaction, durable on return. On an exception nothing of it is kept.

        `work` may run twice: on a full disk the reserve is given up and the whole is tried again.
        """
        result = self._run(operation, "BEGIN IMMEDIATE", work)
        self._settle()
        return result

    def close(self) -> None:
        """A later call opens again."""
        with self._mutex:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def create(self, fill: Work[None]) -> None:
        """Make the file with its tables and what `fill` puts in, whole or not at all.

        The caller sees to it that only one process does this at a time. Raises StateStale when it exists.
        """
        private_directory(self.path.parent)
        with self._mutex, self._translated("create state"):
            self._refuse_existing()
            try:
                _build(beside(self.path, ".new"), self.path, fill)
            except OSError as error:
                raise StateError("create state", str(self.path), error.strerror or str(error)) from error

    def _refuse_existing(self) -> None:
        try:
            self._stat()
        except StateMissing:
            return
        raise StateStale("create state", str(self.path), "there is one already", "look with `failover status`")

    def _settle(self) -> None:
        """Move what was written from the log into the file itself, where damage shows.

        SQLite takes a flipped bit in the log for the log's end, and drops what follows without a sound. What was
        written is durable already, so trouble here is not the write's.
        """
        with self._mutex, contextlib.suppress(sqlite3.Error):
            if self._connection is not None:
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def _run(self, operation: str, begin: str, work: Work[T]) -> T:
        with self._mutex:
            try:
                return self._once(operation, begin, work)
            except DiskFull:
                if not self._reserve.release():
                    raise
                return self._once(operation, begin, work)

    def _once(self, operation: str, begin: str, work: Work[T]) -> T:
        with self._translated(operation):
            connection = self._open()
            connection.execute(begin)
            try:
                result = work(connection)
                connection.execute("COMMIT")
            except BaseException:
                self._roll_back(connection)
                raise
            return result

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            self.close()  # closing rolls back too; the first error is the one to tell

    def _open(self) -> sqlite3.Connection:
        found = self._stat()
        identity = (found.st_dev, found.st_ino)
        if self._connection is not None:
            if identity != self._identity:
                raise StateDamaged("read state", "", "the file was replaced while it was in use")
            return self._connection
        if found.st_mode & 0o077 and found.st_uid == os.geteuid():
            self.path.chmod(0o600)
        connection = _connect(self.path)
        try:
            _prove(connection)
        except BaseException:
            connection.close()
            raise
        self._connection, self._identity = connection, identity
        self._reserve.ensure()
        return connection

    def _stat(self) -> os.stat_result:
        """Looked at by name each time: a file that vanished under us must not be written on, unseen."""
        try:
            return self.path.stat()
        except FileNotFoundError as error:
            if self._connection is not None:
                raise StateDamaged("read state", "", "the file vanished while it was in use") from error
            if self.path.is_symlink():
                raise StateDamaged("read state", "", "it is a link to a file that is not there") from error
            if _remains(self.path):
                raise StateDamaged("read state", "", "its write-ahead log is there, the file itself is not") from error
            raise StateMissing("read state", str(self.path), "there is no state yet", MISSING_HINT) from error

    @contextlib.contextmanager
    def _translated(self, operation: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            self._close_if_unsure(error)
            raise self._translate(operation, error) from error
        except UnicodeDecodeError as error:  # SQLite's message quotes a damaged name
            self.close()
            raise StateDamaged(operation, str(self.path), "it holds text that is not UTF-8", DAMAGE_HINT) from error
        except OSError as error:
            raise StateDamaged(operation, str(self.path), error.strerror or str(error), DAMAGE_HINT) from error
        except StateError as error:
            if error.object:
                raise
            raise type(error)(operation, str(self.path), error.cause, error.hint or DAMAGE_HINT) from error

    def _close_if_unsure(self, error: sqlite3.Error) -> None:
        """After anything but a lock in the way, the next call opens the file again and proves it again."""
        if _code(error) not in _BUSY:
            with contextlib.suppress(sqlite3.Error):
                self.close()

    def _translate(self, operation: str, error: sqlite3.Error) -> StateError:
        code, place = _code(error), str(self.path)
        if code == sqlite3.SQLITE_FULL or (code in _NO_ROOM and self._reserve.full()):
            return DiskFull(operation, place, "the disk is full", "make room; nothing of this write was kept")
        if code in _BUSY:
            return StateError(operation, place, f"another process has kept it for {BUSY_TIMEOUT_S:g} s", "try again")
        if code in _READ_ONLY:
            return StateError(operation, place, "it cannot be written", "the file and its directory must be writable")
        return StateDamaged(operation, place, str(error), DAMAGE_HINT)


def _code(error: sqlite3.Error) -> int:
    """The primary result code; errors of Python's own layer (text that is not UTF-8) have none."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    return code & 0xFF


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    try:
        for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "synchronous = FULL"):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def _prove(connection: sqlite3.Connection) -> None:
    """It is our database and its structure is sound. Nothing is written before that is known."""
    number = schema.version(connection)
    schema.compare(connection, number)
    (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if answer != "ok":
        raise StateDamaged("read state", "", str(answer))
    if number < len(schema.MIGRATIONS):
        schema.migrate(connection, schema.MIGRATIONS)
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StateError(
            "read state", "", f"the file system allows no write-ahead log (mode {mode})", "use a local disk"
        )


def _build(fresh: Path, path: Path, fill: Work[None]) -> None:
    """Under a name of its own, with a rollback journal: after COMMIT all of it is in this one file, to be renamed."""
    leftovers = [beside(fresh, suffix) for suffix in ("", "-journal", "-wal", "-shm")]
    for leftover in leftovers:
        leftover.unlink(missing_ok=True)
    try:
        os.close(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with contextlib.closing(_connect(fresh)) as connection:
            schema.migrate(connection, schema.MIGRATIONS)
            connection.execute("BEGIN IMMEDIATE")
            fill(connection)
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode = WAL")
        fresh.rename(path)
        sync_directory(path.parent)
    finally:
        for leftover in leftovers:
            leftover.unlink(missing_ok=True)


def _remains(path: Path) -> bool:
    """Whether a write-ahead log without its database lies there. A new database must not pick it up."""
    log = beside(path, "-wal")
    return log.exists() and log.stat().st_size > 0
