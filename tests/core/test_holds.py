"""What a person, the calendar and a flapping site hold; told as stories: situation, then the decision."""

from dataclasses import replace

import pytest

from failover.core.decide import DecisionKind, candidates, decide
from failover.core.health import HealthState
from failover.core.holds import against_pivot, flapping, flipped, maintenance, shown
from failover.core.judge import judge
from failover.core.model import Action, Outcome, Policy, Reaction, Reading, Service
from failover.core.outlook import next_action, safe
from failover.core.safety import check_plan
from failover.core.verdict import VerdictKind
from failover.core.windows import Window
from failover.core.world import Forced, ForcedAs, Orders, Pause, Proposal, State, Watch, World, forced_in
from tests.core.builders import (
    AURORA,
    BOREAS,
    CIRRUS,
    NOW,
    SERVICE,
    ago,
    at,
    plan,
    policy,
    reports,
    verdict,
    with_state,
    with_watch,
    world,
)
from tests.core.test_judge import BAD, START, kinds, rounds, samples, seen, watch

CLOSED = verdict(VerdictKind.ACCOUNT_CLOSED)
DOWN = verdict(VerdictKind.PROVIDER_DOWN)
ACCEPT = replace(SERVICE, single_accept=True)
ALL = Window(start_s=NOW.utc_s - 60, length_s=3600.0, reason="network works")
AT_AURORA, AT_BOREAS = replace(ALL, site=AURORA), replace(ALL, site=BOREAS, reason="")
FLIPS = tuple(ago(100.0 * n) for n in range(7, 0, -1))


def during(*windows: Window, service: Service = ACCEPT) -> Service:
    return replace(service, maintenance=windows)


def said(site: str, word: ForcedAs, until_s: float | None = None) -> Orders:
    until = None if until_s is None else NOW.plus(until_s)
    return Orders(forced={site: Forced(word=word, since=ago(10), reason="because", until=until)})


def forced(base: World, site: str, word: ForcedAs, until_s: float | None = None) -> World:
    return replace(base, orders=said(site, word, until_s))


# ------------------------------------------------------------------------------------ maintenance


@pytest.mark.parametrize(
    ("story", "service", "seen_world", "kind", "words"),
    [
        ("1 no window is open", during(replace(ALL, length_s=1.0)), world(DOWN), DecisionKind.CUT_OVER, ""),
        ("2 of the whole service", during(ALL), world(DOWN), DecisionKind.HOLD, "the service for another 59 min (net"),
        ("3 of the active site", during(AT_AURORA), world(DOWN), DecisionKind.HOLD, "maintenance of aurora"),
        ("4 of another site: it is passed over", during(AT_BOREAS), world(DOWN), DecisionKind.CUT_OVER, ""),
        ("5 a page is muted", during(ALL), world(verdict(VerdictKind.APP_DOWN)), DecisionKind.HOLD, "maintenance"),
        (
            "6 a question is muted",
            during(ALL, service=SERVICE),
            world(DOWN),
            DecisionKind.HOLD,
            "maintenance",
        ),
        ("7 a closed account is no maintenance: a page", during(ALL), world(CLOSED), DecisionKind.PAGE, "maintenance"),
        ("8 all is well anyway", during(ALL), world(), DecisionKind.HOLD, "aurora is UP"),
    ],
)
def test_maintenance(story: str, service: Service, seen_world: World, kind: DecisionKind, words: str) -> None:
    decision = decide(service, seen_world)
    assert decision.kind is kind, story
    assert any(words in reason for reason in decision.reasons), decision.reasons
    assert len(set(decision.reasons)) == len(decision.reasons)
    if kind is DecisionKind.CUT_OVER:
        assert decision.target == (CIRRUS if AT_BOREAS in service.maintenance else BOREAS)


def test_a_person_s_yes_counts_in_maintenance_too() -> None:
    proposal = Proposal(
        id="p", verdict=DOWN.kind, source=AURORA, target=BOREAS, at=ago(5), expires_after_s=60.0, reasons=()
    )
    yes = replace(with_state(world(DOWN), proposal=proposal), orders=Orders(approved=frozenset({"p"})))
    assert decide(during(ALL), yes).kind is DecisionKind.CUT_OVER


def test_nothing_is_safe_while_nothing_would_move() -> None:
    assert safe(ACCEPT, world())
    for service in (during(ALL), during(AT_AURORA)):
        assert not safe(service, world())
        assert "maintenance of" in next_action(service, world())
    assert safe(during(AT_BOREAS), world())
    assert maintenance(during(AT_BOREAS), NOW, BOREAS) == "maintenance of boreas for another 59 min"


# ------------------------------------------------------------------------------------ drain and force


@pytest.mark.parametrize("word", [ForcedAs.DRAINED, ForcedAs.DOWN])
def test_nothing_goes_to_a_site_that_a_person_keeps_free(word: ForcedAs) -> None:
    assert candidates(SERVICE, forced(world(DOWN), BOREAS, word), AURORA) == [CIRRUS]
    assert candidates(SERVICE, forced(world(DOWN), BOREAS, word, 60.0), AURORA) == [CIRRUS]
    assert candidates(SERVICE, forced(world(DOWN), BOREAS, word, -1.0), AURORA) == [BOREAS, CIRRUS]
    assert candidates(SERVICE, forced(world(DOWN), BOREAS, ForcedAs.UP), AURORA) == [BOREAS, CIRRUS]


