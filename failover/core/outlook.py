"""What happens next, in one sentence: for `status`, from the same functions that decide."""

from failover.core.decide import blockers, candidates, confirm_left_s, forward_only, no_target_reasons, reaction_to
from failover.core.health import HealthState
from failover.core.model import Action, Service
from failover.core.verdict import Verdict, VerdictKind
from failover.core.world import World


def next_action(service: Service, world: World) -> str:
    """For example: `cuts over to boreas after 2 more bad checks`, `cannot cut over, because …`."""
    state = world.state
    if state.open_plan is not None:
        plan = state.open_plan
        return f"goes on with {plan.kind} {plan.id} to {plan.target} (epoch {plan.epoch})"
    if state.active_site is None:
        return "`failover apply` publishes the service"
    watch = state.watch.get(state.active_site)
    if watch is None or watch.verdict is None:
        return "the next check judges the sites for the first time"
    obstacle = _obstacle(service, world, watch.verdict)
    if watch.verdict.kind is VerdictKind.OBSERVER_ISOLATED:
        return "holds: this vantage is cut off from its own controls"
    if watch.verdict.kind in (VerdictKind.UP, VerdictKind.UNKNOWN) or watch.verdict.data_plane is not HealthState.DOWN:
        return _while_up(service, world, obstacle)
    reaction = reaction_to(service.policy, watch.verdict)
    if reaction.action is not Action.CUTOVER:
        return {
            Action.ASK: "asks a person (`failover approve ID`)" if obstacle is None else f"asks, but {obstacle}",
            Action.PAGE: f"pages a person: {state.active_site} is {watch.verdict.kind}",
            Action.HOLD: "holds, as the policy says",
        }[reaction.action]
    if obstacle is not None:
        return f"cannot cut over, because {obstacle}"
    left = max(0.0, confirm_left_s(reaction, watch.verdict, world))
    return f"cuts over to {_target(service, world)} after {left:.0f} s more of confirmation"


def _while_up(service: Service, world: World, obstacle: str | None) -> str:
    active = world.state.active_site or ""
    healths = world.state.health.get(active, {})
    needed = [c.fall - healths[c.name].fails for c in service.checks if c.name in healths and healths[c.name].fails]
    if obstacle is not None:
        return f"could not cut over, because {obstacle}"
    if not needed:
        return f"would cut over to {_target(service, world)}"
    count = max(1, min(needed))
    checks = "check" if count == 1 else "checks"
    return f"cuts over to {_target(service, world)} after {count} more bad {checks}, if the verdict then allows it"


def _target(service: Service, world: World) -> str:
    return candidates(service, world, world.state.active_site or "")[0]


def _obstacle(service: Service, world: World, verdict: Verdict) -> str | None:
    """What would stand against an automatic cutover right now."""
    active = world.state.active_site or ""
    targets = candidates(service, world, active)
    if not targets:
        return "no site can take over (" + " | ".join(no_target_reasons(service, world, active)) + ")"
    closed = verdict if verdict.data_plane is HealthState.DOWN else _as_if_closed(verdict)
    found = blockers(service, world, closed, [t for t in targets if forward_only(service, world, closed, t)])
    return "; ".join(found) if found else None


def _as_if_closed(verdict: Verdict) -> Verdict:
    """While the site is up, the question is what would happen if its account were closed now."""
    return Verdict(kind=VerdictKind.ACCOUNT_CLOSED, since=verdict.since, explicit=True, data_plane=HealthState.DOWN)


def safe(service: Service, world: World) -> bool:
    """Whether the service would survive the loss of its active site now: a target is ready and nothing blocks."""
    active = world.state.active_site
    watch = world.state.watch.get(active) if active else None
    if watch is None or watch.verdict is None or world.isolated:
        return False
    return _obstacle(service, world, watch.verdict) is None
