"""Samples → Health."""

from dataclasses import dataclass
from enum import StrEnum

from failover.core.model import Instant


class HealthState(StrEnum):
    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How a site stands in one check. `since` is when `state` began; `last` when evidence last came in."""

    state: HealthState = HealthState.UNKNOWN
    since: Instant | None = None
    passes: int = 0
    fails: int = 0
    last: Instant | None = None
    reason: str = ""
