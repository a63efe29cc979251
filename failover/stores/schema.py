"""The tables, and what tells our database from any other."""

import sqlite3
from collections.abc import Sequence
from functools import cache

from failover.errors import StateDamaged, StateError

APPLICATION_ID = 0x464C5652
"""`FLVR`, in SQLite's header."""

Migration = Sequence[str]

MIGRATIONS: tuple[Migration, ...] = (
    # Texts carry a checksum, because SQLite's own check sees structure, not content. There is no index besides the
    # tables themselves: a damaged index would hide rows without a sound.
    (
        """CREATE TABLE documents (
             name TEXT PRIMARY KEY, revision INTEGER NOT NULL, body TEXT NOT NULL, sha256 TEXT NOT NULL
           ) WITHOUT ROWID""",
        """CREATE TABLE plans (
             number INTEGER PRIMARY KEY, id TEXT NOT NULL, after INTEGER NOT NULL,
             body TEXT NOT NULL, sha256 TEXT NOT NULL
           )""",
        "CREATE TABLE events (sequence INTEGER PRIMARY KEY, body TEXT NOT NULL, hash TEXT NOT NULL)",
    ),
)
"""Each brings a database from version n to n + 1; a new one starts from nothing. Released ones are never edited."""


def version(connection: sqlite3.Connection) -> int:
    """The version of a database that must be ours.

    Raises StateDamaged when it is not ours, StateError when a newer failover made it.
    """
    found = _pragma(connection, "user_version")
    if _pragma(connection, "application_id") != APPLICATION_ID or found < 1:
        raise StateDamaged("read state", "", "it is an empty file or another program's database")
    if found > len(MIGRATIONS):
        raise StateError(
            "read state",
            "",
            f"it was written by a newer failover (tables {found}, this one knows {len(MIGRATIONS)})",
            "upgrade failover on this machine",
        )
    return found


def compare(connection: sqlite3.Connection, number: int) -> None:
    """The tables are exactly those of version `number`. Raises StateDamaged."""
    if _tables(connection) != _expected(number):
        raise StateDamaged("read state", "", "its tables are not the ones that failover made")


def migrate(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> None:
    """Bring the database to version `len(migrations)`, one transaction per version. Safe when several try at once."""
    while True:
        connection.execute("BEGIN IMMEDIATE")
        try:
            number = _pragma(connection, "user_version")
            for statement in migrations[number] if number < len(migrations) else ():
                connection.execute(statement)
            if number < len(migrations):
                connection.execute(f"PRAGMA user_version = {number + 1}")
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        if number >= len(migrations):
            return


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)


def _tables(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    return connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()


@cache
def _expected(number: int) -> list[tuple[str, str]]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        migrate(connection, MIGRATIONS[:number])
        return _tables(connection)
    finally:
        connection.close()
