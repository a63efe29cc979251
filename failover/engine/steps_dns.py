"""The steps that change DNS and see it served: SWAP, the pivot, and CONFIRM. From here a plan only goes forward."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from failover.core.cutover import PlanKind, Step
from failover.core.edge import behind
from failover.core.facts import Facts, accepted, seen, served
from failover.core.hosting import longest_ttl_s
from failover.core.model import Instant
from failover.core.rrsets import same_values
from failover.core.saga import Result, Value
from failover.engine.context import Context
from failover.engine.notify import note
from failover.engine.publish import HostResult, HostState, swap_everywhere
from failover.engine.served import prove, unseen
from failover.engine.stage import Ended, Stage, StepResult, ok, sets_of, waiting

_LOWERED_MAX = 20
"""So many plans are looked back at: the TTL moves seldom."""


def swap(stage: Stage) -> StepResult:
    """Every host holds the plan's records and epoch. A host that fails for too long is left behind as a debt."""
    context, plan = stage.context, stage.plan
    hosts = _configured(stage, plan.hosts)
    if not hosts:
        gone = ", ".join(plan.hosts)
        return waiting(
            f"no DNS host of this plan is in the config any more ({gone}): put back one that takes the change"
        )
    results = swap_everywhere(
        context,
        replace(plan, hosts=hosts),
        sets_of(stage),
        patience_over=_overdue(stage),
        prove=lambda why: note(context, "lower-grades", why, term=stage.term),
    )
    overtaken = [r for r in results if r.state is HostState.OVERTAKEN]
    done = [r.host for r in results if r.state is HostState.DONE]
    facts = accepted(stage.state.facts, done, epoch=plan.epoch, now=context.runtime.now())
    result = replace(_swapped(stage, results, done), facts=facts)
    if overtaken:
        return replace(result, ended=Ended.OVERTAKEN, reason="; ".join(r.reason for r in overtaken))
    return result


def _swapped(stage: Stage, results: Sequence[HostResult], done: list[str]) -> StepResult:
    unknown = any(r.state is HostState.UNKNOWN for r in results)
    pending = {r.host: r.reason for r in results if r.host not in done}
    says = "; ".join(f"{host} has not taken the change: {why}" for host, why in pending.items())
    if done and not pending:
        return ok(f"taken by {', '.join(done)}", done=list(done))
    if not done or not _overdue(stage):
        ended = Ended.UNKNOWN if unknown else Ended.WAITING
        return StepResult(ended=ended, reason=f"taken by {', '.join(done) or 'no host yet'}; {says}")
    return ok(f"taken by {', '.join(done)}; going on without the rest: {says}", done=list(done), lost=dict(pending))


def _configured(stage: Stage, hosts: Sequence[str]) -> tuple[str, ...]:
    """A host that was taken out of the config meanwhile is neither asked nor waited for."""
    return tuple(h for h in hosts if h in stage.context.hosts)


def _overdue(stage: Stage) -> bool:
    """Whether to go on without the hosts that are missing. A withdrawal waits for all: nothing would settle it later,
    and the nodes that the records point to are destroyed next."""
    return stage.waited_s >= stage.context.service.host_deadline_s and stage.plan.kind is not PlanKind.WITHDRAW


def confirm(stage: Stage) -> StepResult:
    """Every authoritative server answers the new records and epoch; then the old ones leave the caches."""
    context, plan, sets = stage.context, stage.plan, sets_of(stage)
    done = stage.status.outputs.get(Step.SWAP, {}).get("done")
    taken = [h for h in plan.hosts if isinstance(done, list) and h in done]
    hosts = _configured(stage, taken)
    proof = prove(context, plan, sets, hosts)
    answers = proof.answers
    now = context.runtime.now()
    facts = served(stage.state.facts, answers, epoch=plan.epoch, now=now)
    late = {a.address: f"{a.address}: {a.late}" for a in answers if a.late}
    says = "; ".join(late.values())
    if late and not _overdue(stage):
        return replace(waiting(f"not yet served everywhere: {says}"), facts=facts)
    lost: dict[str, Value] = dict.fromkeys({a.host for a in answers if a.late}, says)
    left_s = _left_s(stage, proof.edges, facts, now)
    blind = unseen(context, sets, proof.edges) if context.service.resolvers else {}
    if context.service.resolvers and not blind:
        facts = seen(facts, epoch=plan.epoch, now=now)
    resolvers = _resolvers(context, blind)
    if left_s > 0:
        served_by = f"not served everywhere ({says})" if lost else _proven("served by", taken, hosts)
        why = f"{served_by}{resolvers}; old answers leave the caches within {left_s:.0f} s"
        return replace(waiting(why), facts=facts)
    servers: dict[str, Value] = {f"{a.host} {a.address}": None for a in answers if not a.late}
    others = prove(context, plan, sets, [h for h in _configured(stage, plan.hosts) if h not in hosts]).answers
    stale: dict[str, list[Value]] = {}
    for answer in (*answers, *others):
        stale.setdefault(answer.host, []).extend([answer.server] if answer.stale else [])
    reason = says if lost else f"{_proven('verified at', taken, hosts)}{resolvers}"
    output: dict[str, Value] = {"servers": list(servers), "lost": lost, "resolvers": dict(blind)}
    return StepResult(ended=Ended.OK, reason=reason, output={**output, "stale": _lists(stale)}, facts=facts)


