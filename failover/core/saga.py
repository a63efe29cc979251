"""The journal of a plan and what it means: events are folded into a status, a status into the next move.

Every step is shaped *ensure*: it looks at reality first, then acts. So a step that started without an outcome (a crash,
a call that hung) is simply run again. Before the pivot's start a failure unwinds; from the pivot's start only forward.

    started ─→ ok                                  the next step
            ├→ waiting                             the same step again, at a later tick
            ├→ unknown                             the same step again
            └→ failed ── before the pivot ──→ undo the undoable steps, last first ──→ unwound
                      └─ from the pivot on ─→ the same step again, until a person or a later plan supersedes it
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from failover.core.cutover import PIVOT, UNDOABLE, CutoverPlan, Step
from failover.core.model import Instant

Value = str | int | float | bool | None | list["Value"] | dict[str, "Value"]
"""What a step may put out: plain JSON."""


class EventKind(StrEnum):
    STARTED = "started"
    OK = "ok"
    WAITING = "waiting"
    FAILED = "failed"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    """The last look before the pivot said no: the plan unwinds, and the pivot was never started."""
    UNDO_STARTED = "undo-started"
    UNDO_OK = "undo-ok"
    UNDO_FAILED = "undo-failed"
    CLOSED = "closed"
    """The plan has ended; `reason` is its `Result`."""
    NOTE = "note"
    """Not a step of a plan: an entry of the audit log (a node created, a pause set, a page sent)."""


class Result(StrEnum):
    """How a plan stands: as its CLOSED event says, or WAITING while it has none."""

    COMMITTED = "committed"
    UNWOUND = "unwound"
    OVERTAKEN = "overtaken"
    """A host holds a newer epoch."""
    WAITING = "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the journal. `plan` is empty for a note. `sequence` is given by the store."""

    plan: str
    step: str
    kind: EventKind
    at: Instant
    reason: str = ""
    output: Mapping[str, Value] = field(default_factory=dict)
    sequence: int = 0


class IllegalJournal(ValueError):
    """Events that no run of this program writes: the journal is damaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What the journal of one plan says."""

    outputs: Mapping[Step, Mapping[str, Value]] = field(default_factory=dict)
    """By finished step."""
    begun: tuple[Step, ...] = ()
    """Every step that was ever started, in order."""
    undone: tuple[Step, ...] = ()
    last: EventKind | None = None
    step: Step | None = None
    """The one that the last event speaks of."""
    reason: str = ""
    unwinding: bool = False
    closed: bool = False
    step_started: Instant | None = None
    """When the current step was started for the first time."""

    @property
    def pivoted(self) -> bool:
        return PIVOT in self.begun


_UNDO = (EventKind.UNDO_STARTED, EventKind.UNDO_OK, EventKind.UNDO_FAILED)


def fold(plan: CutoverPlan, events: Sequence[Event]) -> Status:
    """The status that the events lead to. Raises IllegalJournal for a transition that cannot be."""
    status = Status()
    for event in events:
        status = _after(plan, status, event)
    return status


def _after(plan: CutoverPlan, status: Status, event: Event) -> Status:
    if event.plan != plan.id or status.closed:
        raise IllegalJournal(f"event {event.sequence} does not belong to the open plan {plan.id}")
    if event.kind is EventKind.CLOSED:
        return replace(status, closed=True, last=event.kind, reason=event.reason)
    if event.kind is EventKind.NOTE:
        return status
    step = _step(plan, event)
    if event.kind is EventKind.STARTED:
        return _started(plan, status, step, event)
    if event.kind in _UNDO:
        return _undo(status, step, event)
    if event.kind is EventKind.REFUSED:
        return _refused(plan, status, step, event)
    if status.step is not step or status.last is not EventKind.STARTED:
        raise IllegalJournal(f"event {event.sequence}: {event.kind} of {step} without its start")
    if event.kind is EventKind.OK:
        status = replace(status, outputs={**status.outputs, step: event.output})
    unwinding = event.kind is EventKind.FAILED and not status.pivoted
    return replace(status, last=event.kind, reason=event.reason, unwinding=unwinding)


def _step(plan: CutoverPlan, event: Event) -> Step:
    for step in plan.steps:
        if step == event.step:
            return step
    raise IllegalJournal(f"event {event.sequence}: plan {plan.id} has no step {event.step!r}")


def _started(plan: CutoverPlan, status: Status, step: Step, event: Event) -> Status:
    expected = _next_step(plan, status)
    if step is not expected or status.unwinding:
        raise IllegalJournal(f"event {event.sequence}: {step} was started where {expected} was due")
    first = step not in status.begun
    return replace(
        status,
        step=step,
        last=event.kind,
        reason=event.reason,
        begun=(*status.begun, step) if first else status.begun,
        step_started=event.at if first else status.step_started,
    )


def _refused(plan: CutoverPlan, status: Status, step: Step, event: Event) -> Status:
    due = step is PIVOT and step is _next_step(plan, status)
    if not due or status.pivoted or status.unwinding:
        raise IllegalJournal(f"event {event.sequence}: {step} cannot be refused here")
    return replace(status, step=step, last=event.kind, reason=event.reason, unwinding=True)


def _undo(status: Status, step: Step, event: Event) -> Status:
    if step not in status.begun or step not in UNDOABLE or step in status.undone or status.pivoted:
        raise IllegalJournal(f"event {event.sequence}: {step} cannot be undone here")
    under_way = status.step is step and status.last is EventKind.UNDO_STARTED
    if event.kind is not EventKind.UNDO_STARTED and not under_way:
        raise IllegalJournal(f"event {event.sequence}: {event.kind} of {step} without its start")
    undone = (*status.undone, step) if event.kind is EventKind.UNDO_OK else status.undone
    return replace(status, step=step, last=event.kind, reason=event.reason, undone=undone, unwinding=True)


def _next_step(plan: CutoverPlan, status: Status) -> Step | None:
    return next((s for s in plan.steps if s not in status.outputs), None)


# ---------------------------------------------------------------------------------------------- the next move


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Run this step (again)."""

    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """Undo this step (again)."""

    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """Nothing is left to undo: the plan ends unwound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """The plan has ended."""


NextMove = Run | Undo | Close | Over


def next_move(plan: CutoverPlan, status: Status, *, aborted: bool = False) -> NextMove:
    """What to do next. An abort counts only before the pivot's start.

    The last step, COMMIT, ends the plan in its own transaction, so there is no move between them.
    """
    if status.closed:
        return Over()
    if not status.pivoted and (status.unwinding or aborted):
        for step in reversed(status.begun):
            if step in UNDOABLE and step not in status.undone:
                return Undo(step=step)
        return Close()
    due = _next_step(plan, status)
    if due is None:
        raise IllegalJournal(f"plan {plan.id} did all of its steps, but was never closed")
    return Run(step=due)
