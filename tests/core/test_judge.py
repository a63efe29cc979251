"""One round of observations → verdicts and readiness of every site."""

from dataclasses import replace

import pytest

from failover.core.health import HealthState, isolated
from failover.core.judge import (
    Observation,
    accepted_releases,
    controls_ok,
    judge,
    served_addresses,
    site_addresses,
)
from failover.core.model import ControlSample, Node, NodeState, Outcome, Reading, Sample, Site, Standby
from failover.core.ready import Stock
from failover.core.verdict import GONE_LISTS, VerdictKind
from failover.core.world import State, Watch
from tests.core.builders import (
    ADDRESS,
    AURORA,
    BOREAS,
    CIRRUS,
    DIGEST,
    HTTP,
    NAMES,
    OTHER_DIGEST,
    READY,
    SERVICE,
    SITES,
    at,
    controls,
    node,
    reports,
    sample,
)

GOOD, BAD, NO_IDEA = Outcome.PASS, Outcome.FAIL, Outcome.UNKNOWN
START = State(
    service="guestbook",
    active_site=AURORA,
    release=DIGEST,
    inventory={name: (node(name),) for name in NAMES},
)
EVERY_S = 10.0


def seen(number: int, **changed: object) -> Observation:
    """A round in which everything is well, except for what is changed."""
    base = Observation(
        at=at(number * EVERY_S),
        samples=samples(),
        controls=controls(True, True),
        reports=reports(),
        nodes={name: (node(name),) for name in NAMES},
    )
    return replace(base, **changed)  # type: ignore[arg-type]


def samples(**by_site: Outcome) -> tuple[Sample, ...]:
    return tuple(sample(name, by_site.get(name, GOOD), detail=f"{name}: refused") for name in NAMES)


def rounds(state: State, count: int, start: int = 0, **changed: object) -> State:
    for number in range(start, start + count):
        state = judge(SERVICE, state, seen(number, **changed))
    return state


def kinds(state: State) -> dict[str, str]:
    return {name: watch.verdict.kind.value for name, watch in state.watch.items() if watch.verdict is not None}


def watch(state: State, site: str) -> Watch:
    return state.watch[site]


def test_1_the_first_round_decides_nothing() -> None:
    assert set(kinds(rounds(START, 1)).values()) == {"UNKNOWN"}


def test_2_after_rise_good_rounds_all_are_up_and_ready() -> None:
    state = rounds(START, 2)
    assert set(kinds(state).values()) == {"UP"}
    assert all(watch(state, name).readiness == READY for name in NAMES)
    assert watch(state, BOREAS).addresses == (ADDRESS[BOREAS],)


@pytest.mark.parametrize(
    ("reading", "nodes", "expected"),
    [
        (Reading.CLOSED, True, "ACCOUNT_CLOSED"),
        (Reading.REFUSED, True, "PROVIDER_DOWN"),
        (Reading.UNCLEAR, True, "PROVIDER_DOWN"),
        (Reading.ACTIVE, True, "APP_DOWN"),
        (Reading.NONE, True, "DOWN_UNEXPLAINED"),
    ],
)
def test_3_the_active_site_fails_and_the_provider_tells_why(reading: Reading, nodes: bool, expected: str) -> None:
    state = rounds(rounds(START, 2), 3, 2, samples=samples(aurora=BAD), reports=reports(aurora=reading))
    assert kinds(state) == {AURORA: expected, BOREAS: "UP", CIRRUS: "UP"}
    assert watch(state, AURORA).details == ("aurora: refused",)
    assert watch(state, AURORA).addresses == ()
    assert watch(state, AURORA).readiness != READY
    assert watch(state, BOREAS).details == ()


def test_4_two_bad_rounds_are_not_enough() -> None:
    state = rounds(rounds(START, 2), 2, 2, samples=samples(aurora=BAD), reports=reports(aurora=Reading.CLOSED))
    verdict = watch(state, AURORA).verdict
    assert verdict is not None
    assert (verdict.kind, verdict.data_plane) == (VerdictKind.ACCOUNT_CLOSED, HealthState.UP)


