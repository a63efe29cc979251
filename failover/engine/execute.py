"""execute: carry a plan through its steps, each journaled before and after.

The journal alone says what comes next (`core.saga`), so any run can take over from any crash.
"""

from dataclasses import replace

from failover.core.budget import observe_s
from failover.core.cutover import PIVOT, CutoverPlan, PlanKind, Step
from failover.core.holds import against_pivot
from failover.core.judge import site_addresses
from failover.core.safety import check_sets
from failover.core.saga import Event, EventKind, Result, Run, Undo, Value, fold, next_move
from failover.core.world import Debt, Move, State, Watch
from failover.engine.context import TICK, Context, leased
from failover.engine.progress import Tell, Told, untold
from failover.engine.stage import Ended, Stage, StepResult, addresses_of, failed, lost_hosts, ok, sets_of, stale_of
from failover.engine.steps import RUN, UNDO
from failover.errors import FailoverError, StateError, TimedOut

MOVES_KEPT = 50
POLL_S = 0.25
POLL_S_MAX = 5.0
"""Somebody who stays with a waiting plan looks again ever less often: each look asks every DNS host."""
UNDO_TRIES = 3
"""An abort hook that fails so often is given up: a plan that never ends would block every later one."""


def open_plan(context: Context, state: State, plan: CutoverPlan, *, term: int) -> State:
    """Spend the epoch and make this the open plan, in one transaction with its first journal entries."""
    now = context.runtime.now()
    context.store.save_plan(plan, term=term)
    claim = [Event(plan=plan.id, step=Step.CLAIM, kind=k, at=now) for k in (EventKind.STARTED, EventKind.OK)]
    return context.store.swap(replace(state, epoch=plan.epoch, open_plan=plan), term=term, events=claim)


def run(context: Context, state: State, *, term: int) -> State:
    """Take the open plan as far as it goes now. It ends, or waits for something (then `state.open_plan` stays)."""
    while (plan := state.open_plan) is not None:
        status = fold(plan, context.store.journal(plan.id))
        stage = Stage(context=context, state=state, plan=plan, status=status, term=term)
        aborted = plan.id in context.store.orders().aborted
        match next_move(plan, status, aborted=aborted):
            case Run(step=Step.COMMIT):
                return _commit(stage)
            case Run(step=step):
                state, go_on = _step(stage, step)
            case Undo(step=step):
                state, go_on = _undo(stage, step)
            case _:
                return _close(stage, Result.UNWOUND)
        if not go_on:
            return state
    return state


def follow(context: Context, plan: CutoverPlan, *, wait_s: float, tell: Tell = untold) -> Result:
    """Stay with an open plan for up to `wait_s` seconds, and `tell` what it waits for.

    The lease is held for each stretch only, so checks go on in between, and may themselves finish the plan.
    """
    started, pause_s = context.runtime.now(), POLL_S
    told = Told(tell)
    while True:
        with leased(context, TICK, wait_s=wait_s, urgent=True) as term:
            state = context.store.load()
            if state.open_plan is not None and state.open_plan.id == plan.id:
                run(context, state, term=term)
        last = context.store.journal(plan.id)[-1]
        if last.kind is EventKind.CLOSED:
            return Result(last.reason)
        left_s = wait_s - context.runtime.now().since(started)
        if left_s <= 0:
            return Result.WAITING
        told.hear(f"{last.step}: {last.reason}", context.runtime.now())
        context.runtime.sleep(min(pause_s, left_s))
        pause_s = min(2 * pause_s, POLL_S_MAX)


def last_reason(context: Context, plan: CutoverPlan) -> str:
    """Why the plan stands as it does: what made it fail, else the newest reason that a step of it gave."""
    events = [e for e in context.store.journal(plan.id) if e.kind is not EventKind.CLOSED and e.reason]
    against = [e for e in events if e.kind in (EventKind.FAILED, EventKind.REFUSED)]
    unwound = any(e.kind is EventKind.UNDO_STARTED for e in context.store.journal(plan.id))
    said = against if unwound and against else events
    return said[-1].reason if said else ""


# ------------------------------------------------------------------------------------ one step


