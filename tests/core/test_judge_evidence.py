"""Rounds of observations → an account that is closed without saying so. Stories of one site, round by round."""

from dataclasses import replace

import pytest

from failover.core.judge import Observation, judge
from failover.core.model import AccountReport, Node, NodeState, Outcome, Reading
from failover.core.reading import ServiceReading, Signal, report_of
from failover.core.verdict import VerdictKind
from failover.core.world import State, Watch
from tests.core.builders import AURORA, DIGEST, NAMES, SERVICE, at, controls, node, reports, sample

EVERY_S = 10.0
CONFIRM_ROUNDS = int(SERVICE.policy.account_closed.confirm_s / EVERY_S)
PLACES = (("ec2", "us-east-1"), ("s3", "us-west-2"), ("sts", "us-east-1"))
WORKS, REFUSES = Signal.OK, Signal.AUTH_AMBIGUOUS


def asked(*signals: Signal, second: Signal | None = None) -> AccountReport:
    """What the account of the active site says: one signal for all of its services, or one each."""
    each = signals if len(signals) > 1 else signals * len(PLACES)
    readings = [ServiceReading(service=s, region=r, signal=signal) for (s, r), signal in zip(PLACES, each, strict=True)]
    if second is not None:
        readings.append(ServiceReading(service="ec2", region="us-east-1", signal=second, credential="mirror"))
    return report_of(readings)


class Story:
    """Rounds every ten seconds; the other two sites are well."""

    def __init__(self) -> None:
        inventory = {name: (node(name),) for name in NAMES}
        self.state = State(service="guestbook", active_site=AURORA, release=DIGEST, inventory=inventory)
        self.number = 0

    def rounds(
        self,
        count: int,
        report: AccountReport,
        *,
        up: bool = True,
        nodes: tuple[Node, ...] | None = None,
        cut_off: bool = False,
    ) -> "Story":
        for _ in range(count):
            listed = {name: (node(name),) for name in NAMES if name != AURORA}
            seen = Observation(
                at=at(self.number * EVERY_S),
                samples=tuple(
                    sample(name, Outcome.FAIL if name == AURORA and not up else Outcome.PASS) for name in NAMES
                ),
                controls=controls(not cut_off, not cut_off),
                reports={**reports(), AURORA: report},
                nodes=listed if nodes is None else {**listed, AURORA: nodes},
            )
            self.state = judge(SERVICE, self.state, seen)
            self.number += 1
        return self

    @property
    def watch(self) -> Watch:
        return self.state.watch[AURORA]

    def kind(self) -> VerdictKind:
        assert self.watch.verdict is not None
        return self.watch.verdict.kind


def well() -> Story:
    return Story().rounds(6, asked(WORKS, second=WORKS), nodes=(node(AURORA),))


GONE = ((node(AURORA, status=NodeState.STOPPED)),)


def test_1_everything_is_refused_and_the_service_is_down_that_may_be_a_rotated_key() -> None:
    story = well().rounds(40, asked(REFUSES, second=WORKS), up=False)
    assert story.kind() is VerdictKind.PROVIDER_DOWN
    assert story.watch.verdict is not None
    assert "began to refuse us within minutes" in story.watch.verdict.evidence[-2]


def test_2_the_second_credential_tells_rotation_from_closing() -> None:
    story = well().rounds(CONFIRM_ROUNDS, asked(REFUSES, second=REFUSES), up=False)
    assert story.kind() is VerdictKind.PROVIDER_DOWN, "it has not held for long enough"
    before = story.watch.verdict
    story.rounds(1, asked(REFUSES, second=REFUSES), up=False)
    after = story.watch.verdict
    assert before is not None
    assert after is not None
    assert (after.kind, after.explicit, after.since) == (VerdictKind.ACCOUNT_CLOSED, False, before.since)
    assert story.rounds(3, asked(Signal.TRANSPORT), up=False).kind() is VerdictKind.ACCOUNT_CLOSED


def test_3_nodes_that_stopped_without_a_call_of_ours() -> None:
    """The lists showed them stopped before the API refused us."""
    story = well().rounds(3, asked(WORKS), up=False, nodes=GONE)
    assert story.kind() is VerdictKind.RESOURCES_GONE
    story.rounds(CONFIRM_ROUNDS + 1, asked(REFUSES), up=False)
    assert story.kind() is VerdictKind.ACCOUNT_CLOSED
    assert story.watch.memory.stopped_since == at(8 * EVERY_S)


def test_4_nodes_that_run_again_take_it_back() -> None:
    story = (
        well().rounds(3, asked(WORKS), up=False, nodes=GONE).rounds(1, asked(WORKS), up=False, nodes=(node(AURORA),))
    )
    assert story.watch.memory.stopped_since is None
    assert story.rounds(20, asked(REFUSES), up=False).kind() is VerdictKind.PROVIDER_DOWN


def test_5_while_the_service_answers_it_is_a_page() -> None:
    story = well().rounds(40, asked(REFUSES, second=REFUSES), nodes=GONE)
    assert story.kind() is VerdictKind.ACCESS_REFUSED


def test_6_an_account_that_says_active_is_not_closed_by_signs() -> None:
    story = well().rounds(10, asked(REFUSES, second=REFUSES), up=False)
    story.rounds(1, asked(Signal.ACTIVE, REFUSES, REFUSES, second=REFUSES), up=False)
    assert story.kind() is VerdictKind.DOWN_UNEXPLAINED


def test_7_what_we_hear_while_we_are_cut_off_is_not_remembered() -> None:
    """A captive portal refuses everything, too."""
    before = well()
    memory = before.watch.memory
    story = before.rounds(20, asked(REFUSES, second=REFUSES), up=False, cut_off=True)
    assert story.kind() is VerdictKind.OBSERVER_ISOLATED
    assert story.watch.memory == memory


@pytest.mark.parametrize(
    "lone",
    [
        asked(REFUSES, WORKS, WORKS),
        asked(REFUSES, Signal.TRANSPORT, Signal.TRANSPORT),
        asked(Signal.TRANSPORT),
        asked(Signal.THROTTLED),
        asked(Signal.REQUEST_BUG),
        asked(Signal.PERMISSION, WORKS, WORKS),
        AccountReport(reading=Reading.REFUSED),
    ],
    ids=["one 401", "one 401, the rest silent", "timeouts", "throttled", "404", "one 403", "no services told"],
)
@pytest.mark.parametrize("up", [True, False])
def test_8_s16_a_lone_sign_is_never_a_closed_account(lone: AccountReport, up: bool) -> None:
    story = well().rounds(60, lone, up=up, nodes=())
    assert story.kind() is not VerdictKind.ACCOUNT_CLOSED


def test_9_a_persons_word_is_the_third_sign() -> None:
    story = well().rounds(10, asked(REFUSES), up=False)
    assert story.kind() is VerdictKind.PROVIDER_DOWN
    watch = replace(story.watch, memory=replace(story.watch.memory, flagged_at=at(story.number * EVERY_S)))
    story.state = replace(story.state, watch={**story.state.watch, AURORA: watch})
    assert story.rounds(CONFIRM_ROUNDS, asked(REFUSES), up=False).kind() is VerdictKind.PROVIDER_DOWN
    assert story.rounds(1, asked(REFUSES), up=False).kind() is VerdictKind.ACCOUNT_CLOSED
