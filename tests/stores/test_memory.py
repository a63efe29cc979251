"""The memory adapters pass the suites, and crash as they are told."""

from collections.abc import Callable

import pytest

from failover.core.world import State
from failover.errors import LockedError, StateDamaged, StateFenced
from failover.testing.memory_store import Crashed, MemoryDisk, MemoryLease, MemoryStore
from failover.testing.stores import LeaseConformance, StoreConformance, event


@pytest.fixture
def disk() -> MemoryDisk:
    return MemoryDisk()


class TestMemoryStore(StoreConformance):
    @pytest.fixture
    def open_store(self, disk: MemoryDisk) -> Callable[[], MemoryStore]:
        return lambda: MemoryStore(disk)

    @pytest.fixture
    def open_lease(self, disk: MemoryDisk) -> Callable[[], MemoryLease]:
        return lambda: MemoryLease(disk)


class TestMemoryLease(LeaseConformance):
    @pytest.fixture
    def open_lease(self, disk: MemoryDisk) -> Callable[[], MemoryLease]:
        return lambda: MemoryLease(disk)


def test_a_crash_before_a_write_loses_it_and_one_after_keeps_it(disk: MemoryDisk) -> None:
    term = MemoryLease(disk).acquire("tick")
    store = MemoryStore(disk)
    store.create(State(service="guestbook"))
    disk.crash(at=2, when="before")
    store.append(event("p", "kept"), term=term)
    with pytest.raises(Crashed):
        store.append(event("p", "lost"), term=term)
    with pytest.raises(Crashed):
        store.load()
    disk.restart()
    term = MemoryLease(disk).acquire("tick")
    store = MemoryStore(disk)
    disk.crash(at=1, when="after")
    with pytest.raises(Crashed):
        store.swap(store.load(), term=term, events=[event("p", "kept too")])
    disk.restart()
    assert [e.step for e in MemoryStore(disk).events()] == ["kept", "kept too"]
    assert MemoryStore(disk).load().revision == 1


def test_a_lease_ends_with_its_process(disk: MemoryDisk) -> None:
    first, second = MemoryLease(disk), MemoryLease(disk)
    old = first.acquire("tick")
    first.acquire("mirror")
    with pytest.raises(LockedError):
        second.acquire("tick")
    first.die()
    store = MemoryStore(disk)
    store.create(State(service="guestbook"))
    second.acquire("tick")
    second.acquire("mirror")
    with pytest.raises(StateFenced):
        store.append(event("p", "late"), term=old)


def test_a_fault_is_raised_instead_of_the_operation(disk: MemoryDisk) -> None:
    store = MemoryStore(disk)
    store.create(State(service="guestbook"))
    disk.fault = lambda operation: StateDamaged("read state", "memory", "on purpose") if operation == "load" else None
    with pytest.raises(StateDamaged):
        store.load()
    store.abort("p")
    assert store.orders().aborted == {"p"}
