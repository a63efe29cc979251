"""The story of a full disk, told on a small file system of its own: `python -m tests.stores.full_disk DIRECTORY`."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from failover.errors import StateDamaged, StateError
from failover.stores.files import RESERVE_BYTES
from failover.stores.lease import FileLease
from failover.stores.sqlite import SqliteStore
from failover.testing.stores import event, full_state, plan


def fill_up(directory: Path) -> Path:
    """Take every free byte."""
    filler = directory / f"filler-{len(list(directory.iterdir()))}"
    number = os.open(filler, os.O_WRONLY | os.O_CREAT, 0o600)
    for size in (65536, 4096, 1):
        try:
            while os.write(number, bytes(size)):
                pass
        except OSError:
            continue
    os.close(number)
    return filler


def refused(store: SqliteStore, term: int) -> None:
    """Write until it is refused, and see that nothing of the refused write stayed."""
    kept = len(store.events(limit=1_000_000))
    state = store.load()
    error: StateError | None = None
    while error is None:
        try:
            state = store.swap(replace(state, epoch=state.epoch + 1), term=term, events=[event("p", "x")] * 3)
            kept += 3
        except StateError as caught:
            error = caught
    assert "disk is full" in error.cause
    assert not isinstance(error, StateDamaged)
    assert store.load() == state
    assert len(store.events(limit=1_000_000)) == kept
    store.verify()


def create_refused(path: Path) -> None:
    """A first state that does not fit leaves nothing behind."""
    filler = fill_up(path.parent)
    store = SqliteStore(path)
    with pytest.raises(StateError) as caught:
        store.create(full_state())
    assert not isinstance(caught.value, StateDamaged)
    assert not [file for file in path.parent.iterdir() if file.name.startswith("other.db") and "terms" not in file.name]
    store.close()
    filler.unlink()


def main(directory: Path) -> None:
    path = directory / "state" / "state.db"
    reserve = path.with_name("state.db.reserve")
    lease, store = FileLease(path, may_create=True), SqliteStore(path)
    term = lease.acquire("tick")
    store.create(full_state())
    store.load()
    assert reserve.stat().st_blocks * 512 >= RESERVE_BYTES
    store.close()
    lease.release("tick")

    first = fill_up(directory)
    term = lease.acquire("tick")  # a new run on a full disk: the reserve is given up and it goes on
    assert not reserve.exists()
    store.save_plan(plan("p"), term=term)
    for _ in range(20):
        store.append(event("p", "step"), term=term)

    second = fill_up(directory)
    refused(store, term)
    store.close()  # which gives its log back to the file system, so that it can be read again
    refused(store, term)
    create_refused(directory / "state" / "other.db")

    first.unlink()
    second.unlink()
    store.append(event("p", "after"), term=term)
    store.close()
    store.verify()
    assert reserve.stat().st_size == RESERVE_BYTES
    store.close()
    lease.release("tick")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