def test_5_when_everything_is_dark_nobody_is_called_down() -> None:
    """Nothing anywhere answers, controls included or not configured: it may be us."""
    nothing: dict[str, object] = {"samples": samples(aurora=BAD, boreas=BAD, cirrus=BAD), "nodes": {}}
    unclear = reports(aurora=Reading.UNCLEAR, boreas=Reading.UNCLEAR, cirrus=Reading.UNCLEAR)
    for answering in (controls(True, True), ()):
        state = rounds(rounds(START, 2), 4, 2, reports=unclear, controls=answering, **nothing)
        assert set(kinds(state).values()) == {"UNKNOWN"}
    state = rounds(rounds(START, 2), 4, 2, reports=unclear, controls=controls(False, False), **nothing)
    assert set(kinds(state).values()) == {"OBSERVER_ISOLATED"}
    assert state.isolated


@pytest.mark.parametrize("reading", [Reading.CLOSED, Reading.ACTIVE, Reading.REFUSED])
def test_6_all_sites_down_but_a_provider_still_speaks(reading: Reading) -> None:
    """Our network works, so DOWN is DOWN; the decision will find no target."""
    closed = reports(aurora=Reading.CLOSED, boreas=reading, cirrus=Reading.UNCLEAR)
    state = rounds(rounds(START, 2), 3, 2, reports=closed, samples=samples(aurora=BAD, boreas=BAD, cirrus=BAD))
    assert kinds(state)[AURORA] == "ACCOUNT_CLOSED"
    assert not any(watch(state, name).readiness == READY for name in NAMES)


def test_7_the_own_provider_speaking_is_not_another_sites_answer() -> None:
    """Only aurora's API answers; no other site is reachable: no vote for DOWN."""
    lonely = reports(aurora=Reading.CLOSED, boreas=Reading.UNCLEAR, cirrus=Reading.UNCLEAR)
    state = rounds(rounds(START, 2), 3, 2, reports=lonely, samples=samples(aurora=BAD, boreas=BAD, cirrus=BAD))
    assert kinds(state)[AURORA] == "UNKNOWN"


def test_8_another_site_that_serves_is_an_answer_without_any_api() -> None:
    silent = dict.fromkeys(NAMES, Reading.UNCLEAR)
    state = rounds(rounds(START, 2), 3, 2, reports=reports(**silent), samples=samples(aurora=BAD))
    assert kinds(state) == {AURORA: "PROVIDER_DOWN", BOREAS: "UP", CIRRUS: "UP"}


def test_9_a_lone_site_is_judged_although_there_is_no_other() -> None:
    alone = replace(SERVICE, sites=SITES[:1])
    state = START
    for number in range(3):
        state = judge(alone, state, seen(number, samples=samples(aurora=BAD)))
    assert kinds(state) == {AURORA: "APP_DOWN"}


@pytest.mark.parametrize(
    ("ok", "cut_off"),
    [
        ((), False),
        ((True,), False),
        ((False,), True),
        ((True, False), True),
        ((True, True, False), False),
        ((True, False, False), True),
    ],
)
def test_10_without_a_majority_of_controls_we_are_cut_off(ok: tuple[bool, ...], cut_off: bool) -> None:
    assert isolated(controls(*ok)) is cut_off


def test_11_controls_of_one_provider_count_once() -> None:
    twice = tuple(ControlSample(target=t, provider="other", ok=True) for t in ("a", "b"))
    third = ControlSample(target="c", provider="third", ok=True)
    silent = ControlSample(target="d", provider="fourth", ok=False)
    assert controls_ok(twice) == 1
    assert controls_ok((*twice, third, silent)) == 2


# ------------------------------------------------------------------------------------ nodes that vanish


def gone_after(lists: list[tuple[Node, ...] | None]) -> tuple[int, str]:
    """Aurora serves nothing while its lists show this; None: the list could not be read."""
    state = rounds(START, 2)
    for number, listed in enumerate(lists, 2):
        others = {name: (node(name),) for name in (BOREAS, CIRRUS)}
        nodes = others if listed is None else {**others, AURORA: listed}
        state = judge(SERVICE, state, seen(number, samples=samples(aurora=BAD), nodes=nodes))
    return watch(state, AURORA).gone_streak, kinds(state)[AURORA]


STOPPED = (node(AURORA, status=NodeState.STOPPED),)
RUNNING = (node(AURORA),)


