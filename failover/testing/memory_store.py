"""A Store and a Lease in memory, for simulation: what is durable lies on a `MemoryDisk` and outlives the process.

disk = MemoryDisk()
store, lease = MemoryStore(disk), MemoryLease(disk)
disk.crash(at=3, when="after")       # the third write from now is kept, then the process dies: Crashed
…
disk.restart()                       # no process is left, so no lease is held
store, lease = MemoryStore(disk), MemoryLease(disk)
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

from failover.core.cutover import CutoverPlan
from failover.core.saga import Event
from failover.core.world import Forced, Orders, Pause, State, forced_in
from failover.errors import LockedError, StateError, StateMissing, StateStale
from failover.stores import chain, codec
from failover.stores.chain import Link
from failover.stores.terms import refuse_unknown

T = TypeVar("T")


class Crashed(BaseException):
    """The simulated process was killed. Not an Exception, so that no handler goes on after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What is durable. Values are kept as text, so that every load decodes as after a real restart."""

    state: str | None = None
    orders: str = codec.encode(Orders())
    plans: Mapping[str, str] = field(default_factory=dict)
    events: tuple[tuple[int, str, str], ...] = ()
    head: Link = field(default_factory=Link)


class MemoryDisk:
    """What outlives a simulated process, and the trouble it makes.

    `fault` is asked with the name of each operation (`load`, `swap`, …) before it runs; an exception that it returns is
    raised. `writes` counts the writes that were kept.
    """

    def __init__(self, fault: Callable[[str], Exception | None] = lambda _: None) -> None:
        self.fault = fault
        self.contents = Contents()
        self.terms: dict[str, int] = {}
        self.holders: dict[str, MemoryLease] = {}
        self.urgent: dict[str, int] = {}
        self.writes = 0
        self.changed = threading.Condition(threading.RLock())
        self._crash: tuple[int, str] | None = None

    def crash(self, *, at: int, when: Literal["before", "after"]) -> None:
        """Die at the `at`-th write from now (1 is the next), before or after it is kept."""
        self._crash = (self.writes + at, when)

    def restart(self) -> None:
        """Every process on this machine has ended."""
        with self.changed:
            self._crash = None
            self.holders.clear()
            self.urgent.clear()
            self.changed.notify_all()

    def keep(self, contents: Contents) -> None:
        """One atomic, durable write. Raises Crashed where one is due."""
        due = self._crash if self._crash is not None and self._crash[0] == self.writes + 1 else None
        if due is not None and due[1] == "before":
            raise Crashed(f"before write {due[0]}")
        self.contents = contents
        self.writes += 1
        if due is not None:
            raise Crashed(f"after write {due[0]}")


class MemoryStore:
    """`ports.Store` on a MemoryDisk. After `Crashed` the handle is dead: every later call raises it again."""

    def __init__(self, disk: MemoryDisk) -> None:
        self.disk = disk
        self._dead = False

    def create(self, state: State) -> State:
        def change(now: Contents) -> tuple[Contents, State]:
            if now.state is not None:
                raise StateStale("create state", "memory", "there is one already")
            return replace(now, state=codec.encode(state)), state

        return self._write("create", change, exists=False)

    def load(self) -> State:
        return self._read("load", lambda now: codec.decode_state(now.state or ""))

    def swap(self, state: State, *, term: int, events: Sequence[Event] = ()) -> State:
        wanted = replace(state, revision=state.revision + 1)

        def change(now: Contents) -> tuple[Contents, State]:
            refuse_unknown(self.disk.terms, term)
            found = codec.decode_state(now.state or "").revision
            if found != state.revision:
                raise StateStale(
                    "write state", "memory", f"revision {state.revision} was read, {found} stands there now"
                )
            for event in events:
                now, _ = _appended(now, event)
            return replace(now, state=codec.encode(wanted)), wanted

        return self._write("swap", change)

    def append(self, event: Event, *, term: int) -> Event:
        def change(now: Contents) -> tuple[Contents, Event]:
            refuse_unknown(self.disk.terms, term)
            return _appended(now, event)

        return self._write("append", change)

    def journal(self, plan: str) -> tuple[Event, ...]:
        def find(now: Contents) -> tuple[Event, ...]:
            mentions = [(sequence, body) for sequence, body, _ in now.events if plan in body]
            found = (codec.decode_event(body, f"event {sequence}") for sequence, body in mentions)
            return tuple(event for event in found if event.plan == plan)

        return self._read("journal", find)

    def events(self, limit: int = 100) -> tuple[Event, ...]:
        return self._read("events", lambda now: _decoded(now.events[-limit:])) if limit > 0 else ()

    def save_plan(self, plan: CutoverPlan, *, term: int) -> None:
        body = codec.encode(plan)

        def change(now: Contents) -> tuple[Contents, None]:
            refuse_unknown(self.disk.terms, term)
            if now.plans.get(plan.id, body) != body:
                raise StateError("save plan", plan.id, "another plan of that id is kept already")
            return replace(now, plans={**now.plans, plan.id: body}), None

        self._write("save_plan", change)

    def plans(self, limit: int = 100) -> tuple[CutoverPlan, ...]:
        found = self._read("plans", lambda now: tuple(codec.decode_plan(body) for body in now.plans.values()))
        return found[-limit:] if limit > 0 else ()

    def verify(self) -> None:
        self._read("verify", _verified)

    def orders(self) -> Orders:
        return self._read("orders", lambda now: codec.decode_orders(now.orders))

    def set_pause(self, pause: Pause | None) -> None:
        self._order("set_pause", lambda orders: replace(orders, pause=pause))

    def force(self, site: str, forced: Forced | None) -> None:
        self._order("force", lambda orders: forced_in(orders, site, forced))

    def abort(self, plan: str) -> None:
        self._order("abort", lambda orders: replace(orders, aborted=orders.aborted | {plan}))

    def approve(self, proposal: str) -> None:
        self._order("approve", lambda orders: replace(orders, approved=orders.approved | {proposal}))

    def close(self) -> None:
        """Nothing to close; a later call works."""

    def _order(self, operation: str, change: Callable[[Orders], Orders]) -> None:
        def work(now: Contents) -> tuple[Contents, None]:
            return replace(now, orders=codec.encode(change(codec.decode_orders(now.orders)))), None

        self._write(operation, work)

    def _read(self, operation: str, work: Callable[[Contents], T]) -> T:
        with self.disk.changed:
            self._allow(operation, exists=True)
            return work(self.disk.contents)

    def _write(self, operation: str, work: Callable[[Contents], tuple[Contents, T]], *, exists: bool = True) -> T:
        with self.disk.changed:
            self._allow(operation, exists=exists)
            contents, result = work(self.disk.contents)
            try:
                self.disk.keep(contents)
            except Crashed:
                self._dead = True
                raise
            return result

    def _allow(self, operation: str, *, exists: bool) -> None:
        if self._dead:
            raise Crashed("this process is dead")
        error = self.disk.fault(operation)
        if error is not None:
            raise error
        if exists and self.disk.contents.state is None:
            raise StateMissing("read state", "memory", "there is no state yet", "`failover apply` creates it")


class MemoryLease:
    """`ports.Lease` on a MemoryDisk. One instance is one process, whose threads keep each other out as well.

    Waiting takes real time: simulations do not wait.
    """

    def __init__(self, disk: MemoryDisk) -> None:
        self.disk = disk

    def acquire(self, role: str, *, wait_s: float = 0.0, urgent: bool = False) -> int:
        disk = self.disk
        until_s = time.monotonic() + wait_s
        with disk.changed:
            disk.urgent[role] = disk.urgent.get(role, 0) + urgent
            disk.changed.notify_all()
            try:
                while role in disk.holders or (disk.urgent[role] and not urgent):
                    self._refuse(role, until_s, urgent)
            finally:
                disk.urgent[role] = max(0, disk.urgent.get(role, 0) - urgent)
            disk.terms[role] = max((0, *disk.terms.values())) + 1
            disk.holders[role] = self
            return disk.terms[role]

    def release(self, role: str) -> None:
        with self.disk.changed:
            if self.disk.holders.get(role) is self:
                del self.disk.holders[role]
                self.disk.changed.notify_all()

    def die(self) -> None:
        """This process has ended; the others go on."""
        with self.disk.changed:
            for role in [role for role, holder in self.disk.holders.items() if holder is self]:
                self.release(role)

    def _refuse(self, role: str, until_s: float, urgent: bool) -> None:
        """Wait for a change, or raise."""
        if self.disk.urgent[role] and not urgent:
            raise LockedError("take the lock", role, "an operator's command is waiting", "wait")
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            raise LockedError("take the lock", role, "another process holds it", "wait")
        self.disk.changed.wait(left_s)


def _appended(now: Contents, event: Event) -> tuple[Contents, Event]:
    numbered = replace(event, sequence=now.head.sequence + 1)
    body = codec.encode(numbered)
    head = now.head.next(body)
    return replace(now, events=(*now.events, (head.sequence, body, head.hash)), head=head), numbered


def _decoded(events: Sequence[tuple[int, str, str]]) -> tuple[Event, ...]:
    return tuple(codec.decode_event(body, f"event {sequence}") for sequence, body, _ in events)


def _verified(now: Contents) -> tuple[Event, ...]:
    chain.check(Link(), now.events, now.head)
    return _decoded(now.events)
