"""A host of grade 1 and one where the last writer wins: in which order they are changed, and when the second is not."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from failover.core.model import HostTraits
from failover.core.rights import Right
from failover.core.rrsets import Changes, Epoch, RRset, epoch_set
from failover.core.saga import EventKind
from failover.core.survey import MadeUp
from failover.engine.operate import go_on
from failover.errors import StateFenced
from failover.testing.sim_world import HOSTS, NAME, ZONE, guestbook
from tests.engine.play import Play, play, published
from tests.engine.test_dns_hosts import break_host, lose, mend

LAST_WINS = HostTraits(grade=3, servers=("two-a:53", "two-b:53"), converges_s=30.0)


def mixed(**changes: object) -> Play:
    """`one` has grade 1, `two` grade 3."""
    return published(traits={"two": replace(LAST_WINS, **changes)})  # type: ignore[arg-type]


def another_controller(found: Play, host: str = "one") -> None:
    """It has a newer state, and its change has reached the host of grade 1 only."""
    standing = {r.type: r for r in found.outside.standing(host)}
    record = RRset(name=NAME, type="A", ttl_s=20, values=frozenset({"192.0.2.99"}))
    fence = epoch_set("guestbook", ZONE, Epoch(number=9, site="dione", plan="0123456789abcdef"))
    found.outside.hosts[host].apply(ZONE, Changes(put=(record,)), expect=standing["TXT"], fence=fence)


def test_the_best_fenced_host_goes_first() -> None:
    found = mixed()
    order: list[str] = []
    found.outside.watcher = lambda host, _: order.append(host)
    lose(found)
    found.until("boreas")
    assert order[0] == "one"
    assert set(order) == {"one", "two"}
    assert found.site_of_dns("one") == found.site_of_dns("two") == {"boreas"}


def test_a_stale_controller_changes_neither_host() -> None:
    """Between its reading and its writing another controller was quicker, at the host of grade 1. The host of grade 3
    still holds what the stale one expects there, and would take anything."""
    found = mixed()
    lose(found)

    def interfere(what: str) -> None:
        if what == "change one":
            found.trouble = lambda _: None
            another_controller(found)

    found.trouble = interfere
    found.until_journaled("closed overtaken")
    assert found.epochs() == [9, 1]
    assert found.site_of_dns("one") == {"192.0.2.99"}
    assert found.site_of_dns("two") == {"aurora"}
    assert "what stands there is not what the change expects (the fence is" in found.reasons("swap")
    found.ticks(3)
    assert found.site_of_dns("two") == {"aurora"}


@pytest.mark.parametrize("newer", ["one", "two"])
def test_a_newer_epoch_at_either_host_keeps_both_as_they_are(newer: str) -> None:
    found = mixed()
    lose(found)
    found.when("swap", EventKind.STARTED, lambda: another_controller(found, newer))
    found.until_journaled("closed overtaken")
    other = {"one": "two", "two": "one"}[newer]
    assert found.site_of_dns(other) == {"aurora"}
    assert found.site_of_dns(newer) == {"192.0.2.99"}


def test_a_stale_controller_settles_no_debt_of_the_lower_grade() -> None:
    """It saw both hosts readable and the worse one behind; before it writes there, another controller is quicker."""
    found = mixed()
    break_host(found, "two", "down")
    found.outside.dark.add("two")
    lose(found)
    found.until("boreas")
    assert found.epochs() == [2, 1]
    mend(found)
    reads: list[str] = []

    def interfere(what: str) -> None:
        reads.append(what)
        if reads.count("read two") == 2:  # the first is the look at everything, the second is that of `settle`
            found.trouble = lambda _: None
            another_controller(found)

    found.trouble = interfere
    found.tick()
    assert found.epochs() == [9, 1]
    assert found.site_of_dns("two") == {"aurora"}
    (debt,) = found.state.debts
    assert (debt.host, debt.epoch) == ("two", 2)
    assert debt.reason == "left as it is, because a newer plan stands: one holds epoch 9 (site dione)"


def test_without_the_better_host_the_other_follows_only_after_its_patience_and_with_proof() -> None:
    found = mixed()
    break_host(found, "one", "down")
    found.outside.dark.add("one")
    lose(found)
    found.until_journaled("swap:waiting")
    assert found.epochs() == [1, 1]
    assert "two has not taken the change: waits until one has accepted it" in found.reasons("swap")
    found.until("boreas")
    assert found.epochs() == [1, 2]
    (why,) = found.notes("lower-grades")
    assert why.startswith("none of one took cutover-2-")
    assert [d.host for d in found.state.debts] == ["one"]
    mend(found)
    found.ticks(3)
    assert found.epochs() == [2, 2]
    assert found.state.debts == ()


@pytest.mark.parametrize("kind", ["refused", "garbage"])
def test_a_better_host_that_answers_but_cannot_be_read_is_passed_over_by_a_person_only(kind: str) -> None:
    """It may hold a newer plan."""
    found = mixed()
    lose(found)
    found.when("verify", EventKind.OK, lambda: break_host(found, "one", kind))
    found.until_journaled("swap:waiting")
    found.ticks(10)
    assert found.epochs() == [1, 1]
    assert "one answers, but cannot be read, and may hold a newer plan" in found.reasons("swap")
    done = go_on(found.context, None, forced=True, lease_wait_s=0.0, wait_s=120.0)
    assert done.committed, done.reason
    assert found.epochs() == [1, 2]


def test_a_better_host_that_can_be_read_but_takes_nothing_is_a_debt() -> None:
    found = mixed()
    break_host(found, "one", "refused", "apply")
    lose(found)
    found.until("boreas")
    assert found.epochs() == [1, 2]
    assert [d.host for d in found.state.debts] == ["one"]


def test_who_has_lost_the_lease_does_not_touch_the_lower_grade() -> None:
    found = mixed()
    break_host(found, "one", "down")
    lose(found)
    found.until_journaled("swap:waiting")
    found.wait(40.0)

    def trouble(what: str) -> None:
        if what == "read two":
            found.disk.terms["tick"] += 1  # a later run has taken over meanwhile

    found.trouble = trouble
    with pytest.raises(StateFenced):
        found.tick()
    assert found.epochs() == [1, 1]


class ByApi:
    """A host that must be asked for its traits, too: while its API is silent, a fresh process knows nothing of it."""

    def __init__(self, found: Play, name: str) -> None:
        self._host, self._fault = found.outside.hosts[name], found.outside.dns[name]

    def traits(self) -> HostTraits:
        fault = self._fault("read")
        if fault is not None:
            raise fault
        return self._host.traits()

    def read(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[RRset, ...]:
        return self._host.read(zone, names)

    def made_up(self, zone: str, names: Sequence[str]) -> tuple[MadeUp, ...]:
        return self._host.made_up(zone, names)

    def apply(self, zone: str, changes: Changes, *, expect: RRset | None, fence: RRset | None) -> None:
        self._host.apply(zone, changes, expect=expect, fence=fence)

    def rights(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[Right, ...]:
        return self._host.rights(zone, names)


def never_seen(kind: str, **grades: int) -> Play:
    """Published, and before the first check host `one` breaks. `grades`: what the kinds of the hosts have."""
    service = replace(guestbook(), host_grades=grades)
    worse = [name for name, grade in grades.items() if grade == 3]
    found = play(service=service, traits={n: replace(LAST_WINS, servers=(f"{n}-a:53", f"{n}-b:53")) for n in worse})
    assert found.apply().problems == ()
    found.context = replace(found.context, hosts={name: ByApi(found, name) for name in HOSTS})
    break_host(found, "one", kind)
    assert found.state.hosts == {}
    found.ticks(4)
    lose(found)
    return found


def test_a_host_of_grade_1_that_is_silent_from_the_beginning_does_not_send_for_a_person() -> None:
    """It is configured, so `min_grade` is met; the other one waits for it, and then follows without it."""
    found = never_seen("down", one=1, two=3)
    found.until_journaled("swap:waiting")
    assert found.epochs() == [1, 1]
    assert "two has not taken the change: waits until one has accepted it" in found.reasons("swap")
    found.until("boreas")
    assert found.epochs() == [1, 2]
    assert found.plan().automatic
    assert found.notes("lower-grades")


@pytest.mark.parametrize("kind", ["refused", "garbage"])
def test_a_host_of_grade_1_that_was_never_understood_keeps_the_other_from_being_written(kind: str) -> None:
    found = never_seen(kind, one=1, two=3)
    found.until_journaled("swap:waiting")
    found.ticks(15)
    assert found.epochs() == [1, 1]
    assert "one answers, but cannot be read, and may hold a newer plan" in found.reasons("swap")


def test_a_silent_host_of_which_nobody_knows_what_it_can_do_does_not_vouch_for_a_worse_one() -> None:
    """Of another package's kind nothing is known: a person is asked."""
    found = never_seen("down", two=3)
    found.ticks(12)
    assert found.epochs() == [1, 1]
    assert "the best DNS host has fencing grade 3, policy.min_grade is 1" in "; ".join(found.state.reasons)


def test_a_silent_host_of_a_lower_grade_does_not_hold_the_better_one_up() -> None:
    found = never_seen("down", one=3, two=1)
    found.until_journaled("swap:waiting")
    assert found.epochs() == [1, 2]


def test_a_host_that_cannot_hold_an_alias_says_so_and_becomes_a_debt() -> None:
    found = published(
        given=("aurora",),
        targets=("boreas", "cirrus"),
        traits={"two": replace(LAST_WINS, types=frozenset({"A", "TXT"}))},
    )
    assert found.cutover("boreas").committed
    assert "it cannot hold CNAME records" in found.state.debts[0].reason


def test_ttls_are_what_each_host_can_keep() -> None:
    found = mixed(ttl_s_min=300)
    assert {r.ttl_s for r in found.outside.standing("two")} == {300}
    assert {r.ttl_s for r in found.outside.standing("one") if r.type == "A"} == {20}
    before_s = found.clock.seconds()
    assert found.cutover("boreas", wait_s=1000.0).committed
    assert found.clock.seconds() - before_s >= 300, "the longest TTL is waited for"
