"""What provider libraries raise → Answer; Answer → the tree of errors. The one place that knows both.

It reads the HTTP answer itself: the libraries' own exception types lose the status, or say 401 for every 403.
"""

import json
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Protocol

from failover.core.reading import Answer, Signal, Transport, classify
from failover.errors import (
    AccessRefused,
    AdapterError,
    Conflict,
    NotFound,
    QuotaExceeded,
    Rejected,
    Throttled,
    TimedOut,
    Unreachable,
    Unreadable,
)
from failover.net.bodies import code_and_message, is_web_page
from failover.net.secret import redact

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

MESSAGE_LENGTH_MAX = 300
BODY_LENGTH_MAX = 1000
_SECRET_SHAPES = re.compile(
    r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}|\beyJ[\w.-]{20,}|(?<=[Bb]earer )\S+|\b[A-Za-z0-9+/_-]{40,}={0,2}"
    r"|(?<=<Signature>)[^<]+|(?<=<StringToSign>)[^<]+|(?<=<CanonicalRequest>)[^<]+"
)
"""Access key ids, tokens and signatures, also those that nobody told us."""


class Said(Exception):
    """The `__cause__` of an AdapterError that stands for a provider's answer; get it by `answer_behind`."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.provider, answer.operation, answer.status, answer.code)
        self.answer = answer


def answer_behind(error: BaseException) -> Answer | None:
    """The provider's answer behind an error; None when the error stands for none."""
    cause = error.__cause__
    return cause.answer if isinstance(cause, Said) else None


def may_be_done(error: AdapterError) -> bool:
    """Whether a request that changes something may have been carried out although it ended so: it went out, and no
    answer came, or one that is not the API's own no. Without an answer behind the error: it did not go out."""
    answer = answer_behind(error)
    if answer is None:
        return False
    if answer.transport is not Transport.ANSWERED:
        return answer.transport not in (Transport.REFUSED, Transport.NAME)
    if answer.status is None:  # it never left where there is a code: a missing credential, a bad parameter
        return not answer.code
    return answer.html or answer.status >= 500


class Response(Protocol):
    """What is needed of an HTTP answer: `requests.Response` has it."""

    status_code: int

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def text(self) -> str: ...


# ------------------------------------------------------------------------------------ into an Answer


def from_botocore(error: Exception, provider: str, operation: str) -> Answer:
    """Whatever a botocore client raised. `operation`: `service.Operation`, as `ec2.RunInstances`."""
    from botocore.exceptions import ClientError  # slow to import, and only needed where botocore is in use
    from botocore.parsers import ResponseParserError

    if isinstance(error, ClientError):
        return _from_client_error(error, provider, operation)
    if isinstance(error, ResponseParserError):  # the status is lost with the body
        return from_parts(provider, operation, status=502, message=str(error), html=True)
    return _without_answer(error, provider, operation)


def _from_client_error(error: "ClientError", provider: str, operation: str) -> Answer:
    response: Mapping[str, Any] = error.response
    problem = response.get("Error") or {}
    metadata = response.get("ResponseMetadata") or {}
    headers = {str(k).lower(): str(v) for k, v in metadata.get("HTTPHeaders", {}).items()}
    status = metadata.get("HTTPStatusCode")
    code, message = str(problem.get("Code") or ""), str(problem.get("Message") or "")
    if code == str(status):  # botocore's own, where it found none; the whole body may stand as the message
        code, message = code_and_message(message)
    return from_parts(
        provider,
        operation,
        status=status if isinstance(status, int) else None,
        code=code,
        message=message,
        html=not code and is_web_page(headers.get("content-type", ""), message),
        retry_after_s=retry_after_s(headers),
        body=json.dumps({"Error": problem}, default=str),
    )


def from_response(response: Response | None, error: BaseException | None, provider: str, operation: str) -> Answer:
    """The HTTP answer behind a library's call; `error` is what was raised, for when there was no answer.

    For libcloud: `driver.connection.connection.response`. Give the answer only if it belongs to this call.
    """
    if response is None:
        return _without_answer(error, provider, operation)
    headers = {str(k).lower(): str(v) for k, v in response.headers.items()}
    text = response.text
    code, message = code_and_message(text)
    return from_parts(
        provider,
        operation,
        status=response.status_code,
        code=code,
        message=message,
        html=not code and is_web_page(headers.get("content-type", ""), text),
        retry_after_s=retry_after_s(headers),
        body=text,
    )


