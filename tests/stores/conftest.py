"""Handles on one state in a temporary directory, all closed at the end."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from failover.stores.lease import FileLease
from failover.stores.sqlite import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "state.db"


@pytest.fixture
def open_sqlite(path: Path) -> Iterator[Callable[[], SqliteStore]]:
    opened: list[SqliteStore] = []

    def open_one() -> SqliteStore:
        opened.append(SqliteStore(path))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def open_file_lease(path: Path) -> Iterator[Callable[[], FileLease]]:
    opened: list[FileLease] = []

    def open_one() -> FileLease:
        opened.append(FileLease(path, may_create=True))
        return opened[-1]

    yield open_one
    for lease in opened:
        for role in ("tick", "mirror"):
            lease.release(role)
