"""What happens next, in a sentence; and that the sentence never disagrees with the decision."""

from dataclasses import replace
from itertools import product

import pytest

from failover.core.decide import DecisionKind, decide
from failover.core.health import Health, HealthState
from failover.core.model import Action, Reaction, Service
from failover.core.outlook import next_action, safe, stale_s
from failover.core.verdict import VerdictKind
from failover.core.world import Move, Orders, Pause, Readiness, World
from tests.core.builders import (
    AURORA,
    BOREAS,
    CIRRUS,
    HTTP,
    NOW,
    SERVICE,
    SITES,
    ago,
    hosts,
    plan,
    policy,
    reading,
    verdict,
    with_state,
    with_watch,
    world,
)

ACCEPT = replace(SERVICE, single_accept=True)
NOT_READY = Readiness(ready=False, reasons=("it has no nodes",))
PAUSED = Orders(pause=Pause(since=ago(5), reason="works"))
CLOSED = verdict(VerdictKind.ACCOUNT_CLOSED)


def bad_rounds(seen: World, fails: int) -> World:
    return with_state(seen, health={AURORA: {"http": Health(fails=fails)}})


def no_target(seen: World) -> World:
    return with_watch(with_watch(seen, BOREAS, readiness=NOT_READY), CIRRUS, readiness=NOT_READY)


GIVEN = replace(
    SERVICE, sites=(replace(SITES[0], provider=None, addresses={"web": ("192.0.2.1",)}), SITES[1], SITES[2])
)
NOBODY = "no site can take over; boreas: it has no nodes; cirrus: it has no nodes"
BLIND = {name: reading(name, problem="the key is refused") for name in ("one", "two")}
STUCK = {"one": replace(BLIND["one"], by_kind=True), "two": reading("two", grade=3)}
WAITS = "all DNS hosts would wait for one, which answers, but cannot be read"
IN_VAIN = "no DNS host can be read: until one can, a yes does nothing"
CHAIN = (Move(plan="m", at=ago(100), source=BOREAS, target=AURORA, verdict="x", automatic=True),)


