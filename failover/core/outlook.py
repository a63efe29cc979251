"""What happens next, in one sentence: for `status`, from the same functions that decide."""

from dataclasses import replace

from failover.core.budget import gap_s
from failover.core.decide import (
    Decision,
    DecisionKind,
    confirm_left_s,
    confirmed,
    in_vain,
    reaction_to,
    refusal,
)
from failover.core.health import HealthState
from failover.core.hosting import holding_up
from failover.core.model import Action, Service
from failover.core.verdict import Verdict, VerdictKind
from failover.core.world import World


def next_action(service: Service, world: World) -> str:
    """For example: `cuts over to boreas after 2 more bad checks`, `cannot cut over, because …`."""
    state = world.state
    if state.open_plan is not None:
        plan = state.open_plan
        return f"goes on with {plan.kind} {plan.id} to {plan.target} (epoch {plan.epoch})"
    refused = refusal(service, world)
    if refused is not None:
        return f"only observes: {refused}"
    if state.active_site is None:
        return "`failover apply` publishes the service"
    watch = state.watch.get(state.active_site)
    if watch is None or watch.verdict is None:
        return "the next check judges the sites for the first time"
    verdict = watch.verdict
    if verdict.kind is VerdictKind.OBSERVER_ISOLATED:
        return "holds: this vantage is cut off from its own controls"
    if verdict.kind in (VerdictKind.UP, VerdictKind.UNKNOWN):
        return _if_lost(service, world, state.active_site, verdict)
    return _reacts(service, world, state.active_site, verdict)


def safe(service: Service, world: World) -> bool:
    """Whether the service would survive the loss of its active site now without a person: a target is ready and
    nothing stands against an automatic cutover."""
    active = world.state.active_site
    watch = world.state.watch.get(active) if active else None
    if active is None or watch is None or watch.verdict is None:
        return False
    if world.isolated or world.state.open_plan is not None or refusal(service, world) is not None:
        return False
    if holding_up(world.hosts):
        return False
    return _after_loss(service, world, active, watch.verdict).kind is DecisionKind.CUT_OVER


def stale_s(service: Service, world: World) -> float | None:
    """Seconds since the last round, when that is too long ago to be believed."""
    last = world.state.last_tick
    if last is None:
        return None
    age = world.now.since(last)
    return age if age > gap_s(service) else None


def _reacts(service: Service, world: World, active: str, verdict: Verdict) -> str:
    """What follows from a verdict that calls for a reaction, when its confirm window has passed."""
    reaction = reaction_to(service.policy, verdict)
    if reaction.action is Action.HOLD:
        return f"holds, as the policy says: {active} is {verdict.kind}"
    left = max(0.0, confirm_left_s(reaction, verdict, world))
    then = confirmed(service, replace(world, now=world.now.plus(left)), active, verdict)
    when = f" after {left:.1f} s more of confirmation" if left > 0 else ""
    if then.kind is DecisionKind.CUT_OVER:
        return "; ".join((f"cuts over to {then.target}{when}", *_held_up(world)))
    if then.kind is DecisionKind.ASK:
        return "; ".join(
            (
                f"asks a person whether to cut over to {then.target}{when} (`failover approve ID`)",
                *in_vain(world),
                *_held_up(world),
            )
        )
    if reaction.action is Action.PAGE:
        return f"pages a person{when}: {active} is {verdict.kind}"
    return f"cannot cut over, because {_because(then)}"


def _if_lost(service: Service, world: World, active: str, verdict: Verdict) -> str:
    """While the site is up or undecided: what its loss would lead to."""
    then = _after_loss(service, world, active, verdict)
    when = _bad_checks_left(service, world, active)
    if then.kind is DecisionKind.CUT_OVER:
        does = f"would cut over to {then.target}"
        if when is not None:
            does = f"cuts over to {then.target} after {when}, if the verdict then allows it"
        return "; ".join((does, *_held_up(world)))
    if then.kind is DecisionKind.ASK:
        after = f", after {when}" if when else ""
        does = f"would ask a person whether to cut over to {then.target}{after}"
        return "; ".join((does, *in_vain(world), *_held_up(world)))
    return f"could not cut over, because {_because(then)}"


def _held_up(world: World) -> tuple[str, ...]:
    """For whose sake nothing would move all the same."""
    stuck = ", ".join(holding_up(world.hosts))
    return (f"all DNS hosts would wait for {stuck}, which answers, but cannot be read",) if stuck else ()


def _bad_checks_left(service: Service, world: World, active: str) -> str | None:
    """How many bad rounds are still missing, once some came in."""
    healths = world.state.health.get(active, {})
    needed = [c.fall - healths[c.name].fails for c in service.checks if c.name in healths and healths[c.name].fails]
    if not needed:
        return None
    count = max(1, min(needed))
    return "1 more bad check" if count == 1 else f"{count} more bad checks"


def _after_loss(service: Service, world: World, active: str, verdict: Verdict) -> Decision:
    """The decision on the loss of the active site: the real verdict when it is down, else the one it would get.

    A managed site is taken to lose its account; at a given site nobody can say why it went away.
    """
    if verdict.data_plane is not HealthState.DOWN:
        given = service.site(active).given
        kind = VerdictKind.DOWN_UNEXPLAINED if given else VerdictKind.ACCOUNT_CLOSED
        verdict = Verdict(kind=kind, since=verdict.since, explicit=not given, data_plane=HealthState.DOWN)
    return confirmed(service, world, active, verdict)


def _because(decision: Decision) -> str:
    """The reasons of a decision that does not move, without the first sentence, which names the verdict."""
    return "; ".join(decision.reasons[1:]) or f"the reaction to {decision.verdict} is to {decision.kind}"
