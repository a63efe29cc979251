"""Several processes, and processes that are killed."""

import os
import random
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from failover.core.world import State
from failover.errors import LockedError, StateDamaged, StateFenced, StateMissing
from failover.stores.lease import FileLease
from failover.stores.sqlite import SqliteStore
from failover.testing.stores import event

OpenStore = Callable[[], SqliteStore]
OpenLease = Callable[[], FileLease]

HOUSE = Path(__file__).parents[2]
KILLS = 10


def start(path: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.stores.writer", str(path), *arguments]
    return subprocess.Popen(command, cwd=HOUSE, stdout=subprocess.PIPE, text=True)


@contextmanager
def running(path: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with start(path, *arguments) as process:
        try:
            yield process
        finally:
            process.kill()


def killed(path: Path, mode: str, after_lines: int, wait_s: float) -> list[str]:
    """What it had said when it was killed, so long after its n-th line."""
    with running(path, mode) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(after_lines)]
        time.sleep(wait_s)
        process.kill()
        said += process.stdout.readlines()
    return [line.strip() for line in said if line.endswith("\n")]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_kill_9_loses_nothing_that_was_acknowledged(path: Path, open_sqlite: OpenStore, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(KILLS):
        said = killed(path, "writes", chance.randint(1, 12), chance.uniform(0, 0.02))
        epoch, events = map(int, said[-1].split())
        store = open_sqlite()
        store.verify()
        state, found = store.load(), store.events(limit=1_000_000)
        store.close()
        assert epoch <= state.epoch <= epoch + 1
        assert events <= len(found) <= events + 2
        assert [e.sequence for e in found] == list(range(1, len(found) + 1))
        assert sum(e.step == "swap" for e in found) == 2 * state.epoch, "half a transaction"
        assert state.revision == state.epoch


@pytest.mark.parametrize("seed", [1, 2])
def test_a_damaged_log_of_a_killed_run_hides_nothing(tmp_path: Path, seed: int) -> None:
    """SQLite takes a flipped bit in its log for the log's end."""
    chance = random.Random(seed)
    path = tmp_path / "state.db"
    epoch, events = map(int, killed(path, "writes", chance.randint(5, 40), 0)[-1].split())
    image, log = path.read_bytes(), path.with_name("state.db-wal").read_bytes()
    for number in range(60):
        damaged = bytearray(log)
        place = chance.randrange(min(len(log), 40_000 if number % 2 else 5_000))
        damaged[place] ^= 1 << chance.randrange(8)
        copy = tmp_path / str(number) / "state.db"
        copy.parent.mkdir()
        copy.write_bytes(image)
        copy.with_name("state.db-wal").write_bytes(damaged if number else b"")
        store = SqliteStore(copy)
        try:
            assert epoch <= store.load().epoch <= epoch + 1
            assert events <= len(store.events(limit=1_000_000)) <= events + 2
        except StateDamaged:
            assert number, "a log that is lost whole is not missed"
        finally:
            store.close()


def test_kill_9_while_creating_leaves_all_or_nothing(tmp_path: Path) -> None:
    chance = random.Random(7)
    for round in range(8):
        path = tmp_path / str(round) / "state.db"
        said = killed(path, "creates", chance.randint(1, 3), chance.uniform(0, 0.02))
        for number in range(len(said) + 2):
            store = SqliteStore(path.with_name(f"state.db.{number}"))
            try:
                assert store.load().epoch == number
            except StateMissing:
                assert number >= len(said)
                store.create(State(service="guestbook", epoch=number))
            store.verify()
            store.close()
        assert not list(path.parent.glob("*.new*"))


def test_two_processes_take_turns(path: Path, open_sqlite: OpenStore) -> None:
    open_sqlite().create(State(service="guestbook"))
    open_sqlite().close()
    processes = [start(path, "counts") for _ in range(2)]
    for process in processes:
        process.communicate(timeout=120)
    assert [process.returncode for process in processes] == [0, 0]
    store = open_sqlite()
    assert store.load().epoch == 40
    assert len(store.journal("p")) == 40
    store.verify()


def test_orders_arrive_while_another_process_writes(path: Path, open_sqlite: OpenStore) -> None:
    with running(path, "writes") as process:
        assert process.stdout is not None
        process.stdout.readline()
        others = [start(path, "orders", name) for name in ("a", "b")]
        for _ in range(20_000):
            process.stdout.readline()
            if all(other.poll() is not None for other in others):
                break
    for other in others:
        other.communicate(timeout=120)
    assert [other.returncode for other in others] == [0, 0]
    assert open_sqlite().orders().aborted == {f"{name}-{number}" for name in "ab" for number in range(30)}


def test_the_lease_ends_with_kill_9_and_children_do_not_keep_it(path: Path, open_file_lease: OpenLease) -> None:
    with running(path, "holds") as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            with pytest.raises(LockedError) as caught:
                open_file_lease().acquire("tick")
            assert f"process {process.pid} (writer.py" in caught.value.cause
            process.kill()
            process.wait()
            open_file_lease().acquire("tick", wait_s=10)
            os.kill(child, 0)
        finally:
            os.kill(child, signal.SIGKILL)


def test_what_a_lock_file_says_is_shown_harmlessly(path: Path, open_file_lease: OpenLease) -> None:
    open_file_lease().acquire("tick")
    path.with_name("state.db.tick.lock").write_bytes(b"1 (\x1b[31m\xff)\n")
    with pytest.raises(LockedError) as caught:
        open_file_lease().acquire("tick")
    assert caught.value.cause.isprintable()
    path.with_name("state.db.tick.lock").write_bytes(b"")
    with pytest.raises(LockedError, match="another process holds it"):
        open_file_lease().acquire("tick")


def test_a_lock_file_that_was_deleted_does_not_let_two_write(
    path: Path, open_sqlite: OpenStore, open_file_lease: OpenLease
) -> None:
    """The file lock can be fooled; the term cannot."""
    old = open_file_lease().acquire("tick")
    open_sqlite().create(State(service="guestbook"))
    path.with_name("state.db.tick.lock").unlink()
    new = open_file_lease().acquire("tick")
    with pytest.raises(StateFenced) as caught:
        open_sqlite().append(event("p", "late"), term=old)
    assert "another run" in caught.value.hint
    open_sqlite().append(event("p", "in time"), term=new)


def test_terms_go_on_where_a_lost_database_left_them(
    path: Path, open_sqlite: OpenStore, open_file_lease: OpenLease
) -> None:
    """Before there is a state the terms are kept beside it, and they move in with it."""
    first = open_file_lease()
    before = first.acquire("mirror")
    open_sqlite().create(State(service="guestbook"))
    open_sqlite().append(event("p", "x"), term=before)
    first.release("mirror")
    after = open_file_lease().acquire("mirror")
    assert after > before


def test_the_lease_can_be_had_while_the_state_is_damaged(path: Path, open_file_lease: OpenLease) -> None:
    """So that a check gets as far as saying so, and a repair can keep others out."""
    path.parent.mkdir()
    path.write_bytes(b"no database")
    lease = open_file_lease()
    first = lease.acquire("tick")
    lease.release("tick")
    assert lease.acquire("tick") > first
    assert path.read_bytes() == b"no database"


@pytest.mark.parametrize(("noted", "least"), [("tick 7\n", 8), ("\ntick 7\n\nmirror 9\n", 10), ("tick 7\nmirror 1", 8)])
def test_noted_terms_are_read_up_to_the_last_whole_line(
    path: Path, open_file_lease: OpenLease, noted: str, least: int
) -> None:
    path.parent.mkdir()
    path.with_name("state.db.terms").write_text(noted)
    assert open_file_lease().acquire("tick") == least
    assert open_file_lease().acquire("mirror") == least + 1


def test_noted_terms_that_make_no_sense_are_damage(path: Path, open_file_lease: OpenLease) -> None:
    path.parent.mkdir()
    path.with_name("state.db.terms").write_text("tick seven\n")
    with pytest.raises(StateDamaged, match="tick seven"):
        open_file_lease().acquire("tick")


def test_a_role_is_a_plain_word(path: Path, open_file_lease: OpenLease) -> None:
    for role in ("", "../x", "a/b", "Tick", "a.lock"):
        with pytest.raises(ValueError, match="role"):
            open_file_lease().acquire(role)


def test_every_file_is_private(path: Path, open_sqlite: OpenStore, open_file_lease: OpenLease) -> None:
    before = os.umask(0)
    try:
        term = open_file_lease().acquire("tick", urgent=True)
        store = open_sqlite()
        store.create(State(service="guestbook"))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        store.append(event("p", "x"), term=term)
        names = {"state.db", "state.db-wal", "state.db-shm", "state.db.reserve", "state.db.terms"}
        assert {*names, "state.db.tick.lock", "state.db.tick.urgent"} == set(os.listdir(path.parent))
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    finally:
        os.umask(before)


def test_a_state_that_others_could_read_is_made_private(path: Path, open_sqlite: OpenStore) -> None:
    open_sqlite().create(State(service="guestbook"))
    path.chmod(0o644)
    open_sqlite().load()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
