"""Decisions as numbered stories: the situation, what must be chosen, and what it says."""

from dataclasses import replace

import pytest

from failover.core.decide import (
    Decision,
    DecisionKind,
    candidates,
    confirm_left_s,
    decide,
    no_target_reasons,
    overtaken,
    question,
    reaction_to,
)
from failover.core.health import Health, HealthState
from failover.core.model import Action, Instant, Policy, Reaction, Service
from failover.core.verdict import Verdict, VerdictKind
from failover.core.world import Move, Orders, Pause, Proposal, Readiness, World
from tests.core.builders import (
    AURORA,
    BOREAS,
    CIRRUS,
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

CLOSED = verdict(VerdictKind.ACCOUNT_CLOSED)
ACCEPT = replace(SERVICE, single_accept=True)


def chosen(service: Service, seen: World) -> tuple[str, str | None]:
    decision = decide(service, seen)
    return decision.kind.value, decision.target


def says(decision: Decision) -> str:
    return " | ".join(decision.reasons)


def moved(age_s: float, source: str, target: str, *, automatic: bool = True) -> Move:
    return Move(plan="m", at=ago(age_s), source=source, target=target, verdict="x", automatic=automatic)


# ------------------------------------------------------------------------------------ the reaction table

DEFAULTS = """
    UP                 up       hold     0
    ACCOUNT_CLOSED     down     cutover  60
    ACCOUNT_CLOSED     unknown  cutover  60
    ACCOUNT_CLOSED     up       ask      60
    PROVIDER_DOWN      down     cutover  300
    RESOURCES_GONE     down     cutover  300
    APP_DOWN           down     page     0
    DOWN_UNEXPLAINED   down     ask      60
    ACCOUNT_WARNED     up       page     0
    ACCESS_REFUSED     up       page     0
    OBSERVER_ISOLATED  unknown  hold     0
    UNKNOWN            unknown  page     900
"""


@pytest.mark.parametrize("row", DEFAULTS.strip().splitlines())
def test_the_default_reactions(row: str) -> None:
    kind, plane, action, confirm_s = row.split()
    found = reaction_to(Policy(), verdict(VerdictKind(kind), plane=HealthState(plane)))
    assert found == Reaction(action=Action(action), confirm_s=float(confirm_s))


def test_the_reactions_above_leave_no_verdict_out() -> None:
    assert {row.split()[0] for row in DEFAULTS.strip().splitlines()} == {k.value for k in VerdictKind}


# ------------------------------------------------------------------------------------ stories


def test_1_all_is_well() -> None:
    decision = decide(SERVICE, world())
    assert (decision.kind, says(decision)) == (DecisionKind.HOLD, "aurora is UP: so it was seen")


def test_2_the_account_was_closed_an_hour_ago() -> None:
    decision = decide(SERVICE, world(CLOSED))
    assert (decision.kind, decision.target, decision.automatic) == (DecisionKind.CUT_OVER, BOREAS, True)
    assert says(decision) == "aurora is ACCOUNT_CLOSED: so it was seen"


@pytest.mark.parametrize(("age_s", "kind"), [(0, "hold"), (59, "hold"), (60, "cut-over"), (61, "cut-over")])
def test_3_the_confirm_window(age_s: float, kind: str) -> None:
    seen = world(verdict(VerdictKind.ACCOUNT_CLOSED, since_s=age_s))
    assert decide(SERVICE, seen).kind == kind


def test_4_the_window_says_how_long_it_still_is() -> None:
    decision = decide(SERVICE, world(verdict(VerdictKind.ACCOUNT_CLOSED, since_s=20)))
    assert decision.reasons[1] == "confirming for 40.0 s more before the reaction `cutover`"
    reaction = reaction_to(SERVICE.policy, CLOSED)
    assert confirm_left_s(reaction, replace(CLOSED, since=ago(20)), world()) == pytest.approx(40)


def test_5_the_clock_went_back_and_the_window_only_gets_longer() -> None:
    since = Instant(boot_id="boot-0", boottime_s=0, utc_s=NOW.utc_s + 3600)
    assert chosen(SERVICE, world(replace(CLOSED, since=since))) == ("hold", None)


def test_6_the_first_choice_is_not_ready() -> None:
    seen = with_watch(world(CLOSED), BOREAS, readiness=Readiness(ready=False, reasons=("it has no nodes",)))
    assert chosen(SERVICE, seen) == ("cut-over", CIRRUS)


def test_7_preference_is_the_order_of_the_config() -> None:
    turned = replace(SERVICE, sites=(SITES[2], SITES[1], SITES[0]))
    assert chosen(turned, world(CLOSED)) == ("cut-over", CIRRUS)


def test_8_everything_is_down_hold_page_touch_nothing() -> None:
    seen = world(CLOSED)
    for name in (BOREAS, CIRRUS):
        seen = with_watch(seen, name, readiness=Readiness(ready=False, reasons=("its account is closed", "no nodes")))
    decision = decide(SERVICE, seen)
    assert (decision.kind, decision.target) == (DecisionKind.PAGE, None)
    assert decision.reasons[1:] == (
        "no site can take over",
        "boreas: its account is closed; no nodes",
        "cirrus: its account is closed; no nodes",
    )


def test_9_a_site_that_was_never_checked_is_no_target() -> None:
    seen = with_state(world(CLOSED), watch={AURORA: world(CLOSED).state.watch[AURORA]})
    assert candidates(SERVICE, seen, AURORA) == []
    assert no_target_reasons(SERVICE, seen, AURORA) == ["boreas: it was never checked", "cirrus: it was never checked"]


def test_10_a_target_that_failed_a_moment_ago_is_left_out_for_a_while() -> None:
    seen = with_watch(world(CLOSED), BOREAS, failed_at=ago(59))
    assert chosen(SERVICE, seen) == ("cut-over", CIRRUS)
    assert chosen(SERVICE, with_watch(seen, BOREAS, failed_at=ago(60))) == ("cut-over", BOREAS)


@pytest.mark.parametrize("kind", [VerdictKind.APP_DOWN, VerdictKind.ACCOUNT_CLOSED, VerdictKind.DOWN_UNEXPLAINED])
def test_11_s7_a_target_that_is_itself_judged_down(kind: VerdictKind) -> None:
    seen = with_watch(world(CLOSED), BOREAS, verdict=verdict(kind))
    assert chosen(SERVICE, seen) == ("cut-over", CIRRUS)
    assert no_target_reasons(SERVICE, seen, AURORA) == [f"boreas: it is {kind} itself"]


def test_12_a_lone_site_has_nowhere_to_go() -> None:
    alone = replace(SERVICE, sites=SITES[:1])
    decision = decide(alone, world(CLOSED))
    assert (decision.kind, decision.reasons[-1]) == (DecisionKind.PAGE, "the config names no other site")


def test_13_closed_but_still_serving_is_asked() -> None:
    decision = decide(SERVICE, world(replace(CLOSED, data_plane=HealthState.UP)))
    assert (decision.kind, decision.target) == (DecisionKind.ASK, BOREAS)
    assert decision.reasons[1:] == ("asking whether to cut over to boreas",)


def test_13b_a_question_to_which_a_yes_would_do_nothing_says_so() -> None:
    blind = hosts(one=reading("one", problem="refused"), two=reading("two", problem="refused"))
    decision = decide(SERVICE, world(replace(CLOSED, data_plane=HealthState.UP), hosts=blind))
    assert decision.kind is DecisionKind.ASK
    in_vain = "no DNS host can be read: until one can, a yes does nothing"
    assert decision.reasons[2:] == (in_vain,)
    asked = Proposal(id="p1", verdict="x", source=AURORA, target=BOREAS, at=ago(5), expires_after_s=60.0)
    plain = "cut over to boreas? `failover approve p1` says yes"
    assert question(world(), asked) == plain
    assert question(world(hosts=blind), asked) == f"{plain}; {in_vain}"


# ------------------------------------------------------------------------------------ persons


def test_14_a_pause_holds() -> None:
    seen = world(CLOSED, orders=Orders(pause=Pause(since=ago(10), reason="moving house")))
    decision = decide(SERVICE, seen)
    assert decision.kind is DecisionKind.HOLD
    assert decision.reasons[1] == "paused (moving house); `failover unpause` ends it"


@pytest.mark.parametrize(("left_s", "kind"), [(1, "hold"), (0, "cut-over"), (-1, "cut-over")])
def test_15_a_pause_ends_by_itself(left_s: float, kind: str) -> None:
    pause = Pause(since=ago(10), reason="works", until=NOW.plus(left_s))
    assert decide(SERVICE, world(CLOSED, orders=Orders(pause=pause))).kind == kind


def proposed(**changed: object) -> Proposal:
    base = Proposal(id="p1", verdict="DOWN_UNEXPLAINED", source=AURORA, target=CIRRUS, at=ago(60), expires_after_s=3600)
    return replace(base, **changed)  # type: ignore[arg-type]


def test_16_a_person_approves_what_was_asked() -> None:
    seen = with_state(world(verdict(VerdictKind.DOWN_UNEXPLAINED)), proposal=proposed())
    assert chosen(SERVICE, seen) == ("ask", BOREAS)
    decision = decide(SERVICE, replace(seen, orders=Orders(approved=frozenset({"p1"}))))
    assert (decision.kind, decision.target, decision.automatic) == (DecisionKind.CUT_OVER, CIRRUS, False)
    assert decision.reasons[1] == "a person approved the cutover"


def test_17_a_persons_yes_goes_ahead_of_pause_cooldown_and_limit() -> None:
    orders = Orders(approved=frozenset({"p1"}), pause=Pause(since=ago(10), reason="works"))
    seen = world(verdict(VerdictKind.DOWN_UNEXPLAINED), orders=orders)
    seen = with_state(seen, proposal=proposed(), moves=(moved(10, CIRRUS, AURORA),))
    assert chosen(SERVICE, seen) == ("cut-over", CIRRUS)


def test_18_a_yes_that_comes_too_late_is_none() -> None:
    seen = with_state(world(verdict(VerdictKind.DOWN_UNEXPLAINED)), proposal=proposed(at=ago(3601)))
    seen = replace(seen, orders=Orders(approved=frozenset({"p1"})))
    assert chosen(SERVICE, seen) == ("ask", BOREAS)


# ------------------------------------------------------------------------------------ guards


def test_19_no_dns_host_can_be_read() -> None:
    seen = world(CLOSED, hosts={"one": reading("one", problem="timeout")})
    assert decide(SERVICE, seen).reasons[1:] == ("no DNS host can be read",)


def test_20_the_fence_is_not_good_enough() -> None:
    seen = world(CLOSED, hosts={"one": reading("one", grade=3), "two": reading("two", grade=2)})
    found = decide(SERVICE, seen)
    assert (found.kind, found.target) == ("ask", BOREAS), "a person may take the risk"
    assert found.reasons[0].endswith("; the best DNS host has fencing grade 2, policy.min_grade is 1")
    assert chosen(policy(min_grade=2), seen) == ("cut-over", BOREAS)


def test_21_tilt_holds_until_the_picture_has_settled() -> None:
    seen = with_state(world(CLOSED), tilt_until=NOW.plus(0.5))
    assert chosen(SERVICE, seen) == ("hold", None)
    assert chosen(SERVICE, with_state(seen, tilt_until=NOW)) == ("cut-over", BOREAS)


def test_22_every_obstacle_is_told_at_once() -> None:
    orders = Orders(pause=Pause(since=ago(10), reason="works"))
    seen = world(verdict(VerdictKind.PROVIDER_DOWN), hosts={}, orders=orders)
    seen = with_state(seen, tilt_until=NOW.plus(5), moves=(moved(10, CIRRUS, AURORA),))
    decision = decide(SERVICE, seen)
    assert decision.kind is DecisionKind.HOLD
    assert [r.split(" ")[0] for r in decision.reasons[1:]] == ["paused", "the", "no", "cooldown:", "a"]


def test_23_within_the_cooldown_nothing_moves_back() -> None:
    seen = with_state(world(verdict(VerdictKind.PROVIDER_DOWN)), moves=(moved(600, BOREAS, AURORA),))
    decision = decide(ACCEPT, seen)
    assert decision.kind is DecisionKind.PAGE
    assert decision.reasons[1] == (
        "cooldown: the last cutover was 600 s ago; 3000 s to go (override: `failover cutover`)"
    )
    assert chosen(ACCEPT, with_state(seen, moves=(moved(3600, BOREAS, AURORA),))) == ("cut-over", BOREAS)


def test_24_a_cutover_by_hand_counts_for_the_cooldown_but_not_for_the_day() -> None:
    by_hand = [moved(age, BOREAS, AURORA, automatic=False) for age in (600, 7200, 8000, 9000)]
    seen = world(verdict(VerdictKind.PROVIDER_DOWN))
    assert chosen(ACCEPT, with_state(seen, moves=tuple(by_hand))) == ("page", None)
    assert chosen(ACCEPT, with_state(seen, moves=tuple(by_hand[1:]))) == ("cut-over", BOREAS)


def test_25_two_automatic_cutovers_a_day_then_a_person() -> None:
    moves = (moved(8000, BOREAS, AURORA), moved(9000, AURORA, BOREAS))
    seen = with_state(world(verdict(VerdictKind.PROVIDER_DOWN)), moves=moves)
    decision = decide(ACCEPT, seen)
    assert (decision.kind, decision.reasons[1]) == (
        DecisionKind.PAGE,
        "daily limit: 2 automatic cutovers within a day (override: `failover cutover`)",
    )
    assert chosen(ACCEPT, with_state(seen, moves=moves[:1])) == ("cut-over", BOREAS)
    yesterday = (moves[0], moved(86_400, AURORA, BOREAS))
    assert chosen(ACCEPT, with_state(seen, moves=yesterday)) == ("cut-over", BOREAS)


def test_26_parlers_chain_an_explicit_closure_moves_on_at_once_to_an_unused_site() -> None:
    """Aurora closed → boreas; a minute later boreas closes → cirrus; then cirrus: nothing is left."""
    first = moved(100, AURORA, BOREAS)
    at_boreas = with_watch(with_state(world(), active_site=BOREAS, moves=(first,)), BOREAS, verdict=CLOSED)
    assert chosen(SERVICE, at_boreas) == ("cut-over", CIRRUS)
    second = moved(30, BOREAS, CIRRUS)
    at_cirrus = with_watch(with_state(at_boreas, active_site=CIRRUS, moves=(first, second)), CIRRUS, verdict=CLOSED)
    assert chosen(SERVICE, at_cirrus) == ("page", None)


def test_27_the_chain_is_only_for_explicit_closures() -> None:
    first = moved(100, AURORA, BOREAS)
    for down in (replace(CLOSED, explicit=False), verdict(VerdictKind.PROVIDER_DOWN, explicit=True)):
        seen = with_watch(with_state(world(), active_site=BOREAS, moves=(first,)), BOREAS, verdict=down)
        assert chosen(ACCEPT, seen) == ("page", None)


def test_28_a_daily_limit_of_nothing() -> None:
    """No automatic cutover at all, except forward from an explicit closure."""
    never = replace(ACCEPT, policy=replace(ACCEPT.policy, daily_limit=0))
    decision = decide(never, world(verdict(VerdictKind.PROVIDER_DOWN)))
    assert (decision.kind, decision.reasons[1].split(":")[0]) == (DecisionKind.PAGE, "daily limit")
    assert chosen(never, world(CLOSED)) == ("cut-over", BOREAS)


# ------------------------------------------------------------------------------------ one vantage


def test_29_from_one_vantage_only_an_explicit_account_state_acts() -> None:
    decision = decide(SERVICE, world(verdict(VerdictKind.PROVIDER_DOWN)))
    assert (decision.kind, decision.target) == (DecisionKind.ASK, BOREAS)
    assert "explicit account state" in decision.reasons[0]
    assert chosen(ACCEPT, world(verdict(VerdictKind.PROVIDER_DOWN))) == ("cut-over", BOREAS)


@pytest.mark.parametrize(("controls", "kind"), [(0, "ask"), (1, "ask"), (2, "cut-over"), (3, "cut-over")])
def test_30_from_one_vantage_two_controls_must_answer(controls: int, kind: str) -> None:
    assert decide(SERVICE, world(CLOSED, controls_ok=controls)).kind == kind


def test_31_what_is_asked_is_the_site_that_may_be_used_not_the_one_that_was_left() -> None:
    seen = with_state(world(CLOSED, controls_ok=0), moves=(moved(100, BOREAS, AURORA),))
    assert chosen(SERVICE, seen) == ("ask", CIRRUS)


# ------------------------------------------------------------------------------------ somebody else was here


def test_32_s14_dns_is_ahead_of_the_state() -> None:
    seen = world(CLOSED, hosts=hosts(two=reading("two", epoch=9)))
    decision = decide(SERVICE, seen)
    assert decision.kind is DecisionKind.REFUSE
    assert decision.reasons[0].startswith("DNS holds epoch 9 (site aurora), this state has only spent 7: another")
    assert overtaken(SERVICE, world()) is None


def test_32_s14_dns_holds_a_plan_of_somebody_who_spent_the_same_epochs() -> None:
    """Ours were overtaken, and each try spent one more: the state is not behind, but what it published is."""
    seen = with_state(world(CLOSED), published=plan(epoch=6), epoch=9)
    decision = decide(SERVICE, seen)
    assert decision.kind is DecisionKind.REFUSE
    assert decision.reasons[0].startswith("DNS holds epoch 7 (site aurora), this state published epoch 6: another")
    assert overtaken(SERVICE, seen) is None, "a person may go on over it"
    assert chosen(SERVICE, with_state(seen, published=plan(epoch=7))) == ("cut-over", BOREAS)


def test_33_an_unreadable_host_proves_nothing() -> None:
    seen = world(CLOSED, hosts=hosts(two=reading("two", epoch=9, problem="timeout")))
    assert chosen(SERVICE, seen) == ("cut-over", BOREAS)


def test_34_the_active_site_left_the_config() -> None:
    decision = decide(replace(SERVICE, sites=SITES[1:]), world(CLOSED))
    assert decision.kind is DecisionKind.REFUSE
    assert "not in the config any more" in decision.reasons[0]


def test_a_verdict_without_evidence_still_makes_a_sentence() -> None:
    bare = Verdict(kind=VerdictKind.UNKNOWN, since=NOW)
    assert decide(SERVICE, world(bare)).reasons[0].startswith("aurora is UNKNOWN")


def test_a_closing_is_not_asked_about_while_the_site_begins_to_fail() -> None:
    closed = verdict(VerdictKind.ACCOUNT_CLOSED, plane=HealthState.UP)
    begun = with_state(world(closed), health={AURORA: {"http": Health(state=HealthState.UP, fails=1, last=NOW)}})
    decision = decide(SERVICE, begun)
    assert decision.kind is DecisionKind.HOLD
    assert "its newest rounds are bad" in says(decision)
    assert decide(SERVICE, world(closed)).kind is DecisionKind.ASK
