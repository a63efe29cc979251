"""Evidence → Verdict."""

from dataclasses import dataclass
from enum import StrEnum

from failover.core.model import Instant


class VerdictKind(StrEnum):
    UP = "UP"
    APP_DOWN = "APP_DOWN"
    RESOURCES_GONE = "RESOURCES_GONE"
    PROVIDER_DOWN = "PROVIDER_DOWN"
    ACCOUNT_WARNED = "ACCOUNT_WARNED"
    ACCOUNT_CLOSED = "ACCOUNT_CLOSED"
    ACCESS_REFUSED = "ACCESS_REFUSED"
    DOWN_UNEXPLAINED = "DOWN_UNEXPLAINED"
    OBSERVER_ISOLATED = "OBSERVER_ISOLATED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is true of a site, since when, and the sentences it rests on."""

    kind: VerdictKind
    since: Instant
    evidence: tuple[str, ...] = ()
    explicit: bool = False
    """The provider itself said so (an account state or code)."""
