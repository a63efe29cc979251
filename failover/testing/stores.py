"""What every Store and every Lease must do. An adapter's test is a subclass with its fixtures.

class TestSqliteStore(StoreConformance):
    @pytest.fixture
    def open_store(self, tmp_path):
        …   # each call opens one more handle on the same state; none exists yet
    @pytest.fixture
    def open_lease(self, tmp_path):
        …   # each call is one more contender, as if in a process of its own
"""

# ruff: noqa: S101 - a suite of assertions
# ruff: noqa: ARG002 - a fixture may be wanted for its effect only

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from failover.core.cutover import CutoverPlan, PlanKind, Step
from failover.core.health import Health, HealthState
from failover.core.mirror import wish_of
from failover.core.model import Instant, Node, NodeGroup, NodeState, Release
from failover.core.rrsets import RRset
from failover.core.saga import Event, EventKind, Value
from failover.core.world import Debt, Forced, ForcedAs, Orders, Pause, State
from failover.errors import LockedError, StateError, StateFenced, StateMissing, StateStale
from failover.ports import Lease, Store

OpenStore = Callable[[], Store]
OpenLease = Callable[[], Lease]


def instant(seconds: float) -> Instant:
    return Instant(boot_id="boot-1", boottime_s=seconds, utc_s=1_700_000_000.5 + seconds)


def event(plan: str, step: str, kind: EventKind = EventKind.STARTED, at_s: float = 1.0) -> Event:
    output: Mapping[str, Value] = {"epoch": 7, "addresses": ["192.0.2.1"], "rate": 0.5, "nested": {"none": None}}
    return Event(plan=plan, step=step, kind=kind, at=instant(at_s), reason="because – ☂", output=output)


def plan(id: str, epoch: int = 1) -> CutoverPlan:
    return CutoverPlan(
        id=id,
        kind=PlanKind.CUTOVER,
        service="guestbook",
        at=instant(5),
        parent_epoch=epoch - 1,
        epoch=epoch,
        source="aurora",
        target="boreas",
        steps=(Step.CLAIM, Step.SWAP, Step.COMMIT),
        zones=("example.org",),
        hosts=("ns1", "ns2"),
        rrsets=(RRset(name="www.example.org", type="A", ttl_s=60, values=frozenset({"192.0.2.1", "192.0.2.2"})),),
        addresses={"web": ("192.0.2.1", "192.0.2.2")},
        reasons=("aurora says that the account is closed",),
    )


def full_state() -> State:
    """A state with something in every corner."""
    node = Node(id="n1", name="web-0", site="boreas", group="web", ordinal=0, spec="s", state=NodeState.RUNNING)
    return State(
        service="guestbook",
        epoch=7,
        active_site="aurora",
        published=plan("old", 7),
        adopted=(RRset(name="example.org", type="MX", ttl_s=300, values=frozenset({"10 mail.example.org."})),),
        inventory={"boreas": (node,)},
        health={"boreas": {"http": Health(state=HealthState.UP, since=instant(1), passes=5, last=instant(2))}},
        wishes=(wish_of(NodeGroup(name="web", count=1, ports=(8080,)), Release(digest="sha256:1", command="serve")),),
        debts=(Debt(host="ns2", epoch=7, since=instant(3), reason="no answer"),),
        reasons=("all is well",),
    )


