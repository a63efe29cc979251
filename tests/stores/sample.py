"""A store with something of everything in it, as bytes, and what must be found there."""

import tempfile
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from failover.core.cutover import CutoverPlan
from failover.core.saga import Event
from failover.core.world import Orders, Pause, State
from failover.ports import Store
from failover.stores.lease import FileLease
from failover.stores.sqlite import SqliteStore
from failover.testing.stores import event, full_state, instant, plan

EVENTS = 30


@dataclass(frozen=True)
class Content:
    state: State
    orders: Orders
    plans: tuple[CutoverPlan, ...]
    events: tuple[Event, ...]


def fill(path: Path) -> Content:
    """Make the store and close it cleanly: everything is in the one file."""
    lease, store = FileLease(path, may_create=True), SqliteStore(path)
    term = lease.acquire("tick")
    store.create(full_state())
    for number in range(EVENTS):
        if number % 10 == 0:
            store.save_plan(plan(f"p{number // 10}", number), term=term)
        store.append(event(f"p{number // 10}", f"step {number}"), term=term)
    store.set_pause(Pause(since=instant(1), reason="maintenance"))
    store.abort("p1")
    store.swap(replace(store.load(), epoch=30), term=term)
    content = look(store)
    store.close()
    lease.release("tick")
    return content


def look(store: Store) -> Content:
    """All that can be asked; raises what the store raises."""
    events = store.events(limit=1000)
    journals = tuple(e for plan in ("p0", "p1", "p2") for e in store.journal(plan))
    assert journals == events[: len(journals)]
    return Content(state=store.load(), orders=store.orders(), plans=store.plans(), events=events)


@cache
def sample() -> tuple[bytes, Content]:
    """The file and its content, made once. Not a fixture: a property test would print it with every example."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "state.db"
        content = fill(path)
        return path.read_bytes(), content
