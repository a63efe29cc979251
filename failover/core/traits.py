"""What a DNS host can promise, whatever is asked of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class HostTraits:
    """What a DNS host can promise (grades: see `docs/dns.md`)."""

    grade: int
    servers: tuple[str, ...]
    """Its authoritative name servers, each `address:port` or `name:port`."""
    servers_by_zone: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Where they differ from zone to zone: those of these zones, by normal name. All of them stand in `servers` too."""
    atomic_changes: int | None = None
    """How many values one transaction takes, the epoch's among them; None: no limit of its own."""
    atomic_characters: int | None = None
    """How long these values may be together; None: no limit of its own."""
    ttl_s_min: int = 1
    ttl_s_max: int = 86400
    message_bytes: int | None = None
    """How long one transaction may be on the wire (RFC 2136); None: no limit of its own."""
    types: frozenset[str] = frozenset({"A", "AAAA", "CNAME", "TXT"})
    """Record types that it can hold for us."""
    converges_s: float = 0.0
    """How long after a change was accepted an older one, already on its way, may still overwrite it, and how long its
    servers may take to answer alike. 0 for grade 1."""

    def servers_of(self, zone: str) -> tuple[str, ...]:
        """The servers that answer for one zone (its normal name)."""
        return self.servers_by_zone.get(zone, self.servers)
