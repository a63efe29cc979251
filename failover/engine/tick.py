"""One run of the whole line, from observe to verify. Cron calls it through `failover check`, `watch` loops it."""

from dataclasses import dataclass, replace

from failover.core.blind import blindness, count_unread
from failover.core.budget import gap_s, intervals_after
from failover.core.cutover import CutoverPlan, PlanKind
from failover.core.decide import Decision, DecisionKind, decide, proposal_expired, question
from failover.core.health import HealthState
from failover.core.holds import quiet
from failover.core.judge import Observation, controls_ok, judge
from failover.core.model import Instant
from failover.core.quorum import still_fails
from failover.core.safety import check_plan
from failover.core.saga import EventKind, Result
from failover.core.verdict import VerdictKind
from failover.core.world import Proposal, State, World
from failover.engine.context import Context
from failover.engine.debts import changed_by_others, settle, stale_sentence
from failover.engine.execute import last_reason, open_plan, run
from failover.engine.learning import learn
from failover.engine.notify import TOLD, note, notice, send_all, told
from failover.engine.observe import observe
from failover.engine.planning import make_plan
from failover.engine.ttl import adjust
from failover.ports import Notice, Urgency

CLOCK_STEP_S = 2.0
"""S12: UTC and the monotonic clock may part by so much between two ticks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TickReport:
    """What a tick saw and did."""

    world: World
    decision: Decision
    plans: tuple[CutoverPlan, ...] = ()
    """Plans that it worked on."""
    failed: bool = False
    """A step failed, or the decision was to refuse: the caller exits with 1."""


def tick(context: Context, *, term: int) -> TickReport:
    """Run the line once. The caller holds the lease. Raises StateError when the state cannot be used."""
    state = context.store.load()
    worked = [state.open_plan] if state.open_plan is not None else _untold(context, state)
    if state.open_plan is not None:
        state = run(context, state, term=term)
    seen = observe(context, state)
    orders = context.store.orders()
    state = _counted(_answered(judge(context.service, _tilt(context, state, seen.at), seen, orders)), seen)
    world = _world(context, state, seen)
    decision = decide(context.service, world)
    if decision.kind not in (DecisionKind.REFUSE, DecisionKind.CUT_OVER):  # a new plan supersedes every debt
        state = settle(context, state, seen.hosts, term=term)
    state = _remember(state, decision, seen)
    if decision.kind is DecisionKind.CUT_OVER:
        state, decision, plan = _cut_over(context, state, world, decision, seen, term=term)
        worked += [plan] if plan is not None else []
    elif decision.kind is DecisionKind.ASK:
        state = _propose(context, state, world, decision, term=term)
    if decision.kind in (DecisionKind.HOLD, DecisionKind.PAGE, DecisionKind.ASK):
        state, plan = adjust(context, state, world, term=term)
        worked += [plan] if plan is not None else []
    state = _remember(state, decision, seen)
    notices = _notices(context, state, world, decision, worked)
    state, learned = learn(state, seen)
    state = context.store.swap(state, term=term, events=learned)
    state = _tell(context, state, decision, notices, term=term)
    failed = decision.kind is DecisionKind.REFUSE or any(_failed(context, p) for p in worked)
    return TickReport(world=replace(world, state=state), decision=decision, plans=tuple(worked), failed=failed)


def _world(context: Context, state: State, seen: Observation) -> World:
    return World(
        now=context.runtime.now(),
        state=state,
        orders=context.store.orders(),
        hosts=seen.hosts,
        isolated=state.isolated,
        controls_ok=controls_ok(seen.controls),
    )


def _remember(state: State, decision: Decision, seen: Observation) -> State:
    return replace(
        state,
        decision=decision.kind.value,
        reasons=decision.reasons,
        last_tick=seen.at,
        hosts=seen.hosts,
        controls_ok=controls_ok(seen.controls),
    )


def _answered(state: State) -> State:
    """A question ends with the trouble that it was about: an old yes must not answer the next trouble."""
    watch = state.watch.get(state.active_site or "")
    well = watch is not None and watch.verdict is not None and watch.verdict.kind is VerdictKind.UP
    return replace(state, proposal=None) if well else state


def _counted(state: State, seen: Observation) -> State:
    """Once a round."""
    return replace(state, unread_rounds=count_unread(state.unread_rounds, seen.hosts, isolated=state.isolated))


def _tilt(context: Context, state: State, at: Instant) -> State:
    """S12: after a clock step or a long silence no new decision for a while."""
    last = state.last_tick
    if last is None:
        return state
    state = replace(state, intervals_s=intervals_after(state.intervals_s, at.since(last)))
    elapsed = at.boottime_s - last.boottime_s
    stepped = last.boot_id == at.boot_id and abs((at.utc_s - last.utc_s) - elapsed) > CLOCK_STEP_S
    if stepped or last.boot_id != at.boot_id or elapsed > gap_s(context.service):
        return replace(state, tilt_until=at.plus(context.service.policy.tilt_s))
    return state


# ------------------------------------------------------------------------------------ acting


def _cut_over(
    context: Context, state: State, world: World, decision: Decision, seen: Observation, *, term: int
) -> tuple[State, Decision, CutoverPlan | None]:
    """Make the plan, let the rules look at it, carry it out as far as it goes now."""
    back = _no_evidence(context, state, seen) if decision.automatic else None
    if back is not None:
        return state, replace(decision, kind=DecisionKind.HOLD, reasons=(*decision.reasons, back)), None
    try:
        plan = make_plan(
            context,
            state,
            world.hosts,
            PlanKind.CUTOVER,
            decision.target or "",
            automatic=decision.automatic,
            verdict=decision.verdict.value if decision.verdict else "",
            reasons=decision.reasons,
        )
        violations = [str(v) for v in check_plan(context.service, plan, replace(world, state=state))]
    except ValueError as error:
        plan, violations = None, [str(error)]
    if plan is None or violations:
        reasons = (*decision.reasons, *violations)
        return state, replace(decision, kind=DecisionKind.PAGE, reasons=reasons), None
    state = open_plan(context, state, plan, term=term)
    return run(context, state, term=term), decision, plan


def _no_evidence(context: Context, state: State, seen: Observation) -> str | None:
    """A sentence when this very round shows nothing against the active site, although its streak is still bad."""
    healths = state.health.get(state.active_site or "", {})
    if any(h.forced is HealthState.DOWN for h in healths.values()):
        return None
    ours = [s for s in seen.samples if s.site == state.active_site]
    fails, why = still_fails(context.service, context.service.site(state.active_site or ""), ours, seen.ballots)
    return (
        None if fails else f"this round shows too little against {state.active_site} ({why}): waiting whether it lasts"
    )


def _propose(context: Context, state: State, world: World, decision: Decision, *, term: int) -> State:
    """Keep the open question while it fits; else ask a new one."""
    old = state.proposal
    verdict = decision.verdict.value if decision.verdict else ""
    fits = old is not None and (old.verdict, old.source, old.target) == (verdict, state.active_site, decision.target)
    if old is not None and fits and not proposal_expired(world, old):
        return state
    proposal = Proposal(
        id=context.runtime.token(),
        verdict=verdict,
        source=state.active_site or "",
        target=decision.target or "",
        at=world.now,
        expires_after_s=context.service.policy.ask_expires_s,
        reasons=decision.reasons,
    )
    note(context, "propose", f"{proposal.id}: cut over to {proposal.target}? ({verdict})", term=term)
    return replace(state, proposal=proposal)


# ------------------------------------------------------------------------------------ telling


def _failed(context: Context, plan: CutoverPlan) -> bool:
    """Whether the plan's newest journal entry is a failure."""
    last = context.store.journal(plan.id)[-1]
    closed_badly = last.kind is EventKind.CLOSED and last.reason != Result.COMMITTED
    return closed_badly or last.kind in (EventKind.FAILED, EventKind.REFUSED, EventKind.UNDO_FAILED)


