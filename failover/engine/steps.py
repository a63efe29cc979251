"""The steps of a plan. Each looks at reality first, then acts, and says how it went.

A step may raise AdapterError; TimedOut among them means that its outcome is unknown.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from failover.core.cutover import CutoverPlan, PlanKind, Step, record_sets
from failover.core.facts import Facts, accepted, seen, served
from failover.core.health import isolated, reachable, round_outcome
from failover.core.holds import says
from failover.core.hosting import longest_ttl_s
from failover.core.judge import accepted_releases
from failover.core.mirror import wanted_count
from failover.core.model import Node, Outcome, Reading, Sample, Standby, Target
from failover.core.quorum import still_fails
from failover.core.rrsets import RRset, same_values
from failover.core.safety import highest_epoch
from failover.core.saga import Status, Value
from failover.core.world import ForcedAs, State
from failover.engine.context import Context
from failover.engine.lookup import look_up
from failover.engine.nodes import destroy_extra, ensure_all, serving
from failover.engine.notify import note
from failover.engine.observe import look_again, read_stock, targets_of
from failover.engine.outcome import MARGIN_S
from failover.engine.publish import HostResult, HostState, read_hosts, swap_everywhere
from failover.engine.served import answers_of, unseen
from failover.errors import AdapterError, RefusedError
from failover.ports import Moment


class Ended(StrEnum):
    OK = "ok"
    WAITING = "waiting"
    UNKNOWN = "unknown"
    """A call hung: what it asked for may have been done."""
    FAILED = "failed"
    OVERTAKEN = "overtaken"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    ended: Ended
    reason: str = ""
    output: Mapping[str, Value] = field(default_factory=dict)
    nodes: tuple[Node, ...] | None = None
    """What the target's inventory is now, where the step changed it."""
    facts: Facts | None = None
    """What is known of the plan at the DNS hosts now, where the step found out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What a step sees."""

    context: Context
    state: State
    plan: CutoverPlan
    status: Status
    term: int
    """Of the lease: what is written down under it proves that this run still holds it."""

    @property
    def waited_s(self) -> float:
        """Seconds since this step was started for the first time."""
        started = self.status.step_started
        return 0.0 if started is None else self.context.runtime.now().since(started)


def ok(reason: str = "", **output: Value) -> StepResult:
    return StepResult(ended=Ended.OK, reason=reason, output=output)


def waiting(reason: str) -> StepResult:
    return StepResult(ended=Ended.WAITING, reason=reason)


def failed(reason: str) -> StepResult:
    return StepResult(ended=Ended.FAILED, reason=reason)


# ------------------------------------------------------------------------------------ bound values


def addresses_of(plan: CutoverPlan, status: Status) -> Mapping[str, tuple[str, ...]]:
    """By group: where the target serves; bound to the output of `scale` where the plan has that step."""
    scaled = status.outputs.get(Step.SCALE, {}).get("addresses")
    if not isinstance(scaled, dict):
        return plan.addresses
    return {g: tuple(str(a) for a in found) for g, found in scaled.items() if isinstance(found, list)}


def sets_of(stage: Stage) -> tuple[RRset, ...]:
    """The record sets that the plan puts into DNS, bound if need be. Raises ValueError where one would be empty."""
    if Step.SCALE not in stage.plan.steps:
        return stage.plan.rrsets
    service = stage.context.service
    return record_sets(service, service.site(stage.plan.target), addresses_of(stage.plan, stage.status))


def lost_hosts(status: Status) -> dict[str, str]:
    """Hosts that the plan went on without, with the reason."""
    lost: dict[str, str] = {}
    for step in (Step.SWAP, Step.CONFIRM):
        found = status.outputs.get(step, {}).get("lost")
        if isinstance(found, dict):
            lost |= {str(k): str(v) for k, v in found.items()}
    return lost


def stale_of(status: Status) -> dict[str, tuple[str, ...]]:
    """By host the name servers that still answer what stood there before."""
    found = status.outputs.get(Step.CONFIRM, {}).get("stale")
    if not isinstance(found, dict):
        return {}
    return {host: tuple(str(s) for s in servers) for host, servers in found.items() if isinstance(servers, list)}


# ------------------------------------------------------------------------------------ before the pivot


def claim(stage: Stage) -> StepResult:
    """The epoch was spent in the transaction that opened the plan; here it only shows in the journal."""
    return ok(f"epoch {stage.plan.epoch} is spent", epoch=stage.plan.epoch)


def reconfirm(stage: Stage) -> StepResult:
    """One fresh round at the source: it must still be down, and we not cut off."""
    context, plan = stage.context, stage.plan
    word = context.store.orders().forced_at(context.runtime.now()).get(plan.source or "")
    if word is not None and word.word is ForcedAs.DOWN:
        return ok(says(plan.source or "", word, context.runtime.now()))
    sources = tuple(s for s in context.service.sites if s.name == plan.source)
    found = look_up(context, stage.state, sources)
    look = look_again(context, targets_of(context, replace(stage.state, resolved=found.resolved), sources))
    if isolated(look.controls):
        return failed("our own controls do not answer any more")
    if not sources:
        return ok(f"{plan.source} is not in the config any more")
    fails, why = still_fails(context.service, sources[0], (*look.samples, *found.samples), look.ballots)
    return ok(why) if fails else failed(why)