def from_parts(
    provider: str,
    operation: str,
    *,
    status: int | None = None,
    code: str = "",
    message: str = "",
    html: bool = False,
    retry_after_s: float | None = None,
    body: str = "",
    transport: Transport = Transport.ANSWERED,
) -> Answer:
    """An Answer with its texts redacted and cut. For account states too: status 200 and the state as `code`."""
    return Answer(
        provider=provider,
        operation=operation,
        transport=transport,
        status=status,
        code=readable(code, MESSAGE_LENGTH_MAX),
        message=readable(message, MESSAGE_LENGTH_MAX),
        html=html,
        retry_after_s=retry_after_s,
        body=readable(body, BODY_LENGTH_MAX),
    )


def _without_answer(error: BaseException | None, provider: str, operation: str) -> Answer:
    code, message = getattr(error, "code", None), str(error or "")
    if isinstance(code, str | int) and hasattr(error, "message"):  # hcloud: its own code, or the status instead
        status = code if isinstance(code, int) else None
        return from_parts(provider, operation, status=status, code="" if status else str(code), message=message)
    transport = transport_of(error)
    name = type(error).__name__ if error is not None else ""
    if transport is Transport.ANSWERED:
        code = name  # it never left: a missing credential, a bad parameter
    else:
        code, message = "", _innermost(error)
    return from_parts(provider, operation, transport=transport, code=code, message=message)


def _innermost(error: BaseException | None) -> str:
    """What the network itself said, without what urllib3 and requests wrap around it."""
    found = next(iter(_chain(error)), None)
    return (found.strerror if isinstance(found, OSError) and found.strerror else str(found or "")).lower()


def transport_of(error: BaseException | None) -> Transport:
    """How far a call came that raised this. ANSWERED: the network is not to blame."""
    for found in _chain(error):
        words = " ".join(kind.__name__ for kind in type(found).__mro__)
        for name, transport in _TRANSPORTS:
            if name in words:
                return transport
    return Transport.ANSWERED


def _chain(error: BaseException | None) -> list[BaseException]:
    """The error and everything below it, the innermost (the most telling) first."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.insert(0, error)
        inner = [a for a in (*error.args, getattr(error, "reason", None)) if isinstance(a, BaseException)]
        error = error.__cause__ or error.__context__ or next(iter(inner), None)
    return found


_TRANSPORTS = (
    ("NameResolutionError", Transport.NAME),
    ("gaierror", Transport.NAME),
    ("SSLError", Transport.TLS),
    ("ConnectionRefusedError", Transport.REFUSED),
    ("NewConnectionError", Transport.REFUSED),
    ("ConnectTimeout", Transport.TIMEOUT),
    ("ReadTimeout", Transport.TIMEOUT),
    ("TimeoutError", Transport.TIMEOUT),
    ("Timeout", Transport.TIMEOUT),
    ("EndpointConnectionError", Transport.REFUSED),
    ("ProxyError", Transport.REFUSED),
    ("ProxyConnectionError", Transport.REFUSED),
    ("ConnectionError", Transport.RESET),
    ("HTTPException", Transport.RESET),
    ("ProtocolError", Transport.RESET),
    ("HTTPClientError", Transport.RESET),
    ("ChunkedEncodingError", Transport.RESET),
    ("OSError", Transport.RESET),
)
"""Names of exceptions, anywhere in a chain: the libraries raise their own, urllib3's, requests' and Python's."""


# ------------------------------------------------------------------------------------ into an error


def error_of(answer: Answer, operation: str, object: str = "", hint: str = "") -> AdapterError:
    """The error to raise for this answer. `operation` in our own words. The answer stands behind it as its cause."""
    cause = _cause(answer)
    if classify(answer) is Signal.THROTTLED:
        error: AdapterError = Throttled(operation, object, cause, hint, retry_after_s=answer.retry_after_s)
    else:
        error = _kind(answer)(operation, object, cause, hint)
    error.__cause__ = Said(answer)
    return error


