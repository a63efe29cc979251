"""Everything that the outside must offer, as small Protocols whose docstrings are contracts.

Common to all: a call that cannot be answered raises an `AdapterError` of the right type (`failover.errors`); it never
returns an empty answer instead. Lists are whole or an error. Adapters are synchronous, do not retry what is not safe to
repeat, set a timeout on every call, and never print. The engine calls them through a `Runtime` only.
The behaviour of each port is one conformance suite in `failover.testing`, which every adapter passes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from failover.core.cutover import CutoverPlan
from failover.core.firewall import Firewall
from failover.core.model import (
    AccountReport,
    Ballot,
    Control,
    ControlSample,
    Instant,
    Node,
    NodeSpec,
    Quota,
    Sample,
    Size,
    Target,
)
from failover.core.model import HostTraits as HostTraits
from failover.core.notice import Moment as Moment
from failover.core.notice import Notice as Notice
from failover.core.notice import Urgency as Urgency
from failover.core.rights import Right
from failover.core.rrsets import Changes, RRset
from failover.core.saga import Event
from failover.core.survey import Chain, Delegation, MadeUp, Registration, ServerFacts
from failover.core.world import Forced, Orders, Pause, State

T = TypeVar("T")


# ---------------------------------------------------------------------------------------------- clouds


class Account(Protocol):
    """Read-only: what a watcher needs of a provider."""

    def state(self) -> AccountReport:
        """What the provider says about the account, now.

        Never raises for an answer: a refusal, an outage or an unreadable body is a reading too (REFUSED, UNCLEAR).
        CLOSED only when the provider says so explicitly.
        """
        ...

    def nodes(self, service: str, site: str) -> tuple[Node, ...]:
        """Every node that carries our labels for this service and site, in any state, oldest first.

        The list is whole (all pages) or an AdapterError is raised; an empty tuple means that the provider said so.
        """
        ...

    def rights(self, spec: NodeSpec) -> tuple[Right, ...]:
        """What this credential may write here, each act once, with the depot where it opens that; ALLOWED only by the
        provider's own words. Found out without effect, whatever is answered; the wish for a node is never fulfilled.
        """
        ...


class Compute(Account, Protocol):
    """What mirroring needs besides. Only nodes that carry our labels are ever changed."""

    def images(self) -> frozenset[str]:
        """Portable names (`debian-12`) of the images that a NodeSpec may ask for, here and now."""
        ...

    def sizes(self) -> tuple[Size, ...]:
        """Every size that can be had in this region now."""
        ...

    def quota(self) -> Quota:
        """How many nodes the account may have and has."""
        ...

    def vet(self, spec: NodeSpec) -> None:
        """Raises Rejected for a name or labels that the provider would refuse, whatever stands there. Asks nobody.

        What passes here, `ensure` does not refuse for its form: so `plan` knows before anything is created.
        """
        ...

    def ensure(self, spec: NodeSpec) -> Node:
        """The node of that name exists and is meant to run. Idempotent: a second call returns the same node.

        May return a node that is still PENDING; wait by `nodes`. A stopped node is started.
        Raises QuotaExceeded, Rejected (image, size), NotFound (the release is not in the depot), Conflict (the name
        is taken by a node that is not ours).
        After TimedOut or Unreachable the node may exist: calling again is safe.
        """
        ...

    def destroy(self, node: Node) -> None:
        """The node does not exist, and what was handed over under its name is withdrawn, unless a duplicate of that
        name is left, which may still have to fetch it. Idempotent. Refuses (Conflict) a node that does not carry our
        labels.
        """
        ...

    def firewall(self, service: str, site: str, ports: Sequence[int]) -> None:
        """Our nodes of this service and site let in exactly these TCP ports, from everywhere over IPv4 and IPv6.
        Idempotent; may come before the first node. Opens before it closes; changes our own firewall only."""
        ...

    def firewall_now(self, service: str, site: str) -> Firewall | None:
        """What `firewall` made, as it stands now; None where nodes need none. Right after `firewall` it has no
        `core.firewall.drift` from those ports: what that opens besides (pings, say) is left out."""
        ...

    def clear(self, service: str, site: str) -> None:
        """What `ensure` and `firewall` made besides nodes (firewalls, keys) is gone, and what was handed over to nodes
        that somebody else deleted. Idempotent; called after the last node was destroyed. Only what carries our labels
        or names.
        """
        ...


class Depot(Protocol):
    """Where a site's nodes fetch the release: one per provider account."""

    def put(self, digest: str, archive: bytes) -> None:
        """Store the archive under its digest. Idempotent. Raises Rejected when contents and digest differ."""
        ...

    def has(self, digest: str) -> bool:
        """Whether the archive is there and its contents still match the digest."""
        ...

    def list(self) -> frozenset[str]:
        """The digests that are stored."""
        ...

    def remove(self, digest: str) -> None:
        """The archive is not there. Idempotent."""
        ...

    def link(self, digest: str, expires_s: float) -> str:
        """A URL from which a node can fetch the archive without a credential, for so long.

        Empty where nodes of this cloud get their release without a link (the local cloud).
        """
        ...

    def may_put(self) -> Right | None:
        """Whether this credential may store, found out without effect; None where nothing is ever stored."""
        ...

    def hand_over(self, name: str, contents: bytes, expires_s: float) -> str:
        """Store a private object for one node; returns a URL that gives it out until it expires (one hour at most).

        The same name replaces the object. Empty where nodes of this cloud need no link.
        """
        ...


