"""World × Policy → Decision, with the sentences that explain it.

    the active site's verdict   and its data plane   the policy's reaction      default
    -------------------------   ------------------   ------------------------   -----------------------
    UP                          any                  –                          hold
    ACCOUNT_CLOSED              DOWN                 policy.account_closed      cutover after 60 s
    ACCOUNT_CLOSED              UP                   – (its confirm window)     ask after 60 s
    PROVIDER_DOWN               any                  policy.provider_down       cutover after 300 s
    RESOURCES_GONE              any                  policy.resources_gone      cutover after 300 s
    APP_DOWN                    any                  policy.app_down            page
    DOWN_UNEXPLAINED            any                  policy.unexplained_down    ask after 60 s
    ACCOUNT_WARNED              any                  –                          page
    ACCESS_REFUSED              any                  –                          page
    OBSERVER_ISOLATED           any                  –                          hold
    UNKNOWN                     any                  –                          hold, page after a while

A reaction `cutover` must then get past every guard: pause, maintenance, flapping, tilt, confirm window, a readable DNS
host, fencing grade, a ready target, cooldown, daily limit; and from a single vantage past the rule of `single_vantage`.
While maintenance is announced nobody is paged or asked, unless the provider itself says that the account is closed.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from failover.core.health import HealthState
from failover.core.holds import against_leaving, against_target, quiet
from failover.core.model import Action, Policy, Reaction, Service
from failover.core.quorum import too_few
from failover.core.safety import DOWN_KINDS, best_grade, highest_epoch
from failover.core.verdict import Verdict, VerdictKind
from failover.core.world import Proposal, Watch, World

DAY_S = 86400.0
TWO_CONTROLS = 2


class DecisionKind(StrEnum):
    HOLD = "hold"
    CUT_OVER = "cut-over"
    CONTINUE = "continue"
    ASK = "ask"
    PAGE = "page"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do, and why. `target` is set for CUT_OVER and ASK."""

    kind: DecisionKind
    reasons: tuple[str, ...]
    target: str | None = None
    verdict: VerdictKind | None = None
    automatic: bool = True
    """False: a person approved it."""


def reaction_to(policy: Policy, verdict: Verdict) -> Reaction:
    """The table above."""
    page, hold = Reaction(action=Action.PAGE), Reaction(action=Action.HOLD)
    closed = policy.account_closed
    if verdict.data_plane is HealthState.UP:  # asked no sooner than acted on: mostly the service goes down first
        closed = Reaction(action=Action.ASK, confirm_s=closed.confirm_s)
    table = {
        VerdictKind.UP: hold,
        VerdictKind.ACCOUNT_CLOSED: closed,
        VerdictKind.PROVIDER_DOWN: policy.provider_down,
        VerdictKind.RESOURCES_GONE: policy.resources_gone,
        VerdictKind.APP_DOWN: policy.app_down,
        VerdictKind.DOWN_UNEXPLAINED: policy.unexplained_down,
        VerdictKind.ACCOUNT_WARNED: page,
        VerdictKind.ACCESS_REFUSED: page,
        VerdictKind.OBSERVER_ISOLATED: hold,
        VerdictKind.UNKNOWN: Reaction(action=Action.PAGE, confirm_s=policy.unknown_page_after_s),
    }
    return table[verdict.kind]


def decide(service: Service, world: World) -> Decision:
    """The decision in this world. Never raises for any world that the program can build."""
    state = world.state
    if state.open_plan is not None:
        plan = state.open_plan
        return _decision(DecisionKind.CONTINUE, f"plan {plan.id} ({plan.kind} to {plan.target}) is under way")
    refused = refusal(service, world)
    if refused is not None:
        return _decision(DecisionKind.REFUSE, refused)
    if state.active_site is None:
        return _decision(DecisionKind.HOLD, "nothing is published yet; `failover apply` publishes it")
    verdict = _verdict(world, state.active_site)
    if verdict is None:
        return _decision(DecisionKind.HOLD, f"{state.active_site} has not been judged yet")
    return _react(service, world, state.active_site, verdict)


def _decision(kind: DecisionKind, *reasons: str) -> Decision:
    return Decision(kind=kind, reasons=reasons)


def _verdict(world: World, site: str) -> Verdict | None:
    watch = world.state.watch.get(site)
    return watch.verdict if watch else None


def refusal(service: Service, world: World) -> str | None:
    """Why nothing may be decided at all, or None."""
    active = world.state.active_site
    if active is not None and active not in {s.name for s in service.sites}:
        return f"the active site {active} is not in the config any more; put it back"
    return overtaken(service, world) or _anothers_plan(service, world)


def overtaken(service: Service, world: World) -> str | None:
    """S14: a sentence when DNS holds a higher epoch than our state has ever spent. Then we only observe."""
    highest = highest_epoch(service, world.hosts.values())
    if highest is None or highest.number <= world.state.epoch:
        return None
    return (
        f"DNS holds epoch {highest.number} (site {highest.site}), this state has only spent {world.state.epoch}: "
        "another controller was here, or the state is old"
    )


