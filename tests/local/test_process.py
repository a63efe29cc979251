"""Processes by pid and start time; loops; addresses; what is on a node's disk."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.errors import LockedError, StateDamaged
from failover.local import addresses
from failover.local.digests import UNREADABLE, Digests
from failover.local.files import locked, read_json, write_private
from failover.local.loop import Loop, Stopping
from failover.local.process import Identity, alive, boot_id, identify, kill_marked, marked, send, wait_gone
from failover.local.registry import read_record
from failover.net.archive import tree_digest
from tests.local.help import exists, until

MARK = "FAILOVER_TEST_MARK"


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"], env={**os.environ, MARK: f"own-{os.getpid()}"}) as process:
        yield process
        process.kill()


def known(process: subprocess.Popen[bytes]) -> Identity:
    found = identify(process.pid)
    assert found is not None
    return found


def test_a_process_is_the_same_as_long_as_it_runs(sleeper: subprocess.Popen[bytes]) -> None:
    identity = known(sleeper)
    assert alive(identity)
    assert send(identity, signal.SIGKILL)
    assert wait_gone(identity, 10)
    assert not alive(identity)
    assert not send(identity, signal.SIGKILL)
    assert wait_gone(identity, 0)


def test_a_process_that_stays_is_not_gone(sleeper: subprocess.Popen[bytes]) -> None:
    assert not wait_gone(known(sleeper), 0.01)


@pytest.mark.parametrize("change", [{"start": 1}, {"boot_id": "another"}])
def test_another_start_or_boot_is_another_process(sleeper: subprocess.Popen[bytes], change: dict[str, object]) -> None:
    other = replace(known(sleeper), **change)  # type: ignore[arg-type]
    assert not alive(other)
    assert not send(other, signal.SIGKILL)
    assert wait_gone(other, 0)
    assert sleeper.poll() is None


def test_a_zombie_is_nobody() -> None:
    with subprocess.Popen(["true"]) as process:
        until(lambda: identify(process.pid) is None)


def test_a_name_with_brackets_and_blanks_does_not_confuse(tmp_path: Path) -> None:
    program = tmp_path / "a) Z 1 (b"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([str(program), "600"]) as process:
        until(lambda: b"a) Z 1" in Path(f"/proc/{process.pid}/stat").read_bytes())
        assert known(process).boot_id == boot_id()
        process.kill()


def test_marked_processes_are_found_and_killed(sleeper: subprocess.Popen[bytes]) -> None:
    value = f"own-{os.getpid()}"
    until(lambda: [p.pid for p in marked(MARK, [value])] == [sleeper.pid])
    assert list(marked(MARK, [value[:-1]])) == []
    kill_marked(MARK, [])
    assert sleeper.poll() is None
    kill_marked(MARK, [value])
    assert not exists(sleeper.pid)


# ---------------------------------------------------------------------------------------------- the loop


def test_jobs_run_in_one_thread_and_in_order() -> None:
    loop = Loop()
    ticks: list[int] = []

    def ask() -> None:
        asker_id = threading.get_ident()
        seen = [loop.call(threading.get_ident) for _ in range(3)]
        assert len(set(seen)) == 1
        assert asker_id not in seen
        with pytest.raises(ZeroDivisionError):
            loop.call(lambda: 1 // 0)
        loop.post(loop.end)

    asker = threading.Thread(target=ask)
    asker.start()
    loop.run(lambda: ticks.append(1), 0.01)
    asker.join()
    with pytest.raises(Stopping):
        loop.call(lambda: 1)


def test_a_posted_job_that_fails_does_not_end_the_loop(capfd: pytest.CaptureFixture[str]) -> None:
    loop = Loop()
    loop.post(lambda: 1 // 0)
    loop.post(loop.end)
    loop.run(lambda: None, 60)
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_ticks_come_while_nothing_happens_and_while_much_happens() -> None:
    loop, ticks = Loop(), []

    def tick() -> None:
        ticks.append(1)
        if len(ticks) == 3:
            loop.end()

    def busy() -> None:
        loop.post(busy)

    loop.post(busy)
    loop.run(tick, 0.005)
    assert len(ticks) == 3


# ---------------------------------------------------------------------------------------------- files


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_private(path, "one")
    with path.open(encoding="utf-8") as before:
        write_private(path, "two")
        assert before.read() == "one"
    assert path.read_text(encoding="utf-8") == "two"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        write_private(tmp_path / "file", "\ud800")
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    with locked(tmp_path / "lock"), pytest.raises(LockedError), locked(tmp_path / "lock", wait_s=0.05):
        pass
    with locked(tmp_path / "lock", wait_s=0.0):
        pass


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"pid": "1"}', '{"pid": 1, "start": 2}'])
def test_a_damaged_record_is_not_a_missing_one(tmp_path: Path, text: str) -> None:
    assert read_record(tmp_path) is None
    (tmp_path / "daemon.json").write_text(text, encoding="utf-8")
    with pytest.raises(StateDamaged):
        read_record(tmp_path)


def test_a_directory_in_place_of_a_file_is_damage(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(StateDamaged):
        read_json(tmp_path / "file")


# ---------------------------------------------------------------------------------------------- addresses


@given(st.sets(st.integers(0, 3)))
def test_an_address_is_not_used_and_in_its_range(taken: set[int]) -> None:
    used = {addresses.pick([], ()) for _ in taken}
    address = addresses.pick([], used)
    assert address not in used
    first, second, _, last = (int(part) for part in address.split("."))
    assert (first, 16 <= second <= 250) == (127, True)
    assert 0 <= last <= 255


# ---------------------------------------------------------------------------------------------- digests


def test_a_digest_is_kept_only_while_nothing_can_have_changed(tmp_path: Path) -> None:
    tree, digests = tmp_path / "tree", Digests()
    assert digests.of(tree) == UNREADABLE
    (tree / "sub").mkdir(parents=True)
    assert digests.of(tree) == UNREADABLE
    file = tree / "sub" / "file"
    for text in ("one", "two", "six", "one"):
        file.write_text(text, encoding="utf-8")
        assert digests.of(tree) == digests.of(tree) == tree_digest(tree)


def test_a_digest_that_is_old_enough_is_not_computed_again(tmp_path: Path) -> None:
    """The executable bit counts in the digest, and its change moves the ctime."""
    file = tmp_path / "file"
    file.write_text("one", encoding="utf-8")
    digests = Digests()
    until(lambda: digests.of(tmp_path) and digests.keeps(tmp_path))
    before = digests.of(tmp_path)
    file.chmod(0o755)
    assert digests.of(tmp_path) not in (before, UNREADABLE)
    assert not digests.keeps(tmp_path)
    digests.forget(tmp_path)
