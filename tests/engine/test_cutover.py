"""Stories of one cutover: what goes well, what is noticed in time, what people may say."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from failover.core.cutover import CutoverPlan, PlanKind
from failover.core.decide import DecisionKind
from failover.core.model import NodeState, Record, Standby
from failover.core.saga import EventKind
from failover.core.world import Pause
from failover.engine.context import TICK, leased
from failover.engine.execute import open_plan
from failover.engine.operate import cutover, failback_target, go_on
from failover.engine.planning import make_plan
from failover.engine.progress import TELL_S
from failover.engine.publish import read_hosts
from failover.errors import RefusedError, UsageError
from failover.testing.sim_runtime import Hangs, Trouble
from failover.testing.sim_world import ERRORS, POLICY, ZONE, guestbook
from tests.engine.play import Play, published

KINDS = [Standby.HOT, Standby.WARM, Standby.COLD]


def lose(found: Play, site: str = "aurora") -> None:
    found.outside.clouds[site].close("terms of service, section 7")


# ------------------------------------------------------------------------------------ it goes well


@pytest.mark.parametrize("kind", KINDS)
def test_a_closed_account_leads_to_the_next_site(kind: Standby) -> None:
    found = published(standby={"boreas": kind})
    lose(found)
    found.until("boreas")
    assert found.site_of_dns("one") == found.site_of_dns("two") == {"boreas"}
    assert len(found.addresses()) == 2, "the active site runs the full count"
    assert found.epochs() == [2, 2]
    assert found.state.debts == ()
    assert found.journal()[-1] == "closed committed"


@pytest.mark.parametrize("kind", KINDS)
def test_only_a_target_that_must_be_scaled_is_scaled(kind: Standby) -> None:
    found = published(standby={"boreas": kind})
    lose(found)
    found.until("boreas")
    assert ("scale:ok" in found.journal()) is (kind is not Standby.HOT)
    assert {n.ordinal for n in found.nodes("boreas")} == {0, 1}


def test_a_hot_cutover_makes_no_call_to_any_compute_api() -> None:
    found = published()
    lose(found)
    for site in ("boreas", "cirrus"):
        found.outside.api[site].error = ERRORS["down"]
    found.until("boreas")
    assert found.site_of_dns() == {"boreas"}


def test_slow_nodes_are_waited_for() -> None:
    found = published(standby={"boreas": Standby.COLD}, polls_pending=5)
    lose(found)
    found.until("boreas")
    assert found.journal().count("scale:waiting") >= 1
    assert all(n.state is NodeState.RUNNING for n in found.nodes("boreas"))


def test_closing_one_after_the_other_moves_forward_only_and_then_holds() -> None:
    found = published()
    lose(found)
    found.until("boreas")
    lose(found, "boreas")
    found.until("cirrus")
    before = found.addresses()
    lose(found, "cirrus")
    report = found.ticks(12)
    assert report.decision.kind is DecisionKind.PAGE
    assert "no site can take over" in report.decision.reasons
    assert found.addresses() == before, "an address set is never emptied"
    assert found.epochs() == [3, 3]
    assert not report.failed


def test_given_sites_ask_and_move_when_approved() -> None:
    found = published(given=("aurora", "boreas", "cirrus"))
    found.outside.cut.add("aurora")
    found.ticks(7)
    proposal = found.state.proposal
    assert proposal is not None
    assert found.state.active_site == "aurora"
    assert len(found.said("ask")) == 1
    found.context.store.approve(proposal.id)
    found.until("boreas")
    assert found.site_of_dns() == {"boreas"}
    assert not found.plan().automatic
    assert found.state.proposal is None


def test_a_question_to_which_a_yes_would_do_nothing_says_so_and_is_answered_once_it_can_be() -> None:
    found = published(given=("aurora", "boreas", "cirrus"))
    for wire in found.outside.dns.values():
        wire.error = ERRORS["down"]
    found.outside.cut.add("aurora")
    report = found.ticks(7)
    proposal = found.state.proposal
    assert proposal is not None
    in_vain = "no DNS host can be read: until one can, a yes does nothing"
    assert found.said("ask") == [f"cut over to boreas? `failover approve {proposal.id}` says yes; {in_vain}"]
    assert report.decision.reasons[-1] == in_vain
    found.context.store.approve(proposal.id)
    found.ticks(3)
    assert found.site_of_dns() == {"aurora"}
    found.outside.heal()
    found.outside.cut.add("aurora")
    found.until("boreas")


def test_the_forgotten_question_expires_and_is_asked_again_by_its_new_name() -> None:
    found = published(given=("aurora", "boreas", "cirrus"))
    found.outside.cut.add("aurora")
    found.ticks(6)
    first = found.state.proposal
    assert first is not None
    found.wait()
    found.ticks(int(POLICY.ask_expires_s / 10) + 2)
    second = found.state.proposal
    assert second is not None
    assert second.id != first.id
    assert len(found.said("ask")) == 2
    assert second.id in found.said("ask")[1]
    found.context.store.approve(first.id)
    assert found.tick().decision.kind is DecisionKind.ASK, "an answer to an old question is none"


# ------------------------------------------------------------------------------------ it is noticed in time


class Twice:
    """A hook that lets something happen between preflight and verify, and remembers its moments."""

    def __init__(self, before: object = None) -> None:
        self.moments: list[str] = []
        self.happens = before

    def run(self, moment: str, plan: CutoverPlan) -> None:
        self.moments.append(moment)
        if moment == "before" and callable(self.happens):
            self.happens()


def test_a_target_that_dies_on_the_way_is_not_moved_to() -> None:
    hook = Twice()
    found = published(hook=hook)
    hook.happens = lambda: found.outside.sick.add("boreas")
    lose(found)
    found.until("cirrus")
    first = next(p for p in found.plans() if p.kind is PlanKind.CUTOVER)
    assert first.target == "boreas"
    assert found.context.store.journal(first.id)[-1].reason == "unwound"
    assert hook.moments == ["before", "abort", "before", "after"]
    assert found.epochs() == [3, 3]


def test_a_source_that_comes_back_on_the_way_stays() -> None:
    found = published()
    found.outside.cut.add("aurora")
    found.outside.api["aurora"].error = ERRORS["down"]
    found.when("claim", EventKind.OK, found.outside.heal)
    found.until_journaled("closed unwound")
    assert "aurora answers again" in found.reasons("reconfirm")
    found.ticks(5)
    assert found.epochs() == [1, 1]
    assert all(w.failed_at is None for w in found.state.watch.values()), "it is no target's fault"


def test_nothing_moves_while_we_are_cut_off_ourselves() -> None:
    found = published()
    lose(found)
    found.outside.isolated = True
    report = found.ticks(30)
    found.outside.isolated = False
    assert report.world.isolated
    assert found.state.epoch == 1
    assert found.site_of_dns() == {"aurora"}


@pytest.mark.parametrize("kind", ["down", "refused", "garbage", "throttled"])
def test_an_api_that_fails_moves_nothing_while_the_site_serves(kind: str) -> None:
    found = published()
    found.outside.api["aurora"].error = ERRORS[kind]
    found.ticks(60)
    assert found.state.epoch == 1


def test_empty_lists_move_nothing_while_the_site_serves() -> None:
    found = published()
    found.outside.clouds["aurora"].empty_lists = True
    found.ticks(60)
    assert found.state.epoch == 1


def test_a_pause_between_proof_and_pivot_asks_for_a_new_proof() -> None:
    """The process dies right before its pivot; ten minutes later the target is gone."""
    found = published()
    lose(found)
    _die_before_pivot(found)
    found.outside.sick.add("boreas")
    found.wait(600.0)
    found.tick()
    assert "swap:refused" in found.journal()
    assert "does not hold any more" in found.reasons("swap")
    assert found.epochs() == [1, 1]


def test_a_source_that_is_back_after_a_pause_stays() -> None:
    found = published()
    found.outside.cut.add("aurora")
    found.outside.api["aurora"].error = ERRORS["down"]
    _die_before_pivot(found)
    found.outside.heal()
    found.wait(600.0)
    found.tick()
    assert "aurora answers again" in found.reasons("swap")
    assert found.site_of_dns() == {"aurora"}


def test_a_pause_after_which_all_is_as_it_was_goes_on() -> None:
    found = published()
    lose(found)
    _die_before_pivot(found)
    found.wait(600.0)
    found.until("boreas")
    assert found.epochs() == [2, 2]


def _die_before_pivot(found: Play) -> None:
    """Rounds until a process dies between its last proof and the pivot."""
    found.when("verify", EventKind.OK, lambda: found.disk.crash(at=1, when="before"))
    while found.survive():
        found.wait()
    assert found.journal()[-1] == "verify:ok"


def test_a_pause_that_has_ended_does_not_stop_a_cutover() -> None:
    found = published()
    now = found.clock.now()
    found.context.store.set_pause(Pause(since=now, reason="maintenance", until=now.plus(30.0)))
    lose(found)
    found.until("boreas")
    assert found.site_of_dns() == {"boreas"}


def test_a_pause_that_stands_holds() -> None:
    found = published()
    found.context.store.set_pause(Pause(since=found.clock.now(), reason="maintenance"))
    lose(found)
    report = found.ticks(30)
    assert report.decision.kind is DecisionKind.HOLD
    assert any("maintenance" in r for r in report.decision.reasons)
    assert found.state.epoch == 1


def test_a_pause_set_on_the_way_is_seen_just_before_the_pivot() -> None:
    hook = Twice()
    found = published(hook=hook)
    hook.happens = lambda: found.context.store.set_pause(Pause(since=found.clock.now(), reason="wait"))
    lose(found)
    found.ticks(10)
    assert "paused (wait)" in found.reasons("swap")
    assert found.journal()[-1] == "closed unwound"
    assert found.epochs() == [1, 1]


# ------------------------------------------------------------------------------------ people


def test_an_abort_before_the_pivot_unwinds_and_nothing_starts_at_once() -> None:
    hook = Twice()
    found = published(hook=hook)
    hook.happens = lambda: found.context.store.abort(found.plan().id)
    lose(found)
    found.ticks(7)
    assert found.journal()[-1] == "closed unwound"
    assert hook.moments == ["before", "abort"]
    assert found.epochs() == [1, 1]
    assert found.state.active_site == "aurora"
    assert found.state.reasons[-1].endswith("a cutover to it failed a moment ago")


def test_an_abort_after_the_pivot_is_too_late() -> None:
    found = published()
    lose(found)
    found.until_journaled("swap:ok")
    found.context.store.abort(found.plan().id)
    found.until("boreas")
    assert found.journal()[-1] == "closed committed"


@dataclass
class Refusing:
    """A hook that says no at the moments given."""

    no: tuple[str, ...]
    moments: list[str] = field(default_factory=list)

    def run(self, moment: str, plan: CutoverPlan) -> None:
        self.moments.append(moment)
        if moment in self.no:
            raise RefusedError(f"run {moment} hook", "drain", "exit 1")


def test_a_veto_unwinds_and_is_told_to_the_abort_hooks() -> None:
    hook = Refusing(("before",))
    found = published(hook=hook)
    lose(found)
    found.ticks(7)
    assert hook.moments[:2] == ["before", "abort"]
    assert found.epochs() == [1, 1]
    assert "before-hooks:failed" in found.journal()


def test_an_abort_hook_that_always_fails_is_given_up() -> None:
    hook = Refusing(("before", "abort"))
    found = published(hook=hook)
    lose(found)
    found.ticks(8)
    first = next(p for p in found.plans() if p.kind is PlanKind.CUTOVER)
    events = found.context.store.journal(first.id)
    assert [e.kind for e in events if e.kind in (EventKind.UNDO_FAILED, EventKind.UNDO_OK)] == [
        EventKind.UNDO_FAILED,
        EventKind.UNDO_FAILED,
        EventKind.UNDO_OK,
    ]
    assert events[-1].reason == "unwound"


def test_an_after_hook_that_fails_is_noted_and_keeps_nothing_open() -> None:
    hook = Refusing(("after",))
    found = published(hook=hook)
    lose(found)
    found.until("boreas")
    assert "an after-hook failed" in found.reasons("after-hooks")
    assert found.journal()[-1] == "closed committed"


class Hanging:
    """A hook that never comes back."""

    def run(self, moment: str, plan: CutoverPlan) -> None:
        raise Hangs


def test_a_hook_that_hangs_is_unknown_first_and_fails_at_last() -> None:
    found = published(hook=Hanging())
    lose(found)
    found.ticks(20)
    first = next(p for p in found.plans() if p.kind is PlanKind.CUTOVER)
    kinds = [e.kind for e in found.context.store.journal(first.id) if e.step == "before-hooks"]
    assert EventKind.UNKNOWN in kinds
    assert EventKind.FAILED in kinds
    assert found.epochs() == [1, 1]


def test_a_person_moves_by_name_and_back() -> None:
    found = published()
    outcome = found.cutover("cirrus")
    assert outcome.committed
    assert found.site_of_dns() == {"cirrus"}
    assert failback_target(found.context, found.state) == "aurora"
    assert found.cutover("aurora").committed
    assert found.site_of_dns() == {"aurora"}
    assert found.epochs() == [3, 3]
    with pytest.raises(RefusedError, match="already"):
        failback_target(found.context, found.state)


def test_a_person_without_a_name_gets_the_first_ready_site() -> None:
    found = published()
    found.outside.sick.add("boreas")
    found.ticks(3)
    assert found.cutover().plan.target == "cirrus"


def test_no_ready_site_is_refused_with_every_reason() -> None:
    found = published()
    found.outside.sick |= {"boreas", "cirrus"}
    found.ticks(4)
    with pytest.raises(RefusedError, match=r"boreas.*cirrus"):
        found.cutover()


def test_wrong_names_are_refused() -> None:
    found = published()
    with pytest.raises(UsageError, match="no such site"):
        found.cutover("nowhere")
    with pytest.raises(UsageError, match="already"):
        found.cutover("aurora")


def test_a_person_needs_force_for_a_site_that_is_not_ready() -> None:
    found = published()
    found.outside.clouds["boreas"].warn("unpaid")
    found.tick()
    with pytest.raises(RefusedError) as refused:
        found.cutover("boreas")
    assert "--force" in refused.value.hint
    assert found.cutover("boreas", forced=True).committed
    assert found.site_of_dns() == {"boreas"}


def test_nobody_starts_a_second_plan() -> None:
    found = published()
    assert found.cutover("boreas", wait_s=0.0).result == "waiting"
    with pytest.raises(RefusedError, match="under way"):
        found.cutover("cirrus")
    outcome = go_on(found.context, found.plan().id, forced=False, lease_wait_s=0.0, wait_s=60.0)
    assert outcome.committed
    with pytest.raises(RefusedError, match="no plan is under way"):
        go_on(found.context, None, forced=False, lease_wait_s=0.0, wait_s=60.0)


def test_who_stays_hears_what_the_plan_waits_for_but_not_each_second_of_it() -> None:
    found = published()
    said: list[str] = []
    done = cutover(found.context, "boreas", forced=False, lease_wait_s=0.0, wait_s=60.0, tell=said.append)
    assert done.committed
    assert [each.partition("within")[0] for each in said] == [
        "confirm: served by every authoritative server; old answers leave the caches "
    ] * len(said)
    assert 1 <= len(said) <= 1 + 20 / TELL_S


def test_going_on_names_the_plan_that_is_open() -> None:
    found = published()
    found.cutover("boreas", wait_s=0.0)
    with pytest.raises(UsageError, match="the open plan is"):
        go_on(found.context, "cutover-1-other", forced=False, lease_wait_s=0.0, wait_s=0.0)


# ------------------------------------------------------------------------------------ records changed by hand


def test_a_record_changed_by_hand_is_told_and_refused_and_forced() -> None:
    found = published()
    found.outside.edit("one", "192.0.2.200")
    found.ticks(2)
    assert len(found.said("records-changed")) == 1
    outcome = found.cutover("boreas")
    assert outcome.result == "unwound"
    assert "somebody else changed the records" in outcome.reason
    assert found.addresses("one") == {"192.0.2.200"}
    assert found.cutover("boreas", forced=True).committed
    assert found.site_of_dns("one") == {"boreas"}


def test_an_automatic_cutover_does_not_go_over_a_record_changed_by_hand() -> None:
    found = published()
    found.outside.edit("one", "192.0.2.200")
    lose(found)
    found.ticks(10)
    assert found.addresses("one") == {"192.0.2.200"}
    assert found.epochs() == [1, 1]
    assert found.said("cutover-unwound")


# ------------------------------------------------------------------------------------ scale


def test_a_scaling_that_fails_is_undone_and_the_next_site_is_taken() -> None:
    """One node comes up, the next one is one too many."""
    found = published(standby={"boreas": Standby.COLD})
    found.when("preflight", EventKind.OK, lambda: setattr(found.outside.clouds["boreas"], "nodes_max", 1))
    lose(found)
    found.until("cirrus")
    first = next(p for p in found.plans() if p.kind is PlanKind.CUTOVER)
    kinds = [f"{e.step}:{e.kind}" for e in found.context.store.journal(first.id)]
    assert first.target == "boreas"
    assert kinds[-3:] == ["scale:undo-started", "scale:undo-ok", ":closed"]
    assert found.nodes("boreas") == ()


def test_a_target_whose_account_closes_while_it_scales_keeps_nothing_open() -> None:
    found = published(standby={"boreas": Standby.WARM})
    found.outside.clouds["boreas"].polls_pending = 20
    lose(found)
    found.until_journaled("scale:waiting")
    lose(found, "boreas")
    found.until("cirrus")
    assert found.site_of_dns() == {"cirrus"}


def test_a_target_whose_api_hangs_is_left_for_the_next_one() -> None:
    found = published(standby={"boreas": Standby.COLD})
    found.trouble = lambda what: Trouble.UNANSWERED if what.startswith("create guestbook-boreas") else None
    found.outside.clouds["boreas"].polls_pending = 10_000
    lose(found)
    found.until("cirrus")
    first = next(p for p in found.plans() if p.kind is PlanKind.CUTOVER)
    kinds = [f"{e.step}:{e.kind}" for e in found.context.store.journal(first.id)]
    assert "scale:unknown" in kinds
    assert "scale:failed" in kinds
    assert "scale:undo-ok" in kinds
    assert found.site_of_dns() == {"cirrus"}
    assert found.nodes("boreas") == (), "what was made without an answer is taken down again"


# ------------------------------------------------------------------------------------ the config changes meanwhile


def test_a_target_that_leaves_the_config_unwinds() -> None:
    found = published(standby={"boreas": Standby.COLD})
    found.outside.clouds["boreas"].polls_pending = 10
    lose(found)
    found.until_journaled("scale:waiting")
    service = found.outside.service
    found.outside.reconfigure(replace(service, sites=tuple(s for s in service.sites if s.name != "boreas")))
    found.process()
    found.until("cirrus")
    assert found.site_of_dns() == {"cirrus"}


def test_a_dns_host_that_leaves_the_config_is_not_waited_for() -> None:
    found = published()
    lose(found)
    found.outside.dns["two"].error = ERRORS["down"]
    found.until_journaled("swap:waiting")
    found.outside.reconfigure(replace(found.outside.service, hosts=("one",)))
    found.process()
    found.until("boreas")
    assert found.state.debts == ()


@pytest.mark.parametrize(
    ("left", "says"),
    [
        (("one",), "verified at the authoritative servers of one; two not asked, no longer in the config"),
        (("other",), "one, two not asked, no longer in the config"),
    ],
)
def test_a_dns_host_that_leaves_after_it_took_the_change_is_not_called_verified(
    left: tuple[str, ...], says: str
) -> None:
    found = published()
    lose(found)
    found.until_journaled("confirm:waiting")
    leave(found, *left)
    found.until("boreas")
    (done,) = [e for e in found.events() if e.step == "confirm" and e.kind is EventKind.OK]
    assert done.reason == says
    (waits, *_) = [e.reason for e in found.events() if e.step == "confirm" and "not asked" in e.reason]
    assert waits.startswith(says.replace("verified at", "served by"))


def test_a_plan_whose_dns_hosts_have_all_left_says_what_it_waits_for() -> None:
    found = published()
    lose(found)

    def silence() -> None:
        for wire in found.outside.dns.values():
            wire.error = ERRORS["down"]

    found.when("verify", EventKind.OK, silence)
    found.until_journaled("swap:waiting")
    leave(found, "other")
    found.ticks(2)
    assert "no DNS host of this plan is in the config any more (one, two): put back one" in found.reasons("swap")
    leave(found, "one", "two")
    found.outside.heal()
    found.until("boreas")


def leave(found: Play, *hosts: str) -> None:
    """The config names these hosts from now on."""
    outside = found.outside
    outside.hosts.update({name: outside._host(name) for name in hosts if name not in outside.hosts})
    outside.reconfigure(replace(outside.service, hosts=hosts))
    found.process()


def test_a_plan_of_an_old_state_is_refused() -> None:
    found = published()
    found.cutover("boreas")
    with leased(found.context, TICK) as term:
        old = replace(found.state, epoch=1, active_site="aurora")
        old = found.context.store.swap(old, term=term)
        hosts = read_hosts(found.context, found.context.service.hosts)
        plan = make_plan(found.context, old, hosts, PlanKind.CUTOVER, "cirrus")
        open_plan(found.context, old, plan, term=term)
    found.tick()
    assert found.journal()[-1] == "closed unwound"
    assert "DNS holds epoch 2 already" in found.reasons("preflight")
    assert found.site_of_dns() == {"boreas"}


def test_a_probe_that_hangs_is_no_proof() -> None:
    found = published()
    lose(found)
    found.when("preflight", EventKind.OK, lambda: setattr(found, "trouble", _hanging("probe")))
    found.until_journaled("verify:unknown")
    assert found.epochs() == [1, 1]
    found.trouble = lambda _: None
    found.until("boreas")


def _hanging(name: str) -> Callable[[str], Trouble | None]:
    return lambda what: Trouble.LOST if what == name else None


def test_a_record_that_left_the_config_keeps_nobody_from_moving() -> None:
    service = guestbook()
    other = Record(name="api.example.org", zone=ZONE, type="A", group="web")
    found = published(service=replace(service, records=(*service.records, other)))
    found.outside.reconfigure(service)
    found.process()
    found.ticks(3)
    assert found.said("records-changed") == []
    lose(found)
    found.until("boreas")
    assert found.site_of_dns() == {"boreas"}