def _untold(context: Context, state: State) -> list[CutoverPlan]:
    """The newest cutover, if it ended and the run that ended it died before it could tell anybody."""
    newest = context.store.plans(limit=1)
    return [
        plan
        for plan in newest
        if plan.kind is PlanKind.CUTOVER
        and told(plan.id) not in state.notice.split()
        and any(e.kind is EventKind.CLOSED for e in context.store.journal(plan.id))
    ]


def _notices(
    context: Context, state: State, world: World, decision: Decision, worked: list[CutoverPlan]
) -> list[Notice]:
    found = []
    for plan in worked:
        last = context.store.journal(plan.id)[-1]
        if last.kind is EventKind.CLOSED:
            good = last.reason == Result.COMMITTED
            title = f"{plan.kind} to {plan.target} {'is done' if good else 'did not happen'} (epoch {plan.epoch})"
            severity = Urgency.INFO if good else Urgency.CRITICAL
            why = (*plan.reasons, last_reason(context, plan))
            found.append(notice(context, state, f"{plan.kind}-{last.reason}", severity, title, why, plan.id))
    return found + _standing_notices(context, state, world, decision)


def _standing_notices(context: Context, state: State, world: World, decision: Decision) -> list[Notice]:
    """What is so now, and is told once. Maintenance mutes all but the decision's own, which has thought of it."""
    found = []
    if decision.kind in (DecisionKind.PAGE, DecisionKind.ASK, DecisionKind.REFUSE):
        found.append(_page(context, replace(world, state=state), decision))
    if quiet(context.service, world.now, state.active_site or "") is not None:
        return found
    changed = changed_by_others(context, state, world.hosts) if state.open_plan is None else []
    if changed:
        found.append(
            notice(context, state, "records-changed", Urgency.CRITICAL, "DNS records were changed", tuple(changed))
        )
    if state.debts:
        why = tuple(f"{d.host} does not hold epoch {d.epoch}: {d.reason}" for d in state.debts)
        old = stale_sentence(state)
        why = (*why, *([old] if old else []))
        title = f"{len(state.debts)} of {len(context.service.hosts)} DNS hosts did not take the change"
        found.append(notice(context, state, "debt", Urgency.WARNING, title, why))
    blind = blindness(state)
    if blind is not None:
        found.append(notice(context, state, "dns-unreadable", blind.severity, blind.title, blind.reasons))
    return found


