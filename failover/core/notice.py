"""What persons and programs of the user are told, and when."""

from dataclasses import dataclass
from enum import StrEnum

from failover.core.model import Instant


class Urgency(StrEnum):
    """How soon somebody should look. The words are promises to the programs that get them."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that a person or a program should know."""

    service: str
    event: str
    severity: Urgency
    title: str
    reasons: tuple[str, ...]
    at: Instant
    epoch: int = 0
    active_site: str | None = None
    plan: str | None = None


class Moment(StrEnum):
    """When a hook runs. The words are promises to the programs that get them."""

    BEFORE = "before"
    AFTER = "after"
    ABORT = "abort"
    """The plan unwinds, and before-hooks had run."""