def preflight(stage: Stage) -> StepResult:
    """DNS must still say what the plan was made from; a target that must be scaled needs its provider."""
    found = _dns_unchanged(stage)
    if found is not None:
        return found
    service, target = stage.context.service, stage.plan.target
    site = service.site(target)
    if site.given or site.standby is Standby.HOT:
        return ok("DNS is as it was; the target needs no provider")
    context = stage.context
    account = context.compute[target]
    report = context.runtime.call(f"account of {target}", account.state, deadline_s=service.call_s)
    if report.reading is not Reading.ACTIVE:
        return failed(f"the account of {target} is {report.reading}: {report.message or report.code}")
    release = stage.state.release
    stock = context.runtime.call(
        f"stock of {target}", lambda: read_stock(context, target, release), deadline_s=service.call_s * 2
    )
    if not stock.archive:
        return failed(f"the release is not in the depot of {target}")
    return ok(f"the provider of {target} answers and holds the release")


def _dns_unchanged(stage: Stage) -> StepResult | None:
    plan = stage.plan
    readings = read_hosts(stage.context, plan.hosts)
    readable = [r for r in readings.values() if r.problem is None]
    if not readable:
        return failed("no DNS host can be read: " + "; ".join(f"{r.host}: {r.problem}" for r in readings.values()))
    highest = highest_epoch(stage.context.service, readable)
    if highest is not None and highest.number >= plan.epoch:
        return failed(f"DNS holds epoch {highest.number} already, this plan has {plan.epoch}")
    if plan.forced or highest is None:
        return None
    for reading in readable:
        holds = highest_epoch(stage.context.service, (reading,))
        ours = [r for r in reading.rrsets if r.type != "TXT"]
        if holds == highest and not same_values(ours, plan.before):
            says = "; ".join(str(r) for r in ours) or "nothing"
            hint = "look who did it; `failover cutover --force` goes on over it"
            return failed(f"somebody else changed the records at {reading.host}: they are {says} ({hint})")
    return None


def before_hooks(stage: Stage) -> StepResult:
    _hook(stage, Moment.BEFORE)
    return ok("no hook objected")


def scale(stage: Stage) -> StepResult:
    """Every node of the target exists and serves."""
    context, target = stage.context, stage.plan.target
    digest = stage.state.release
    if digest is None:
        return failed("no release was ever applied")
    release = context.release(digest)
    site = context.service.site(target)
    nodes = ensure_all(context, site, release, active=True)
    ready = serving(context, nodes, release)
    wanted = sum(wanted_count(site, group, active=True) for group in context.service.groups)
    if len(ready) < wanted:
        names = ", ".join(n.name for n in nodes if n not in ready) or "nodes that its provider does not list yet"
        if stage.waited_s > context.service.node_deadline_s:
            return failed(f"not serving after {context.service.node_deadline_s:g} s: {names}")
        return waiting(f"waits for {names} to serve")
    addresses: dict[str, Value] = {}
    for node in nodes:
        found = addresses.setdefault(node.group, [])
        if isinstance(found, list):
            found.extend(node.addresses)
    return replace(ok(f"{len(nodes)} nodes serve", addresses=addresses), nodes=ready)


def verify(stage: Stage) -> StepResult:
    """The target serves, at each address that will be published, by Host and SNI, with the right release."""
    context, plan = stage.context, stage.plan
    found = look_up(context, stage.state, (context.service.site(plan.target),))
    by_group = {g: list(a) for g, a in addresses_of(plan, stage.status).items()}
    for group, addresses in found.resolved.get(plan.target, {}).items():
        by_group.setdefault(group, []).extend(addresses)
    releases = accepted_releases(stage.state, plan.target)
    targets = tuple(
        Target(site=plan.target, address=address, check=check, releases=releases)
        for check in context.service.checks
        for address in by_group.get(check.group, ())
    )
    samples = (*probe(context, targets), *found.samples)
    if not samples:
        return failed(f"nothing at {plan.target} could be probed")
    for check in context.service.checks:
        asked = [s for s in samples if s.check == check.name]
        outcome, why = round_outcome(asked)
        if asked and outcome is not Outcome.PASS:
            return failed(f"{plan.target} does not serve: {why}")
    bad = {s.address for s in samples if s.outcome is not Outcome.PASS}
    count = len({s.address for s in samples})
    return ok(f"{count - len(bad)} of {count} addresses serve the release")


def probe(context: Context, targets: Sequence[Target]) -> tuple[Sample, ...]:
    """One fresh round of these targets."""
    deadline_s = max((t.check.timeout_s for t in targets), default=0.0) + MARGIN_S
    samples = context.runtime.call(
        "probe", lambda: context.probe.run(tuple(targets), deadline_s), deadline_s=deadline_s + MARGIN_S
    )
    return reachable(samples)