def _proven(how: str, taken: Sequence[str], asked: Sequence[str]) -> str:
    """`how`: `verified at`, say. Who took the change and left the config since is asked nothing, and proves nothing."""
    gone = ", ".join(host for host in taken if host not in asked)
    if not gone:
        return f"{how} every authoritative server"
    unasked = f"{gone} not asked, no longer in the config"
    return f"{how} the authoritative servers of {', '.join(asked)}; {unasked}" if asked else unasked


def _lists(found: Mapping[str, list[Value]]) -> Value:
    return {name: list(dict.fromkeys(str(v) for v in values)) for name, values in found.items()}


def _left_s(stage: Stage, edges: Collection[str], facts: Facts, now: Instant) -> float:
    """Until the last cache has let go of what stood there before."""
    cached_s = _cached_s(stage, edges)
    return max(cached_s - _served_s(stage, facts, now), _lowered_s(stage, now)) if cached_s else 0.0


def _lowered_s(stage: Stage, now: Instant) -> float:
    """The same of longer TTLs that plans of the same addresses have lowered just before: nobody waited for those."""
    left_s, store = 0.0, stage.context.store
    for plan in reversed([p for p in store.plans(_LOWERED_MAX) if p.epoch < stage.plan.epoch]):
        events = store.journal(plan.id)
        if not events or events[-1].reason != Result.COMMITTED:
            continue
        if not plan.before or not same_values(plan.before, plan.rrsets):
            break  # it waited for what stood there before it
        ttl_s = longest_ttl_s(max(r.ttl_s for r in plan.before), stage.state.hosts.values())
        left_s = max(left_s, ttl_s - now.since(events[-1].at))
    return left_s


def _cached_s(stage: Stage, edges: Collection[str]) -> float:
    """How long what stood there before may still be remembered.

    Who is adopted goes on serving what caches still hold: a first publication has nobody to wait for. Nor has a plan
    that only changes TTLs, nor names behind an edge, of which caches hold the edge's addresses before and after.
    """
    plan = stage.plan
    if plan.kind is PlanKind.PUBLISH or same_values(plan.before, sets_of(stage)):
        return 0.0
    hidden = _hidden_lately(stage) if plan.kind is PlanKind.WITHDRAW else edges
    before = [r.ttl_s for r in plan.before if r.name not in hidden]
    return longest_ttl_s(max(before), stage.state.hosts.values()) if before else 0.0


def _hidden_lately(stage: Stage) -> frozenset[str]:
    """The names that stood behind an edge in the last round: what is withdrawn stands nowhere any more."""
    hosts = stage.state.hosts
    known = {host: edge for host, edge in stage.context.service.edges.items() if host in hosts}
    return frozenset(name for host, edge in known.items() for name in behind(edge, hosts[host].rrsets))


def _served_s(stage: Stage, facts: Facts, now: Instant) -> float:
    """For how long none of the servers that follow has given an old answer: until then a cache may have fetched one."""
    known = [f.served for f in facts.values() if f.epoch == stage.plan.epoch and f.served is not None]
    return min([now.since(at) for at in known], default=stage.waited_s)


def _resolvers(context: Context, blind: Mapping[str, str]) -> str:
    count = len(context.service.resolvers)
    if not count:
        return ""
    if not blind:
        return f", seen by all {count} resolvers" if count > 1 else ", seen by the resolver"
    return f", not yet seen by {'; '.join(f'{r} ({why})' for r, why in blind.items())}"
