"""Damage is told, or the content is right. It is never taken for empty, and never lost without a sound."""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from failover.core.world import State
from failover.errors import StateDamaged, StateError, StateMissing, StateStale
from failover.stores.lease import FileLease
from failover.stores.sqlite import SqliteStore
from failover.testing.stores import event, full_state
from tests.stores.sample import EVENTS, Content, fill, look, sample


def refused_or_right(image: bytes, content: Content) -> str:
    """Open the image, read everything, write, read again. Says how it ended."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "state.db"
        path.write_bytes(image)
        with closing(SqliteStore(path)) as store:
            try:
                assert look(store) == content
            except StateMissing:
                raise
            except StateError:
                return "refused"
            return write_on(path, store, content)


def write_on(path: Path, store: SqliteStore, content: Content) -> str:
    lease = FileLease(path)
    try:
        term = lease.acquire("tick")
        kept = store.append(event("p2", "one more"), term=term)
        state = store.swap(replace(content.state, epoch=31), term=term)
        store.verify()
        after = look(store)
    except StateMissing:
        raise
    except StateError:
        return "refused when written"
    finally:
        lease.release("tick")
    assert after == replace(content, state=state, events=(*content.events, kept))
    return "right"


def test_the_sample_itself_is_right() -> None:
    image, content = sample()
    assert len(content.events) == EVENTS
    assert len(content.plans) == 3
    assert refused_or_right(image, content) == "right"


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_flipped_bits(data: st.DataObject) -> None:
    image, content = sample()
    damaged = bytearray(image)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(image) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    refused_or_right(bytes(damaged), content)


@pytest.mark.parametrize("bit", [0, 3, 7])
def test_every_byte_of_the_header(bit: int) -> None:
    image, content = sample()
    for place in range(100):
        damaged = bytearray(image)
        damaged[place] ^= 1 << bit
        refused_or_right(bytes(damaged), content)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_overwritten_stretches(data: st.DataObject) -> None:
    image, content = sample()
    start = data.draw(st.integers(0, len(image) - 1))
    junk = data.draw(st.binary(min_size=1, max_size=64) | st.sampled_from([bytes(512), bytes(4096), b"\xff" * 4096]))
    refused_or_right((image[:start] + junk + image[start + len(junk) :])[: len(image)], content)


def test_unsound_structure_is_refused_before_anything_is_written_on_it() -> None:
    """A page whose count of unused bytes is wrong still reads well; a write into it could run over a neighbour."""
    image, content = sample()
    damaged = bytearray(image)
    damaged[4096 + 7] += 1
    assert refused_or_right(bytes(damaged), content) == "refused"


@pytest.mark.parametrize("old", [b"documents", b"CREATE TABLE", b"hash TEXT", b'"plan":', b"sha256"])
def test_text_that_is_not_utf_8(old: bytes) -> None:
    image, content = sample()
    assert refused_or_right(image.replace(old, b"\xff" + old[1:]), content) == "refused"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file(share: float) -> None:
    """Right is possible: the last page may be a free one."""
    image, content = sample()
    refused_or_right(image[: int(len(image) * share)], content)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 0.5, 0.8])
def test_a_file_that_lost_a_good_part_is_refused(share: float) -> None:
    image, content = sample()
    assert refused_or_right(image[: int(len(image) * share)], content) == "refused"


@pytest.mark.parametrize(
    "image",
    [b"", b"\0", b"\0" * 8192, b"state: fine\n" * 100, b"SQLite format 3\0", b"SQLite format 3\0" + b"\0" * 4080],
)
def test_not_a_database(path: Path, open_sqlite: Callable[[], SqliteStore], image: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(image)
    for _ in range(2):
        with pytest.raises(StateDamaged, match=r"state\.db") as caught:
            open_sqlite().load()
        assert caught.value.hint
    with pytest.raises(StateStale):
        open_sqlite().create(State(service="guestbook"))
    assert path.read_bytes() == image


def test_another_programs_database_is_left_alone(path: Path, open_sqlite: Callable[[], SqliteStore]) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE documents (name TEXT)")
    before = path.read_bytes()
    with pytest.raises(StateDamaged, match="another program"):
        open_sqlite().load()
    assert path.read_bytes() == before


@contextmanager
def edited(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE plans",
        "ALTER TABLE events ADD COLUMN mood TEXT",
        "CREATE TABLE extra (x)",
        "CREATE TRIGGER gone AFTER INSERT ON events BEGIN DELETE FROM events; END",
    ],
)
def test_changed_tables_are_damage(path: Path, open_sqlite: Callable[[], SqliteStore], statement: str) -> None:
    fill(path)
    with edited(path) as connection:
        connection.execute(statement)
    with pytest.raises(StateDamaged, match="tables"):
        open_sqlite().load()


def test_a_newer_database_asks_for_an_upgrade(path: Path, open_sqlite: Callable[[], SqliteStore]) -> None:
    fill(path)
    with edited(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StateError, match="newer failover") as caught:
        open_sqlite().load()
    assert not isinstance(caught.value, StateDamaged)
    assert "upgrade" in caught.value.hint


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE events SET body = replace(body, 'step 6', 'step 5') WHERE sequence = 7", "event 7"),
        ("UPDATE events SET hash = replace(hash, substr(hash, 1, 1), 'x') WHERE sequence = 8", "event 8"),
        ("DELETE FROM events WHERE sequence = 12", "event 12"),
        ("DELETE FROM events WHERE sequence > 25", "event 26"),
        ("DELETE FROM events", "event 1 "),
        ("UPDATE events SET sequence = 100 WHERE sequence = 30", "event 30"),
        ("INSERT INTO events SELECT 31, body, hash FROM events WHERE sequence = 30", "event 31"),
        ("UPDATE plans SET body = replace(body, 'boreas', 'cirrus') WHERE id = 'p1'", "plan p1"),
        ("DELETE FROM documents WHERE name = 'orders'", "orders"),
        ("UPDATE documents SET body = replace(body, '30', '31') WHERE name = 'state'", "state"),
        ("UPDATE documents SET revision = revision + 1 WHERE name = 'state'", "state"),
        ("UPDATE documents SET body = replace(body, 'tick', 'tock') WHERE name = 'terms'", "terms"),
        ("UPDATE documents SET body = '29 ' || substr(body, 4) WHERE name = 'head'", "head"),
    ],
)
def test_verify_names_what_was_tampered_with(
    path: Path, open_sqlite: Callable[[], SqliteStore], statement: str, named: str
) -> None:
    fill(path)
    open_sqlite().verify()
    with edited(path) as connection:
        assert connection.execute(statement).rowcount > 0
    with pytest.raises(StateDamaged) as caught:
        open_sqlite().verify()
    assert named in str(caught.value) + " "


def test_nothing_is_appended_to_a_log_that_was_cut(path: Path, open_sqlite: Callable[[], SqliteStore]) -> None:
    fill(path)
    with edited(path) as connection:
        connection.execute("DELETE FROM events WHERE sequence > 25")
    lease = FileLease(path)
    term = lease.acquire("tick")
    store = open_sqlite()
    with pytest.raises(StateDamaged, match="head"):
        store.append(event("p", "x"), term=term)
    with pytest.raises(StateDamaged, match="event 26"):
        store.journal("p2")
    lease.release("tick")


def test_a_lost_file_beside_its_log_is_not_a_fresh_start(path: Path, open_sqlite: Callable[[], SqliteStore]) -> None:
    path.parent.mkdir()
    path.with_name("state.db-wal").write_bytes(b"x")
    with pytest.raises(StateDamaged, match="write-ahead log"):
        open_sqlite().load()
    with pytest.raises(StateDamaged, match="write-ahead log"):
        open_sqlite().create(State(service="guestbook"))


def test_a_link_to_nowhere_is_not_a_fresh_start(path: Path, open_sqlite: Callable[[], SqliteStore]) -> None:
    path.parent.mkdir()
    path.symlink_to(path.parent / "unmounted" / "state.db")
    with pytest.raises(StateDamaged, match="link"):
        open_sqlite().load()


def test_a_directory_in_its_place(path: Path, open_sqlite: Callable[[], SqliteStore]) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StateDamaged):
        open_sqlite().load()


def test_a_file_in_the_place_of_its_directory(path: Path, open_sqlite: Callable[[], SqliteStore]) -> None:
    path.parent.write_text("not a directory")
    with pytest.raises(StateDamaged):
        open_sqlite().load()
    with pytest.raises(StateError):
        open_sqlite().create(State(service="guestbook"))
    with pytest.raises(StateError):
        FileLease(path).acquire("tick")


def test_a_file_that_vanishes_or_is_replaced_in_use(path: Path, open_sqlite: Callable[[], SqliteStore]) -> None:
    """A write to a file that nobody can find any more would be lost although it was acknowledged."""
    fill(path)
    store = open_sqlite()
    store.load()
    path.rename(path.with_name("moved"))
    with pytest.raises(StateDamaged, match="vanished"):
        store.set_pause(None)
    path.write_bytes(path.with_name("moved").read_bytes())
    with pytest.raises(StateDamaged, match="replaced"):
        store.set_pause(None)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Root may read everything, so it steps down meanwhile."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def foreign() -> Iterator[Path]:
    """A directory that everybody may look into and nobody but its owner may change."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)
        Path(directory).chmod(0o700)