@pytest.mark.parametrize(
    ("story", "service", "seen", "sentence", "is_safe"),
    [
        ("1 all is well", SERVICE, world(), "would cut over to boreas", True),
        (
            "2 one bad round",
            SERVICE,
            bad_rounds(world(), 1),
            "cuts over to boreas after 2 more bad checks, if the",
            True,
        ),
        (
            "3 two bad rounds",
            SERVICE,
            bad_rounds(world(), 2),
            "cuts over to boreas after 1 more bad check, if the",
            True,
        ),
        ("4 DOWN, not confirmed by a vote", SERVICE, bad_rounds(world(), 7), "cuts over to boreas after 1 more", True),
        ("5 nobody can take over", SERVICE, no_target(world()), f"could not cut over, because {NOBODY}", False),
        ("6 paused", SERVICE, world(orders=PAUSED), "could not cut over, because paused (works)", False),
        ("7 one control", SERVICE, world(controls_ok=1), "would ask a person whether to cut over to boreas", False),
        (
            "8 one control and a bad round",
            SERVICE,
            bad_rounds(world(controls_ok=1), 2),
            "would ask a person whether to cut over to boreas, after 1 more bad check",
            False,
        ),
        ("9 a given site may go for any reason", GIVEN, world(), "would ask a person whether to cut over", False),
        (
            "10 the policy is to page",
            policy(account_closed=Reaction(action=Action.PAGE)),
            world(),
            "could not cut over, because the reaction to ACCOUNT_CLOSED is to page",
            False,
        ),
        (
            "11 the policy is to hold",
            policy(account_closed=Reaction(action=Action.HOLD)),
            world(),
            "could not cut over, because the reaction to ACCOUNT_CLOSED is to hold",
            False,
        ),
        ("12 undecided", SERVICE, world(verdict(VerdictKind.UNKNOWN)), "would cut over to boreas", True),
        (
            "13 cut off",
            SERVICE,
            world(verdict(VerdictKind.OBSERVER_ISOLATED), isolated=True),
            "holds: this vantage is cut off from its own controls",
            False,
        ),
        (
            "14 closed, confirming",
            SERVICE,
            world(verdict(VerdictKind.ACCOUNT_CLOSED, since_s=20)),
            "cuts over to boreas after 40.0 s more of confirmation",
            True,
        ),
        ("15 closed and confirmed", SERVICE, world(CLOSED), "cuts over to boreas", True),
        ("16 closed, cannot", SERVICE, no_target(world(CLOSED)), f"cannot cut over, because {NOBODY}", False),
        (
            "17 closed, paused",
            SERVICE,
            world(CLOSED, orders=PAUSED),
            "cannot cut over, because paused (works); `failover unpause` ends it",
            False,
        ),
        (
            "18 closed, but serving",
            SERVICE,
            world(replace(CLOSED, data_plane=HealthState.UP)),
            "asks a person whether to cut over to boreas (`failover approve ID`)",
            True,
        ),
        (
            "19 the provider is down, seen from one vantage",
            SERVICE,
            world(verdict(VerdictKind.PROVIDER_DOWN)),
            "asks a person whether to cut over to boreas",
            False,
        ),
        (
            "20 and the owner takes the risk",
            ACCEPT,
            world(verdict(VerdictKind.PROVIDER_DOWN)),
            "cuts over to boreas",
            True,
        ),
        (
            "21 nobody knows why",
            SERVICE,
            world(verdict(VerdictKind.DOWN_UNEXPLAINED, since_s=20)),
            "asks a person whether to cut over to boreas after 40.0 s more of confirmation",
            False,
        ),
        (
            "22 the program is down",
            SERVICE,
            world(verdict(VerdictKind.APP_DOWN)),
            "pages a person: aurora is APP_DOWN",
            False,
        ),
        (
            "23 a warning",
            SERVICE,
            world(verdict(VerdictKind.ACCOUNT_WARNED)),
            "pages a person: aurora is ACCOUNT_WARNED",
            True,
        ),
        (
            "24 the policy is to hold",
            policy(app_down=Reaction(action=Action.HOLD)),
            world(verdict(VerdictKind.APP_DOWN)),
            "holds, as the policy says: aurora is APP_DOWN",
            False,
        ),
        (
            "25 the chain names the site that may be used",
            SERVICE,
            with_state(world(CLOSED), moves=CHAIN),
            "cuts over to cirrus",
            True,
        ),
        (
            "26 the cooldown ends before the window does",
            policy(provider_down=Reaction(action=Action.CUTOVER, confirm_s=20_000.0), cooldown_s=200.0),
            with_state(world(verdict(VerdictKind.PROVIDER_DOWN, explicit=True)), moves=CHAIN),
            "cuts over to boreas after 10000.0 s more of confirmation",
            False,
        ),
        (
            "27 a plan is under way",
            SERVICE,
            with_state(world(CLOSED), open_plan=plan()),
            "goes on with cutover plan1 to boreas (epoch 8)",
            False,
        ),
        (
            "28 nothing is published",
            SERVICE,
            with_state(world(), active_site=None),
            "`failover apply` publishes the service",
            False,
        ),
        ("29 not judged yet", SERVICE, with_state(world(), watch={}), "the next check judges the sites for the", False),
        (
            "30 overtaken",
            SERVICE,
            world(hosts=hosts(two=reading("two", epoch=9))),
            "only observes: DNS holds epoch 9",
            False,
        ),
        (
            "31 the active site left the config",
            replace(SERVICE, sites=SITES[1:]),
            world(),
            "only observes: the active site aurora is not in the config any more",
            False,
        ),
        ("32 a check that nobody asked yet", SERVICE, with_state(world(), health={}), "would cut over to boreas", True),
        (
            "33 another check than the config's",
            replace(SERVICE, checks=(replace(HTTP, name="other"),)),
            bad_rounds(world(), 2),
            "would cut over to boreas",
            True,
        ),
        (
            "34 a given site, and a yes could do nothing",
            GIVEN,
            world(hosts=BLIND),
            f"would ask a person whether to cut over to boreas; {IN_VAIN}",
            False,
        ),
        (
            "35 and a bad round",
            GIVEN,
            bad_rounds(world(hosts=BLIND), 2),
            f"would ask a person whether to cut over to boreas, after 1 more bad check; {IN_VAIN}",
            False,
        ),
        (
            "36 and it is down",
            GIVEN,
            world(verdict(VerdictKind.DOWN_UNEXPLAINED), hosts=BLIND),
            f"asks a person whether to cut over to boreas (`failover approve ID`); {IN_VAIN}",
            False,
        ),
        (
            "37 one host of two suffices",
            GIVEN,
            world(verdict(VerdictKind.DOWN_UNEXPLAINED), hosts={**BLIND, "two": reading("two")}),
            "asks a person whether to cut over to boreas (`failover approve ID`)",
            False,
        ),
        (
            "38 a managed site, and no DNS host",
            SERVICE,
            world(hosts=BLIND),
            "could not cut over, because no DNS host can be read",
            False,
        ),
        (
            "39 the best fenced host refuses us",
            SERVICE,
            world(hosts=STUCK),
            f"would cut over to boreas; {WAITS}",
            False,
        ),
        (
            "40 the same, and the account is closed",
            SERVICE,
            world(verdict(VerdictKind.ACCOUNT_CLOSED, since_s=100), hosts=STUCK),
            f"cuts over to boreas; {WAITS}",
            False,
        ),
        (
            "41 a given site, where a person is asked",
            GIVEN,
            world(hosts=STUCK),
            f"would ask a person whether to cut over to boreas; {WAITS}",
            False,
        ),
        (
            "42 and is asked now",
            GIVEN,
            world(verdict(VerdictKind.DOWN_UNEXPLAINED), hosts=STUCK),
            f"asks a person whether to cut over to boreas (`failover approve ID`); {WAITS}",
            False,
        ),
        (
            "43 it is out of reach: left behind as a debt",
            SERVICE,
            world(hosts={**STUCK, "one": replace(STUCK["one"], unreachable=True)}),
            "would cut over to boreas",
            True,
        ),
    ],
)
def test_next_action_and_safe(story: str, service: Service, seen: World, sentence: str, is_safe: bool) -> None:
    assert next_action(service, seen).startswith(sentence), story
    assert (IN_VAIN in next_action(service, seen)) is (IN_VAIN in sentence), story
    assert (WAITS in next_action(service, seen)) is (WAITS in sentence), story
    assert safe(service, seen) is is_safe, story


