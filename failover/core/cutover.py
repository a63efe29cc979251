"""Decision → CutoverPlan."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from failover.core.model import Instant
from failover.core.rrsets import RRset


class PlanKind(StrEnum):
    PUBLISH = "publish"
    REFRESH = "refresh"
    CUTOVER = "cutover"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True, kw_only=True)
class CutoverPlan:
    """A change of DNS, frozen: nothing is left to choose while it is carried out.

    `rrsets` is the whole wanted set of the service's records; for a warm or cold target it is empty here and bound to
    the output of the step `scale`. `before` is what the records held when the plan was made.
    """

    id: str
    kind: PlanKind
    service: str
    at: Instant
    parent_epoch: int
    epoch: int
    source: str | None
    target: str
    steps: tuple[str, ...]
    pivot: str
    rrsets: tuple[RRset, ...] = ()
    before: tuple[RRset, ...] = ()
    zones: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    automatic: bool = False
    forced: bool = False
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By group: where the target serves."""
    digest: str = ""
