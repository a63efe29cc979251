"""How a service stands, in one word for monitoring systems, with the sentences that the word rests on."""

from dataclasses import dataclass
from enum import IntEnum

from failover.core.blind import blindness
from failover.core.decide import DecisionKind
from failover.core.health import HealthState
from failover.core.holds import quiet, shown
from failover.core.model import Service
from failover.core.notice import Urgency
from failover.core.outlook import next_action, safe, stale_s
from failover.core.verdict import VerdictKind
from failover.core.world import World


class Level(IntEnum):
    """The numbers are the exit codes of the monitoring plug-ins' guidelines (Nagios, Icinga, Naemon)."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


_WORST_FIRST = (Level.CRITICAL, Level.UNKNOWN, Level.WARNING, Level.OK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    level: Level
    reasons: tuple[str, ...]
    """The worst first; never empty."""


def alarm(service: Service, world: World) -> Alarm:
    """CRITICAL: the service is down, nobody looks, nothing may be decided, or no DNS host could be read for so long
    that it is paged (`core.blind`). UNKNOWN: it cannot be told.

    WARNING: it serves, but the loss of its site would not be survived without a person, or somebody is asked for. That
    is told from the first round on: monitoring counts for itself how often it wants to see it. While maintenance is
    announced, what is CRITICAL of the service is a WARNING too.
    """
    found = [*_stuck(service, world), *_told(service, world), *_standing(service, world)]
    if not found:
        found = [(Level.OK, f"active at {world.state.active_site}, safe: {next_action(service, world)}")]
    found.sort(key=lambda each: _WORST_FIRST.index(each[0]))
    return Alarm(level=found[0][0], reasons=tuple(sentence for _, sentence in found))


def _told(service: Service, world: World) -> list[tuple[Level, str]]:
    """What the last check found."""
    state = world.state
    if state.last_tick is None:
        return [(Level.UNKNOWN, "no check has run yet")]
    stale = stale_s(service, world)
    if stale is not None:
        return [(Level.CRITICAL, f"the last check was {stale:.0f} s ago: nobody looks")]
    if state.decision == DecisionKind.REFUSE:
        return [(Level.CRITICAL, f"only observes: {'; '.join(state.reasons)}")]
    if state.active_site is None:
        return [(Level.WARNING, "nothing is published yet")]
    if state.isolated:
        return [(Level.UNKNOWN, "this vantage does not reach its own controls")]
    return _verdict(service, world, state.active_site)


def _verdict(service: Service, world: World, active: str) -> list[tuple[Level, str]]:
    watch = world.state.watch.get(active)
    verdict = watch.verdict if watch is not None else None
    if verdict is None or verdict.kind is VerdictKind.UNKNOWN:
        return [(Level.UNKNOWN, f"whether {active} serves is undecided")]
    says = f"{active} is {verdict.kind}: {'; '.join(verdict.evidence)}"
    if verdict.data_plane is HealthState.DOWN:
        return [(Level.WARNING if quiet(service, world.now, active) else Level.CRITICAL, says)]
    if verdict.kind is not VerdictKind.UP:
        return [(Level.WARNING, says)]
    return [] if safe(service, world) else [(Level.WARNING, f"NOT SAFE: {next_action(service, world)}")]


def _standing(service: Service, world: World) -> list[tuple[Level, str]]:
    """What stays so until somebody does something."""
    state = world.state
    found = [f"{word.lower()}: {sentence}" for word, sentence in shown(service, world)]
    owing = {debt.host for debt in state.debts}
    unread = {name: host.problem for name, host in state.hosts.items() if host.problem and name not in owing}
    found += [f"{name} cannot be read: {problem}" for name, problem in unread.items()]
    found += [f"{debt.host} does not hold epoch {debt.epoch}: {debt.reason}" for debt in state.debts]
    if state.proposal is not None:
        found.append(f"asks whether to cut over to {state.proposal.target}: failover approve {state.proposal.id}")
    return [(Level.WARNING, sentence) for sentence in found]


def _stuck(service: Service, world: World) -> list[tuple[Level, str]]:
    """That nothing could be moved, for so long that it is paged; maintenance mutes it here as there."""
    blind = blindness(world.state)
    if blind is None or blind.severity is not Urgency.CRITICAL:
        return []
    muted = quiet(service, world.now, world.state.active_site or "") is not None
    return [] if muted else [(Level.CRITICAL, blind.title)]