@pytest.mark.parametrize("kind", VerdictKind)
def test_the_sentence_never_disagrees_with_the_decision(kind: VerdictKind) -> None:
    """Once the window has passed, `decide` does in the next round what the sentence says now."""
    for plane, action, ready, orders, controls, moves, accept in product(
        HealthState, Action, (True, False), (Orders(), PAUSED), (1, 2), ((), CHAIN), (False, True)
    ):
        same = Reaction(action=action, confirm_s=60.0)
        base = policy(
            account_closed=same, provider_down=same, resources_gone=same, app_down=same, unexplained_down=same
        )
        service = replace(base, single_accept=accept)
        seen = world(verdict(kind, plane=plane), orders=orders, controls_ok=controls)
        seen = with_state(seen if ready else no_target(seen), moves=moves)
        says, decision = next_action(service, seen), decide(service, seen)
        if decision.kind is DecisionKind.CUT_OVER:
            assert says == f"cuts over to {decision.target}"
        elif decision.kind is DecisionKind.ASK:
            assert says.startswith(f"asks a person whether to cut over to {decision.target}")
        else:
            assert not says.startswith("cuts over to")
            assert not says.startswith("asks")


def test_a_pause_that_ends_in_time_is_no_obstacle() -> None:
    orders = Orders(pause=Pause(since=ago(5), reason="works", until=NOW.plus(10)))
    seen = world(verdict(VerdictKind.ACCOUNT_CLOSED, since_s=20), orders=orders)
    assert next_action(SERVICE, seen).startswith("cuts over to boreas after 40.0 s")


def test_when_the_last_check_is_too_old_to_be_believed() -> None:
    assert stale_s(SERVICE, world()) is None, "there was none: that is said in other words"
    assert stale_s(SERVICE, with_state(world(), last_tick=ago(35))) is None
    assert stale_s(SERVICE, with_state(world(), last_tick=ago(36))) == 36.0