def _step(stage: Stage, step: Step) -> tuple[State, bool]:
    """Run one step. Returns the state and whether to go on now."""
    if step is PIVOT and not stage.status.pivoted:
        objection = _last_look(stage)
        if objection is not None:
            _journal(stage, step, EventKind.REFUSED, failed(objection))
            return stage.state, True
        stage = replace(stage, state=_start_pivot(stage))
    else:
        _journal(stage, step, EventKind.STARTED)
    stage = replace(stage, status=fold(stage.plan, stage.context.store.journal(stage.plan.id)))
    kind, result = _attempt(stage, step)
    if kind is EventKind.UNKNOWN and not stage.status.pivoted and stage.waited_s >= _patience_s(stage, step):
        kind = EventKind.FAILED
    state = _journal(stage, step, kind, result)
    if result.ended is Ended.OVERTAKEN:
        return _close(replace(stage, state=state), Result.OVERTAKEN), False
    return state, kind is EventKind.OK or (kind is EventKind.FAILED and not stage.status.pivoted)


def _attempt(stage: Stage, step: Step) -> tuple[EventKind, StepResult]:
    """The step's outcome as a journal entry. Whatever goes wrong is an outcome, not an exception."""
    try:
        result = RUN[step](stage)
    except StateError:
        raise
    except TimedOut as error:
        return EventKind.UNKNOWN, failed(f"outcome unknown: {error}")
    except (FailoverError, ValueError) as error:
        return EventKind.FAILED, failed(str(error))
    except LookupError as error:
        return EventKind.FAILED, failed(f"the config does not have {error} any more")
    kinds = {Ended.OK: EventKind.OK, Ended.WAITING: EventKind.WAITING, Ended.UNKNOWN: EventKind.UNKNOWN}
    return kinds.get(result.ended, EventKind.FAILED), result


def _patience_s(stage: Stage, step: Step) -> float:
    """How long a step before the pivot may stay unknown until it counts as failed."""
    service = stage.context.service
    return service.node_deadline_s if step is Step.SCALE else service.host_deadline_s


def _journal(stage: Stage, step: Step, kind: EventKind, result: StepResult | None = None) -> State:
    """Write one entry; together with what the step changed of the state. Returns the state."""
    result = result or StepResult(ended=Ended.OK)
    store, plan, state = stage.context.store, stage.plan, stage.state
    now = stage.context.runtime.now()
    times = _times(state, result)
    output = {**result.output, **({"facts": times} if times else {})}
    event = Event(plan=plan.id, step=step, kind=kind, at=now, reason=result.reason, output=output)
    if result.nodes is not None:
        state = replace(state, inventory={**state.inventory, plan.target: result.nodes})
    if result.facts is not None:
        state = replace(state, facts=result.facts)
    if state is stage.state or state == stage.state:
        store.append(event, term=stage.term)
        return stage.state
    return store.swap(state, term=stage.term, events=[event])


def _times(state: State, result: StepResult) -> Value:
    """What this step found out anew: by host the UTC times of the facts, and the servers that lag."""
    return {
        host: {
            "accepted_utc_s": facts.accepted.utc_s if facts.accepted else None,
            "served_utc_s": facts.served.utc_s if facts.served else None,
            "seen_utc_s": facts.seen.utc_s if facts.seen else None,
            "late": list(facts.late),
        }
        for host, facts in (result.facts or {}).items()
        if state.facts.get(host) != facts
    }


def _undo(stage: Stage, step: Step) -> tuple[State, bool]:
    """Undo one step. Returns whether to go on now; an undo that fails is tried again by the next runs."""
    _journal(stage, step, EventKind.UNDO_STARTED)
    try:
        result = UNDO[step](stage)
    except StateError:
        raise
    except (FailoverError, LookupError) as error:
        events = stage.context.store.journal(stage.plan.id)
        if sum(e.kind is EventKind.UNDO_FAILED and e.step == step for e in events) + 1 < UNDO_TRIES:
            return _journal(stage, step, EventKind.UNDO_FAILED, failed(str(error))), False
        result = ok(f"given up after {UNDO_TRIES} tries: {error}")
    return _journal(stage, step, EventKind.UNDO_OK, result), True


# ------------------------------------------------------------------------------------ the pivot


def _last_look(stage: Stage) -> str | None:
    """What speaks against touching DNS now: orders, the rules again with the bound addresses, a proof that is old."""
    context, plan = stage.context, stage.plan
    orders = context.store.orders()
    held = against_pivot(context.service, plan, orders, context.runtime.now())
    if held is not None:
        return held
    if plan.id in orders.aborted:
        return "aborted by a person"
    if plan.kind is PlanKind.WITHDRAW:
        return None
    if plan.target not in {s.name for s in context.service.sites}:
        return f"the config does not have {plan.target} any more"
    known = site_addresses(context.service.site(plan.target), stage.state)
    try:
        violations = check_sets(context.service, plan, sets_of(stage), [a for found in known.values() for a in found])
    except ValueError as error:
        return str(error)
    return "; ".join(str(v) for v in violations) or _proof_again(stage)