def _anothers_plan(service: Service, world: World) -> str | None:
    """S14 too: two who spent the same epochs. DNS holds a later plan than the one that we published; ours have ended.

    A person may go on over it.
    """
    published, highest = world.state.published, highest_epoch(service, world.hosts.values())
    if published is None or highest is None or highest.number <= published.epoch:
        return None
    return (
        f"DNS holds epoch {highest.number} (site {highest.site}), this state published epoch {published.epoch}: "
        "another controller was here (`failover cutover SITE --force` goes on over it)"
    )


def _react(service: Service, world: World, active: str, verdict: Verdict) -> Decision:
    reaction = reaction_to(service.policy, verdict)
    left = confirm_left_s(reaction, verdict, world)
    if left > 0 and reaction.action is not Action.HOLD:
        wait = f"confirming for {left:.1f} s more before the reaction `{reaction.action}`"
        return Decision(kind=DecisionKind.HOLD, reasons=(_says(active, verdict), wait), verdict=verdict.kind)
    if verdict.kind is VerdictKind.ACCOUNT_CLOSED and _failing(world, active, verdict):
        wait = "its newest rounds are bad: no question while that is being decided"
        return Decision(kind=DecisionKind.HOLD, reasons=(_says(active, verdict), wait), verdict=verdict.kind)
    return confirmed(service, world, active, verdict)


def _failing(world: World, active: str, verdict: Verdict) -> bool:
    """Whether a site that still counts as UP has begun to fail."""
    healths = world.state.health.get(active, {})
    return verdict.data_plane is HealthState.UP and any(h.fails for h in healths.values())


def confirmed(service: Service, world: World, active: str, verdict: Verdict) -> Decision:
    """The decision on the active site's verdict once the confirm window has passed."""
    decision = _confirmed(service, world, active, verdict)
    muted = quiet(service, world.now, active)
    closed = verdict.kind is VerdictKind.ACCOUNT_CLOSED and verdict.explicit
    if muted is None or closed or decision.kind not in (DecisionKind.PAGE, DecisionKind.ASK):
        return decision
    reasons = decision.reasons if muted in decision.reasons else (*decision.reasons, muted)
    return replace(decision, kind=DecisionKind.HOLD, target=None, reasons=reasons)


def _confirmed(service: Service, world: World, active: str, verdict: Verdict) -> Decision:
    action, says = reaction_to(service.policy, verdict).action, _says(active, verdict)
    if action is Action.HOLD:
        return Decision(kind=DecisionKind.HOLD, reasons=(says,), verdict=verdict.kind)
    if action is Action.PAGE:
        return Decision(kind=DecisionKind.PAGE, reasons=(says,), verdict=verdict.kind)
    return _move(service, world, active, verdict, says, ask=action is Action.ASK)


def _says(active: str, verdict: Verdict) -> str:
    return f"{active} is {verdict.kind}: {'; '.join(verdict.evidence)}"


def confirm_left_s(reaction: Reaction, verdict: Verdict, world: World) -> float:
    """Seconds of the confirm window that are still to come."""
    return reaction.confirm_s - world.now.since(verdict.since)


def _move(service: Service, world: World, active: str, verdict: Verdict, says: str, *, ask: bool) -> Decision:
    targets = candidates(service, world, active)
    if not targets:
        why = tuple(no_target_reasons(service, world, active))
        return Decision(kind=DecisionKind.PAGE, reasons=(says, "no site can take over", *why), verdict=verdict.kind)
    approved = approved_target(world, verdict, targets)
    if approved is not None:
        reasons = (says, "a person approved the cutover")
        return Decision(
            kind=DecisionKind.CUT_OVER, target=approved, reasons=reasons, verdict=verdict.kind, automatic=False
        )
    if not ask:
        forward = [t for t in targets if forward_only(service, world, verdict, t)]
        blocked = blockers(service, world, active, verdict, forward)
        if not blocked:
            return Decision(kind=DecisionKind.CUT_OVER, target=forward[0], reasons=(says,), verdict=verdict.kind)
        if not set(blocked) <= {single_vantage(service, world, verdict), unfenced(service, world)}:
            waits = world.orders.pause_at(world.now) is not None or tilted(world)
            kind = DecisionKind.HOLD if waits else DecisionKind.PAGE
            return Decision(kind=kind, reasons=(says, *blocked), verdict=verdict.kind)
        says, targets = "; ".join((says, *blocked)), forward
    question = (says, f"asking whether to cut over to {targets[0]}", *in_vain(world))
    return Decision(kind=DecisionKind.ASK, target=targets[0], reasons=question, verdict=verdict.kind)


def approved_target(world: World, verdict: Verdict, targets: list[str]) -> str | None:
    """The target of the open proposal, if a person approved it in time and it still fits."""
    proposal = world.state.proposal
    if proposal is None or proposal.id not in world.orders.approved or proposal_expired(world, proposal):
        return None
    fits = proposal.verdict == verdict.kind and proposal.source == world.state.active_site
    return proposal.target if fits and proposal.target in targets else None


def question(world: World, proposal: Proposal) -> str:
    """As it is put to a person, with what keeps a yes from doing anything."""
    asked = f"cut over to {proposal.target}? `failover approve {proposal.id}` says yes"
    return "; ".join((asked, *in_vain(world)))


