"""The rules that a plan must pass, one by one."""

from dataclasses import replace

import pytest

from failover.core.cutover import CutoverPlan, PlanKind
from failover.core.model import HostReading
from failover.core.rrsets import Epoch, RRset, epoch_set
from failover.core.safety import (
    DOWN_KINDS,
    FORCE,
    NEVER,
    Violation,
    best_grade,
    check_plan,
    check_sets,
    highest_epoch,
    lowest_epoch,
)
from failover.core.traits import HostTraits
from failover.core.verdict import VerdictKind
from failover.core.world import Readiness, Watch, World
from tests.core.builders import (
    ADDRESS,
    AURORA,
    BOREAS,
    READY,
    SERVICE,
    address_set,
    fence,
    hosts,
    plan,
    policy,
    reading,
    verdict,
    with_state,
    with_watch,
    world,
)

HERE = ADDRESS[BOREAS]


def rules(found: CutoverPlan, seen: World) -> list[str]:
    return [v.rule for v in check_plan(SERVICE, found, seen)]


def test_1_a_good_plan_passes() -> None:
    for kind in PlanKind:
        assert check_plan(SERVICE, plan(kind), world()) == []


@pytest.mark.parametrize("spent", [8, 9])
def test_2_an_epoch_that_was_spent_already(spent: int) -> None:
    (found,) = check_plan(SERVICE, plan(epoch=8), with_state(world(), epoch=spent))
    assert (found.rule, found.value, found.override) == ("epoch", "epoch 8", NEVER)
    assert str(spent) in found.limit


def test_3_the_open_plan_has_spent_its_own_epoch() -> None:
    assert check_plan(SERVICE, plan(epoch=8), with_state(world(), epoch=8, open_plan=plan(epoch=8))) == []


@pytest.mark.parametrize("held", [8, 9])
def test_4_a_host_already_holds_that_epoch_or_a_higher_one(held: int) -> None:
    (found,) = check_plan(SERVICE, plan(epoch=8), world(hosts=hosts(two=reading("two", epoch=held))))
    assert str(found) == (f"epoch: two already holds epoch {held}; below 8 (override: none: this rule has no override)")


def test_5_an_unreadable_host_neither_helps_nor_hinders() -> None:
    seen = world(hosts=hosts(two=reading("two", epoch=9, problem="timeout")))
    assert check_plan(SERVICE, plan(epoch=8), seen) == []
    assert rules(plan(), world(hosts={"two": reading("two", problem="timeout")})) == ["dns"]
    assert rules(plan(automatic=False), world(hosts={})) == ["dns"]
    (violation,) = check_plan(SERVICE, plan(), world(hosts={"two": reading("two", problem="timeout")}))
    assert "no DNS host can be read (two: timeout)" in str(violation)


@pytest.mark.parametrize("kind", VerdictKind)
def test_6_s7_a_target_that_is_judged_down(kind: VerdictKind) -> None:
    seen = with_watch(world(), BOREAS, verdict=verdict(kind))
    for forced in (False, True):
        found = check_plan(SERVICE, plan(forced=forced), seen)
        assert [(v.rule, v.override) for v in found] == ([("target", NEVER)] if kind in DOWN_KINDS else [])
    assert rules(plan(PlanKind.REFRESH), seen) == []


@pytest.mark.parametrize(
    ("watch", "why"),
    [
        (None, "boreas is not ready: it was never checked"),
        (Watch(), "boreas is not ready: it was never checked"),
        (Watch(readiness=Readiness(ready=False, reasons=("a", "b"))), "boreas is not ready: a; b"),
    ],
)
def test_7_a_target_that_is_not_proven_needs_force(watch: Watch | None, why: str) -> None:
    seen = with_state(world(), watch={BOREAS: watch} if watch else {})
    (found,) = check_plan(SERVICE, plan(), seen)
    assert (found.rule, found.value, found.override) == ("ready", why, FORCE)
    assert check_plan(SERVICE, plan(forced=True), seen) == []


def test_8_the_fence_of_an_automatic_plan_must_be_good_enough() -> None:
    seen = world(hosts={"one": reading("one", grade=3)})
    (found,) = check_plan(SERVICE, plan(), seen)
    assert (found.rule, found.limit) == ("grade", "policy.min_grade 1")
    assert check_plan(SERVICE, plan(automatic=False), seen) == []
    assert check_plan(policy(min_grade=3), plan(), seen) == []


def test_9_everything_that_is_wrong_is_told_at_once() -> None:
    seen = with_state(world(hosts={"one": reading("one", epoch=9, grade=3)}), epoch=9, watch={})
    seen = with_watch(seen, BOREAS, verdict=verdict(VerdictKind.APP_DOWN))
    assert rules(plan(epoch=8), seen) == ["epoch", "epoch", "target", "ready", "grade"]


# ------------------------------------------------------------------------------------ record sets


