"""Where the targets of given sites are now: their names, looked up at their own authoritative servers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from failover.core.cutover import groups_of_targets
from failover.core.model import Failure, Instant, Outcome, Sample, Site
from failover.core.world import State
from failover.engine.context import Context
from failover.engine.outcome import MARGIN_S, problem_of
from failover.ports import Call, Done


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedUp:
    """What became of the names."""

    resolved: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    """By site, by group: addresses; of a name that could not be looked up now, those that it had last."""
    samples: tuple[Sample, ...] = ()
    """For names without any address to probe: one for each check, FAIL where their servers say that there is none."""


def look_up(context: Context, state: State, sites: Iterable[Site]) -> LookedUp:
    """Look up every target of these sites at the same time. Never raises for an answer."""
    asked = [(site, group, name) for site in sites for group, name in groups_of_targets(context.service, site)]
    if not asked:
        return LookedUp()
    names = sorted({name for _, _, name in asked})
    deadline_s = context.service.call_s
    calls = [
        Call(what=f"look up {n}", do=partial(_addresses, context, n), deadline_s=deadline_s + MARGIN_S, looks=True)
        for n in names
    ]
    answers = dict(zip(names, context.runtime.together(calls), strict=True))
    now = context.runtime.now()
    resolved: dict[str, dict[str, tuple[str, ...]]] = {}
    samples: list[Sample] = []
    for site, group, name in asked:
        last = state.resolved.get(site.name, {}).get(group, ())
        found, problem = _found(answers[name], last)
        here = resolved.setdefault(site.name, {})
        here[group] = tuple(dict.fromkeys((*here.get(group, ()), *found)))
        if not found:
            samples += _unanswered(context, site, group, name, problem, now)
    return LookedUp(resolved=resolved, samples=tuple(samples))


def _addresses(context: Context, name: str) -> tuple[str, ...]:
    if context.resolver is None:
        raise LookupError(f"nobody can look up {name} here")
    return context.resolver.addresses(name)


def _found(done: Done, last: tuple[str, ...]) -> tuple[tuple[str, ...], str | None]:
    """Addresses, and why there is none: None when the name's own servers say so. Unreadable is never empty."""
    if isinstance(done.value, tuple):
        return done.value, None
    return last, problem_of(done) or "no answer"


def _unanswered(context: Context, site: Site, group: str, name: str, problem: str | None, now: Instant) -> list[Sample]:
    known = problem is None
    return [
        Sample(
            site=site.name,
            check=check.name,
            address=name,
            at=now,
            outcome=Outcome.FAIL if known else Outcome.UNKNOWN,
            failure=Failure.NAME if known else Failure.LOCAL,
            detail=f"its name servers give {name} no address" if known else f"{name} could not be looked up: {problem}",
            vantage=context.vantage,
        )
        for check in context.service.checks
        if check.group == group
    ]