def test_12_three_complete_lists_without_our_nodes() -> None:
    assert gone_after([(), (), ()]) == (GONE_LISTS, "RESOURCES_GONE")


def test_13_stopped_nodes_are_gone_too() -> None:
    assert gone_after([STOPPED, STOPPED, STOPPED]) == (GONE_LISTS, "RESOURCES_GONE")


def test_14_lists_that_cannot_be_read_are_never_empty_lists() -> None:
    assert gone_after([None, None, None, None]) == (0, "DOWN_UNEXPLAINED")


def test_15_an_unreadable_list_in_between_neither_counts_nor_breaks() -> None:
    assert gone_after([(), None, (), None]) == (2, "DOWN_UNEXPLAINED")
    assert gone_after([(), None, (), ()]) == (GONE_LISTS, "RESOURCES_GONE")
    assert gone_after([(), (), (), None]) == (GONE_LISTS, "RESOURCES_GONE")


def test_16_one_list_that_shows_a_node_begins_anew() -> None:
    assert gone_after([(), (), RUNNING, (), ()]) == (2, "DOWN_UNEXPLAINED")
    assert gone_after([(), (), RUNNING]) == (0, "APP_DOWN")


def test_17_nodes_of_other_names_are_not_ours() -> None:
    strange = (node(AURORA, spec="deadbeef"),)
    assert gone_after([strange, strange, strange]) == (GONE_LISTS, "RESOURCES_GONE")


def test_18_a_site_without_inventory_has_nothing_to_lose() -> None:
    state = replace(rounds(START, 2), inventory={})
    state = rounds(state, 4, 2, samples=samples(aurora=BAD), nodes=dict.fromkeys(NAMES, ()))
    assert (watch(state, AURORA).gone_streak, kinds(state)[AURORA]) == (0, "DOWN_UNEXPLAINED")
    assert watch(rounds(state, 1, 6, nodes={}), AURORA).gone_streak == 0


# ------------------------------------------------------------------------------------ readiness of the standby


def test_19_one_byte_changed_in_the_standbys_release() -> None:
    nodes = {**{name: (node(name),) for name in NAMES}, BOREAS: (node(BOREAS, release=OTHER_DIGEST),)}
    readiness = watch(rounds(START, 3, nodes=nodes), BOREAS).readiness
    assert readiness is not None
    assert "holds another release" in readiness.reasons[0]


def test_20_a_person_need_not_wait_for_the_streak() -> None:
    assert watch(judge(SERVICE, START, seen(0)), BOREAS).readiness != READY
    assert watch(judge(SERVICE, START, seen(0), fresh=True), BOREAS).readiness == READY


def test_21_a_person_goes_back_to_a_site_that_answers_again_although_it_was_down() -> None:
    down = rounds(rounds(START, 2), 3, 2, samples=samples(boreas=BAD))
    assert (kinds(down)[BOREAS], kinds(judge(SERVICE, down, seen(5)))[BOREAS]) == ("APP_DOWN", "APP_DOWN")
    asked = judge(SERVICE, down, seen(5), fresh=True)
    assert (kinds(asked)[BOREAS], watch(asked, BOREAS).readiness) == ("UP", READY)
    assert kinds(rounds(asked, 1, 6)) == dict.fromkeys(NAMES, "UP")


def test_22_a_check_without_an_answer_is_not_passed_for_a_person_either() -> None:
    two = replace(SERVICE, checks=(HTTP, replace(HTTP, name="api", group="api")))
    readiness = watch(judge(two, START, seen(0), fresh=True), BOREAS).readiness
    assert readiness is not None
    assert readiness.reasons[0].startswith("check api does not pass")


def test_23_an_address_must_pass_every_check() -> None:
    two = replace(SERVICE, checks=(HTTP, replace(HTTP, name="tcp")))
    mixed = (
        sample(BOREAS, GOOD, address="198.51.100.2"),
        sample(BOREAS, GOOD, address="198.51.100.3"),
        sample(BOREAS, GOOD, check="tcp", address="198.51.100.2"),
        sample(BOREAS, NO_IDEA, check="tcp", address="198.51.100.3", detail="no descriptors"),
    )
    state = judge(two, START, seen(0, samples=mixed))
    assert watch(state, BOREAS).addresses == ("198.51.100.2",)
    assert watch(state, BOREAS).details == ("no descriptors",)
    assert watch(judge(two, START, seen(0, samples=(sample(BOREAS, BAD),))), BOREAS).details == ()