class StoreConformance:
    """`ports.Store`."""

    @pytest.fixture
    def open_store(self) -> OpenStore:
        raise NotImplementedError

    @pytest.fixture
    def open_lease(self) -> OpenLease:
        raise NotImplementedError

    @pytest.fixture
    def term(self, open_lease: OpenLease) -> int:
        """Taken before there is a state, as `apply` does."""
        return open_lease().acquire("tick")

    @pytest.fixture
    def store(self, open_store: OpenStore, term: int) -> Store:
        store = open_store()
        store.create(State(service="guestbook"))
        return store

    def test_without_a_state_everything_says_so(self, open_store: OpenStore, term: int) -> None:
        store = open_store()
        asks: list[Callable[[], object]] = [
            store.load,
            store.orders,
            store.verify,
            store.events,
            store.plans,
            lambda: store.journal("p"),
            lambda: store.append(event("p", "claim"), term=term),
            lambda: store.swap(State(service="guestbook"), term=term),
            lambda: store.save_plan(plan("p"), term=term),
            lambda: store.abort("p"),
            lambda: store.set_pause(None),
            lambda: store.force("aurora", None),
        ]
        for ask in asks:
            with pytest.raises(StateMissing) as caught:
                ask()
            assert "failover apply" in caught.value.hint
        with pytest.raises(StateMissing):
            open_store().load()

    def test_what_was_created_is_loaded_by_another_handle(self, open_store: OpenStore) -> None:
        state = full_state()
        assert open_store().create(state) == state
        assert open_store().load() == state

    def test_a_second_create_is_refused_and_changes_nothing(self, store: Store, open_store: OpenStore) -> None:
        with pytest.raises(StateStale):
            open_store().create(full_state())
        assert store.load() == State(service="guestbook")

    def test_swap_counts_revisions(self, store: Store, open_store: OpenStore, term: int) -> None:
        first = store.swap(replace(full_state(), revision=store.load().revision), term=term)
        second = store.swap(replace(first, epoch=8), term=term)
        assert (second.revision, second.epoch) == (first.revision + 1, 8)
        assert open_store().load() == second

    def test_swap_of_an_old_revision_changes_nothing(self, store: Store, open_store: OpenStore, term: int) -> None:
        old = store.load()
        new = open_store().swap(replace(old, epoch=1), term=term)
        with pytest.raises(StateStale):
            store.swap(replace(old, epoch=2), term=term, events=[event("p", "claim")])
        assert store.load() == new
        assert store.events() == ()

    def test_swap_appends_its_events_with_the_state(self, store: Store, term: int) -> None:
        store.append(event("p", "claim"), term=term)
        store.swap(store.load(), term=term, events=[event("p", "swap"), event("p", "commit")])
        assert [(e.sequence, e.step) for e in store.journal("p")] == [(1, "claim"), (2, "swap"), (3, "commit")]

    def test_an_appended_event_is_read_back_as_it_was(self, store: Store, open_store: OpenStore, term: int) -> None:
        given = event("p", "claim")
        kept = store.append(given, term=term)
        assert kept == replace(given, sequence=kept.sequence)
        assert open_store().journal("p") == (kept,)

    def test_a_journal_holds_one_plan_in_order(self, store: Store, term: int) -> None:
        store.save_plan(plan("a"), term=term)
        for step in ("claim", "swap"):
            for name in ("a", "b"):
                store.append(event(name, step), term=term)
        store.append(event("", "note", EventKind.NOTE), term=term)
        store.save_plan(plan("b"), term=term)
        for name in ("a", "b"):
            found = store.journal(name)
            assert [e.step for e in found] == ["claim", "swap"]
            assert {e.plan for e in found} == {name}
        assert store.journal("none") == ()

    def test_events_are_the_newest_oldest_first(self, store: Store, term: int) -> None:
        kept = [store.append(event("p", f"s{number}"), term=term) for number in range(7)]
        assert store.events() == tuple(kept)
        assert store.events(limit=3) == tuple(kept[-3:])
        assert store.events(limit=1) == tuple(kept[-1:])
        assert store.events(limit=0) == ()

    def test_plans_are_kept_once(self, store: Store, open_store: OpenStore, term: int) -> None:
        kept = [plan(f"p{number}", number) for number in range(1, 5)]
        for each in (*kept, kept[0]):
            store.save_plan(each, term=term)
        assert open_store().plans() == tuple(kept)
        assert store.plans(limit=2) == tuple(kept[-2:])
        assert store.plans(limit=0) == ()
        with pytest.raises(StateError):
            store.save_plan(replace(kept[0], target="cirrus"), term=term)
        assert store.plans() == tuple(kept)

    def test_a_newer_term_of_the_role_fences_every_write(self, store: Store, open_lease: OpenLease) -> None:
        lease = open_lease()
        old = lease.acquire("mirror")
        lease.release("mirror")
        new = lease.acquire("mirror")
        before = store.load()
        writes: list[Callable[[int], object]] = [
            lambda term: store.swap(store.load(), term=term, events=[event("p", "x")]),
            lambda term: store.append(event("p", "y"), term=term),
            lambda term: store.save_plan(plan("p"), term=term),
        ]
        for write in writes:
            with pytest.raises(StateFenced):
                write(old)
        assert (store.load(), store.events(), store.plans()) == (before, (), ())
        for write in writes:
            write(new)
        assert len(store.events()) == 2

    def test_a_term_that_was_never_given_is_fenced(self, store: Store, term: int) -> None:
        for stranger in (0, -1, term + 1000):
            with pytest.raises(StateFenced):
                store.append(event("p", "x"), term=stranger)

    def test_roles_do_not_fence_each_other(self, store: Store, open_lease: OpenLease, term: int) -> None:
        mirror = open_lease().acquire("mirror")
        state = store.swap(store.load(), term=term)
        state = store.swap(state, term=mirror)
        store.swap(state, term=term)

    def test_orders_need_no_lease_and_are_seen_by_others(self, store: Store, open_store: OpenStore, term: int) -> None:
        assert store.orders() == Orders()
        other = open_store()
        pause = Pause(since=instant(1), reason="maintenance", until=instant(61))
        other.set_pause(pause)
        for _ in range(2):
            other.abort("p1")
            other.approve("q1")
        other.abort("p2")
        assert store.orders() == Orders(pause=pause, aborted=frozenset({"p1", "p2"}), approved=frozenset({"q1"}))
        store.set_pause(None)
        assert other.orders().pause is None
        assert other.orders().aborted == {"p1", "p2"}

    def test_a_word_about_a_site_stands_until_it_is_taken_back(self, store: Store, open_store: OpenStore) -> None:
        drained = Forced(word=ForcedAs.DRAINED, since=instant(1), reason="disks are replaced")
        up = Forced(word=ForcedAs.UP, since=instant(2), reason="the probe is wrong", until=instant(62))
        store.force("aurora", up)
        open_store().force("boreas", up)
        open_store().force("aurora", drained)
        assert store.orders().forced == {"aurora": drained, "boreas": up}
        assert (store.orders().forced_at(instant(61)), store.orders().forced_at(instant(62))) == (
            {"aurora": drained, "boreas": up},
            {"aurora": drained},
        )
        store.force("boreas", None)
        store.force("cirrus", None)
        assert open_store().orders() == Orders(forced={"aurora": drained})

    def test_orders_do_not_make_a_state_stale(self, store: Store, open_store: OpenStore, term: int) -> None:
        state = store.load()
        open_store().abort("p")
        store.swap(state, term=term)

    def test_a_written_log_verifies(self, store: Store, open_store: OpenStore, term: int) -> None:
        store.verify()
        store.save_plan(plan("p"), term=term)
        for number in range(5):
            store.append(event("p", f"s{number}"), term=term)
        open_store().verify()

    def test_what_cannot_be_read_back_is_not_written(self, store: Store, term: int) -> None:
        before = store.load()
        bad = replace(before, last_tick=Instant(boot_id="b", boottime_s=float("nan"), utc_s=0.0))
        with pytest.raises(StateError):
            store.swap(bad, term=term)
        with pytest.raises(StateError):
            store.append(replace(event("p", "x"), at=instant(float("inf"))), term=term)
        assert (store.load(), store.events()) == (before, ())

    def test_a_closed_store_closes_again(self, store: Store, open_store: OpenStore) -> None:
        open_store().close()
        store.close()
        store.close()


