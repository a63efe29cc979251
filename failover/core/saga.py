"""The journal of a plan and what it means: events are folded into a status, a status into the next move.

Every step is shaped *ensure*: it looks at reality first, then acts. So a step that started without an outcome (a crash,
a call that hung) is simply run again. Before the pivot's start a failure unwinds; from the pivot's start only forward.

    started ─→ ok                                  next step
            ├→ waiting                             the same step again, at a later tick
            ├→ unknown                             the same step again
            └→ failed ── before the pivot ──→ undo the finished steps, last first ──→ unwound
                      └─ from the pivot on ─→ the same step again, for ever (a person may force or supersede)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from failover.core.model import Instant

Value = str | int | float | bool | None | list["Value"] | dict[str, "Value"]
"""What a step may put out: plain JSON."""


class EventKind(StrEnum):
    STARTED = "started"
    OK = "ok"
    WAITING = "waiting"
    FAILED = "failed"
    UNKNOWN = "unknown"
    UNDO_STARTED = "undo-started"
    UNDO_OK = "undo-ok"
    UNDO_FAILED = "undo-failed"
    CLOSED = "closed"
    """The plan has ended; `output["result"]` says how."""
    NOTE = "note"
    """Not a step of a plan: an entry of the audit log (a node created, a pause set, a page sent)."""


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
