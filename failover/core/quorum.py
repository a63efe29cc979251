"""Votes of several vantages on each site → one answer, with the sentence that says who saw what.

A vantage has a vote on a site while it is heard, its own controls answer, and it does not stand at the provider that it
would have to judge. Vantages at one provider share one vote: what cuts one off may cut off both. `need` votes for DOWN
decide, unless a vantage has not made up its mind: it is asked again a round later.

    what a vantage sees                                    its vote
    ----------------------------------------------------   --------
    all checks UP, also when its newest round was bad      UP
    a check DOWN; its controls and another site answer     DOWN
    a check DOWN; no other site answers                    none
    undecided: fewer rounds than `rise` or `fall`          between
    its controls do not answer, or it is not heard         none
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from failover.core.budget import gap_s
from failover.core.health import Health, HealthState, Vote, advance, data_plane, isolated, quorum, round_outcome
from failover.core.model import Ballot, Check, Instant, Outcome, Sample, Service, Site, Vantage
from failover.core.world import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What the vantages say of one site together; `said` is "" where nobody but this vantage is asked."""

    state: HealthState
    said: str = ""


def health_after(
    service: Service,
    before: Mapping[str, Health],
    samples: Sequence[Sample],
    at: Instant,
    *,
    fresh: bool,
) -> dict[str, Health]:
    """The health of one site, by check, as one vantage sees it after one more round."""
    after = {}
    for check in service.checks:
        outcome, reason = round_outcome([s for s in samples if s.check == check.name])
        after[check.name] = advance(
            before.get(check.name, Health()),
            outcome,
            at,
            rise=1 if fresh else check.rise,
            fall=check.fall,
            gap_s=gap_s(service),
            reason=reason,
        )
    return after


def views_after(
    service: Service, before: Mapping[str, View], ballots: Sequence[Ballot], at: Instant, *, fresh: bool
) -> dict[str, View]:
    """What is remembered of the other vantages after this round. Who left the config is forgotten."""
    heard = {ballot.vantage: ballot for ballot in ballots}
    return {
        vantage.name: _view(service, before.get(vantage.name, View()), heard[vantage.name], at, fresh=fresh)
        for vantage in service.others
        if vantage.name in heard
    }


def _view(service: Service, before: View, ballot: Ballot, at: Instant, *, fresh: bool) -> View:
    """A ballot that did not come changes nothing but is told: after a gap, streaks begin anew by themselves."""
    if ballot.problem is not None:
        return replace(before, problem=ballot.problem, votes={})
    samples = {site.name: [s for s in ballot.samples if s.site == site.name] for site in service.sites}
    health = {
        site.name: health_after(service, before.health.get(site.name, {}), samples[site.name], at, fresh=fresh)
        for site in service.sites
    }
    cut_off = isolated(ballot.controls)
    answering = {name for name, found in samples.items() if any(s.outcome is Outcome.PASS for s in found)}
    votes = {
        site.name: vote_of(health[site.name], isolated=cut_off, others_answer=others_answer(service, site, answering))
        for site in service.sites
    }
    return View(health=health, votes=votes, isolated=cut_off, at=at)


def others_answer(service: Service, site: Site, answering: Collection[str]) -> bool:
    """Whether some other site is among those that answered: then a vantage that finds this one down is not cut off.

    A lone site has nowhere to go, so its verdict can do no harm.
    """
    return len(service.sites) == 1 or any(name != site.name for name in answering)


def vote_of(health: Mapping[str, Health], *, isolated: bool, others_answer: bool) -> Vote:
    """One row of the table above."""
    state = data_plane(health.values())
    if isolated or (state is HealthState.DOWN and not others_answer):
        return Vote.NONE
    return {HealthState.UP: Vote.UP, HealthState.DOWN: Vote.DOWN, HealthState.UNKNOWN: Vote.BETWEEN}[state]


