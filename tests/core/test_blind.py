"""DNS hosts that stay unreadable: counted round by round, told when it lasts."""

from dataclasses import replace

import pytest

from failover.core.blind import ROUNDS, Blindness, blindness, count_unread
from failover.core.notice import Urgency
from failover.core.world import Debt, State
from tests.core.builders import ago, reading, with_state, world

WELL = {"one": reading("one"), "two": reading("two")}
ONE_LOST = {**WELL, "two": reading("two", problem="the key is refused")}
ALL_LOST = {"one": reading("one", problem="timeout"), "two": reading("two", problem="the key is refused")}


def state(hosts: object, rounds: dict[str, int], **changed: object) -> State:
    return with_state(world(), hosts=hosts, unread_rounds=rounds, **changed).state


def told(found: Blindness | None) -> Blindness:
    assert found is not None
    return found


def test_rounds_are_counted_in_a_row_and_only_by_a_vantage_that_is_not_cut_off() -> None:
    rounds = count_unread({}, ONE_LOST, isolated=False)
    assert rounds == {"two": 1}
    rounds = count_unread(rounds, ALL_LOST, isolated=False)
    assert rounds == {"one": 1, "two": 2}
    assert count_unread(rounds, ALL_LOST, isolated=True) == rounds, "its own trouble says nothing of the hosts"
    assert count_unread(rounds, ONE_LOST, isolated=True) == {"two": 2}, "what was read was read"
    assert count_unread(rounds, WELL, isolated=False) == {}


@pytest.mark.parametrize(
    ("story", "seen"),
    [
        ("all is well", state(WELL, {})),
        ("it has not lasted", state(ALL_LOST, {"one": ROUNDS - 1, "two": ROUNDS - 1})),
        ("nothing is published", state(ALL_LOST, {"one": 9, "two": 9}, active_site=None)),
        (
            "it is told as a debt",
            state(ONE_LOST, {"two": 9}, debts=(Debt(host="two", epoch=7, since=ago(9), reason="the key is refused"),)),
        ),
    ],
)
def test_nothing_to_tell(story: str, seen: State) -> None:
    assert blindness(seen) is None, story


def test_all_of_them_is_critical_and_told_host_by_host() -> None:
    found = told(blindness(state(ALL_LOST, {"one": ROUNDS, "two": 9})))
    assert found.severity is Urgency.CRITICAL
    assert found.title == "no cutover could be made: no DNS host can be read"
    assert found.reasons[:2] == ("one cannot be read: timeout", "two cannot be read: the key is refused")
    assert "failover doctor" in found.reasons[2]


def test_some_of_them_is_a_warning_until_the_others_have_lasted_too() -> None:
    for hosts, rounds in ((ONE_LOST, {"two": ROUNDS}), (ALL_LOST, {"one": ROUNDS - 1, "two": ROUNDS + 1})):
        found = told(blindness(state(hosts, rounds)))
        assert (found.severity, found.about) == (Urgency.WARNING, ("two",))
        assert found.title == "1 of 2 DNS hosts cannot be read"
        assert found.reasons[0] == "two cannot be read: the key is refused"
        assert "debt" in found.reasons[1]


REFUSED = replace(reading("one", problem="the key is refused"), by_kind=True)
FENCED = {"one": REFUSED, "two": reading("two", grade=3)}


def test_a_better_fenced_host_that_answers_but_cannot_be_read_holds_all_up_and_that_is_critical() -> None:
    found = told(blindness(state(FENCED, {"one": ROUNDS})))
    assert (found.severity, found.about) == (Urgency.CRITICAL, ("one",))
    assert found.title == "no cutover could be made by itself: one answers, but cannot be read"
    assert found.reasons[0] == "one cannot be read: the key is refused"
    assert "failover continue --force" in found.reasons[1]


@pytest.mark.parametrize(
    ("story", "hosts", "rounds"),
    [
        ("out of reach it is left behind", {**FENCED, "one": replace(REFUSED, unreachable=True)}, {"one": ROUNDS}),
        ("its equal can be read", {**FENCED, "three": reading("three")}, {"one": ROUNDS}),
        ("it is the less fenced one", {"one": REFUSED, "two": reading("two")}, {"one": ROUNDS}),
    ],
)
def test_what_holds_nothing_up_is_a_warning(story: str, hosts: object, rounds: dict[str, int]) -> None:
    assert told(blindness(state(hosts, rounds))).severity is Urgency.WARNING, story


def test_one_bad_round_of_its_equal_does_not_make_it_critical() -> None:
    equal = replace(REFUSED, host="three", unreachable=True)
    seen = state({**FENCED, "three": equal}, {"one": ROUNDS, "three": 1})
    assert told(blindness(seen)).severity is Urgency.WARNING
