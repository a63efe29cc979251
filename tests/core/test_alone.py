"""What a provider's API says, or does not say, never moves anything by itself: the whole corpus, in rounds.

The policy is as eager as one can be: whatever has a reaction is a cutover at once. The service is well, or our probes
know nothing of it; only the API speaks, for longer than any window lasts.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest

from failover.core.decide import DecisionKind, decide
from failover.core.judge import Observation, judge
from failover.core.model import AccountReport, Action, Node, Outcome, Reaction
from failover.core.reading import EXPLICIT, ServiceReading, Signal, classify, report_of
from failover.core.verdict import VerdictKind
from failover.core.world import State, World
from tests.core.builders import AURORA, DIGEST, NAMES, SERVICE, at, controls, hosts, node, policy, reports, sample
from tests.core.test_reading_corpus import ROWS, Row, answer, name

EVERY_S = 10.0
WELL_ROUNDS, ROUNDS = 6, 40
NOW = Reaction(action=Action.CUTOVER)
EAGER = replace(
    policy(
        account_closed=NOW,
        provider_down=NOW,
        resources_gone=NOW,
        app_down=NOW,
        unexplained_down=NOW,
        cooldown_s=0.0,
        tilt_s=0.0,
    ),
    single_accept=True,
)
PLACES = (("ec2", "us-east-1"), ("s3", "us-west-2"), ("sts", "us-east-1"))
Seen = tuple[frozenset[DecisionKind], frozenset[VerdictKind]]


def said(signal: Signal) -> AccountReport:
    """All services say the same, and so does a second credential: the most that an API can say."""
    readings = [ServiceReading(service=s, region=r, signal=signal) for s, r in PLACES]
    readings.append(ServiceReading(service="ec2", region="us-east-1", signal=signal, credential="second"))
    return report_of(readings)


@cache
def story(signal: Signal, outcome: Outcome, everywhere: bool = False) -> Seen:
    """All is well; then the API of the active site (or of all) says this, round after round. What was decided then."""
    service = replace(EAGER, sites=SERVICE.sites)
    inventory = {name: (node(name),) for name in NAMES}
    state = State(service="guestbook", epoch=7, active_site=AURORA, release=DIGEST, inventory=inventory)
    lists: dict[str, tuple[Node, ...]] = {name: (node(name),) for name in NAMES}
    decided, verdicts = set[DecisionKind](), set[VerdictKind]()
    for number in range(WELL_ROUNDS + ROUNDS):
        well = number < WELL_ROUNDS
        speaking = () if well else NAMES if everywhere else (AURORA,)
        seen = Observation(
            at=at(number * EVERY_S),
            samples=tuple(sample(n, outcome if n == AURORA and not well else Outcome.PASS) for n in NAMES),
            controls=controls(True, True),
            reports={**reports(), **dict.fromkeys(speaking, said(signal))},
            nodes={n: listed for n, listed in lists.items() if n not in speaking},
        )
        state = judge(service, state, seen)
        if not well:
            decision = decide(service, World(now=seen.at, state=state, hosts=hosts(), controls_ok=2))
            decided.add(decision.kind)
            verdicts.add(decision.verdict or VerdictKind.UP)
        state = replace(state, last_tick=seen.at)
    return frozenset(decided), frozenset(verdicts)


def moved(stories: Sequence[Seen]) -> bool:
    return any(DecisionKind.CUT_OVER in decided for decided, _ in stories)


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_an_answer_alone_moves_nothing(row: Row) -> None:
    signal = classify(answer(row))
    stories = [
        story(signal, Outcome.PASS),
        story(signal, Outcome.PASS, everywhere=True),
        story(signal, Outcome.UNKNOWN),
        story(signal, Outcome.UNKNOWN, everywhere=True),
    ]
    assert not moved(stories), row["source"]
    if signal not in EXPLICIT:
        assert not any(DecisionKind.ASK in decided for decided, _ in stories), row["source"]


@pytest.mark.parametrize("signal", sorted(set(Signal) - {Signal.ACTIVE, Signal.OK, Signal.WARNED}))
def test_the_stage_is_set_for_a_move(signal: Signal) -> None:
    """The same answers, and the service is down: then this policy moves at once. So it was not the stage that held."""
    assert moved([story(signal, Outcome.FAIL)])


@pytest.mark.parametrize("signal", sorted(EXPLICIT))
def test_a_closed_account_whose_service_is_well_is_a_question(signal: Signal) -> None:
    decided, verdicts = story(signal, Outcome.PASS)
    assert DecisionKind.ASK in decided
    assert VerdictKind.ACCOUNT_CLOSED in verdicts