# ---------------------------------------------------------------------------------------------- dns


class Dns(Protocol):
    """Record sets at one DNS host."""

    def traits(self) -> HostTraits: ...

    def read(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[RRset, ...]:
        """The sets that stand at the host now, of the (name, type) pairs asked for. A pair without a set is left out.

        Read from the source of truth (the API or the primary), never from a cache. Unreadable raises, never ().
        A CNAME that stands at a name asked for is returned as well. Raises Rejected for a name whose answers the host
        makes up, where it can tell: no set can stand for them. Where the host's own servers stand before a name, its
        sets are `proxied` and hold what stands behind.
        """
        ...

    def made_up(self, zone: str, names: Sequence[str]) -> tuple[MadeUp, ...]:
        """At which of these names the host makes answers up, by records of its vendor's own kind (an alias at the apex,
        a routing policy); by name, then kind. () where there are none. Raises as `read` does."""
        ...

    def apply(self, zone: str, changes: Changes, *, expect: RRset | None, fence: RRset | None) -> None:
        """Carry out all changes of one zone, and replace the fence (the epoch TXT), in one transaction where grade 1.

        `expect` is the exact fence that must stand there now; None: none may stand there. `fence` is the new one;
        None removes it (`expect` must then be given). Raises Conflict when `expect` does not hold, and then nothing
        has changed, unless it takes several requests. Raises TimedOut when the outcome is unknown (no answer, or none
        of the host's own: 5xx, a web page, SERVFAIL), or a part is there, whatever ended it. After any other error
        nothing has changed. Sets that are not named are never touched. A TTL outside the limits of the traits is
        Rejected, but for the fence's, which takes the nearest.

        Before: www A {192.0.2.1}, TXT epoch=6. apply(put www A {198.51.100.7}, expect epoch=6, fence epoch=7).
        After: www A {198.51.100.7}, TXT epoch=7. The same call again: Conflict.
        """
        ...

    def rights(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[Right, ...]:
        """Whether this credential may change these sets, the fence among them: one Right for all, or one for each.
        Found out without effect, whatever is answered: no set, no serial moves. ALLOWED only by the host's own words.
        """
        ...


class Authority(Protocol):
    """What a name server really answers."""

    def ask(self, server: str, name: str, type: str) -> RRset | None:
        """The set that `server` (`address:port`) answers with authority, or None where it says there is none.

        Asks that server only, without recursion and cache; UDP first, TCP when truncated. SERVFAIL, REFUSED, a lame or
        unparseable answer raise Unreadable; no answer raises TimedOut or Unreachable.
        """
        ...

    def ask_all(
        self, server: str, questions: Sequence[tuple[str, str]], *, tcp: bool = False
    ) -> tuple[RRset | None, ...]:
        """As `ask`, many (name, type) pairs at once, in the same order; with `tcp` by TCP alone."""
        ...

    def addresses(self, server: str) -> tuple[str, ...]:
        """Every `address:port` of a server: itself, or where its name points to, in each family that this machine has
        a way to. Raises Unreachable when there is none."""
        ...

    def recall(self, resolver: str, name: str, type: str) -> RRset | None:
        """What a caching resolver (`address:port`) answers to anybody now, with recursion; an alias is not followed.
        Raises as `ask` does."""
        ...


class Resolver(Protocol):
    """Where a host name is now."""

    def addresses(self, name: str) -> tuple[str, ...]:
        """Every address (IPv4 first) that the name's own authoritative servers give it now, aliases followed likewise.

        () means that they say that it has none. Never from a cache. Raises Unreadable, TimedOut or Unreachable.
        """
        ...


class Survey(Protocol):
    """Looks at a zone from outside, as resolvers do. Needs no credential, changes nothing."""

    def delegation(self, zone: str) -> Delegation:
        """What the servers of the parent say, found from the root downwards. Raises AdapterError."""
        ...

    def places(self, server: str) -> tuple[str, ...]:
        """`ns1.example.net:53` → `address:port` of each of its addresses; an address stays itself. Raises AdapterError,
        also NotFound for a name without an address."""
        ...

    def server(self, server: str, zone: str, names: Sequence[tuple[str, str]], *, now_utc_s: float) -> ServerFacts:
        """Asks one server (`address:port`) everything about a zone. Whatever it answers, or not, is a fact."""
        ...

    def chain(self, name: str) -> Chain:
        """Where a CNAME leads, hop by hop. A way that ends nowhere is a fact."""
        ...


class Registry(Protocol):
    """What registries say of domains, in public."""

    def registration(self, zone: str, *, now_utc_s: float) -> Registration:
        """Of the domain that the zone belongs to. Raises AdapterError, also NotFound when no registry knows it."""
        ...

    def owner(self, address: str) -> str:
        """To whom the network of an address is registered, by name. Raises as above, also NotFound: to nobody."""
        ...


# ---------------------------------------------------------------------------------------------- probes


class Probe(Protocol):
    """Asks targets from outside. Whatever happens to one target is a sample, never an exception."""

    def run(self, targets: Sequence[Target], deadline_s: float) -> tuple[Sample, ...]:
        """One sample per target, in the same order, after at most `deadline_s`.

        A target that had no chance to be asked within the deadline is UNKNOWN, not FAIL.
        """
        ...

    def controls(self, controls: Sequence[Control], deadline_s: float) -> tuple[ControlSample, ...]:
        """Whether each control answers, in the same order."""
        ...


class Agent(Protocol):
    """Another vantage, which looks when it is asked."""

    def look(self, targets: Sequence[Target], deadline_s: float) -> Ballot:
        """One round there: a sample per target, and its own controls, in the same round.

        `deadline_s` is for the round itself; the way there and back comes on top. `at` of the samples is when the
        answer came, by the clock here. Raises AdapterError: no answer, or one that is not provably of that vantage,
        of this service and to this very question (Unreadable); one whose config does not have the targets' checks, or
        has other ones of these names, does not look (Conflict).
        """
        ...


# ---------------------------------------------------------------------------------------------- state


class Store(Protocol):
    """State, journal and audit log. Every write is durable when the call returns."""

    def create(self, state: State) -> State:
        """The first state. Raises StateStale when one exists."""
        ...

    def load(self) -> State:
        """Raises StateMissing or StateDamaged; never an empty state in their place."""
        ...

    def swap(self, state: State, *, term: int, events: Sequence[Event] = ()) -> State:
        """Replace the state if its stored revision is still `state.revision`; returns it with the next revision.

        The events are appended in the same transaction. Raises StateStale, StateFenced (a newer term exists).
        """
        ...

    def append(self, event: Event, *, term: int) -> Event:
        """Append one event durably, returns it with its sequence. Raises StateFenced."""
        ...

    def journal(self, plan: str) -> tuple[Event, ...]:
        """The events of one plan, in order; () when there are none."""
        ...

    def events(self, limit: int = 100) -> tuple[Event, ...]:
        """The newest events of everything, oldest first."""
        ...

    def save_plan(self, plan: CutoverPlan, *, term: int) -> None:
        """Keep a plan by its id (before its first event). The same plan again is fine; another of that id is not."""
        ...

    def plans(self, limit: int = 100) -> tuple[CutoverPlan, ...]:
        """The newest plans, oldest first."""
        ...

    def verify(self) -> None:
        """The audit log is a hash chain without a gap. Raises StateDamaged naming the first bad entry."""
        ...

    def orders(self) -> Orders: ...

    def set_pause(self, pause: Pause | None) -> None:
        """Needs no lease."""
        ...

    def force(self, site: str, forced: Forced | None) -> None:
        """Keep a person's word about a site, in place of the one before; None takes it back. Needs no lease."""
        ...

    def abort(self, plan: str) -> None:
        """Ask that a plan be unwound before its pivot. Needs no lease."""
        ...

    def approve(self, proposal: str) -> None:
        """Needs no lease."""
        ...

    def close(self) -> None: ...


class Lease(Protocol):
    """The right to write, one holder per role. Roles: `tick` (judging and DNS), `mirror` (nodes)."""

    def acquire(self, role: str, *, wait_s: float = 0.0, urgent: bool = False) -> int:
        """Take the lease, returns its term (greater than every earlier one of that role).

        Waits up to `wait_s`; an urgent waiter goes ahead of others, who get LockedError meanwhile.
        Raises LockedError when another process holds it. The lease ends with the process, also by kill -9.
        """
        ...

    def release(self, role: str) -> None: ...


# ---------------------------------------------------------------------------------------------- out


class Notifier(Protocol):
    """Tells somebody. Delivery is best effort: a failure is an AdapterError, and never stops a cutover."""

    def send(self, notice: Notice) -> None: ...


class Hook(Protocol):
    """A program of the user that runs around a cutover. Before-hooks may veto."""

    def run(self, moment: Moment, plan: CutoverPlan) -> None:
        """Raises RefusedError for a veto (a non-zero exit)."""
        ...


# ---------------------------------------------------------------------------------------------- runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Something to do outside, with its own deadline. `what` says it in words, for reports and the journal."""

    what: str
    do: Callable[[], object]
    deadline_s: float
    looks: bool = False
    """It changes nothing outside: whoever waits for it may leave at any moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a call ended: a value, an error, or unknown (it hung and was abandoned)."""

    value: object = None
    error: Exception | None = None
    unknown: bool = False


class Runtime(Protocol):
    """The only way to the outside world, to time and to sleep."""

    def now(self) -> Instant: ...

    def sleep(self, seconds: float) -> None: ...

    def call(self, what: str, do: Callable[[], T], *, deadline_s: float) -> T:
        """Run one call. Raises what it raises, or TimedOut when it hangs past its deadline (it is abandoned)."""
        ...

    def together(self, calls: Sequence[Call]) -> tuple[Done, ...]:
        """Run several in parallel, each to its own deadline; the answers in the same order. Never raises."""
        ...

    def token(self) -> str:
        """A fresh random identifier: eight lower-case letters and digits."""
        ...
