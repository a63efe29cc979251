"""A process that writes until it is killed, and says on standard output what was acknowledged.

`python -m tests.stores.writer PATH MODE`: `writes` prints `epoch events` after each write, `creates` makes one store
after another in `PATH.0`, `PATH.1`, …, `counts` adds 20 to the epoch under the lease, `orders` aborts 30 plans,
`holds` takes the lease, starts a child that could have inherited it, prints the child's pid and waits.
"""

import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path

from failover.core.world import State
from failover.errors import StateMissing
from failover.stores.lease import FileLease
from failover.stores.sqlite import SqliteStore
from failover.testing.stores import event, plan


def say(*words: object) -> None:
    print(*words, flush=True)


def writes(path: Path) -> None:
    """Epoch e stands together with exactly 2·e `swap` events; `append` events come in between."""
    lease, store = FileLease(path, may_create=True), SqliteStore(path)
    term = lease.acquire("tick")
    try:
        state = store.load()
    except StateMissing:
        state = store.create(State(service="guestbook"))
    number = len(store.events(limit=1_000_000))
    while True:
        state = store.swap(
            replace(state, epoch=state.epoch + 1), term=term, events=[event("p", "swap"), event("p", "swap")]
        )
        number += 2
        say(state.epoch, number)
        for _ in range(state.epoch % 4):
            number = store.append(event("p", "append"), term=term).sequence
            say(state.epoch, number)
        if state.epoch % 5 == 0:
            store.save_plan(plan(f"plan {state.epoch}", state.epoch), term=term)


def creates(path: Path) -> None:
    for number in count():
        with closing(SqliteStore(path.with_name(f"{path.name}.{number}"))) as store:
            store.create(State(service="guestbook", epoch=number))
        say(number)


def counts(path: Path) -> None:
    lease = FileLease(path)
    for _ in range(20):
        term = lease.acquire("tick", wait_s=60)
        with closing(SqliteStore(path)) as store:
            state = store.load()
            store.swap(replace(state, epoch=state.epoch + 1), term=term, events=[event("p", "count")])
        lease.release("tick")


def orders(path: Path) -> None:
    name = sys.argv[3]
    for number in range(30):
        with closing(SqliteStore(path)) as store:
            store.abort(f"{name}-{number}")


def holds(path: Path) -> None:
    lease = FileLease(path, may_create=True)
    lease.acquire("tick")
    child = subprocess.Popen(["sleep", "300"], close_fds=False)
    say(child.pid)
    child.wait()


if __name__ == "__main__":
    {"writes": writes, "creates": creates, "counts": counts, "orders": orders, "holds": holds}[sys.argv[2]](
        Path(sys.argv[1])
    )