def _page(context: Context, world: World, decision: Decision) -> Notice:
    state, proposal = world.state, world.state.proposal
    if decision.kind is DecisionKind.ASK and proposal is not None:
        return notice(context, state, "ask", Urgency.CRITICAL, question(world, proposal), decision.reasons)
    title = f"{decision.verdict or decision.kind}: {decision.reasons[0]}"
    return notice(context, state, decision.kind.value, Urgency.CRITICAL, title, decision.reasons)


def _tell(context: Context, state: State, decision: Decision, notices: list[Notice], *, term: int) -> State:
    """Send what was not said before. The key is remembered after sending: rather twice than never."""
    said = set(state.notice.split()) if state.notice else set()
    keys = {n.event: _key(state, decision, n) for n in notices if n.plan is None}
    fresh = [n for n in notices if n.plan is not None or keys[n.event] not in said]
    ended = [told(n.plan) for n in notices if n.plan is not None] or [s for s in said if s.startswith(TOLD)]
    now_said = " ".join(sorted([*keys.values(), *ended[-1:]]))
    if not fresh and now_said == state.notice:
        return state
    send_all(context, fresh, term=term)
    return context.store.swap(replace(state, notice=now_said), term=term)


def _key(state: State, decision: Decision, found: Notice) -> str:
    """Two notices of one key say the same thing, so the second is not sent."""
    if found.event == "debt":
        about = ",".join(d.host for d in state.debts)
    elif found.event == "ask" and state.proposal is not None:
        about = state.proposal.id
    elif found.event == "dns-unreadable" and (blind := blindness(state)) is not None:
        about = ",".join((blind.severity, *blind.about))
    elif found.event == "records-changed":
        about = str(state.epoch)
    else:
        about = f"{decision.verdict or '-'}:{state.active_site}"
    return f"{found.event}:{about}"