class LeaseConformance:
    """`ports.Lease`."""

    @pytest.fixture
    def open_lease(self) -> OpenLease:
        raise NotImplementedError

    def test_one_holder_at_a_time(self, open_lease: OpenLease) -> None:
        first, second = open_lease(), open_lease()
        first.acquire("tick")
        with pytest.raises(LockedError) as caught:
            second.acquire("tick")
        assert caught.value.hint
        first.release("tick")
        second.acquire("tick")

    def test_the_same_run_does_not_take_it_twice(self, open_lease: OpenLease) -> None:
        lease = open_lease()
        lease.acquire("tick")
        with pytest.raises(LockedError):
            lease.acquire("tick")

    def test_roles_are_apart(self, open_lease: OpenLease) -> None:
        first, second = open_lease(), open_lease()
        assert first.acquire("tick") != second.acquire("mirror")
        first.release("tick")
        with pytest.raises(LockedError):
            first.acquire("mirror")

    def test_release_is_idempotent_and_takes_nothing_from_others(self, open_lease: OpenLease) -> None:
        first, second = open_lease(), open_lease()
        first.release("tick")
        first.acquire("tick")
        second.release("tick")
        with pytest.raises(LockedError):
            second.acquire("tick")
        first.release("tick")
        first.release("tick")
        second.acquire("tick")

    def test_terms_grow_over_all_roles_and_holders(self, open_lease: OpenLease) -> None:
        terms = []
        for role in ("tick", "mirror", "tick", "tick", "mirror"):
            lease = open_lease()
            terms.append(lease.acquire(role))
            lease.release(role)
        assert terms == sorted(set(terms))
        assert terms[0] > 0

    def test_a_waiter_gets_it_when_it_is_free(self, open_lease: OpenLease) -> None:
        first, second = open_lease(), open_lease()
        old = first.acquire("tick")
        timer = threading.Timer(0.2, first.release, ["tick"])
        timer.start()
        try:
            assert second.acquire("tick", wait_s=60) > old
        finally:
            timer.join()

    def test_threads_of_one_run_wait_for_each_other(self, open_lease: OpenLease) -> None:
        """Sites are mirrored in parallel, and each writes its part of the state."""
        lease = open_lease()
        old = lease.acquire("tick")
        timer = threading.Timer(0.2, lease.release, ["tick"])
        timer.start()
        try:
            assert lease.acquire("tick", wait_s=60, urgent=True) > old
        finally:
            timer.join()

    def test_waiting_ends(self, open_lease: OpenLease) -> None:
        first, second = open_lease(), open_lease()
        first.acquire("tick")
        for urgent in (False, True):
            with pytest.raises(LockedError):
                second.acquire("tick", wait_s=0.12, urgent=urgent)
        first.release("tick")
        second.acquire("tick")

    def test_others_give_way_to_an_urgent_waiter(self, open_lease: OpenLease) -> None:
        """A cutover by hand waits for a running check; checks that come or wait meanwhile do not get in between."""
        holder, operator, waiting = open_lease(), open_lease(), open_lease()
        holder.acquire("tick")
        given_way = threading.Event()

        def wait() -> None:
            with pytest.raises(LockedError, match="operator"):
                waiting.acquire("tick", wait_s=60)
            given_way.set()

        threads = [
            threading.Thread(target=wait),
            threading.Thread(target=operator.acquire, args=["tick"], kwargs={"wait_s": 60, "urgent": True}),
        ]
        for thread in threads:
            thread.start()
        assert given_way.wait(30)
        with pytest.raises(LockedError, match="operator"):
            open_lease().acquire("tick")
        open_lease().acquire("mirror")
        holder.release("tick")
        for thread in threads:
            thread.join(30)
        operator.release("tick")
        holder.acquire("tick")
