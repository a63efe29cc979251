"""Migrations, and a database that others keep busy."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from failover.core.world import State
from failover.errors import StateDamaged, StateError
from failover.stores import schema
from failover.stores.sqlite import SqliteStore

ONE = ("CREATE TABLE a (x)",)
TWO = ("ALTER TABLE a ADD COLUMN y", "CREATE TABLE b (z)")
BROKEN = ("CREATE TABLE c (x)", "CREATE TABLE c (x)")


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        yield connection


def tables(connection: sqlite3.Connection) -> dict[str, str]:
    return dict(connection.execute("SELECT name, sql FROM sqlite_master"))


def number(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def test_an_old_database_is_brought_up_step_by_step(connection: sqlite3.Connection) -> None:
    schema.migrate(connection, [ONE])
    connection.execute("INSERT INTO a VALUES (1)")
    schema.migrate(connection, [ONE, TWO])
    assert connection.execute("SELECT * FROM a").fetchall() == [(1, None)]
    assert (number(connection), sorted(tables(connection))) == (2, ["a", "b"])
    schema.migrate(connection, [ONE, TWO])


def test_a_migration_that_fails_leaves_the_version_before(connection: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.OperationalError):
        schema.migrate(connection, [ONE, BROKEN])
    assert (number(connection), sorted(tables(connection))) == (1, ["a"])
    assert not connection.in_transaction


def test_a_database_that_another_process_keeps_is_busy_not_damaged(
    path: Path, open_sqlite: Callable[[], SqliteStore]
) -> None:
    store = open_sqlite()
    store.create(State(service="guestbook"))
    store.load()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateError, match="another process") as caught:
            store.set_pause(None)
        assert not isinstance(caught.value, StateDamaged)
        assert store.load() == State(service="guestbook")
        other.execute("ROLLBACK")
    store.set_pause(None)
