"""What a person asks for by name: a cutover, a failback, going on with a plan. The same plans, steps and rules."""

from dataclasses import dataclass, replace

from failover.core.cutover import CutoverPlan, PlanKind
from failover.core.decide import overtaken
from failover.core.holds import against_target
from failover.core.judge import controls_ok, judge
from failover.core.safety import DOWN_KINDS, FORCE, check_plan
from failover.core.saga import Result
from failover.core.world import State, World
from failover.engine.context import TICK, Context, leased, load
from failover.engine.execute import follow, last_reason, open_plan
from failover.engine.notify import TOLD, notice, send_all, told
from failover.engine.observe import observe
from failover.engine.planning import make_plan
from failover.engine.progress import Tell, untold
from failover.errors import RefusedError, UsageError
from failover.ports import Urgency

LEASE_WAIT_S = 60.0
AGAIN_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a plan stands after a person's command."""

    plan: CutoverPlan
    result: Result
    reason: str

    @property
    def committed(self) -> bool:
        return self.result is Result.COMMITTED


def look(context: Context, state: State) -> World:
    """One fresh round, judged as a person asks for it: a standby that answers now is ready now.

    A second one when no DNS host could be read: a moment's silence should not send a person away.
    """
    seen = observe(context, state)
    if all(reading.problem is not None for reading in seen.hosts.values()):
        context.runtime.sleep(AGAIN_S)
        seen = observe(context, state)
    orders = context.store.orders()
    state = judge(context.service, state, seen, orders, fresh=True)
    return World(
        now=context.runtime.now(),
        state=state,
        orders=orders,
        hosts=seen.hosts,
        isolated=state.isolated,
        controls_ok=controls_ok(seen.controls),
    )


def cutover(
    context: Context,
    target: str | None,
    *,
    forced: bool,
    lease_wait_s: float,
    wait_s: float,
    tell: Tell = untold,
) -> Outcome:
    """Move the service to `target` (None: the first ready site in order of preference) and stay with the plan.

    Raises RefusedError naming what stands against it, UsageError for a site that makes no sense, LockedError.
    """
    with leased(context, TICK, wait_s=lease_wait_s, urgent=True) as term:
        state = load(context)
        nothing_open(state)
        if state.active_site is None:
            raise RefusedError("cut over", "", "nothing is published yet", "failover apply")
        if target is not None and target not in {s.name for s in context.service.sites}:
            raise UsageError("cut over", target, "the config names no such site")
        if target == state.active_site:
            raise UsageError("cut over", target, "it is the active site already")
        world = look(context, state)
        chosen = target or first_ready(context, world)
        plan = begin(context, world, PlanKind.CUTOVER, chosen, stored=state, term=term, forced=forced)
    outcome = stay(context, plan, wait_s=wait_s, tell=tell)
    _announce(context, outcome)
    return outcome


def nothing_open(state: State) -> None:
    """Raises RefusedError while a plan is under way."""
    plan = state.open_plan
    if plan is not None:
        cause = f"plan {plan.id} ({plan.kind} to {plan.target}) is under way"
        raise RefusedError("start a plan", "", cause, f"failover continue {plan.id}, or failover abort {plan.id}")


def first_ready(context: Context, world: World) -> str:
    """The most preferred site that is ready and not active. Raises RefusedError with every site's reasons."""
    reasons = []
    for site in context.service.sites:
        readiness = world.state.watch[site.name].readiness
        if site.name == world.state.active_site:
            continue
        verdict = world.state.watch[site.name].verdict
        down = verdict is not None and verdict.kind in DOWN_KINDS
        held = against_target(context.service, world, site.name)
        if readiness is not None and readiness.ready and not down and not held:
            return site.name
        why = (*(readiness.reasons if readiness is not None else ("never checked",)), *held)
        says = "; ".join(why) or (f"it is {verdict.kind} itself" if verdict is not None else "")
        reasons.append(f"{site.name}: {says}")
    raise RefusedError("cut over", "", "no site is ready: " + " | ".join(reasons), "failover plan, failover apply")


def begin(
    context: Context,
    world: World,
    kind: PlanKind,
    target: str,
    *,
    stored: State,
    term: int,
    forced: bool = False,
    made: CutoverPlan | None = None,
) -> CutoverPlan:
    """Make the plan (unless it is `made`), let the rules look at it, and open it.

    Raises RefusedError with every rule that it breaks.

    The plan is opened in the state as it was `stored`: what a person's look took for ready after one good round must
    not be believed by later checks.
    """
    state = world.state
    behind = overtaken(context.service, world)
    if behind is not None:
        raise RefusedError(kind.value, target, behind, "find the other controller; its state is the newer one")
    try:
        asked = ("a person asked for it",)
        plan = made or make_plan(context, state, world.hosts, kind, target, forced=forced, reasons=asked)
    except ValueError as error:
        raise RefusedError(kind.value, target, str(error), "failover apply") from error
    violations = check_plan(context.service, plan, world)
    if violations:
        hint = "add --force to go on all the same" if all(v.override == FORCE for v in violations) else ""
        raise RefusedError(kind.value, target, "; ".join(str(v) for v in violations), hint)
    open_plan(context, stored, plan, term=term)
    return plan


def stay(context: Context, plan: CutoverPlan, *, wait_s: float, tell: Tell = untold) -> Outcome:
    """Follow the open plan to its end, for up to `wait_s` seconds."""
    result = follow(context, plan, wait_s=wait_s, tell=tell)
    return Outcome(plan=plan, result=result, reason=last_reason(context, plan))


def _announce(context: Context, outcome: Outcome) -> None:
    plan = outcome.plan
    title = f"{plan.kind} to {plan.target}: {outcome.result} (epoch {plan.epoch})"
    severity = Urgency.INFO if outcome.committed else Urgency.CRITICAL
    with leased(context, TICK, wait_s=LEASE_WAIT_S, urgent=True) as term:
        state = context.store.load()
        words = state.notice.split()
        if told(plan.id) in words:
            return
        said = notice(context, state, f"{plan.kind}-{outcome.result}", severity, title, (outcome.reason,), plan.id)
        send_all(context, [said], term=term)
        if outcome.result is not Result.WAITING:
            kept = [w for w in words if not w.startswith(TOLD)]
            context.store.swap(replace(state, notice=" ".join([*kept, told(plan.id)])), term=term)


def go_on(
    context: Context,
    plan_id: str | None,
    *,
    forced: bool,
    lease_wait_s: float,
    wait_s: float,
    tell: Tell = untold,
) -> Outcome:
    """Go on with the open plan now. `forced` lets it pass over records that somebody else changed."""
    with leased(context, TICK, wait_s=lease_wait_s, urgent=True) as term:
        state = load(context)
        plan = state.open_plan
        if plan is None:
            raise RefusedError("continue", plan_id or "", "no plan is under way", "failover history")
        if plan_id is not None and plan_id != plan.id:
            raise UsageError("continue", plan_id, f"the open plan is {plan.id}")
        if forced and not plan.forced:
            plan = replace(plan, forced=True)
            context.store.swap(replace(state, open_plan=plan), term=term)
    return stay(context, plan, wait_s=wait_s, tell=tell)


def failback_target(context: Context, state: State) -> str:
    """The most preferred site. Raises RefusedError when the service is there already."""
    first = context.service.sites[0].name
    if state.active_site == first:
        raise RefusedError("fail back", first, "it is the active site already")
    return first