def proposal_expired(world: World, proposal: Proposal) -> bool:
    return world.now.since(proposal.at) > proposal.expires_after_s


# ---------------------------------------------------------------------------------------------- targets


def candidates(service: Service, world: World, active: str) -> list[str]:
    """Sites that could take over now, in order of preference."""
    return [s.name for s in service.sites if s.name != active and not _unfit(service, world, s.name)]


def _unfit(service: Service, world: World, site: str) -> list[str]:
    watch = world.state.watch.get(site, Watch())
    if watch.readiness is None:
        return ["it was never checked"]
    reasons = list(watch.readiness.reasons)
    if not reasons and watch.verdict is not None and watch.verdict.kind in DOWN_KINDS:
        reasons.append(f"it is {watch.verdict.kind} itself")
    if watch.failed_at is not None and world.now.since(watch.failed_at) < service.policy.retry_after_s:
        reasons.append("a cutover to it failed a moment ago")
    return reasons + against_target(service, world, site)


def no_target_reasons(service: Service, world: World, active: str) -> list[str]:
    """For every other site, why it cannot take over."""
    others = [s.name for s in service.sites if s.name != active]
    if not others:
        return ["the config names no other site"]
    return [f"{name}: {'; '.join(reasons)}" for name in others if (reasons := _unfit(service, world, name))]


def forward_only(service: Service, world: World, verdict: Verdict, target: str) -> bool:
    """Whether cooldown and the daily limit allow this move.

    Within the cooldown only an explicit ACCOUNT_CLOSED moves, and only to a site that was not used since.
    """
    policy = service.policy
    recent = [m for m in world.state.moves if world.now.since(m.at) < policy.cooldown_s]
    today = [m for m in world.state.moves if m.automatic and world.now.since(m.at) < DAY_S]
    if not recent and len(today) < policy.daily_limit:
        return True
    used = {m.source for m in (*recent, *today)} | {m.target for m in (*recent, *today)}
    return verdict.kind is VerdictKind.ACCOUNT_CLOSED and verdict.explicit and target not in used


# ---------------------------------------------------------------------------------------------- guards


def blockers(service: Service, world: World, active: str, verdict: Verdict, forward: list[str]) -> list[str]:
    """Everything that stands against an automatic cutover now, as sentences; [] when nothing does."""
    found = []
    pause = world.orders.pause_at(world.now)
    if pause is not None:
        found.append(f"paused ({pause.reason}); `failover unpause` ends it")
    found += against_leaving(service, world, active, verdict)
    if tilted(world):
        found.append("the clock jumped or a check is long overdue: no new decision until the picture has settled")
    if (unread := none_readable(world)) is not None:
        found.append(unread)
    elif (weak := unfenced(service, world)) is not None:
        found.append(weak)
    if not forward:
        found.append(_cooldown_reason(service, world))
    few = too_few(service, service.site(world.state.active_site or ""), world.state.views)
    if few is not None:
        found.append(few)
    single = single_vantage(service, world, verdict)
    if single is not None:
        found.append(single)
    return found


def none_readable(world: World) -> str | None:
    """A sentence when nothing can be moved, by whomever, for want of a DNS host."""
    return None if any(h.problem is None for h in world.hosts.values()) else "no DNS host can be read"


def in_vain(world: World) -> tuple[str, ...]:
    """What is to be said with a question to which a yes would do nothing now; () when it would do something."""
    unread = none_readable(world)
    return () if unread is None else (f"{unread}: until one can, a yes does nothing",)


def tilted(world: World) -> bool:
    """S12: shortly after a clock step or a long gap."""
    until = world.state.tilt_until
    return until is not None and until.since(world.now) > 0


def _cooldown_reason(service: Service, world: World) -> str:
    policy = service.policy
    ages = [world.now.since(m.at) for m in world.state.moves]
    age = min(ages, default=policy.cooldown_s)
    if age < policy.cooldown_s:
        left = policy.cooldown_s - age
        return f"cooldown: the last cutover was {age:.0f} s ago; {left:.0f} s to go (override: `failover cutover`)"
    return f"daily limit: {policy.daily_limit} automatic cutovers within a day (override: `failover cutover`)"


def unfenced(service: Service, world: World) -> str | None:
    """Why the DNS hosts do not fence well enough for a move without a person, or None when they do."""
    grade, wanted = best_grade(world.hosts), service.policy.min_grade
    if grade <= wanted:
        return None
    return f"the best DNS host has fencing grade {grade}, policy.min_grade is {wanted}"


def single_vantage(service: Service, world: World, verdict: Verdict) -> str | None:
    """Why one vantage alone may not act here, or None when it may.

    It needs an explicit account state or code and two controls at different providers, unless the owner took the risk.
    """
    if service.single_accept or service.need > 1:
        return None
    if not verdict.explicit:
        return "a single vantage acts only on an explicit account state (or with `quorum: {single: accept}`)"
    if world.controls_ok < TWO_CONTROLS:
        return "a single vantage needs two controls at different providers that answer"
    return None