def count(service: Service, site: Site, own: Vote, views: Mapping[str, View]) -> Count:
    """The votes on one site, counted by provider."""
    votes = {service.vantage: own} | {name: view.votes.get(site.name, Vote.NONE) for name, view in views.items()}
    able = [vantage for vantage in service.vantages if vantage.provider != site.provider]
    by_provider: dict[str, list[Vote]] = {}
    for vantage in able:
        by_provider.setdefault(vantage.provider, []).append(votes.get(vantage.name, Vote.NONE))
    together = [_together(found) for found in by_provider.values()]
    states = [_STATES[vote] for vote in together if vote is not Vote.NONE]
    return Count(state=quorum(states, service.need), said=_said(service, able, votes))


_STATES = {Vote.UP: HealthState.UP, Vote.DOWN: HealthState.DOWN, Vote.BETWEEN: HealthState.UNKNOWN}


def _together(votes: Sequence[Vote]) -> Vote:
    """Of vantages at one provider: DOWN when all who have a vote say so, UP when any does."""
    cast = {vote for vote in votes if vote is not Vote.NONE}
    if len(cast) == 1:
        return cast.pop()
    return Vote.UP if Vote.UP in cast else Vote.BETWEEN if cast else Vote.NONE


def _said(service: Service, able: Sequence[Vantage], votes: Mapping[str, Vote]) -> str:
    words = {Vote.UP: "up", Vote.DOWN: "down", Vote.BETWEEN: "undecided", Vote.NONE: "no vote"}
    each = ", ".join(f"{v.name} {words[votes.get(v.name, Vote.NONE)]}" for v in able)
    return f"{service.need} vantages must agree: {each}"


def too_few(service: Service, site: Site, views: Mapping[str, View]) -> str | None:
    """Why no loss of this site could be agreed on as things are, or None: too many vantages are not heard."""
    heard = {
        vantage.provider
        for vantage in service.vantages
        if vantage.provider != site.provider and (vantage.name == service.vantage or _is_heard(views.get(vantage.name)))
    }
    if not service.vantages or len(heard) >= service.need:
        return None
    silent = ", ".join(v.name for v in service.others if not _is_heard(views.get(v.name))) or "no other"
    return f"{service.need} vantages at different providers must agree, {len(heard)} could; not heard: {silent}"


def _is_heard(view: View | None) -> bool:
    return view is not None and view.problem is None and not view.isolated


# ---------------------------------------------------------------------------------------------- one fresh round


def still_fails(service: Service, site: Site, own: Sequence[Sample], ballots: Sequence[Ballot]) -> tuple[bool, str]:
    """Whether one fresh round speaks against the site, and the sentence that says so (or why not).

    Alone: some check failed. With a quorum: at so many providers as it needs.
    """
    checks = service.checks
    if not service.vantages:
        return _alone(site, checks, own)
    seen = {service.vantage: list(own)}
    seen |= {b.vantage: [s for s in b.samples if s.site == site.name] for b in ballots if not isolated(b.controls)}
    against = {
        v.name: v.provider
        for v in service.vantages
        if v.provider != site.provider and _bad(checks, seen.get(v.name, ()))
    }
    enough = len(set(against.values())) >= service.need
    names = ", ".join(against) or "no vantage"
    return enough, f"in a fresh round {names} found {site.name} down; {service.need} must"


def _alone(site: Site, checks: Sequence[Check], samples: Sequence[Sample]) -> tuple[bool, str]:
    asked = [c for c in checks if any(s.check == c.name for s in samples)]
    outcomes = [round_outcome([s for s in samples if s.check == check.name])[0] for check in asked]
    if not asked or Outcome.FAIL in outcomes:
        return True, f"{site.name} still does not answer"
    if all(outcome is Outcome.PASS for outcome in outcomes):
        return False, f"{site.name} answers again"
    why = "; ".join(sorted({s.detail for s in samples if s.outcome is Outcome.UNKNOWN}))
    return False, f"whether {site.name} answers could not be found out: {why}"


def _bad(checks: Sequence[Check], samples: Sequence[Sample]) -> bool:
    return any(round_outcome([s for s in samples if s.check == c.name])[0] is Outcome.FAIL for c in checks)
