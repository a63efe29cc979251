"""State, journal, orders and audit log in one SQLite file."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from failover.core.cutover import CutoverPlan
from failover.core.saga import Event
from failover.core.world import Forced, Orders, Pause, State, forced_in
from failover.errors import StateDamaged, StateError, StateStale
from failover.stores import chain, codec, documents
from failover.stores.chain import Link
from failover.stores.database import Database
from failover.stores.files import locked, private_directory
from failover.stores.terms import read_noted, refuse_old, terms_path

Rows = list[tuple[int, str, str]]


class SqliteStore:
    """`ports.Store` on a local disk. The file is opened at the first use; only `create` makes one.

    May be used from several threads, one at a time. `close` may be called at any time; a later call opens again.
    """

    def __init__(self, path: Path, service: str | None = None) -> None:
        """`service`: whose state it must be; None: anybody's."""
        self.path = path.absolute()
        self._service = service
        self._database = Database(path)

    def create(self, state: State) -> State:
        """Whole or not at all, also when the process dies. Terms given out before live on in it."""
        body = codec.encode(state)
        private_directory(self.path.parent)
        with locked(terms_path(self.path), "create state") as number:
            terms = read_noted(number)

            def fill(connection: sqlite3.Connection) -> None:
                documents.insert(connection, documents.STATE, body, state.revision)
                documents.insert(connection, documents.ORDERS, codec.encode(Orders()))
                documents.insert(connection, documents.TERMS, codec.encode(terms))
                documents.insert(connection, documents.HEAD, str(Link()))

            self._database.create(fill)
        return state

    def load(self) -> State:
        state = self._database.read("read state", _state)
        if self._service not in (None, state.service):
            cause = f"it is the state of service {state.service}, not of {self._service}"
            raise StateError("read state", str(self.path), cause, "give each service a `state:` of its own")
        return state

    def swap(self, state: State, *, term: int, events: Sequence[Event] = ()) -> State:
        wanted = replace(state, revision=state.revision + 1)
        body = codec.encode(wanted)

        def work(connection: sqlite3.Connection) -> State:
            refuse_old(connection, term)
            revision, _ = documents.get(connection, documents.STATE)
            if revision != state.revision:
                cause = f"revision {state.revision} was read, {revision} stands there now"
                raise StateStale("write state", str(self.path), cause, "read it again")
            documents.put(connection, documents.STATE, wanted.revision, body)
            if events:
                _append(connection, events)
            return wanted

        return self._database.write("write state", work)

    def append(self, event: Event, *, term: int) -> Event:
        def work(connection: sqlite3.Connection) -> Event:
            refuse_old(connection, term)
            return _append(connection, [event])[0]

        return self._database.write("append event", work)

    def journal(self, plan: str) -> tuple[Event, ...]:
        """Read from where the plan was kept to the log's end, and proved as a piece of the chain on the way."""

        def work(connection: sqlite3.Connection) -> tuple[Event, ...]:
            found = _plan_row(connection, plan)
            return _events(connection, after=found[1] if found else 0)

        return tuple(event for event in self._database.read("read journal", work) if event.plan == plan)

    def events(self, limit: int = 100) -> tuple[Event, ...]:
        if limit <= 0:
            return ()
        return self._database.read("read events", lambda c: _events(c, after=max(0, _head(c).sequence - limit)))

    def save_plan(self, plan: CutoverPlan, *, term: int) -> None:
        body = codec.encode(plan)

        def work(connection: sqlite3.Connection) -> None:
            refuse_old(connection, term)
            found = _plan_row(connection, plan.id)
            if found is None:
                after = _before_first(connection, plan.id)
                sum = documents.checksum(plan.id, after, body)
                connection.execute(
                    "INSERT INTO plans (id, after, body, sha256) VALUES (?, ?, ?, ?)", (plan.id, after, body, sum)
                )
            elif found[0] != body:
                raise StateError("save plan", plan.id, "another plan of that id is kept already")

        self._database.write("save plan", work)

    def plans(self, limit: int = 100) -> tuple[CutoverPlan, ...]:
        def work(connection: sqlite3.Connection) -> tuple[CutoverPlan, ...]:
            newest = connection.execute(
                "SELECT id, after, body, sha256 FROM plans ORDER BY number DESC LIMIT ?", (max(0, limit),)
            )
            return tuple(_plan(*row) for row in reversed(newest.fetchall()))

        return self._database.read("read plans", work)

    def verify(self) -> None:
        """Reads everything: the structure, every text's checksum, and the whole chain."""

        def work(connection: sqlite3.Connection) -> None:
            (answer,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if answer != "ok":
                raise StateDamaged("verify", "", str(answer))
            _state(connection)
            codec.decode_orders(documents.get(connection, documents.ORDERS)[1])
            codec.decode_terms(documents.get(connection, documents.TERMS)[1])
            for row in connection.execute("SELECT id, after, body, sha256 FROM plans"):
                _plan(*row)
            chain.check(Link(), connection.execute("SELECT * FROM events ORDER BY sequence"), _head(connection))

        self._database.read("verify", work)

    def orders(self) -> Orders:
        return self._database.read("read orders", lambda c: _orders(c)[1])

    def set_pause(self, pause: Pause | None) -> None:
        self._order(lambda orders: replace(orders, pause=pause))

    def force(self, site: str, forced: Forced | None) -> None:
        self._order(lambda orders: forced_in(orders, site, forced))

    def abort(self, plan: str) -> None:
        self._order(lambda orders: replace(orders, aborted=orders.aborted | {plan}))

    def approve(self, proposal: str) -> None:
        self._order(lambda orders: replace(orders, approved=orders.approved | {proposal}))

    def close(self) -> None:
        self._database.close()

    def _order(self, change: Callable[[Orders], Orders]) -> None:
        def work(connection: sqlite3.Connection) -> None:
            revision, orders = _orders(connection)
            documents.put(connection, documents.ORDERS, revision + 1, codec.encode(change(orders)))

        self._database.write("write order", work)


def _state(connection: sqlite3.Connection) -> State:
    revision, body = documents.get(connection, documents.STATE)
    state = codec.decode_state(body)
    if state.revision != revision:
        raise StateDamaged("read state", "", f"the document says revision {state.revision}, its row {revision}")
    return state


def _orders(connection: sqlite3.Connection) -> tuple[int, Orders]:
    revision, body = documents.get(connection, documents.ORDERS)
    return revision, codec.decode_orders(body)


def _head(connection: sqlite3.Connection) -> Link:
    _, body = documents.get(connection, documents.HEAD)
    try:
        return Link.parse(body)
    except ValueError as error:
        raise StateDamaged("read state", "", "the head of the audit log makes no sense") from error


def _append(connection: sqlite3.Connection, events: Sequence[Event]) -> list[Event]:
    """Goes on from the head only if the log really ends there."""
    revision, _ = documents.get(connection, documents.HEAD)
    here = _head(connection)
    last = connection.execute("SELECT sequence, hash FROM events ORDER BY sequence DESC LIMIT 1").fetchone()
    if (last or (0, chain.GENESIS)) != (here.sequence, here.hash):
        raise StateDamaged("append event", "", f"the audit log does not end at its head, event {here.sequence}")
    kept = []
    for event in events:
        numbered = replace(event, sequence=here.sequence + 1)
        body = codec.encode(numbered)
        here = here.next(body)
        connection.execute("INSERT INTO events VALUES (?, ?, ?)", (here.sequence, body, here.hash))
        kept.append(numbered)
    documents.put(connection, documents.HEAD, revision + 1, str(here))
    return kept


def _events(connection: sqlite3.Connection, after: int) -> tuple[Event, ...]:
    """The events behind sequence `after` to the end, proved to be a piece of the chain without a gap."""
    start = Link()
    if after:
        row = connection.execute("SELECT hash FROM events WHERE sequence = ?", (after,)).fetchone()
        if row is None:
            raise StateDamaged("read events", "the audit log", f"event {after} is missing")
        start = Link(sequence=after, hash=row[0])
    query = "SELECT sequence, body, hash FROM events WHERE sequence > ? ORDER BY sequence"
    rows: Rows = connection.execute(query, (after,)).fetchall()
    chain.check(start, rows, _head(connection))
    return tuple(codec.decode_event(body, f"event {sequence}") for sequence, body, _ in rows)


def _plan_row(connection: sqlite3.Connection, id: str) -> tuple[str, int] | None:
    """(text, sequence of the newest event when it was kept) of a plan."""
    row = connection.execute("SELECT id, after, body, sha256 FROM plans WHERE id = ?", (id,)).fetchone()
    if row is None:
        return None
    _plan(*row)
    return row[2], row[1]


def _before_first(connection: sqlite3.Connection, plan: str) -> int:
    """The sequence behind which all events of the plan are. There should be none yet; if there are, none is lost."""
    mark = f'"plan":{msgspec.json.encode(plan).decode()}'
    (first,) = connection.execute("SELECT min(sequence) FROM events WHERE instr(body, ?)", (mark,)).fetchone()
    return _head(connection).sequence if first is None else int(first) - 1


def _plan(id: str, after: int, body: str, sum: str) -> CutoverPlan:
    if sum != documents.checksum(id, after, body):
        raise StateDamaged("read plan", "", f"plan {id} does not match its checksum")
    return codec.decode_plan(body, f"plan {id}")
