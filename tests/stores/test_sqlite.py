"""The SQLite store and the file lease pass the suites."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from failover.core.world import State
from failover.errors import StateDamaged, StateError
from failover.stores.lease import FileLease
from failover.stores.sqlite import SqliteStore
from failover.testing.stores import LeaseConformance, StoreConformance


class TestSqliteStore(StoreConformance):
    @pytest.fixture
    def open_store(self, open_sqlite: Callable[[], SqliteStore]) -> Callable[[], SqliteStore]:
        return open_sqlite

    @pytest.fixture
    def open_lease(self, open_file_lease: Callable[[], FileLease]) -> Callable[[], FileLease]:
        return open_file_lease


class TestFileLease(LeaseConformance):
    @pytest.fixture
    def open_lease(self, open_file_lease: Callable[[], FileLease]) -> Callable[[], FileLease]:
        return open_file_lease


def test_the_state_of_another_service_is_told_apart(path: Path) -> None:
    with closing(SqliteStore(path, "guestbook")) as store:
        store.create(State(service="guestbook"))
        assert store.load().service == "guestbook"
    with closing(SqliteStore(path, "shop")) as other, pytest.raises(StateError, match="guestbook") as caught:
        other.load()
    assert not isinstance(caught.value, StateDamaged)
