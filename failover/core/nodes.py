"""Machines at a provider: as wanted, as listed, and what can be had there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class NodeState(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A machine that a provider lists. `release` is what is really on it (None: the provider cannot tell)."""

    id: str
    name: str
    site: str
    group: str
    ordinal: int
    spec: str
    state: NodeState
    addresses: tuple[str, ...] = ()
    release: str | None = None
    created_at_s: float = 0.0
    """UTC; of duplicates the oldest is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One node as it should be. The same wish has the same `name` and `spec`, so creating is ensuring."""

    name: str
    service: str
    site: str
    group: str
    ordinal: int
    spec: str
    cpus: int
    memory_mib: int
    disk_gib: int
    image: str
    ports: tuple[int, ...]
    release: str
    command: str
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    size: str = ""
    """The provider's own name of the size that was chosen for the node."""
    ssh_keys: tuple[str, ...] = ()
    user_data: str = field(default="", repr=False)
    """For cloud-init; rendered just before the node is created, because links in it expire."""

    @property
    def labels(self) -> dict[str, str]:
        """What marks the node as ours. Only what carries all of these is ever changed or deleted."""
        return {
            "failover-service": self.service,
            "failover-site": self.site,
            "failover-group": self.group,
            "failover-ordinal": str(self.ordinal),
            "failover-spec": self.spec,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What was asked for under one spec digest. What may be private, or is long, only by a digest: nothing to show.

    `environment` stands for variables and secrets together (`Release.environment_digest`); `boot` for the user-data.
    """

    spec: str
    image: str
    cpus: int
    memory_mib: int
    disk_gib: int
    ports: tuple[int, ...]
    boot: str
    ssh_keys: str
    release: str
    command: str
    environment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What one node may be at a provider. `price_per_hour`: in the provider's currency; None: not in its API."""

    name: str
    cpus: int
    memory_mib: int
    disk_gib: int
    price_per_hour: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """How many nodes the account may have, and has. None: the provider does not say."""

    nodes_max: int | None
    nodes_used: int
