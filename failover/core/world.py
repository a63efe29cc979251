"""What is remembered between ticks, and the one snapshot that a decision sees."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from failover.core.cutover import CutoverPlan
from failover.core.evidence import Memory
from failover.core.facts import HostFacts
from failover.core.health import Health, HealthState, Vote
from failover.core.model import AccountReport, HostReading, Instant, Node
from failover.core.nodes import Wish
from failover.core.rrsets import RRset
from failover.core.verdict import Verdict

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A person's word that nothing automatic may start. `until` None: until `unpause`."""

    since: Instant
    reason: str
    until: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A person's word that a cutover may be near: the TTL stays low. `until` None: until `prepare --end`."""

    since: Instant
    reason: str
    until: Instant | None = None


class ForcedAs(StrEnum):
    """How a person wants a site to be seen, whatever the probes say."""

    UP = "up"
    DOWN = "down"
    DRAINED = "drained"
    """It serves as it does, but nothing goes there."""

    @property
    def plane(self) -> HealthState | None:
        """What the site's checks then count as; None: as they say themselves."""
        return {ForcedAs.UP: HealthState.UP, ForcedAs.DOWN: HealthState.DOWN}.get(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forced:
    """A person's word about one site. `until` None: until it is cleared."""

    word: ForcedAs
    since: Instant
    reason: str
    until: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What persons have said without waiting for the lock; read again just before the pivot."""

    pause: Pause | None = None
    aborted: frozenset[str] = frozenset()
    """Plan ids."""
    approved: frozenset[str] = frozenset()
    """Proposal ids."""
    forced: Mapping[str, Forced] = field(default_factory=dict)
    """By site."""

    def forced_at(self, now: Instant) -> dict[str, Forced]:
        """By site, what stands at that moment."""
        return {s: f for s, f in self.forced.items() if f.until is None or f.until.since(now) > 0}

    def pause_at(self, now: Instant) -> Pause | None:
        """The pause that stands at that moment, if any."""
        ended = self.pause is None or (self.pause.until is not None and self.pause.until.since(now) <= 0)
        return None if ended else self.pause


def forced_in(orders: Orders, site: str, forced: Forced | None) -> Orders:
    """The orders with this word about the site, in place of the one before; None: without any."""
    others = {name: word for name, word in orders.forced.items() if name != site}
    return replace(orders, forced=others if forced is None else {**others, site: forced})


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A question to a person: shall we cut over? Answered by `failover approve ID` before it expires."""

    id: str
    verdict: str
    source: str
    target: str
    at: Instant
    expires_after_s: float
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Debt:
    """A DNS host that has not taken the last change."""

    host: str
    epoch: int
    since: Instant
    reason: str
    stale: tuple[str, ...] = ()
    """Its name servers that still answer something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A cutover whose pivot has started: it counts for cooldown and the daily limit."""

    plan: str
    at: Instant
    source: str
    target: str
    verdict: str
    automatic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether a site could take over now, and why (not)."""

    ready: bool
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What is remembered of one site: what its account said, what its lists showed."""

    report: AccountReport | None = None
    verdict: Verdict | None = None
    gone_streak: int = 0
    """Complete lists in a row that showed none of our nodes running."""
    readiness: Readiness | None = None
    addresses: tuple[str, ...] = ()
    """Those that passed every check in the last round."""
    details: tuple[str, ...] = ()
    """Why checks failed in the last round, one sentence each."""
    failed_at: Instant | None = None
    """When a cutover to this site last failed before its pivot."""
    memory: Memory = field(default_factory=Memory)
    """What its account's services said over time."""
    decided: HealthState = HealthState.UNKNOWN
    """What the checks last came to, UP or DOWN."""
    flips: tuple[Instant, ...] = ()
    """When that changed, the oldest first; only as far back as the policy looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is remembered of another vantage."""

    health: Mapping[str, Mapping[str, Health]] = field(default_factory=dict)
    """By site, by check."""
    votes: Mapping[str, Vote] = field(default_factory=dict)
    """By site, in the last round; a site that is missing has no vote of it."""
    isolated: bool = False
    problem: str | None = None
    """Why it was not heard in the last round."""
    at: Instant | None = None
    """When it was heard last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The whole remembered state of a service; written as one document by compare and swap."""

    service: str
    schema_version: int = SCHEMA_VERSION
    revision: int = 0
    epoch: int = 0
    """The last one spent, also by plans that were aborted."""
    active_site: str | None = None
    """None: nothing is published."""
    published: CutoverPlan | None = None
    """The last committed plan: what DNS is meant to say."""
    adopted: tuple[RRset, ...] = ()
    """Records that stood there before the first publish; `destroy` puts them back."""
    release: str | None = None
    """The digest that `apply` last set out to run everywhere. The files beside the config may be newer."""
    accepted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By site: digests that may be serving there now, the wanted one first; two while a roll-out is under way."""
    inventory: Mapping[str, tuple[Node, ...]] = field(default_factory=dict)
    """By site: the nodes that `apply` proved. A hot cutover needs nothing else."""
    resolved: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    """By site, by group: the addresses that its targets' names had when they were last resolved."""
    ports: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """By site: the ports that its nodes serve at, also those that a roll-out has not replaced yet."""
    archives: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By site: digests of the releases that we put into its depot."""
    places: Mapping[str, str] = field(default_factory=dict)
    """By site: the provider and region where what we made there stands (`core.places`)."""
    wishes: tuple[Wish, ...] = ()
    """What `apply` asked nodes to be, by spec digest, the newest last: so that `plan` can tell what changed."""
    health: Mapping[str, Mapping[str, Health]] = field(default_factory=dict)
    """By site, by check."""
    watch: Mapping[str, Watch] = field(default_factory=dict)
    open_plan: CutoverPlan | None = None
    debts: tuple[Debt, ...] = ()
    facts: Mapping[str, HostFacts] = field(default_factory=dict)
    """By DNS host: when it accepted the newest plan that reached it, when its servers served it, when it was seen."""
    prepared: Prepared | None = None
    proposal: Proposal | None = None
    moves: tuple[Move, ...] = ()
    last_tick: Instant | None = None
    intervals_s: tuple[float, ...] = ()
    """Between the newest rounds, the oldest first: how often checks really run (`core.budget`)."""
    tilt_until: Instant | None = None
    notice: str = ""
    """The last page's key, so that the same page is not sent twice."""
    decision: str = "hold"
    reasons: tuple[str, ...] = ()
    isolated: bool = False
    controls_ok: int = 0
    hosts: Mapping[str, HostReading] = field(default_factory=dict)
    """What the DNS hosts held in the last round, for `status`."""
    unread_rounds: Mapping[str, int] = field(default_factory=dict)
    """By DNS host that could not be read: for how many rounds in a row (`core.blind`)."""
    views: Mapping[str, View] = field(default_factory=dict)
    """By name: the other vantages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One immutable snapshot; `decide` sees nothing else."""

    now: Instant
    state: State
    orders: Orders = Orders()
    hosts: Mapping[str, HostReading] = field(default_factory=dict)
    """What each DNS host holds, by name."""
    isolated: bool = False
    """Our own controls do not answer."""
    controls_ok: int = 0
    """Controls that answered, at different providers."""
