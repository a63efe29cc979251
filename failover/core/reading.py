"""One answer → Signal; several of one round → AccountReport.

    order   the answer                                                signal
    -----   -------------------------------------------------------   ------------------------------
    1       none: refused, reset, timed out, no such name, TLS        TRANSPORT
    2       2xx: with an account state, or without                    by STATES; OK
    3       429, or a throttling code whatever its status             THROTTLED
    4       5xx but 501 (511: a captive portal)                       OUTAGE (NETWORK_SUSPECT)
    5       a listed code, a listed sentence                          by CODES, by SENTENCES
    6       407; 3xx or 403 without a code, as a web page             NETWORK_SUSPECT
    7       any other 401, 402, 403                                   AUTH_AMBIGUOUS
    8       any other 4xx, 501                                        REQUEST_BUG
    9       anything else                                             UNKNOWN

One refusal proves nothing; see `failover.core.evidence` for what does.
"""

from collections.abc import Iterable

from failover.core.codes import CODES, SENTENCES, STATES, THROTTLING
from failover.core.model import AccountReport
from failover.core.signals import AMBIGUOUS as AMBIGUOUS
from failover.core.signals import EXPLICIT as EXPLICIT
from failover.core.signals import REFUSALS as REFUSALS
from failover.core.signals import Answer as Answer
from failover.core.signals import Reading as Reading
from failover.core.signals import ServiceReading as ServiceReading
from failover.core.signals import Signal as Signal
from failover.core.signals import Transport as Transport
from failover.core.signals import reading_of as reading_of

_AUTH = (401, 402, 403)
_NOT_IMPLEMENTED = 501
_PAID_PLAN = ("health", "support", "bedrock-agentcore", "bedrock-agentcore-control")
"""AWS services that need a subscription of their own."""
_CLEAR = frozenset({Signal.TRANSPORT, Signal.OK, Signal.THROTTLED, Signal.OUTAGE})
_WEIGHT = {
    Signal.ACCOUNT_CLOSED: 9,
    Signal.ACCOUNT_BLOCKED: 8,
    Signal.BILLING_BLOCKED: 7,
    Signal.WARNED: 6,
    Signal.ACTIVE: 5,
    Signal.ACCOUNT_SUSPECT: 4,
    Signal.SERVICE_BLOCKED: 3,
    Signal.RESOURCE_BLOCKED: 2,
    Signal.AUTH_AMBIGUOUS: 1,
}


def classify(answer: Answer) -> Signal:
    """The table above."""
    status, code = answer.status, answer.code
    if answer.transport is not Transport.ANSWERED:
        return Signal.TRANSPORT
    if status is not None and 200 <= status < 300:
        return _state(answer.provider, code)
    if status == 429 or code in THROTTLING:
        return Signal.THROTTLED
    if status is not None and status >= 500 and status != _NOT_IMPLEMENTED:
        return Signal.NETWORK_SUSPECT if status == 511 else Signal.OUTAGE
    return _listed(answer) or _by_status(answer)


def _state(provider: str, code: str) -> Signal:
    """An unknown state is not an active one."""
    return STATES.get(provider, {}).get(code, Signal.UNKNOWN) if code else Signal.OK


def _listed(answer: Answer) -> Signal | None:
    exception = _exception(answer)
    if exception is not None:
        return exception
    found = CODES.get(answer.provider, {}).get(answer.code)
    if found is not None:
        return found
    text = answer.message.lower()
    for status, part, signal in SENTENCES.get(answer.provider, ()):
        if answer.status == status and part in text:
            return signal
    return None


def _exception(answer: Answer) -> Signal | None:
    """Codes that mean something else in one operation, or for one kind of consumer."""
    if answer.provider == "aws" and answer.code == "AccessDenied" and "AssumeRole" in answer.operation:
        return Signal.AUTH_AMBIGUOUS  # a suspended account has answered exactly this
    if answer.provider == "aws" and answer.code == "SubscriptionRequiredException" and answer.service in _PAID_PLAN:
        return Signal.FEATURE_MISSING
    if answer.provider == "google" and answer.code == "CONSUMER_SUSPENDED" and "projects/" not in answer.message:
        return Signal.AUTH_AMBIGUOUS  # the API key alone may be suspended
    return None


def _by_status(answer: Answer) -> Signal:
    status = answer.status
    if status is None or status < 300:
        return Signal.UNKNOWN
    if status == 407 or (status not in (401, 402) and status <= 403 and _nameless(answer)):
        return Signal.NETWORK_SUSPECT
    if status < 400:
        return Signal.UNKNOWN
    return Signal.AUTH_AMBIGUOUS if status in _AUTH else Signal.REQUEST_BUG


def _nameless(answer: Answer) -> bool:
    """Not the API's own words. AWS always names a code, but for HEAD, whose answer has no body."""
    by_aws = answer.provider == "aws" and "Head" not in answer.operation
    return not answer.code and (answer.html or by_aws)


def service_reading(answer: Answer, *, region: str = "", credential: str = "") -> ServiceReading:
    """The answer as one service's reading. The body is kept only where the tables could learn from it."""
    signal = classify(answer)
    return ServiceReading(
        service=answer.service,
        signal=signal,
        region=region,
        credential=credential,
        status=answer.status,
        code=answer.code,
        message=answer.message,
        raw="" if signal in _CLEAR or _listed(answer) else answer.body,
    )


def report_of(readings: Iterable[ServiceReading]) -> AccountReport:
    """What one round of questions to an account says, all services together.

    An explicit word wins, then the provider's own account state. Without either, refusals count only when they are
    more than the services that work: one bucket's stale key is no refused account.
    """
    found = tuple(readings)
    first = tuple(r for r in found if not r.credential)
    told = max(first, key=lambda r: _WEIGHT.get(r.signal, 0), default=None)
    if told is None:
        return AccountReport(reading=Reading.UNCLEAR, message="nothing was asked", signals=found)
    if told.signal in EXPLICIT or told.signal in (Signal.WARNED, Signal.ACTIVE):
        return _report(reading_of(told.signal), told, found)
    working = next((r for r in first if r.signal is Signal.OK), None)
    refused = [r for r in first if r.signal in AMBIGUOUS]
    if working is not None and len(refused) <= sum(r.signal is Signal.OK for r in first):
        return _report(Reading.ACTIVE, working, found)
    told = told if refused else next((r for r in first if r.signal in REFUSALS), told)
    return _report(reading_of(told.signal), told, found)


def _report(reading: Reading, told: ServiceReading, found: tuple[ServiceReading, ...]) -> AccountReport:
    return AccountReport(reading=reading, code=told.code, message=told.message, signals=found)
