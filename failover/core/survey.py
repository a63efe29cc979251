"""What a zone looks like from outside: the facts that `preflight` judges.

None, or a `problem`: it could not be read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from failover.core.rrsets import RRset


@dataclass(frozen=True, slots=True, kw_only=True)
class Ds:
    """A delegation signer (RFC 4034, section 5). `digest` is in lower-case hexadecimals."""

    tag: int
    algorithm: int
    digest_type: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """What the parent says of a zone. With a `problem` nothing else counts; without `name_servers` there is none."""

    zone: str
    parent: str = ""
    name_servers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By name its places (`address:port`); () where no address could be found."""
    glue: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The addresses that the parent itself gives for names in the zone."""
    ttl_s: int = 0
    ds: frozenset[Ds] = frozenset()
    dissent: tuple[str, ...] = ()
    """Servers of the parent that say otherwise, in words."""
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Soa:
    """A zone's start of authority (RFC 1035, section 3.3.13), with the TTL that it is given out with."""

    primary: str
    serial: int
    refresh_s: int
    retry_s: int
    expire_s: int
    minimum_s: int
    ttl_s: int
    contact: str = ""
    """RNAME: a mailbox, its `@` written as a dot."""

    @property
    def negative_s(self) -> int:
        """How long resolvers remember that a name is not there (RFC 2308, section 5)."""
        return min(self.minimum_s, self.ttl_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """How one server signs the zone."""

    tags: frozenset[int] = frozenset()
    """Of the keys that it publishes; empty: it publishes none."""
    digests: frozenset[Ds] = frozenset()
    """Every DS that would vouch for one of these keys."""
    signers: frozenset[int] = frozenset()
    """Tags of the keys that have signed its SOA."""
    expires_s: float | None = None
    """Until the first signature is over (negative: since); None: there is no signature."""
    problem: str | None = None
    """A signature that does not hold."""
    verified: bool = True
    """False: the library that verifies signatures is not installed here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """One name server of one zone, asked by its own address."""

    zone: str
    server: str
    udp: str | None = None
    """Why it does not answer by UDP; None: it does."""
    tcp: str | None = None
    routed: bool = True
    """False: this machine has no way to that address (no IPv6 here)."""
    lame: str | None = None
    """Why it is no authority for the zone, although it answers."""
    soa: Soa | None = None
    name_servers: frozenset[str] = frozenset()
    sets: Mapping[tuple[str, str], RRset | None] = field(default_factory=dict)
    """By name and type what it answers: a set, a CNAME in its place, or None for none. Unreadable ones are left out."""
    signing: Signing | None = None

    @property
    def answers(self) -> bool:
        return self.soa is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One CNAME on the way."""

    name: str
    target: str
    ttl_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Where a name of ours leads that is a CNAME."""

    name: str
    hops: tuple[Hop, ...] = ()
    problem: str | None = None
    """Why it does not end at an address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What the registry says of the domain that a zone belongs to (RDAP, RFC 9083)."""

    domain: str
    registrar: str = ""
    statuses: frozenset[str] = frozenset()
    """In the words of RFC 8056 without blanks, lower case: `clienthold`, `clientupdateprohibited`."""
    expires_s: float | None = None
    """From now; None: the registry does not tell."""
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneFacts:
    """One zone. `delegation` and `registration` are None where they were not asked for."""

    zone: str
    delegation: Delegation | None = None
    servers: tuple[ServerFacts, ...] = ()
    chains: tuple[Chain, ...] = ()
    registration: Registration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeUp:
    """Something of a vendor's own kind at a name: the host makes its answers up from it, and no record set says so."""

    name: str
    kind: str
    """In the host's words: `ALIAS`, `LUA`, `alias`, `routing policy`, `flattened CNAME`, `proxied record`."""
    target: str = ""
    """The name that it leads to, where it leads to one."""
    refused: bool = True
    """failover does not touch it, so a change of that name is refused; False: a change takes its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """One DNS host of the config: its kind, and its servers as the survey has asked them (`address:port`)."""

    name: str
    kind: str
    servers: tuple[str, ...] = ()
    problem: str | None = None
    made_up: tuple[MadeUp, ...] = ()
    """At our names, and at the zones' own."""
    unlooked: str | None = None
    """Why it could not be asked for these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsFacts:
    """Everything that was asked. `guarded`: the kinds of provider that host a site, and which site."""

    zones: tuple[ZoneFacts, ...]
    hosts: tuple[HostFacts, ...]
    guarded: Mapping[str, str] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    """By place (`address:port`) of a name server to whom its network is registered, where that was asked and said."""
