"""The values that everything speaks in: the service as wanted, and the world as seen.

All are frozen. Units stand last in a name. The state codec reads these annotations at run time, so they are plain.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from failover.core.policy import Action as Action
from failover.core.policy import Policy as Policy
from failover.core.policy import Reaction as Reaction
from failover.core.rrsets import RRset
from failover.core.signals import Reading as Reading
from failover.core.signals import ServiceReading
from failover.core.traits import HostTraits as HostTraits
from failover.core.windows import Window

# ---------------------------------------------------------------------------------------------- time


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant:
    """A moment that survives reboots and clock steps.

    Within one boot the monotonic clock (CLOCK_BOOTTIME) decides; across boots or machines UTC does.
    """

    boot_id: str
    boottime_s: float
    utc_s: float

    def since(self, earlier: "Instant") -> float:
        """Seconds from `earlier` to here, never negative: doubt lengthens waits."""
        if self.boot_id == earlier.boot_id:
            return max(0.0, self.boottime_s - earlier.boottime_s)
        return max(0.0, self.utc_s - earlier.utc_s)

    def plus(self, seconds: float) -> "Instant":
        """The instant that many seconds later."""
        return Instant(boot_id=self.boot_id, boottime_s=self.boottime_s + seconds, utc_s=self.utc_s + seconds)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One DNS name that follows the active site: the addresses of a node group there."""

    name: str
    zone: str
    type: str
    group: str


class CheckKind(StrEnum):
    HTTP = "http"
    HTTPS = "https"
    TCP = "tcp"
    TLS = "tls"
    DNS = "dns"
    COMMAND = "command"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a DNS check asks for. `answer`: all that must stand there, no more and no less; empty: anything."""

    name: str
    type: str = "A"
    answer: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question asked of every address of `group` at a site.

    `path` with query; `{address}` is the pinned address. Header values may contain `{release}` (the wanted digest)
    and `{site}`. `fall` bad rounds in a row make DOWN, `rise` good ones UP.
    """

    name: str
    kind: CheckKind
    group: str
    port: int
    path: str = "/"
    host: str | None = None
    method: str = "GET"
    request_headers: Mapping[str, str] = field(default_factory=dict)
    statuses: tuple[tuple[int, int], ...] = ((200, 299),)
    """Ranges, both ends included."""
    body: str | None = None
    """A text that the body holds; for tcp and tls, what the other side says."""
    regex: str | None = None
    """In RE2's syntax; found anywhere in the body."""
    json: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    """By JSON Pointer (RFC 6901): the value that must stand there."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the answer, as they must be."""
    send: str | None = None
    question: Question | None = None
    command: tuple[str, ...] = ()
    """A plug-in with its arguments, which may contain `{address}`, `{port}` and `{site}`."""
    verify_tls: bool = True
    ca_file: str | None = None
    tls_days_left_min: int = 0
    interval_s: float = 10.0
    timeout_s: float = 4.0
    fall: int = 3
    rise: int = 5


class ControlKind(StrEnum):
    TCP = "tcp"
    HTTP = "http"
    DNS = "dns"


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """An unrelated target that shows our own isolation. `target`: `address:port`, or a URL for http."""

    kind: ControlKind
    target: str
    provider: str
    name: str | None = None
    """For dns: the name to ask for."""
    timeout_s: float = 2.0


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


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReport:
    """One reading with what it rests on. `code` and `message` are the provider's own, redacted."""

    reading: Reading
    code: str = ""
    message: str = ""
    signals: tuple[ServiceReading, ...] = ()
    """What each service said, where several were asked: evidence over time (`failover.core.evidence`)."""


class Outcome(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"
    """The probe itself could not run: no evidence of failure."""


class Failure(StrEnum):
    """Why a probe failed."""

    REFUSED = "refused"
    RESET = "reset"
    CONNECT_TIMEOUT = "connect-timeout"
    READ_TIMEOUT = "read-timeout"
    TLS = "tls"
    """The handshake."""
    CERTIFICATE = "certificate"
    """Expired or about to, for another name, or of an unknown authority."""
    STATUS = "status"
    HEADER = "header"
    BODY = "body"
    NAME = "name"
    """A name that does not resolve, or a wrong answer to a DNS check."""
    PROTOCOL = "protocol"
    COMMAND = "command"
    """A plug-in said so."""
    LOCAL = "local"
    """Our own trouble (no file descriptors, no route): the outcome is UNKNOWN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One thing to probe: a check at one address of a site, with the placeholders filled in."""

    site: str
    address: str
    check: Check
    releases: tuple[str, ...] = ()
    """Digests that `{release}` may stand for: more than one only while a new release is being rolled out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The answer of one probe."""

    site: str
    check: str
    address: str
    at: Instant
    outcome: Outcome
    failure: Failure | None = None
    latency_ms: float | None = None
    detail: str = ""
    vantage: str = "here"
    tls_days_left: int | None = None
    warning: bool = False
    """It passed, with a detail that somebody should read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSample:
    """Whether one control answered."""

    target: str
    provider: str
    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """What another vantage saw when it was asked. `problem` is set when no answer could be had: then nothing else
    counts."""

    vantage: str
    samples: tuple[Sample, ...] = ()
    controls: tuple[ControlSample, ...] = ()
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostReading:
    """What one DNS host holds of our names. `problem` is set when it could not be read: then `rrsets` says nothing."""

    host: str
    rrsets: tuple[RRset, ...] = ()
    grade: int = 3
    """Of a whole change of this service there: worse than the host's own where it does not fit into one transaction."""
    problem: str | None = None
    unreachable: bool = False
    """The problem is that nobody answers there. A refusal, or an answer that makes no sense, is an answer."""
    traits: HostTraits | None = None
    """None: not known."""
    remark: str = ""
    """Why the grade is worse than the host's own."""