def test_24_a_cold_site_is_ready_by_its_stock() -> None:
    cold = replace(SERVICE, sites=(SITES[0], replace(SITES[1], standby=Standby.COLD), SITES[2]))
    assert watch(judge(cold, START, seen(0, stock={BOREAS: Stock(problem="timeout")})), BOREAS).readiness != READY
    assert watch(judge(cold, START, seen(0)), BOREAS).readiness != READY


def test_25_during_a_roll_out_both_releases_are_right() -> None:
    state = replace(START, accepted={BOREAS: (DIGEST, OTHER_DIGEST)})
    assert accepted_releases(state, BOREAS) == (DIGEST, OTHER_DIGEST)
    assert accepted_releases(state, CIRRUS) == (DIGEST,)
    assert accepted_releases(replace(state, release=None), CIRRUS) == ()
    nodes = {**{name: (node(name),) for name in NAMES}, BOREAS: (node(BOREAS, release=OTHER_DIGEST),)}
    assert watch(rounds(state, 3, nodes=nodes), BOREAS).readiness == READY


# ------------------------------------------------------------------------------------ odd worlds


def test_26_sites_and_checks_that_left_the_config_are_forgotten() -> None:
    state = rounds(START, 2)
    smaller = replace(SERVICE, sites=SITES[1:], checks=(replace(HTTP, name="other"),))
    state = judge(smaller, state, seen(2))
    assert set(state.watch) == {BOREAS, CIRRUS}
    assert set(state.health[BOREAS]) == {"other"}


def test_27_a_service_without_checks_controls_or_sites() -> None:
    bare = replace(SERVICE, checks=(), controls=())
    state = judge(bare, START, Observation(at=at(0)))
    assert set(kinds(state).values()) == {"UNKNOWN"}
    assert judge(replace(bare, sites=()), START, seen(0)).watch == {}


def test_28_failed_at_is_kept() -> None:
    state = replace(START, watch={BOREAS: Watch(failed_at=at(-5))})
    assert watch(judge(SERVICE, state, seen(0)), BOREAS).failed_at == at(-5)


def test_addresses_come_from_the_config_or_the_inventory() -> None:
    given = Site(name="given", provider=None, addresses={"web": ("192.0.2.7",)})
    assert site_addresses(given, START) == {"web": ("192.0.2.7",)}
    balanced = replace(SITES[0], targets={"www.example.org": "lb.example.net"})
    assert site_addresses(balanced, START) == {}
    resolved = {AURORA: {"web": ("192.0.2.8", "192.0.2.7")}}
    assert served_addresses(balanced, replace(START, resolved=resolved)) == {"web": ("192.0.2.8", "192.0.2.7")}
    both = replace(given, name=AURORA, targets=balanced.targets)
    assert served_addresses(both, replace(START, resolved=resolved)) == {"web": ("192.0.2.7", "192.0.2.8")}
    nodes = (node(AURORA, 1), node(AURORA, 0), node(AURORA, 0, group="api"))
    state = replace(START, inventory={AURORA: nodes})
    assert site_addresses(SITES[0], state) == {"api": (ADDRESS[AURORA],), "web": (ADDRESS[AURORA], ADDRESS[AURORA])}
    assert site_addresses(SITES[1], state) == {}


def test_a_warning_of_a_check_that_passed_is_told_and_changes_nothing() -> None:
    slow = replace(sample(AURORA, GOOD), detail="warning: 'slow'", warning=True)
    state = START
    for number in range(3):
        state = judge(SERVICE, state, seen(number, samples=(slow, sample(BOREAS, GOOD), sample(CIRRUS, GOOD))))
    found = state.watch[AURORA].verdict
    assert found is not None
    assert found.kind is VerdictKind.UP
    assert found.evidence[:2] == ("the service answers", "warning: 'slow'")
    assert state.watch[AURORA].addresses == (ADDRESS[AURORA],)
    assert state.health[AURORA]["http"].reason == "warning: 'slow'"
    others = state.watch[BOREAS].verdict
    assert others is not None
    assert "warning: 'slow'" not in others.evidence
