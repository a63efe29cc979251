"""DNS as `apply` and `destroy` change it: the first publication, new addresses of the same site, the withdrawal."""

from failover.core.budget import quiet_ttl_s
from failover.core.cutover import CutoverPlan, PlanKind, record_sets
from failover.core.judge import site_addresses
from failover.core.quiet import wanted_ttl_s
from failover.core.rrsets import RRset
from failover.core.saga import Result
from failover.core.world import State, World
from failover.engine.context import TICK, Context, leased, load
from failover.engine.edge import against
from failover.engine.operate import LEASE_WAIT_S, Outcome, begin, stay
from failover.engine.publish import read_hosts
from failover.errors import Conflict, RefusedError


def patience_s(context: Context, plan: CutoverPlan) -> float:
    """How long a plan of the same site may take: a slow host, and what caches keep, by a TTL that may have been lowered
    a moment ago."""
    longest_s = max([quiet_ttl_s(context.service), *(r.ttl_s for r in plan.before)])
    return context.service.host_deadline_s + longest_s + 30.0


def wanted_sets(context: Context, state: State, site: str) -> tuple[RRset, ...]:
    """What the records shall hold when `site` is active. Raises ValueError where a record would be empty."""
    place = context.service.site(site)
    ttl_s, _ = wanted_ttl_s(context.service, state, context.runtime.now())
    return record_sets(context.service, place, site_addresses(place, state), ttl_s=ttl_s)


def strangers(context: Context, state: State, site: str) -> tuple[RRset, ...]:
    """Records that stand at our names before the first publication, and are not what we would publish.

    Raises RefusedError unless every host can be read, none holds an epoch of ours, and names behind an edge can be
    published so.
    """
    readings = read_hosts(context, context.service.hosts)
    bad = [f"{r.host}: {r.problem}" for r in readings.values() if r.problem is not None]
    if bad:
        hint = "the first publication needs every DNS host; mend it or take it out of the config"
        raise RefusedError("publish", "", "; ".join(bad), hint)
    for reading in readings.values():
        epochs = [r for r in reading.rrsets if r.type == "TXT"]
        if epochs and state.epoch == 0:
            cause = f"{reading.host} holds {epochs[0]}: another controller publishes this service"
            raise RefusedError(
                "publish", "", cause, "use that controller, or remove the TXT set if it is gone for good"
            )
    barred = against(context, readings)
    if barred:
        raise RefusedError("publish", "", "; ".join(barred), "docs/dns.md, under Proxied names")
    wanted = set(wanted_sets(context, state, site))
    found = dict.fromkeys(r for reading in readings.values() for r in reading.rrsets if r.type != "TXT")
    return tuple(r for r in found if r not in wanted)


def publish(context: Context, site: str, *, adopt: bool) -> Outcome:
    """The first publication. Raises RefusedError when somebody's records stand there and `adopt` is not set."""
    with leased(context, TICK, wait_s=LEASE_WAIT_S, urgent=True) as term:
        state = load(context)
        if state.open_plan is not None:
            plan = state.open_plan
        else:
            try:
                found = strangers(context, state, site)
            except ValueError as error:
                raise RefusedError("publish", context.service.name, str(error), "failover apply again") from error
            if found and not adopt:
                cause = "these records exist already: " + "; ".join(str(r) for r in found)
                raise RefusedError("publish", context.service.name, cause, "failover apply --adopt takes them over")
            plan = _open(context, state, PlanKind.PUBLISH, site, term=term)
    return stay(context, plan, wait_s=patience_s(context, plan))


REFRESHES = 3
"""A plan that was open already may be older than the newest inventory: then one more follows."""


def refresh(context: Context) -> None:
    """DNS holds what the inventory of the active site says. Raises Conflict when that could not be brought about."""
    for _ in range(REFRESHES):
        plan = _refresh_plan(context)
        if plan is None:
            return
        outcome = stay(context, plan, wait_s=patience_s(context, plan))
        others = plan.kind is not PlanKind.REFRESH and outcome.result is Result.UNWOUND
        if not outcome.committed and not others:
            raise Conflict("refresh", "DNS", f"{plan.id} is {outcome.result}: {outcome.reason}", "failover apply again")
    raise Conflict("refresh", "DNS", "it changes again and again", "look at `failover history`")


def _refresh_plan(context: Context) -> CutoverPlan | None:
    """The plan that is under way, or a new one; None when DNS holds the inventory already."""
    with leased(context, TICK, wait_s=LEASE_WAIT_S, urgent=True) as term:
        state = load(context)
        site, published = state.active_site, state.published
        if state.open_plan is not None or site is None or published is None:
            return state.open_plan
        try:
            wanted = wanted_sets(context, state, site)
        except ValueError as error:
            raise Conflict("refresh", "DNS", str(error), "failover apply again") from error
        if set(wanted) == set(published.rrsets):
            return None
        return _open(context, state, PlanKind.REFRESH, site, term=term)


def withdraw(context: Context) -> Outcome | None:
    """Our records and epochs are gone, adopted ones are back. None when nothing was published."""
    with leased(context, TICK, wait_s=LEASE_WAIT_S, urgent=True) as term:
        state = load(context)
        if state.active_site is None:
            return None
        plan = state.open_plan or _open(context, state, PlanKind.WITHDRAW, state.active_site, term=term)
        if plan.kind is not PlanKind.WITHDRAW:
            cause = f"{plan.kind} {plan.id} is under way"
            raise RefusedError("withdraw", "DNS", cause, f"failover continue {plan.id}, then destroy again")
    return stay(context, plan, wait_s=patience_s(context, plan))


def _open(context: Context, state: State, kind: PlanKind, site: str, *, term: int) -> CutoverPlan:
    readings = read_hosts(context, context.service.hosts)
    world = World(now=context.runtime.now(), state=state, orders=context.store.orders(), hosts=readings)
    return begin(context, world, kind, site, stored=state, term=term)
