"""Everything that the engine works with, put together by the wiring. The engine knows ports only."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from failover.core.model import NodeSpec, Release, Service
from failover.core.places import unnamed
from failover.core.survey import Delegation
from failover.core.world import State
from failover.errors import ConfigError
from failover.ports import (
    Account,
    Agent,
    Authority,
    Compute,
    Depot,
    Dns,
    Hook,
    Lease,
    Notifier,
    Probe,
    Resolver,
    Runtime,
    Store,
)

TICK = "tick"
"""The lease for judging and for DNS."""
MIRROR = "mirror"
"""The lease for nodes and archives; held for minutes while checks go on."""


UserData = Callable[[NodeSpec, str, str], str]
"""Renders a node's user-data from the links to its archive and its environment. Raises Rejected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """The release as it lies beside the config now, ready to be stored in a depot."""

    digest: str
    archive: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One service and its outside."""

    service: Service
    store: Store
    lease: Lease
    runtime: Runtime
    probe: Probe
    authority: Authority
    accounts: Mapping[str, Account]
    """By site; only managed ones have one. Read-only credentials."""
    compute: Mapping[str, Compute]
    depots: Mapping[str, Depot]
    hosts: Mapping[str, Dns]
    package: Callable[[], Package]
    """Reads the release from disk: for `plan` and `apply` only. A check judges what was applied."""
    release: Callable[[str], Release]
    """The release of that digest with its command and environment; resolves secrets."""
    resolver: Resolver | None = None
    """Needed where a site has targets."""
    delegation: Callable[[str], Delegation] | None = None
    """Whom the parent of a zone delegates it to; raises AdapterError. Needed where names stand behind an edge."""
    user_data: UserData | None = None
    """None: no cloud here has nodes that need any."""
    notifiers: tuple[Notifier, ...] = ()
    hook: Hook | None = None
    hooks_s: float = 0.0
    vantage: str = "here"
    agents: Mapping[str, Agent] = field(default_factory=dict)
    """By name: the other vantages."""


def load(context: Context) -> State:
    """The state, for a command. Raises StateError; ConfigError where the config lacks the active site (a round refuses
    by itself then, and tells it).
    """
    state = context.store.load()
    site = unnamed(context.service, state)
    if site is not None:
        cause = "the service runs there, and the config names no such site"
        hint = "put it back; to leave it, `failover cutover` to another site first"
        raise ConfigError("use site", site, cause, hint)
    return state


@contextmanager
def leased(context: Context, role: str, *, wait_s: float = 0.0, urgent: bool = False) -> Iterator[int]:
    """Hold a lease; yields its term. Raises LockedError when another run holds it."""
    term = context.lease.acquire(role, wait_s=wait_s, urgent=urgent)
    try:
        yield term
    finally:
        context.lease.release(role)
