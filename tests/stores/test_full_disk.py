"""A full disk: the reserve carries a plan to its end, and what does not fit is refused whole."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from failover.core.world import State
from failover.errors import StateDamaged, StateError
from failover.stores.lease import FileLease
from failover.stores.sqlite import SqliteStore
from failover.testing.stores import event

HOUSE = Path(__file__).parents[2]


def can_mount() -> bool:
    return os.geteuid() == 0 and subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="only root may mount a small file system")
def test_on_a_real_full_file_system(tmp_path: Path) -> None:
    """In a mount namespace of its own, so that nothing stays mounted however it ends."""
    script = 'mount -t tmpfs -o size=12m tmpfs "$1" && exec "$2" -m tests.stores.full_disk "$1"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", str(tmp_path), sys.executable],
        cwd=HOUSE,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_a_write_that_does_not_fit_is_refused_whole(
    path: Path, open_sqlite: Callable[[], SqliteStore], open_file_lease: Callable[[], FileLease]
) -> None:
    term = open_file_lease().acquire("tick")
    store = open_sqlite()
    store.create(State(service="guestbook"))
    before = store.load()
    path.with_name("state.db.reserve").unlink()
    connection = store._database._connection
    assert connection is not None
    connection.execute("PRAGMA max_page_count = 8")
    with pytest.raises(StateError, match="disk is full") as caught:
        store.swap(before, term=term, events=[event("p", "x" * 10_000)] * 10)
    assert not isinstance(caught.value, StateDamaged)
    assert (store.load(), store.events()) == (before, ())
    store.verify()
    store.swap(before, term=term, events=[event("p", "x" * 10_000)] * 10)
