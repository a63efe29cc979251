"""The SQLite store and the file lease pass the suites."""

from collections.abc import Callable

import pytest

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
