"""Samples → health: streaks, gaps, UNKNOWN; votes → quorum."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.health import (
    Health,
    HealthState,
    advance,
    data_plane,
    quorum,
    round_outcome,
    serving_needed,
    vote,
)
from failover.core.model import Outcome
from tests.core.builders import AURORA, at, sample

UP, DOWN, UNKNOWN = HealthState.UP, HealthState.DOWN, HealthState.UNKNOWN
LETTERS = {"+": Outcome.PASS, "-": Outcome.FAIL, "?": Outcome.UNKNOWN}


def walk(rounds: str, *, rise: int = 2, fall: int = 3, gap_s: float = 35.0) -> Health:
    """One round every 10 seconds; a space is a round that never took place."""
    health = Health()
    for number, letter in enumerate(rounds):
        if letter != " ":
            health = advance(health, LETTERS[letter], at(10 * number), rise=rise, fall=fall, gap_s=gap_s)
    return health


@pytest.mark.parametrize(
    ("story", "rounds", "state"),
    [
        ("1 a new check is UNKNOWN", "", UNKNOWN),
        ("2 one good round is not enough", "+", UNKNOWN),
        ("3 `rise` good rounds make UP", "++", UP),
        ("4 two bad rounds are not enough", "++--", UP),
        ("5 `fall` bad rounds make DOWN", "++---", DOWN),
        ("6 a good round in between breaks the streak", "++--+--", UP),
        ("7 a round without evidence neither extends nor breaks it", "++--?-", DOWN),
        ("8 rounds without evidence alone make nothing", "???", UNKNOWN),
        ("9 from DOWN it takes `rise` good rounds", "---+", DOWN),
        ("10 and then it is UP", "---++", UP),
        ("11 a short gap breaks nothing", "++-  --", DOWN),
        ("12 a long gap breaks the streak into UNKNOWN", "++--    -", UNKNOWN),
        ("13 and UP does not outlive a long gap either", "++    +", UNKNOWN),
        ("14 nor does DOWN", "---    -", UNKNOWN),
        ("15 a long time of unknown rounds is a gap as well", "++???+", UNKNOWN),
    ],
)
def test_streaks(story: str, rounds: str, state: HealthState) -> None:
    assert walk(rounds).state is state, story


def test_since_is_when_the_state_began() -> None:
    assert walk("+").since == at(0)
    assert walk("++").since == at(10)
    assert walk("++++").since == at(10)
    assert walk("++---").since == at(40)
    assert walk("++    ?").since == at(60)


def test_since_of_a_check_that_was_never_answered_is_its_first_round() -> None:
    assert walk("???").since == at(0)


def test_the_reason_is_that_of_the_last_evidence() -> None:
    down = advance(Health(), Outcome.FAIL, at(0), rise=1, fall=1, gap_s=35, reason="refused")
    assert down.reason == "refused"
    kept = advance(down, Outcome.UNKNOWN, at(10), rise=1, fall=1, gap_s=35)
    assert (kept.state, kept.reason, kept.last) == (DOWN, "refused", at(0))
    silent = advance(kept, Outcome.UNKNOWN, at(100), rise=1, fall=1, gap_s=35)
    assert (silent.state, silent.reason, silent.since) == (UNKNOWN, "no evidence for too long", at(100))


@given(st.text("+-? ", max_size=30), st.integers(1, 4), st.integers(1, 4))
def test_a_state_always_has_its_streak_behind_it(rounds: str, rise: int, fall: int) -> None:
    """DOWN is never reached without `fall` bad rounds that no good one interrupts; UP likewise."""
    health = Health()
    seen = ""
    for number, letter in enumerate(rounds):
        if letter == " ":
            continue
        before, health = (
            health,
            advance(health, LETTERS[letter], at(10 * number), rise=rise, fall=fall, gap_s=35.0),
        )
        seen += letter.replace("?", "")
        if health.state is DOWN and before.state is not DOWN:
            assert seen.endswith("-" * fall)
        if health.state is UP and before.state is not UP:
            assert seen.endswith("+" * rise)
        assert not (health.passes and health.fails)


@pytest.mark.parametrize(("count", "needed"), [(0, 1), (1, 1), (2, 1), (3, 2), (4, 2), (5, 3)])
def test_half_of_the_addresses_must_serve(count: int, needed: int) -> None:
    assert serving_needed(count) == needed


@pytest.mark.parametrize(
    ("letters", "outcome"),
    [
        ("", Outcome.UNKNOWN),
        ("+", Outcome.PASS),
        ("-", Outcome.FAIL),
        ("?", Outcome.UNKNOWN),
        ("+-", Outcome.PASS),
        ("--", Outcome.FAIL),
        ("-?", Outcome.UNKNOWN),  # the unknown one may be well, and one of two is enough
        ("+?", Outcome.PASS),
        ("+--", Outcome.FAIL),
        ("+-?", Outcome.UNKNOWN),
        ("++-", Outcome.PASS),
    ],
)
def test_one_round_over_all_addresses(letters: str, outcome: Outcome) -> None:
    samples = [sample(AURORA, LETTERS[letter], address=f"192.0.2.{n}") for n, letter in enumerate(letters)]
    assert round_outcome(samples)[0] is outcome


def test_a_round_says_what_was_bad_even_when_it_passes() -> None:
    samples = [sample(AURORA, Outcome.PASS), sample(AURORA, Outcome.FAIL, detail="192.0.2.9: refused")]
    assert round_outcome(samples) == (Outcome.PASS, "192.0.2.9: refused")
    assert round_outcome([sample(AURORA, Outcome.FAIL)]) == (Outcome.FAIL, "fail")
    assert round_outcome([]) == (Outcome.UNKNOWN, "nothing to ask")


@pytest.mark.parametrize(
    ("states", "plane"),
    [
        ((), UNKNOWN),
        ((UP,), UP),
        ((UP, UP), UP),
        ((UP, UNKNOWN), UNKNOWN),
        ((UP, DOWN), DOWN),
        ((UNKNOWN, DOWN), DOWN),
        ((UNKNOWN,), UNKNOWN),
    ],
)
def test_checks_together(states: tuple[HealthState, ...], plane: HealthState) -> None:
    assert data_plane(replace(Health(), state=s) for s in states) is plane


@pytest.mark.parametrize(("state", "controls_ok", "others"), list(product(HealthState, (True, False), (True, False))))
def test_a_vote_for_down_needs_controls_and_another_site(state: HealthState, controls_ok: bool, others: bool) -> None:
    expected = UNKNOWN if state is DOWN and not (controls_ok and others) else state
    assert vote(state, controls_ok=controls_ok, others_answer=others) is expected


@pytest.mark.parametrize(
    ("votes", "need", "result"),
    [
        ((), 1, UNKNOWN),
        ((UNKNOWN,), 1, UNKNOWN),
        ((UNKNOWN,), 2, UNKNOWN),
        ((UP,), 1, UP),
        ((DOWN,), 1, DOWN),
        ((DOWN, DOWN), 2, DOWN),
        ((DOWN, DOWN, UP), 2, DOWN),
        ((DOWN, UP, UP), 2, UP),
        ((DOWN, DOWN, UNKNOWN), 2, UNKNOWN),
        ((DOWN, UP), 2, UP),
        ((UP, UNKNOWN, UNKNOWN), 2, UNKNOWN),
        ((UP, UP, UNKNOWN), 2, UP),
    ],
)
def test_quorum(votes: tuple[HealthState, ...], need: int, result: HealthState) -> None:
    assert quorum(votes, need) is result


@given(st.lists(st.sampled_from(HealthState), min_size=1, max_size=7), st.integers(1, 7))
def test_fewer_faulty_votes_than_the_quorum_never_say_down(votes: list[HealthState], need: int) -> None:
    """S6: without `need` votes for it there is no DOWN, and UP and DOWN never hold at the same time."""
    result = quorum(votes, need)
    if result is DOWN:
        assert votes.count(DOWN) >= need
    if result is UP:
        assert votes.count(UP) >= 1
        assert votes.count(DOWN) < need
