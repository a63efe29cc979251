"""The values that everything speaks in: the service as wanted, and the world as seen.

The one door to them, also to those that stand in modules of their own (checks and samples, nodes, policy, signals).
All are frozen. Units stand last in a name. The state codec reads these annotations at run time, so they are plain.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from failover.core.instant import Instant as Instant
from failover.core.nodes import Node as Node
from failover.core.nodes import NodeSpec as NodeSpec
from failover.core.nodes import NodeState as NodeState
from failover.core.nodes import Quota as Quota
from failover.core.nodes import Size as Size
from failover.core.policy import Action as Action
from failover.core.policy import Policy as Policy
from failover.core.policy import Reaction as Reaction
from failover.core.probing import Ballot as Ballot
from failover.core.probing import Check as Check
from failover.core.probing import CheckKind as CheckKind
from failover.core.probing import Control as Control
from failover.core.probing import ControlKind as ControlKind
from failover.core.probing import ControlSample as ControlSample
from failover.core.probing import Edge as Edge
from failover.core.probing import Failure as Failure
from failover.core.probing import Outcome as Outcome
from failover.core.probing import Question as Question
from failover.core.probing import Sample as Sample
from failover.core.probing import Target as Target
from failover.core.rrsets import RRset
from failover.core.signals import Reading as Reading
from failover.core.signals import ServiceReading
from failover.core.traits import HostTraits as HostTraits
from failover.core.windows import Window

# ---------------------------------------------------------------------------------------------- as wanted


class Standby(StrEnum):
    """How ready a site is kept: full count serving, a few serving, or only checked."""

    HOT = "hot"
    WARM = "warm"
    COLD = "cold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One place where the service can run. Somebody else provisions it where `addresses` (by group) or `targets` are
    given.

    `targets`: by record name the host name of a load balancer; there the record is a CNAME.
    """

    name: str
    provider: str | None
    standby: Standby = Standby.HOT
    region: str | None = None
    addresses: Mapping[str, tuple[str, ...]] | None = None
    targets: Mapping[str, str] | None = None

    @property
    def given(self) -> bool:
        return self.addresses is not None or self.targets is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup:
    """Nodes of one kind: how many, and what each needs."""

    name: str
    count: int
    warm_count: int = 1
    cpus: int = 1
    memory_mib: int = 512
    disk_gib: int = 1
    image: str = "debian-12"
    ports: tuple[int, ...] = ()
    ssh_keys: tuple[str, ...] = ()
    """Public keys, as they stand in `authorized_keys`."""
    boot_digest: str = ""
    """Of the user-data template: a changed one replaces the nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What runs on the nodes. `digest` is over names, contents and executable bits of all files (`sha256:…`)."""

    digest: str
    command: str
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Values may be secret: never rendered, never stored."""
    environment_digest: str = ""
    """Stands for the environment in names and labels, which anybody may read: another one for any other value, and so
    slow to compute that guesses of a weak secret cannot be compared with it in numbers. Empty without an environment.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One DNS name that follows the active site: the addresses of a node group there."""

    name: str
    zone: str
    type: str
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Vantage:
    """A place that watches, and at whose provider it stands."""

    name: str
    provider: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The deployment as the config wants it. Sites stand in order of preference."""

    name: str
    sites: tuple[Site, ...]
    groups: tuple[NodeGroup, ...]
    release: Release | None
    records: tuple[Record, ...]
    zones: tuple[str, ...]
    ttl_s: int
    """Of the records after a cutover, and while one is being prepared."""
    hosts: tuple[str, ...]
    """Names of the DNS hosts, in the order of the config."""
    checks: tuple[Check, ...]
    controls: tuple[Control, ...]
    policy: Policy
    single_accept: bool = False
    """The owner takes the risk of automatic action from one vantage."""
    every_s: float = 60.0
    """How often a check is started (cron's grain), or the interval of `watch`."""
    rounds: int = 1
    """How many rounds one check makes, evenly spread over `every_s`: cron itself cannot do more than one a minute."""
    call_s: float = 5.0
    """Deadline of one call to a provider or a DNS host within a check."""
    runner_provider: str | None = None
    ttl_steady_s: int = 0
    """Of the records in quiet times; 0: the same as `ttl_s`."""
    resolvers: tuple[str, ...] = ()
    """Caching resolvers (`address:port`) that are asked whether the world sees a change."""
    host_deadline_s: float = 30.0
    """A DNS host that has not taken a change after so long becomes a debt."""
    node_deadline_s: float = 120.0
    """How long a new node may take until it serves."""
    maintenance: tuple[Window, ...] = ()
    vantages: tuple[Vantage, ...] = ()
    """All that vote, this one too; (): this one alone judges."""
    vantage: str = ""
    """Which of them this one is."""
    need: int = 1
    """So many vantages at different providers must find a site down."""
    host_grades: Mapping[str, int] = field(default_factory=dict)
    """By DNS host the fencing grade that its kind has, where that is known without asking it."""
    edges: Mapping[str, Edge] = field(default_factory=dict)
    """By DNS host, where names of ours stand behind its own servers."""

    @property
    def round_s(self) -> float:
        """Seconds from round to round."""
        return self.every_s / self.rounds

    @property
    def others(self) -> tuple[Vantage, ...]:
        """The vantages that this one asks."""
        return tuple(v for v in self.vantages if v.name != self.vantage)

    def site(self, name: str) -> Site:
        """The site of that name. Raises KeyError."""
        for site in self.sites:
            if site.name == name:
                return site
        raise KeyError(name)

    def group(self, name: str) -> NodeGroup:
        """The group of that name. Raises KeyError."""
        for group in self.groups:
            if group.name == name:
                return group
        raise KeyError(name)


# ---------------------------------------------------------------------------------------------- as seen


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReport:
    """One reading with what it rests on. `code` and `message` are the provider's own, redacted."""

    reading: Reading
    code: str = ""
    message: str = ""
    signals: tuple[ServiceReading, ...] = ()
    """What each service said, where several were asked: evidence over time (`failover.core.evidence`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostReading:
    """What one DNS host holds of our names. `problem` is set when it could not be read: then `rrsets` says nothing."""

    host: str
    rrsets: tuple[RRset, ...] = ()
    grade: int = 3
    """Of a whole change of this service there: worse than the host's own where it does not fit into one transaction."""
    by_kind: bool = False
    """It never said what it can do: the grade is the one that its kind has."""
    problem: str | None = None
    unreachable: bool = False
    """The problem is that nobody answers there. A refusal, or an answer that makes no sense, is an answer."""
    traits: HostTraits | None = None
    """None: not known."""
    remark: str = ""
    """Why the grade is worse than the host's own."""