def _proof_again(stage: Stage) -> str | None:
    """S7: after a crash or a long pause between the proof and the pivot, source and target are looked at once more."""
    context, plan = stage.context, stage.plan
    proofs = [s for s in (Step.RECONFIRM, Step.VERIFY) if s in plan.steps]
    proven = {e.step: e.at for e in context.store.journal(plan.id) if e.kind is EventKind.OK and e.step in proofs}
    if all(context.runtime.now().since(at) <= observe_s(context.service) for at in proven.values()):
        return None
    for step in proofs:
        kind, result = _attempt(stage, step)
        if kind is not EventKind.OK:
            return f"{step} of a while ago does not hold any more: {result.reason}"
    return None


def _start_pivot(stage: Stage) -> State:
    """From here only forward. A cutover counts from now on, in the same transaction as the journal entry."""
    plan, state, now = stage.plan, stage.state, stage.context.runtime.now()
    started = Event(plan=plan.id, step=PIVOT, kind=EventKind.STARTED, at=now)
    if plan.kind is PlanKind.CUTOVER:
        move = Move(
            plan=plan.id,
            at=now,
            source=plan.source or "",
            target=plan.target,
            verdict=plan.verdict,
            automatic=plan.automatic,
        )
        state = replace(state, moves=(*state.moves, move)[-MOVES_KEPT:])
    return stage.context.store.swap(state, term=stage.term, events=[started])


# ------------------------------------------------------------------------------------ the end


def _commit(stage: Stage) -> State:
    """The plan is what DNS says: active site, published sets, debts, and the end of the journal in one transaction."""
    plan, status = stage.plan, stage.status
    _journal(stage, Step.COMMIT, EventKind.STARTED)
    now = stage.context.runtime.now()
    events = [
        Event(
            plan=plan.id, step=Step.COMMIT, kind=EventKind.OK, at=now, reason=f"{plan.kind} to {plan.target} is done"
        ),
        Event(plan=plan.id, step="", kind=EventKind.CLOSED, at=now, reason=Result.COMMITTED),
    ]
    stale = stale_of(status)
    debts = tuple(
        Debt(host=host, epoch=plan.epoch, since=now, reason=why, stale=stale.get(host, ()))
        for host, why in lost_hosts(status).items()
    )
    state = replace(stage.state, open_plan=None, debts=debts, proposal=None)
    if plan.kind is PlanKind.WITHDRAW:
        state = replace(state, active_site=None, published=None, adopted=())
    else:
        bound = replace(plan, rrsets=sets_of(stage), addresses=addresses_of(plan, status))
        first = plan.kind is PlanKind.PUBLISH
        adopted = plan.before if first else state.adopted
        state = replace(state, active_site=plan.target, published=bound, adopted=adopted)
    return stage.context.store.swap(state, term=stage.term, events=events)


def _close(stage: Stage, result: Result) -> State:
    """A plan that ends without being committed. A target that failed it is left alone for a while."""
    plan, state, now = stage.plan, stage.state, stage.context.runtime.now()
    closed = Event(plan=plan.id, step="", kind=EventKind.CLOSED, at=now, reason=result)
    watch = dict(state.watch)
    for site in _to_blame(stage) if result is Result.UNWOUND else ():
        watch[site] = replace(watch.get(site, Watch()), failed_at=now)
    return stage.context.store.swap(replace(state, open_plan=None, watch=watch), term=stage.term, events=[closed])


def _to_blame(stage: Stage) -> tuple[str, ...]:
    """Sites that no cutover shall try again for a while: the target, unless the source came back.

    All of them after a person's abort: who stops one cutover does not want the next one to start at once.
    """
    context, plan = stage.context, stage.plan
    if plan.kind is not PlanKind.CUTOVER:
        return ()
    if plan.id in context.store.orders().aborted:
        return tuple(s.name for s in context.service.sites if s.name != plan.source)
    failed_at = [e.step for e in context.store.journal(plan.id) if e.kind is EventKind.FAILED]
    return () if failed_at[-1:] == [Step.RECONFIRM] else (plan.target,)
