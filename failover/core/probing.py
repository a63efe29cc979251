"""What is asked of a site, and what came of it: checks and controls, their targets, their samples."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from failover.core.instant import Instant


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
    fresh: bool = False
    """An answer out of a cache on the way is none."""
    interval_s: float = 10.0
    timeout_s: float = 4.0
    fall: int = 3
    rise: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """Servers of a DNS host that stand before names of ours: name servers answer their addresses, and they pass
    requests on to what the records hold.

    `check` is the question that shows, by a header of the answer, which site it was passed on to; its host is each of
    the `names` in turn.
    """

    names: frozenset[str]
    check: Check
    converges_s: float = 0.0
    """How long it may pass requests on to what the records held before."""


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