def test_with_every_other_site_drained_the_page_says_by_whom() -> None:
    orders = Orders(forced={**said(BOREAS, ForcedAs.DRAINED).forced, **said(CIRRUS, ForcedAs.DRAINED, 90.0).forced})
    decision = decide(ACCEPT, world(DOWN, orders=orders))
    assert decision.kind is DecisionKind.PAGE
    assert decision.reasons[2:] == (
        "boreas: boreas is drained by a person (because); `failover force boreas --clear` ends it",
        "cirrus: cirrus is drained by a person for another 90 s (because); `failover force cirrus --clear` ends it",
    )


def test_an_active_site_that_is_forced_up_is_not_left() -> None:
    up = forced(world(DOWN), AURORA, ForcedAs.UP)
    assert decide(ACCEPT, up).kind is DecisionKind.PAGE
    assert not safe(ACCEPT, forced(world(), AURORA, ForcedAs.UP))
    assert "aurora is forced up by a person" in next_action(ACCEPT, forced(world(), AURORA, ForcedAs.UP))


def test_a_drained_target_asks_a_person_for_force() -> None:
    drained = forced(world(), BOREAS, ForcedAs.DRAINED)
    (violation,) = check_plan(SERVICE, plan(automatic=False), drained)
    assert (violation.rule, violation.override) == ("drained", "--force")
    assert check_plan(SERVICE, plan(automatic=False, forced=True), drained) == []


def test_no_probe_overrides_a_person() -> None:
    """Twenty bad rounds at a site that is forced up, twenty good ones at one that is forced down."""
    orders = Orders(forced={**said(AURORA, ForcedAs.UP).forced, **said(BOREAS, ForcedAs.DOWN).forced})
    state = START
    for number in range(20):
        state = judge(SERVICE, state, seen(number, samples=samples(aurora=BAD)), orders)
    assert kinds(state) == {AURORA: "UP", BOREAS: "APP_DOWN", CIRRUS: "UP"}
    assert state.health[AURORA]["http"].counts_as is HealthState.UP
    assert state.health[AURORA]["http"].state is HealthState.DOWN
    said_of_aurora = watch(state, AURORA).verdict
    assert said_of_aurora is not None
    assert said_of_aurora.evidence[0].startswith("aurora is forced up by a person (because)")
    readiness = watch(state, AURORA).readiness
    assert readiness is not None
    assert not readiness.ready
    assert watch(state, AURORA).flips == watch(state, BOREAS).flips == ()
    # taken back: what is true shows at once
    state = judge(SERVICE, state, seen(20, samples=samples(aurora=BAD)))
    assert kinds(state) == {AURORA: "APP_DOWN", BOREAS: "UP", CIRRUS: "UP"}


def test_a_closed_account_is_seen_at_a_site_that_is_forced_up() -> None:
    state = judge(SERVICE, START, seen(0, reports=reports(aurora=Reading.CLOSED)), said(AURORA, ForcedAs.UP))
    assert kinds(state)[AURORA] == "ACCOUNT_CLOSED"
    assert watch(state, AURORA).verdict is not None
    drained = judge(SERVICE, START, seen(0), said(AURORA, ForcedAs.DRAINED))
    assert kinds(drained)[AURORA] == "UNKNOWN", "drained says nothing about health"


@pytest.mark.parametrize(
    ("story", "orders", "windows", "words"),
    [
        ("1 nothing", Orders(), (), None),
        ("2 a pause", Orders(pause=Pause(since=ago(1), reason="wait")), (), "paused (wait)"),
        ("3 the source is forced up", said(AURORA, ForcedAs.UP), (), "aurora is forced up"),
        ("4 the source is forced down: it goes on", said(AURORA, ForcedAs.DOWN), (), None),
        ("5 the target is drained", said(BOREAS, ForcedAs.DRAINED), (), "boreas is drained"),
        ("6 the target is forced down", said(BOREAS, ForcedAs.DOWN), (), "boreas is forced down"),
        ("7 maintenance of the target", Orders(), (AT_BOREAS,), "maintenance of boreas"),
        ("8 maintenance of everything", Orders(), (ALL,), "maintenance of the service"),
    ],
)
def test_just_before_the_pivot(story: str, orders: Orders, windows: tuple[Window, ...], words: str | None) -> None:
    held = against_pivot(during(*windows), plan(), orders, NOW)
    assert (held is None) == (words is None), story
    assert words is None or words in str(held)
    assert against_pivot(during(*windows), plan(automatic=False), orders, NOW) is None


# ------------------------------------------------------------------------------------ flapping


def flappy(base: World, site: str, flips: int = 7) -> World:
    return with_watch(base, site, flips=FLIPS[:flips])