# ------------------------------------------------------------------------------------ from the pivot on


def swap(stage: Stage) -> StepResult:
    """Every host holds the plan's records and epoch. A host that fails for too long is left behind as a debt."""
    context, plan = stage.context, stage.plan
    hosts = _configured(stage, plan.hosts)
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
    hosts = [h for h in _configured(stage, plan.hosts) if isinstance(done, list) and h in done]
    answers = answers_of(context, plan, sets, hosts)
    now = context.runtime.now()
    facts = served(stage.state.facts, answers, epoch=plan.epoch, now=now)
    late = {a.address: f"{a.address}: {a.late}" for a in answers if a.late}
    says = "; ".join(late.values())
    if late and not _overdue(stage):
        return replace(waiting(f"not yet served everywhere: {says}"), facts=facts)
    lost: dict[str, Value] = dict.fromkeys({a.host for a in answers if a.late}, says)
    left = _cached_s(stage) - stage.waited_s
    blind = unseen(context, sets) if context.service.resolvers else {}
    if context.service.resolvers and not blind:
        facts = seen(facts, epoch=plan.epoch, now=now)
    resolvers = _resolvers(context, blind)
    if left > 0:
        why = f"served by every authoritative server{resolvers}; old answers leave the caches within {left:.0f} s"
        return replace(waiting(why), facts=facts)
    servers: dict[str, Value] = {f"{a.host} {a.address}": None for a in answers if not a.late}
    others = answers_of(context, plan, sets, [h for h in _configured(stage, plan.hosts) if h not in hosts])
    stale: dict[str, list[Value]] = {}
    for answer in (*answers, *others):
        stale.setdefault(answer.host, []).extend([answer.server] if answer.stale else [])
    reason = says if lost else f"verified at every authoritative server{resolvers}"
    output: dict[str, Value] = {"servers": list(servers), "lost": lost, "resolvers": dict(blind)}
    return StepResult(ended=Ended.OK, reason=reason, output={**output, "stale": _lists(stale)}, facts=facts)


def _lists(found: Mapping[str, list[Value]]) -> Value:
    return {name: list(dict.fromkeys(str(v) for v in values)) for name, values in found.items()}


def _cached_s(stage: Stage) -> float:
    """How long what stood there before may still be remembered.

    Who is adopted goes on serving what caches still hold: a first publication has nobody to wait for. Nor has a plan
    that only changes TTLs.
    """
    plan = stage.plan
    if plan.kind is PlanKind.PUBLISH or same_values(plan.before, sets_of(stage)):
        return 0.0
    return longest_ttl_s(max((r.ttl_s for r in plan.before), default=0), stage.state.hosts.values())


def _resolvers(context: Context, blind: Mapping[str, str]) -> str:
    count = len(context.service.resolvers)
    if not count:
        return ""
    if not blind:
        return f", seen by all {count} resolvers" if count > 1 else ", seen by the resolver"
    return f", not yet seen by {'; '.join(f'{r} ({why})' for r, why in blind.items())}"


def after_hooks(stage: Stage) -> StepResult:
    """DNS has moved: a hook that fails now is noted, and does not keep the plan open."""
    try:
        _hook(stage, Moment.AFTER)
    except (AdapterError, RefusedError) as error:
        return ok(f"an after-hook failed: {error}")
    return ok("hooks ran")


def _hook(stage: Stage, moment: Moment) -> None:
    context = stage.context
    hook = context.hook
    if hook is not None:
        context.runtime.call(
            f"{moment}-hooks", lambda: hook.run(moment, stage.plan), deadline_s=context.hooks_s + MARGIN_S
        )


RUN: Mapping[Step, Callable[[Stage], StepResult]] = {
    Step.CLAIM: claim,
    Step.RECONFIRM: reconfirm,
    Step.PREFLIGHT: preflight,
    Step.BEFORE_HOOKS: before_hooks,
    Step.SCALE: scale,
    Step.VERIFY: verify,
    Step.SWAP: swap,
    Step.CONFIRM: confirm,
    Step.AFTER_HOOKS: after_hooks,
}
"""COMMIT writes the state itself and belongs to `execute`."""


def undo_hooks(stage: Stage) -> StepResult:
    _hook(stage, Moment.ABORT)
    return ok("hooks were told")


def undo_scale(stage: Stage) -> StepResult:
    """Back to the standby's own count; what cannot be removed now, the next `apply` finds."""
    try:
        left = destroy_extra(stage.context, stage.context.service.site(stage.plan.target))
    except AdapterError as error:
        return ok(f"not scaled back, the next `apply` finds what is too many: {error}")
    return replace(ok(f"back to {len(left)} nodes"), nodes=left)


UNDO: Mapping[Step, Callable[[Stage], StepResult]] = {
    Step.BEFORE_HOOKS: undo_hooks,
    Step.SCALE: undo_scale,
}
