"""One run, several threads: the lease keeps them apart as it does processes."""

import threading
from pathlib import Path

import pytest

from failover.core.world import State
from failover.errors import LockedError
from failover.stores.lease import FileLease
from failover.stores.sqlite import SqliteStore


@pytest.fixture
def lease(tmp_path: Path) -> FileLease:
    path = tmp_path / "state" / "state.db"
    store = SqliteStore(path)
    store.create(State(service="guestbook"))
    store.close()
    return FileLease(path)


def test_a_second_thread_waits_for_the_first(lease: FileLease) -> None:
    first = lease.acquire("tick")
    terms: list[int] = []
    thread = threading.Thread(target=lambda: terms.append(lease.acquire("tick", wait_s=60.0, urgent=True)))
    thread.start()
    with pytest.raises(LockedError):
        lease.acquire("tick")
    assert terms == []
    lease.release("tick")
    thread.join(60.0)
    assert terms == [first + 1]
    lease.release("tick")


def test_many_threads_one_after_the_other(lease: FileLease) -> None:
    inside = 0
    most = 0
    terms: list[int] = []

    def work() -> None:
        nonlocal inside, most
        terms.append(lease.acquire("tick", wait_s=60.0, urgent=True))
        inside += 1
        most = max(most, inside)
        inside -= 1
        lease.release("tick")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60.0)
    assert (most, sorted(terms)) == (1, list(range(min(terms), min(terms) + 8)))
    assert terms == sorted(terms)