def test_a_flapping_site_is_no_target_until_it_is_quiet() -> None:
    assert candidates(SERVICE, flappy(world(DOWN), BOREAS), AURORA) == [CIRRUS]
    assert candidates(SERVICE, flappy(world(DOWN), BOREAS, 6), AURORA) == [BOREAS, CIRRUS]
    # the oldest of the seven changes is 700 s ago
    sentence = flapping(SERVICE, NOW, BOREAS, Watch(flips=FLIPS))
    assert sentence is not None
    assert "up and down 7 times within 60 min" in sentence
    assert "for another 48.3 min" in sentence
    assert flapping(SERVICE, NOW.plus(2900.0), BOREAS, Watch(flips=FLIPS)) is None


def test_nothing_leaves_a_flapping_site_by_itself_except_from_a_closed_account() -> None:
    decision = decide(ACCEPT, flappy(world(DOWN), AURORA))
    assert decision.kind is DecisionKind.PAGE
    assert "flapping" in decision.reasons[1]
    assert decide(ACCEPT, flappy(world(CLOSED), AURORA)).kind is DecisionKind.CUT_OVER
    corroborated = verdict(VerdictKind.ACCOUNT_CLOSED, explicit=False)
    assert decide(ACCEPT, flappy(world(corroborated), AURORA)).kind is DecisionKind.PAGE
    asked = policy(unexplained_down=Reaction(action=Action.ASK))
    question = decide(asked, flappy(world(verdict(VerdictKind.DOWN_UNEXPLAINED)), AURORA))
    assert question.kind is DecisionKind.ASK, "a person may be asked all the same"


def test_what_counts_as_a_change() -> None:
    limits = Policy(flap_limit=2, flap_window_s=100.0)
    plane = {"u": HealthState.UP, "d": HealthState.DOWN, "?": HealthState.UNKNOWN}

    def after(letters: str, every_s: float = 10.0) -> Watch:
        found = Watch()
        for number, letter in enumerate(letters):
            decided, flips = flipped(found, plane[letter], at(every_s * number), limits)
            found = replace(found, decided=decided, flips=flips)
        return found

    assert after("uuuu").flips == (), "becoming known is no change"
    assert after("u?d").flips == (at(20),)
    assert after("ud?d?d").flips == (at(10),), "UNKNOWN in between is none either"
    assert after("udu").flips == (at(10), at(20))
    assert after("udu" + "u" * 9).flips == (at(20),), "what is older than the window is forgotten"
    assert len(after("ud" * 100, 0.001).flips) == 6, "and no more is kept than is needed"


def test_a_site_that_goes_up_and_down_is_judged_flapping() -> None:
    state: State = START
    number = 0
    for outcome in (Outcome.PASS, Outcome.FAIL) * 4:
        state = rounds(state, 4, number, samples=samples(boreas=outcome))
        number += 4
    assert len(watch(state, BOREAS).flips) == 7
    assert flapping(SERVICE, at(number * 10.0), BOREAS, watch(state, BOREAS)) is not None
    assert watch(state, AURORA).flips == ()


# ------------------------------------------------------------------------------------ shown, and a long silence


def test_everything_that_holds_is_shown() -> None:
    orders = Orders(
        pause=Pause(since=ago(5), reason="lunch", until=NOW.plus(600)), forced=said(CIRRUS, ForcedAs.DRAINED).forced
    )
    found = shown(during(ALL, AT_BOREAS), flappy(world(orders=orders), AURORA))
    assert [word for word, _ in found] == ["PAUSED", "MAINTENANCE", "MAINTENANCE", "FORCED", "FLAPPING"]
    assert found[0][1] == "lunch for another 10 min; `failover unpause` ends it"
    assert shown(SERVICE, world()) == []
    assert shown(SERVICE, world(orders=Orders(pause=Pause(since=ago(5), reason="x")))) == [
        ("PAUSED", "x; `failover unpause` ends it")
    ]


def test_what_was_undecided_before_a_long_silence_is_not_paged_at_once() -> None:
    undecided = replace(rounds(START, 1), last_tick=at(0))
    before = watch(undecided, AURORA).verdict
    assert before is not None
    assert before.kind is VerdictKind.UNKNOWN
    later = judge(SERVICE, undecided, seen(400)).watch[AURORA].verdict
    soon = judge(SERVICE, undecided, seen(2, samples=samples(aurora=Outcome.UNKNOWN))).watch[AURORA].verdict
    assert later is not None
    assert soon is not None
    assert (later.kind, later.since) == (VerdictKind.UNKNOWN, at(4000.0))
    assert soon.since == before.since


def test_a_later_word_stands_in_place_of_the_one_before() -> None:
    first, later = said(AURORA, ForcedAs.UP).forced[AURORA], said(AURORA, ForcedAs.DRAINED).forced[AURORA]
    orders = forced_in(forced_in(Orders(), AURORA, first), BOREAS, first)
    assert forced_in(orders, AURORA, later).forced == {AURORA: later, BOREAS: first}
    assert forced_in(forced_in(orders, AURORA, None), AURORA, None).forced == {BOREAS: first}