def broken(*rrsets: object, kind: PlanKind = PlanKind.CUTOVER, allowed: tuple[str, ...] = (HERE,)) -> list[Violation]:
    return check_sets(SERVICE, plan(kind), rrsets, allowed)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [PlanKind.PUBLISH, PlanKind.REFRESH, PlanKind.CUTOVER])
def test_10_exactly_our_names_and_known_addresses(kind: PlanKind) -> None:
    assert broken(address_set(HERE), kind=kind) == []
    for rrsets in ((), (address_set(HERE), address_set(HERE, name="mail.example.org"))):
        assert [v.rule for v in broken(*rrsets, kind=kind)] == ["names"]


def test_11_a_missing_record_and_a_foreign_one_are_named() -> None:
    found = broken(address_set(HERE, name="mail.example.org"))
    assert [v.value for v in found] == [
        "mail.example.org A is not a configured record",
        "www.example.org A is missing from the plan",
    ]
    assert all(v.override == NEVER for v in found)


def test_12_s3_an_address_from_nowhere() -> None:
    (found,) = broken(address_set(HERE, "192.0.2.66", "192.0.2.77"))
    assert (found.rule, found.value) == ("addresses", "www.example.org would hold 192.0.2.66, 192.0.2.77")
    assert found.override == NEVER


def test_13_addresses_are_compared_by_meaning() -> None:
    service = replace(SERVICE, records=(replace(SERVICE.records[0], type="AAAA"),))
    rrset = address_set("2001:db8::1", type="AAAA")
    assert check_sets(service, plan(), (rrset,), ("2001:DB8:0:0:0:0:0:1", "lb.example.net")) == []


def test_14_a_withdrawal_puts_back_what_stood_there() -> None:
    assert broken(address_set("203.0.113.99", name="old.example.org"), kind=PlanKind.WITHDRAW) == []


# ------------------------------------------------------------------------------------ reading the hosts


def test_the_best_grade_is_the_lowest() -> None:
    assert best_grade({"a": reading("a", grade=3), "b": reading("b", grade=2)}) == 2
    assert best_grade({"a": reading("a", grade=1, problem="timeout")}) == 1
    assert best_grade({}) == 9


def test_an_alias_may_only_be_the_target_of_its_own_site() -> None:
    site = replace(SERVICE.site(BOREAS), provider=None, targets={"www.example.org": "lb.example.net"})
    service = replace(SERVICE, sites=(SERVICE.sites[0], site))

    def rules_of(*rrsets: RRset) -> list[str]:
        return [v.rule for v in check_sets(service, plan(), rrsets, [HERE])]

    assert rules_of(address_set("lb.example.net", type="CNAME")) == []
    assert rules_of(address_set("lb.example.com", type="CNAME")) == ["addresses"]
    assert rules_of(address_set(HERE)) == ["names", "names"]


def test_the_highest_epoch_wins() -> None:
    assert highest_epoch(SERVICE, ()) is None
    assert highest_epoch(SERVICE, [HostReading(host="one", rrsets=(address_set(HERE),))]) is None
    found = highest_epoch(SERVICE, [reading("one", epoch=7), reading("two", epoch=9), reading("three", epoch=8)])
    assert found is not None
    assert found.number == 9
    unreadable = reading("four", epoch=10, problem="timeout")
    assert highest_epoch(SERVICE, [reading("one", epoch=7), unreadable]) == highest_epoch(SERVICE, [reading("one")])
    two_zones = replace(SERVICE, zones=("example.net", "example.org"))
    assert highest_epoch(two_zones, [reading("one", epoch=7)]) == highest_epoch(SERVICE, [reading("one", epoch=7)])


def test_an_epoch_that_makes_no_sense_is_never_taken_for_absent() -> None:
    strange = replace(fence(7), values=frozenset({"v=1 epoch=seven"}))
    with pytest.raises(ValueError, match="not an epoch"):
        highest_epoch(SERVICE, [HostReading(host="one", rrsets=(strange,))])


def test_down_kinds_are_those_of_a_site_that_must_not_be_published() -> None:
    assert {k.value for k in VerdictKind} - {k.value for k in DOWN_KINDS} == {
        "UP",
        "ACCOUNT_WARNED",
        "ACCESS_REFUSED",
        "OBSERVER_ISOLATED",
        "UNKNOWN",
    }
    assert READY.ready


def test_the_zone_that_lags_most_counts() -> None:
    two = replace(SERVICE, zones=("example.org", "example.net"))
    held = reading("one", 7)
    assert lowest_epoch(SERVICE, held) == 7
    assert lowest_epoch(two, held) == 0
    other = epoch_set("guestbook", "example.net", Epoch(number=5, site=AURORA, plan="p"))
    assert lowest_epoch(two, replace(held, rrsets=(*held.rrsets, other))) == 5


def test_each_zone_may_have_servers_of_its_own() -> None:
    traits = HostTraits(grade=1, servers=("192.0.2.53:53",), servers_by_zone={"example.net": ("192.0.2.54:53",)})
    assert traits.servers_of("example.net") == ("192.0.2.54:53",)
    assert traits.servers_of("example.org") == ("192.0.2.53:53",)
