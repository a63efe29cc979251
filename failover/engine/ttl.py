"""Lowering the TTL ahead of a cutover, and raising it again: a refresh of the same addresses."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from failover.core.cutover import CutoverPlan, PlanKind
from failover.core.hosting import longest_ttl_s
from failover.core.model import HostReading
from failover.core.quiet import ttl_due, wanted_ttl_s
from failover.core.safety import check_plan
from failover.core.saga import EventKind
from failover.core.world import Prepared, State, World
from failover.engine.context import TICK, Context, leased
from failover.engine.execute import open_plan, run
from failover.engine.operate import Outcome, begin, nothing_open, stay
from failover.engine.planning import make_plan
from failover.engine.publish import read_hosts
from failover.errors import RefusedError


def adjust(context: Context, state: State, world: World, *, term: int) -> tuple[State, CutoverPlan | None]:
    """What a check does by itself: a refresh with the TTL that is due, as far as it goes now."""
    due = ttl_due(context.service, replace(world, state=state))
    if due is None or _failed_lately(context):
        return state, None
    plan = _plan(context, state, world.hosts, *due)
    if check_plan(context.service, plan, replace(world, state=state)):
        return state, None
    state = open_plan(context, state, plan, term=term)
    return run(context, state, term=term), plan


def _plan(context: Context, state: State, hosts: Mapping[str, HostReading], ttl_s: int, why: str) -> CutoverPlan:
    sets = tuple(replace(r, ttl_s=ttl_s) for r in (state.published.rrsets if state.published else ()))
    reasons = (f"the TTL becomes {ttl_s} s: {why}",)
    site = state.active_site or ""
    return make_plan(context, state, hosts, PlanKind.REFRESH, site, automatic=True, reasons=reasons, rrsets=sets)


def _failed_lately(context: Context) -> bool:
    """A TTL is not worth trying again in each check."""
    return any(
        plan.kind is PlanKind.REFRESH
        and context.runtime.now().since(plan.at) < context.service.policy.retry_after_s
        and any(e.kind in (EventKind.FAILED, EventKind.REFUSED) for e in context.store.journal(plan.id))
        for plan in context.store.plans(limit=1)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Readied:
    """How far a preparation came. `outcome` None: the TTL was right already. `cached_s`: what caches may still keep."""

    ttl_s: int
    outcome: Outcome | None
    cached_s: float


def prepare(context: Context, order: Prepared | None, *, lease_wait_s: float, wait_s: float) -> Readied:
    """Remember that a cutover is being prepared (None: not any more), and bring the TTL about.

    Raises RefusedError when nothing is published or a plan is under way, LockedError.
    """
    with leased(context, TICK, wait_s=lease_wait_s, urgent=True) as term:
        state = context.store.load()
        nothing_open(state)
        published, site = state.published, state.active_site
        if published is None or site is None:
            raise RefusedError("prepare", context.service.name, "nothing is published yet", "failover apply")
        state = context.store.swap(replace(state, prepared=order), term=term)
        now, sets = context.runtime.now(), published.rrsets
        ttl_s, why = wanted_ttl_s(context.service, state, now)
        before_s = max((r.ttl_s for r in sets), default=ttl_s)
        if before_s == ttl_s:
            return Readied(ttl_s=ttl_s, outcome=None, cached_s=0.0)
        hosts = read_hosts(context, context.service.hosts, sets)
        world = World(now=now, state=state, orders=context.store.orders(), hosts=hosts)
        plan = replace(_plan(context, state, hosts, ttl_s, why), automatic=False)
        begin(context, world, PlanKind.REFRESH, site, stored=state, term=term, made=plan)
    outcome = stay(context, plan, wait_s=wait_s)
    return Readied(ttl_s=ttl_s, outcome=outcome, cached_s=float(longest_ttl_s(before_s, hosts.values())))
