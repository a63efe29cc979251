"""Which TTL the records shall have, and when a check may change it."""

from dataclasses import replace

import pytest

from failover.core.health import HealthState
from failover.core.quiet import ttl_due, wanted_ttl_s
from failover.core.verdict import VerdictKind
from failover.core.world import Debt, Move, Orders, Pause, Prepared, World
from tests.core.builders import (
    AURORA,
    BOREAS,
    NOW,
    SERVICE,
    address_set,
    ago,
    hosts,
    plan,
    reading,
    verdict,
    with_state,
    world,
)

SLOW = replace(SERVICE, ttl_steady_s=3600)
QUIET = replace(plan(), rrsets=(address_set("192.0.2.1", ttl_s=3600),))
LOW = replace(plan(), rrsets=(address_set("192.0.2.1", ttl_s=60),))
MOVE = Move(plan="p", at=ago(100), source=BOREAS, target=AURORA, verdict="", automatic=False)
LATER = Prepared(since=ago(10), reason="works", until=NOW.plus(10))


def seen(kind: VerdictKind = VerdictKind.UP, *, published: object = QUIET, **state: object) -> World:
    return with_state(world(verdict(kind)), published=published, **state)


@pytest.mark.parametrize(
    ("changed", "ttl_s", "why"),
    [
        ({}, 3600, "nothing points to a cutover any more"),
        ({"prepared": LATER}, 60, "a cutover is being prepared (works)"),
        ({"prepared": replace(LATER, until=None)}, 60, "a cutover is being prepared (works)"),
        ({"prepared": replace(LATER, until=NOW)}, 3600, "nothing points"),
        ({"moves": (MOVE,)}, 60, "a cutover was made within the cooldown"),
        ({"moves": (replace(MOVE, at=ago(4000)),)}, 3600, "nothing points"),
        ({"active_site": None}, 3600, "nothing points"),
    ],
)
def test_a_short_ttl_when_a_cutover_may_be_near(changed: dict[str, object], ttl_s: int, why: str) -> None:
    found, said = wanted_ttl_s(SLOW, with_state(world(), **changed).state, NOW)
    assert found == ttl_s
    assert said.startswith(why)


@pytest.mark.parametrize("kind", VerdictKind)
def test_what_the_provider_says_counts(kind: VerdictKind) -> None:
    warned = kind in (VerdictKind.ACCOUNT_WARNED, VerdictKind.ACCOUNT_CLOSED)
    assert wanted_ttl_s(SLOW, seen(kind).state, NOW)[0] == (60 if warned else 3600)


def test_without_a_steady_ttl_there_is_one_only() -> None:
    state = with_state(world(), prepared=LATER).state
    assert wanted_ttl_s(SERVICE, state, NOW) == (60, "it is always the same")
    assert ttl_due(SERVICE, seen(published=LOW)) is None


WARNED = VerdictKind.ACCOUNT_WARNED


def test_a_check_lowers_and_raises_it() -> None:
    assert ttl_due(SLOW, seen(WARNED)) == (60, "aurora is ACCOUNT_WARNED")
    assert ttl_due(SLOW, seen(published=LOW)) == (3600, "nothing points to a cutover any more")
    assert ttl_due(SLOW, seen()) is None
    assert ttl_due(SLOW, seen(WARNED, published=LOW)) is None


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(seen(WARNED, published=None), id="nothing is published"),
        pytest.param(seen(WARNED, open_plan=plan()), id="a plan is under way"),
        pytest.param(seen(WARNED, watch={}), id="not judged yet"),
        pytest.param(seen(WARNED, debts=(Debt(host="two", epoch=7, since=NOW, reason="x"),)), id="a debt"),
        pytest.param(seen(WARNED, tilt_until=NOW.plus(5)), id="tilt"),
        pytest.param(replace(seen(WARNED), orders=Orders(pause=Pause(since=NOW, reason="x"))), id="paused"),
        pytest.param(replace(seen(WARNED), hosts={}), id="no host"),
        pytest.param(replace(seen(WARNED), hosts=hosts(two=reading("two", problem="x"))), id="a host is unreadable"),
        pytest.param(replace(seen(WARNED), hosts={"one": reading("one", grade=3)}), id="badly fenced"),
        pytest.param(
            with_state(world(verdict(VerdictKind.ACCOUNT_CLOSED, plane=HealthState.DOWN)), published=QUIET), id="down"
        ),
    ],
)
def test_when_it_is_not_the_time(now: World) -> None:
    assert ttl_due(SLOW, now) is None