def _cause(answer: Answer) -> str:
    if answer.transport is not Transport.ANSWERED:
        return f"{answer.provider} {_TOLD[answer.transport]}" + (f": {answer.message}" if answer.message else "")
    said = ": ".join(filter(None, (answer.code, answer.message if not answer.html else "a web page")))
    return " ".join(filter(None, (str(answer.status or ""), said))) or f"{answer.provider} said no without a word"


_TOLD = {
    Transport.REFUSED: "refused the connection",
    Transport.TIMEOUT: "did not answer in time",
    Transport.NAME: "could not be found by name",
    Transport.TLS: "could not be trusted",
    Transport.RESET: "closed the connection without an answer",
}
_BY_SIGNAL: Mapping[Signal, type[AdapterError]] = {
    Signal.OUTAGE: Unreadable,
    Signal.NETWORK_SUSPECT: Unreadable,
    Signal.UNKNOWN: Unreadable,
    Signal.OK: Unreadable,
    Signal.REQUEST_BUG: Rejected,
    Signal.CONFIGURATION: Rejected,
    Signal.TRANSPORT: Unreachable,
}
_BY_STATUS: Mapping[int, type[AdapterError]] = {
    404: NotFound,
    408: TimedOut,
    409: Conflict,
    410: NotFound,
    412: Conflict,
}
_CODES: tuple[tuple[str, type[AdapterError]], ...] = (
    (r".*\.NotFound|NoSuch(Key|Bucket|Entity|HostedZone)|not_found", NotFound),
    (
        r".*\.Duplicate|IdempotentParameterMismatch|DependencyViolation|.*AlreadyExists|BucketAlreadyOwnedByYou",
        Conflict,
    ),
    (r"uniqueness_error|conflict|locked|PreconditionFailed|IncorrectInstanceState|IncorrectState", Conflict),
    (r".*LimitExceeded|resource_limit_exceeded|server_limit_exceeded|.*QuotaExceeded|OverQuota", QuotaExceeded),
    (r"InsufficientInstanceCapacity|resource_unavailable|placement_error", QuotaExceeded),
)
"""Codes that say more than their status; whole, by pattern."""
_QUOTA_WORDS = re.compile(
    r"quota|limit (?:reached|exceeded)|exceed\w* .*limit|droplet limit|maximum number of", re.IGNORECASE
)


def _kind(answer: Answer) -> type[AdapterError]:
    if answer.transport is not Transport.ANSWERED:
        return TimedOut if answer.transport is Transport.TIMEOUT else Unreachable
    signal = classify(answer)
    if signal in (Signal.REQUEST_BUG, Signal.OUTAGE) and (named := _by_code(answer.code)) is not None:
        return named  # also with 5xx: InsufficientInstanceCapacity is one
    if signal is Signal.OUTAGE and answer.status == 504:
        return TimedOut
    return _request(answer) if signal is Signal.REQUEST_BUG else _BY_SIGNAL.get(signal, AccessRefused)


def _by_code(code: str) -> type[AdapterError] | None:
    return next((kind for pattern, kind in _CODES if re.fullmatch(pattern, code)), None)


def _request(answer: Answer) -> type[AdapterError]:
    """A plain no without a code that we know: what exactly is missing, in the way, or too much."""
    if answer.html:
        return Unreadable  # a web page is never the API's own word that something is absent
    if answer.status in (400, 403, 422) and _QUOTA_WORDS.search(answer.message):
        return QuotaExceeded  # the providers without codes of their own have no other word for it
    return _BY_STATUS.get(answer.status or 0, Rejected)


# ------------------------------------------------------------------------------------ texts


def readable(text: str, length_max: int = MESSAGE_LENGTH_MAX) -> str:
    """One line without control characters and secrets, cut."""
    hidden = _SECRET_SHAPES.sub("[redacted]", redact(text))
    plain = " ".join("".join(c if c.isprintable() else " " for c in hidden).split())
    return plain if len(plain) <= length_max else f"{plain[:length_max]}…"


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by `Retry-After` (RFC 9110, section 10.2.3): a number, or a date by the server's own clock.

    Keys in lower case. None: it does not say.
    """
    value = headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError):  # no date, or one without a zone beside one with
        return None
    return max(0.0, wait.total_seconds())
