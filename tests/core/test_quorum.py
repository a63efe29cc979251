"""Votes of several vantages → one answer: the table of `core.quorum`, and stories of cut-off vantages."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import product

import pytest

from failover.core.budget import AGENT_S, observe_s, probe_s
from failover.core.decide import single_vantage
from failover.core.health import Health, HealthState, Vote
from failover.core.judge import Observation, judge
from failover.core.model import Ballot, Outcome, Sample, Vantage
from failover.core.outlook import safe
from failover.core.quorum import count, still_fails, too_few, views_after, vote_of
from failover.core.verdict import VerdictKind
from failover.core.world import State, View
from tests.core.builders import AURORA, BOREAS, NAMES, SERVICE, at, controls, node, reports, sample, verdict, world

GOOD, BAD, NO_IDEA = Outcome.PASS, Outcome.FAIL, Outcome.UNKNOWN
HOME, PARIS, OREGON = "home", "paris", "oregon"
THREE = replace(
    SERVICE,
    vantages=tuple(Vantage(name=name, provider=f"at-{name}") for name in (HOME, PARIS, OREGON)),
    vantage=HOME,
    need=2,
)
START = State(service="guestbook", active_site=AURORA, inventory={name: (node(name),) for name in NAMES})
EVERY_S = 10.0
DOWN, UP, BETWEEN, NONE = Vote.DOWN, Vote.UP, Vote.BETWEEN, Vote.NONE


def samples(vantage: str = "here", **by_site: Outcome) -> tuple[Sample, ...]:
    return tuple(
        replace(sample(name, by_site.get(name, GOOD), detail=f"{name}: refused"), vantage=vantage) for name in NAMES
    )


def ballot(vantage: str, *, cut_off: bool = False, **by_site: Outcome) -> Ballot:
    """What that vantage saw; all is well unless told otherwise."""
    return Ballot(vantage=vantage, samples=samples(vantage, **by_site), controls=controls(not cut_off, not cut_off))


def unheard(vantage: str) -> Ballot:
    return Ballot(vantage=vantage, problem="no answer in time")


def seen(
    number: int, ballots: tuple[Ballot, ...], by_site: Mapping[str, Outcome], cut_off: bool = False
) -> Observation:
    return Observation(
        at=at(number * EVERY_S),
        samples=samples(**by_site),
        controls=controls(not cut_off, not cut_off),
        reports=reports(),
        nodes={name: (node(name),) for name in NAMES},
        ballots=ballots,
    )


def rounds(state: State, count: int, *ballots: Ballot, start: int = 0, **told: Outcome) -> State:
    for number in range(start, start + count):
        state = judge(THREE, state, seen(number, ballots, told))
    return state


def well() -> State:
    return rounds(START, 2, ballot(PARIS), ballot(OREGON))


def kind(state: State, site: str = AURORA) -> VerdictKind:
    found = state.watch[site].verdict
    assert found is not None
    return found.kind


def evidence(state: State, site: str = AURORA) -> str:
    found = state.watch[site].verdict
    assert found is not None
    return "; ".join(found.evidence)


# ------------------------------------------------------------------------------------ one vote


@pytest.mark.parametrize(
    ("state", "isolated", "others", "expected"),
    [
        (HealthState.UP, False, True, UP),
        (HealthState.UP, False, False, UP),
        (HealthState.UP, True, True, NONE),
        (HealthState.DOWN, False, True, DOWN),
        (HealthState.DOWN, False, False, NONE),
        (HealthState.DOWN, True, True, NONE),
        (HealthState.UNKNOWN, False, True, BETWEEN),
        (HealthState.UNKNOWN, True, True, NONE),
    ],
)
def test_what_a_vantage_may_say(state: HealthState, isolated: bool, others: bool, expected: Vote) -> None:
    assert vote_of({"http": Health(state=state)}, isolated=isolated, others_answer=others) is expected


# ------------------------------------------------------------------------------------ counting


def counted(votes: Mapping[str, Vote], **changed: object) -> HealthState:
    service = replace(THREE, **changed)  # type: ignore[arg-type]
    views = {name: View(votes={AURORA: vote}) for name, vote in votes.items() if name != HOME}
    return count(service, service.site(AURORA), votes[HOME], views).state


@pytest.mark.parametrize("votes", list(product(Vote, repeat=3)), ids=lambda votes: " ".join(votes))
def test_every_combination_of_three_votes(votes: tuple[Vote, ...]) -> None:
    """Two for DOWN decide while nobody is in between; more than can be outvoted for UP; else it is not known."""
    heard = [vote for vote in votes if vote is not NONE]
    if votes.count(DOWN) >= 2 and BETWEEN not in votes:
        expected = HealthState.DOWN
    elif votes.count(UP) > max(0, len(heard) - 2):
        expected = HealthState.UP
    else:
        expected = HealthState.UNKNOWN
    assert counted(dict(zip((HOME, PARIS, OREGON), votes, strict=True))) is expected


@pytest.mark.parametrize("other", list(Vote), ids=str)
def test_one_vantage_alone_never_makes_down(other: Vote) -> None:
    if other is not DOWN:
        for third in (UP, BETWEEN, NONE):
            assert counted({HOME: DOWN, PARIS: other, OREGON: third}) is not HealthState.DOWN


def test_a_vantage_at_the_providers_own_place_has_no_vote_there() -> None:
    vantages = (*THREE.vantages[:2], Vantage(name=OREGON, provider=AURORA))
    votes = {HOME: DOWN, PARIS: UP, OREGON: DOWN}
    assert counted(votes, vantages=vantages) is HealthState.UP
    assert counted(votes) is HealthState.DOWN


def test_two_at_one_provider_count_once() -> None:
    vantages = tuple(replace(v, provider="same") if v.name != HOME else v for v in THREE.vantages)
    assert counted({HOME: UP, PARIS: DOWN, OREGON: DOWN}, vantages=vantages) is HealthState.UP
    assert counted({HOME: DOWN, PARIS: DOWN, OREGON: NONE}, vantages=vantages) is HealthState.DOWN
    assert counted({HOME: DOWN, PARIS: DOWN, OREGON: UP}, vantages=vantages) is HealthState.UP
    assert counted({HOME: DOWN, PARIS: DOWN, OREGON: BETWEEN}, vantages=vantages) is HealthState.UNKNOWN


def test_who_said_what_is_told() -> None:
    views = {PARIS: View(votes={AURORA: Vote.DOWN}), OREGON: View(problem="no answer in time")}
    said = count(THREE, THREE.site(AURORA), DOWN, views).said
    assert said == "2 vantages must agree: home down, paris down, oregon no vote"


# ------------------------------------------------------------------------------------ stories


def test_1_all_vantages_see_the_site_down() -> None:
    down = (ballot(PARIS, aurora=BAD), ballot(OREGON, aurora=BAD))
    state = rounds(well(), 3, *down, start=2, aurora=BAD)
    assert kind(state) is VerdictKind.APP_DOWN
    assert "home down, paris down, oregon down" in evidence(state)


def test_2_only_this_vantage_sees_it_down() -> None:
    state = rounds(well(), 9, ballot(PARIS), ballot(OREGON), start=2, aurora=BAD)
    assert kind(state) is VerdictKind.UP
    assert "home down, paris up, oregon up" in evidence(state)


def test_3_only_another_vantage_sees_it_down() -> None:
    state = rounds(well(), 9, ballot(PARIS, aurora=BAD), ballot(OREGON), start=2)
    assert kind(state) is VerdictKind.UP


def test_4_two_of_three_are_enough() -> None:
    state = rounds(well(), 3, ballot(PARIS, aurora=BAD), ballot(OREGON), start=2, aurora=BAD)
    assert kind(state) is VerdictKind.APP_DOWN


def test_5_two_others_outvote_this_one() -> None:
    state = rounds(well(), 3, ballot(PARIS, aurora=BAD), ballot(OREGON, aurora=BAD), start=2)
    assert kind(state) is VerdictKind.APP_DOWN


def test_6_a_vantage_that_sees_nothing_else_either_has_no_vote() -> None:
    lost = Ballot(vantage=PARIS, samples=samples(PARIS, aurora=BAD, boreas=BAD, cirrus=BAD), controls=controls(True))
    state = rounds(well(), 9, lost, unheard(OREGON), start=2, aurora=BAD)
    assert kind(state) is VerdictKind.UNKNOWN
    assert "paris no vote" in evidence(state)


def test_7_a_vantage_whose_controls_fail_has_no_vote() -> None:
    state = rounds(well(), 9, ballot(PARIS, cut_off=True, aurora=BAD), unheard(OREGON), start=2, aurora=BAD)
    assert kind(state) is VerdictKind.UNKNOWN


def test_8_vantages_that_are_not_heard_keep_anything_from_moving() -> None:
    state = rounds(well(), 9, unheard(PARIS), unheard(OREGON), start=2, aurora=BAD)
    assert kind(state) is VerdictKind.UNKNOWN
    assert state.views[PARIS].problem == "no answer in time"


def test_9_without_the_others_a_good_site_is_good() -> None:
    assert kind(rounds(well(), 3, unheard(PARIS), unheard(OREGON), start=2)) is VerdictKind.UP


def test_10_this_vantage_cut_off_holds() -> None:
    state = well()
    for number in range(2, 9):
        down = (ballot(PARIS, aurora=BAD), ballot(OREGON, aurora=BAD))
        state = judge(THREE, state, seen(number, down, {AURORA: BAD}, cut_off=True))
    assert kind(state) is VerdictKind.OBSERVER_ISOLATED


def test_11_a_vantage_that_has_just_come_back_is_waited_for() -> None:
    away = rounds(well(), 10, unheard(PARIS), ballot(OREGON, aurora=BAD), start=2, aurora=BAD)
    assert kind(away) is VerdictKind.APP_DOWN
    back = rounds(away, 1, ballot(PARIS, aurora=BAD), ballot(OREGON, aurora=BAD), start=12, aurora=BAD)
    assert kind(back) is VerdictKind.UNKNOWN
    decided = rounds(back, 2, ballot(PARIS, aurora=BAD), ballot(OREGON, aurora=BAD), start=13, aurora=BAD)
    assert kind(decided) is VerdictKind.APP_DOWN


def test_12_a_vantage_that_left_the_config_is_forgotten() -> None:
    assert set(well().views) == {PARIS, OREGON}
    without = replace(THREE, vantages=THREE.vantages[:2])
    assert set(views_after(without, well().views, [ballot(PARIS), ballot(OREGON)], at(30), fresh=False)) == {PARIS}


def test_13_with_one_site_its_verdict_can_do_no_harm() -> None:
    lone = replace(THREE, sites=THREE.sites[:1])
    state = START
    for number in range(4):
        bad = (ballot(PARIS, aurora=BAD), ballot(OREGON, aurora=BAD))
        state = judge(lone, state, seen(number, bad, {AURORA: BAD}))
    assert kind(state) is VerdictKind.APP_DOWN


def test_14_a_quorum_needs_no_explicit_account() -> None:
    gone = verdict(VerdictKind.PROVIDER_DOWN)
    assert single_vantage(SERVICE, world(gone), gone) is not None
    assert single_vantage(THREE, world(gone), gone) is None


def test_15_an_answer_from_elsewhere_needs_its_way() -> None:
    assert observe_s(SERVICE) == probe_s(SERVICE)
    assert observe_s(THREE) == probe_s(THREE) + AGENT_S


@pytest.mark.parametrize(
    ("ballots", "expected"),
    [
        ((ballot(PARIS), ballot(OREGON)), None),
        ((unheard(PARIS), ballot(OREGON)), None),
        ((unheard(PARIS), unheard(OREGON)), "1 could; not heard: paris, oregon"),
        ((ballot(PARIS, cut_off=True), unheard(OREGON)), "1 could; not heard: paris, oregon"),
    ],
)
def test_16_too_few_vantages_are_told_before_they_are_needed(ballots: tuple[Ballot, ...], expected: str | None) -> None:
    state = rounds(well(), 1, *ballots, start=2)
    found = too_few(THREE, THREE.site(AURORA), state.views)
    assert (found is None) == (expected is None)
    assert found is None or found.endswith(expected or "")
    now = world(now=at(40), state=replace(state, epoch=7))
    assert safe(THREE, now) is (expected is None)


def test_17_too_few_stand_elsewhere() -> None:
    guarded = replace(THREE, vantages=(THREE.vantages[0], *(replace(v, provider=AURORA) for v in THREE.others)))
    assert (too_few(guarded, THREE.site(AURORA), well().views) or "").endswith("1 could; not heard: no other")
    assert too_few(SERVICE, SERVICE.site(AURORA), {}) is None


# ------------------------------------------------------------------------------------ one fresh round


@pytest.mark.parametrize(
    ("own", "ballots", "expected"),
    [
        (BAD, [ballot(PARIS, aurora=BAD), ballot(OREGON)], True),
        (GOOD, [ballot(PARIS, aurora=BAD), ballot(OREGON, aurora=BAD)], True),
        (BAD, [ballot(PARIS), ballot(OREGON)], False),
        (BAD, [unheard(PARIS), unheard(OREGON)], False),
        (BAD, [ballot(PARIS, cut_off=True, aurora=BAD), ballot(OREGON)], False),
        (NO_IDEA, [ballot(PARIS, aurora=BAD), ballot(OREGON, aurora=NO_IDEA)], False),
        (GOOD, [ballot(PARIS), ballot(OREGON)], False),
    ],
)
def test_so_many_must_find_it_down_again(own: Outcome, ballots: list[Ballot], expected: bool) -> None:
    fails, why = still_fails(THREE, THREE.site(AURORA), (sample(AURORA, own),), ballots)
    assert fails is expected
    assert "2 must" in why


def test_two_at_one_provider_find_it_down_once() -> None:
    same = replace(THREE, vantages=tuple(replace(v, provider="same") for v in THREE.vantages))
    bad = [ballot(PARIS, aurora=BAD), ballot(OREGON, aurora=BAD)]
    assert not still_fails(same, same.site(AURORA), (sample(AURORA, BAD),), bad)[0]


@pytest.mark.parametrize(
    ("outcomes", "expected", "says"),
    [
        ((), True, "still does not answer"),
        ((BAD,), True, "still does not answer"),
        ((GOOD,), False, "answers again"),
        ((NO_IDEA,), False, "could not be found out"),
    ],
)
def test_alone_one_failing_check_is_enough(outcomes: tuple[Outcome, ...], expected: bool, says: str) -> None:
    fails, why = still_fails(SERVICE, SERVICE.site(BOREAS), tuple(sample(BOREAS, o) for o in outcomes), ())
    assert fails is expected
    assert says in why