def test_a_file_that_may_not_be_read_is_not_taken_for_missing(foreign: Path) -> None:
    path = foreign / "state.db"
    fill(path)
    if os.geteuid() != 0:
        path.chmod(0)
        foreign.chmod(0o500)
        pytest.skip("the owner may always make it readable again")
    with unprivileged(), closing(SqliteStore(path)) as store, pytest.raises(StateDamaged):
        store.load()


def test_a_directory_that_may_not_be_entered_is_not_taken_for_missing(foreign: Path) -> None:
    path = foreign / "inner" / "state.db"
    fill(path)
    path.parent.chmod(0 if os.geteuid() else 0o700)
    with unprivileged(), closing(SqliteStore(path)) as store, pytest.raises(StateDamaged, match="ermission"):
        store.load()
    path.parent.chmod(0o700)


def test_a_directory_that_may_not_be_written(foreign: Path) -> None:
    if os.geteuid() != 0:
        foreign.chmod(0o500)
    path = foreign / "state.db"
    with unprivileged():
        with pytest.raises(StateError, match="ermission"):
            FileLease(path).acquire("tick")
        with pytest.raises(StateError, match="ermission"):
            SqliteStore(path).create(full_state())
        with pytest.raises(StateError, match="ermission"):
            SqliteStore(foreign / "deeper" / "state.db").create(full_state())
    foreign.chmod(0o700)
    assert os.listdir(foreign) == []


def test_asking_makes_no_file_and_no_directory(tmp_path: Path) -> None:
    path = tmp_path / "none" / "state.db"
    with closing(SqliteStore(path)) as store:
        for ask in (store.load, store.orders, store.events, store.verify):
            with pytest.raises(StateMissing):
                ask()
    with pytest.raises(StateMissing) as caught:
        FileLease(path).acquire("tick")
    assert "failover apply" in caught.value.hint
    assert os.listdir(tmp_path) == []
