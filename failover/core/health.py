"""Samples → Health, per site and check; votes of several vantages → one answer.

`UNKNOWN` is its own state: a probe that could not run is no evidence of failure, a new check starts UNKNOWN, and a gap
in the evidence breaks a streak into UNKNOWN.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from failover.core.model import ControlSample, Failure, Instant, Outcome, Sample

GAP_CADENCES = 3.5
"""A gap longer than so many cadences breaks a streak."""


class HealthState(StrEnum):
    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"


class Vote(StrEnum):
    """What one vantage has to say of a site where several vote (the table in `core.quorum`)."""

    UP = "up"
    DOWN = "down"
    BETWEEN = "between"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How a site stands in one check. `since` is when `state` began; `last` when evidence last came in."""

    state: HealthState = HealthState.UNKNOWN
    since: Instant | None = None
    passes: int = 0
    fails: int = 0
    last: Instant | None = None
    reason: str = ""
    forced: HealthState | None = None
    """What a person says instead. Streaks go on underneath, so that clearing it shows what is true at once."""

    @property
    def counts_as(self) -> HealthState:
        return self.state if self.forced is None else self.forced


def serving_needed(count: int) -> int:
    """How many of so many addresses must pass: half, rounded up, and at least one."""
    return max(1, (count + 1) // 2)


def reachable(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """Without the addresses of an IP version that this machine has no way to, when it has one to the other version.

    They say nothing about the sites, and would leave every node with both kinds of addresses half unknown for good.
    """
    blind = {6, 4} - {_version(s) for s in samples if s.failure is not Failure.LOCAL}
    return tuple(s for s in samples if _version(s) not in blind) or tuple(samples)


def _version(sample: Sample) -> int:
    return 6 if ":" in sample.address else 4


def round_outcome(samples: Sequence[Sample]) -> tuple[Outcome, str]:
    """One round of one check over all addresses of a site, as one outcome and a sentence about the failures.

    PASS when enough addresses passed; FAIL when so many failed that the rest could not make up for it; else UNKNOWN.
    """
    if not samples:
        return Outcome.UNKNOWN, "nothing to ask"
    needed = serving_needed(len(samples))
    passed = sum(s.outcome is Outcome.PASS for s in samples)
    failed = sum(s.outcome is Outcome.FAIL for s in samples)
    bad = "; ".join(s.detail or s.outcome.value for s in samples if s.outcome is not Outcome.PASS or s.warning)
    if passed >= needed:
        return Outcome.PASS, bad
    if len(samples) - failed < needed:
        return Outcome.FAIL, bad
    return Outcome.UNKNOWN, bad


def advance(
    health: Health, outcome: Outcome, at: Instant, *, rise: int, fall: int, gap_s: float, reason: str = ""
) -> Health:
    """The health after one more round.

    `rise` passes in a row make UP, `fall` fails make DOWN. UNKNOWN neither extends nor breaks a streak; a gap of more
    than `gap_s` without evidence does.
    """
    if health.last is not None and at.since(health.last) > gap_s:
        health = Health(state=HealthState.UNKNOWN, since=at, reason="no evidence for too long")
    if outcome is Outcome.UNKNOWN:
        return replace(health, since=health.since or at, reason=reason or health.reason)
    passes = health.passes + 1 if outcome is Outcome.PASS else 0
    fails = health.fails + 1 if outcome is Outcome.FAIL else 0
    state = health.state
    if passes >= rise:
        state = HealthState.UP
    elif fails >= fall:
        state = HealthState.DOWN
    changed = state is not health.state
    return Health(
        state=state,
        since=at if changed or health.since is None else health.since,
        passes=passes,
        fails=fails,
        last=at,
        reason=reason,
    )


def isolated(controls: Sequence[ControlSample]) -> bool:
    """Whether a vantage seems to be cut off itself: not even a majority of its controls answers."""
    return bool(controls) and 2 * sum(c.ok for c in controls) <= len(controls)


def data_plane(healths: Iterable[Health]) -> HealthState:
    """All checks of a site as one: any DOWN is DOWN, all UP is UP, anything else UNKNOWN."""
    states = [h.counts_as for h in healths]
    if HealthState.DOWN in states:
        return HealthState.DOWN
    if states and all(s is HealthState.UP for s in states):
        return HealthState.UP
    return HealthState.UNKNOWN


def vote(state: HealthState, *, controls_ok: bool, others_answer: bool) -> HealthState:
    """What a vantage may say aloud: DOWN only if its controls and some other site answered in the same round."""
    if state is HealthState.DOWN and not (controls_ok and others_answer):
        return HealthState.UNKNOWN
    return state


def quorum(votes: Sequence[HealthState], need: int) -> HealthState:
    """DOWN when at least `need` say so and nobody is in between (Rapid's rule); UP when too many reach it for that."""
    if votes.count(HealthState.DOWN) >= need and HealthState.UNKNOWN not in votes:
        return HealthState.DOWN
    if votes.count(HealthState.UP) > max(0, len(votes) - need):
        return HealthState.UP
    return HealthState.UNKNOWN
