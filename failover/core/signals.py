"""What one answer of a provider is reduced to, and what it may mean."""

from dataclasses import dataclass
from enum import StrEnum


class Reading(StrEnum):
    """What the answers of a provider's control plane say about the account, taken together."""

    ACTIVE = "active"
    WARNED = "warned"
    CLOSED = "closed"
    """Explicit: the provider itself says suspended, closed or blocked."""
    REFUSED = "refused"
    """401 or 403 without more: wrong key, rotated key, missing permission, or a closed account."""
    UNCLEAR = "unclear"
    """Unreachable, 5xx, throttled or unparseable: says nothing about the account."""
    NONE = "none"
    """A given site: there is no account to ask."""


class Transport(StrEnum):
    """How far a request came."""

    ANSWERED = "answered"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    """Whether the request was carried out is unknown."""
    NAME = "name"
    """The name of the API was not found."""
    TLS = "tls"
    RESET = "reset"
    """The connection ended before an answer: whether the request was carried out is unknown."""


class Signal(StrEnum):
    """What one answer says. Only the first group says anything explicit about the account."""

    ACTIVE = "active"
    """The provider's own account state."""
    WARNED = "warned"
    ACCOUNT_CLOSED = "account-closed"
    """Said: closed, deleted."""
    ACCOUNT_BLOCKED = "account-blocked"
    """Said: suspended, locked, disabled, blocked."""
    BILLING_BLOCKED = "billing-blocked"
    """Said: billing is off, and with it what is billed."""

    ACCOUNT_SUSPECT = "account-suspect"
    """Something about the account, perhaps as harmless as a region that was never opted in to."""
    SERVICE_BLOCKED = "service-blocked"
    RESOURCE_BLOCKED = "resource-blocked"
    AUTH_AMBIGUOUS = "auth-ambiguous"
    """Wrong key, deleted key, missing permission or closed account: all look like this."""
    CREDENTIAL_WRONG = "credential-wrong"
    CREDENTIAL_EXPIRED = "credential-expired"
    PERMISSION = "permission"

    CLOCK_SELF = "clock-self"
    """Our own clock is wrong."""
    FEATURE_MISSING = "feature-missing"
    CONFIGURATION = "configuration"
    REQUEST_BUG = "request-bug"
    THROTTLED = "throttled"
    OUTAGE = "outage"
    TRANSPORT = "transport"
    NETWORK_SUSPECT = "network-suspect"
    """Something between us and the provider has answered: a proxy, a captive portal."""
    OK = "ok"
    """The call did what it should; nothing was said about the account."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer (or its absence) of one provider.

    `operation` is `service.Operation` as the provider names them (`ec2.RunInstances`), or a word of ours. `status` is
    the HTTP status, None without an answer. `code` is the provider's own code; of a call that went well, the account
    state that it told, if any. `message` and `body` are redacted and cut.
    """

    provider: str
    operation: str
    transport: Transport = Transport.ANSWERED
    status: int | None = None
    code: str = ""
    message: str = ""
    html: bool = False
    """The body is a web page: not the API's own words."""
    retry_after_s: float | None = None
    body: str = ""

    @property
    def service(self) -> str:
        """`ec2` of `ec2.RunInstances`."""
        return self.operation.partition(".")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceReading:
    """What one service of a provider said in one region, for evidence over time. "" region: the service has none."""

    service: str
    signal: Signal
    region: str = ""
    credential: str = ""
    """"" is the one that is always used; any other name is a second, independently issued one."""
    status: int | None = None
    code: str = ""
    message: str = ""
    raw: str = ""
    """The body of an answer that the tables do not know: redacted, cut, kept so that they can learn."""


EXPLICIT = frozenset({Signal.ACCOUNT_CLOSED, Signal.ACCOUNT_BLOCKED, Signal.BILLING_BLOCKED})
"""Signals in which the provider itself says that the account is closed."""

AMBIGUOUS = frozenset({Signal.ACCOUNT_SUSPECT, Signal.SERVICE_BLOCKED, Signal.RESOURCE_BLOCKED, Signal.AUTH_AMBIGUOUS})
"""Refusals behind which a closed account may stand."""

REFUSALS = AMBIGUOUS | {Signal.CREDENTIAL_WRONG, Signal.CREDENTIAL_EXPIRED, Signal.PERMISSION}

_ALIVE = {Signal.ACTIVE: Reading.ACTIVE, Signal.OK: Reading.ACTIVE, Signal.WARNED: Reading.WARNED}


def reading_of(signal: Signal) -> Reading:
    """What this one signal says about the account; everything that is not about access is UNCLEAR."""
    if signal in EXPLICIT:
        return Reading.CLOSED
    if signal in REFUSALS:
        return Reading.REFUSED
    return _ALIVE.get(signal, Reading.UNCLEAR)
