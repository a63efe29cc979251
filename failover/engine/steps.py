"""The steps of a plan, by name. Each looks at reality first, then acts, and says how it went.

Those that change DNS stand in `steps_dns`, COMMIT in `execute`. A step may raise AdapterError; TimedOut among them
means that its outcome is unknown.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from failover.core.cutover import Step
from failover.core.health import isolated, reachable, round_outcome
from failover.core.holds import says
from failover.core.judge import accepted_releases
from failover.core.mirror import wanted_count
from failover.core.model import Outcome, Reading, Sample, Standby, Target
from failover.core.quorum import still_fails
from failover.core.rrsets import same_values
from failover.core.safety import highest_epoch
from failover.core.saga import Value
from failover.core.world import ForcedAs
from failover.engine.context import Context
from failover.engine.lookup import look_up
from failover.engine.nodes import destroy_extra, ensure_all, serving
from failover.engine.observe import look_again, read_stock, targets_of
from failover.engine.outcome import MARGIN_S
from failover.engine.publish import read_hosts
from failover.engine.rounds import ask_targets
from failover.engine.stage import Stage, StepResult, addresses_of, failed, ok, waiting
from failover.engine.steps_dns import confirm, swap
from failover.errors import AdapterError, RefusedError
from failover.ports import Moment


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
        "probe", partial(ask_targets, context, targets, deadline_s), deadline_s=deadline_s + MARGIN_S
    )
    return reachable(samples)


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
