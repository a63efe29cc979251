"""A small client for HTTP APIs that speak JSON: one place that turns transport and status into the tree of errors.

Proxies of the environment are not used, and redirects are not followed: a token goes to the address it is for.
"""

import json
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException, RemoteDisconnected
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import urlencode

import msgspec
import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    InvalidHeader,
    NewConnectionError,
    ReadTimeoutError,
)

from failover.errors import (
    AccessRefused,
    AdapterError,
    Conflict,
    NotFound,
    Rejected,
    Throttled,
    TimedOut,
    Unreachable,
    Unreadable,
)
from failover.net.calls import Deadline, repeat
from failover.net.decode import decode
from failover.net.secret import redact

ANSWER_BYTES_MAX = 32 * 1024 * 1024
MESSAGE_LENGTH_MAX = 300
_CHUNK = 64 * 1024
_NO_CODES: Mapping[str, type[AdapterError]] = MappingProxyType({})
_BY_STATUS: Mapping[int, type[AdapterError]] = {
    401: AccessRefused,
    403: AccessRefused,
    404: NotFound,
    408: TimedOut,
    409: Conflict,
    410: NotFound,
    412: Conflict,
    504: TimedOut,
}
_TRANSIENT = (502, 503)

T = TypeVar("T")


class Answer(Exception):
    """What an API said when it said no: the `__cause__` of the AdapterError; get it by `answer_of`.

    `code` and `message` are the provider's own ("" when it gave none), without secrets, cut to a readable length.
    """

    def __init__(self, status: int, code: str = "", message: str = "") -> None:
        super().__init__(status, code, message)
        self.status = status
        self.code = code
        self.message = message


def answer_of(error: BaseException) -> Answer | None:
    """The API's answer behind an error, None when there was none (no connection, no time)."""
    return error.__cause__ if isinstance(error.__cause__, Answer) else None


class _Problem(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Envelope(msgspec.Struct):
    """The usual shapes of a refusal: `{"error": {"code", "message"}}` and `{"error": "message"}`."""

    error: _Problem | str


class ApiClient:
    """One API under one base address, with one token or none. May be used by several threads.

    `timeout_s` bounds each wait for the network, `deadline_s` the whole call with its repetitions. `codes` says which
    error a provider's own code means where the status alone would mislead. `header`: where the token goes, if not into
    `Authorization`. `ca_file`: what to trust instead of what this machine does.
    """

    def __init__(
        self,
        *,
        base: str,
        token: str | None,
        timeout_s: float,
        deadline_s: float,
        codes: Mapping[str, type[AdapterError]] = _NO_CODES,
        header: str | None = None,
        ca_file: str | None = None,
    ) -> None:
        self._base = base.rstrip("/")
        self._headers = {"Accept": "application/json"}
        if token is not None:
            self._headers |= {header: token} if header else {"Authorization": f"Bearer {token}"}
        self._timeout_s = timeout_s
        self._deadline_s = deadline_s
        self._codes = codes
        self._pool = urllib3.PoolManager(maxsize=4, retries=False, ca_certs=ca_file)

    def get(
        self,
        path: str,
        into: type[T],
        operation: str,
        object: str = "",
        query: Mapping[str, str] | None = None,
        *,
        deadline_s: float | None = None,
    ) -> T:
        """Read. Repeated within the deadline while the API cannot be reached, throttles, or says 502 or 503.

        `deadline_s`: what is left of the caller's own.
        """
        return self._repeat(
            lambda left: self._call("GET", path, into, operation, object, left, query=query), deadline_s
        )

    def get_once(self, path: str, into: type[T], operation: str, object: str = "") -> T:
        """Read, one attempt: where a failure is an answer too."""
        return self._call("GET", path, into, operation, object, self._deadline_s)

    def put(self, path: str, body: bytes, operation: str, object: str = "") -> None:
        """Store these bytes. Repeated as `get` is."""
        self._repeat(lambda left: self._call("PUT", path, dict, operation, object, left, body=body))

    def delete(self, path: str, operation: str, object: str = "") -> None:
        """Remove. Repeated as `get` is: after a lost reply the repetition may raise NotFound."""
        self._repeat(lambda left: self._call("DELETE", path, dict, operation, object, left))

    def post(self, path: str, document: Mapping[str, object], into: type[T], operation: str, object: str = "") -> T:
        """Send a JSON object. Never repeated."""
        body = json.dumps(document).encode()
        return self._call("POST", path, into, operation, object, self._deadline_s, body=body)

    def send(
        self, method: str, path: str, document: object, operation: str, object: str = "", *, deadline_s: float
    ) -> Mapping[str, str]:
        """Change something by one request, never repeated. Returns the answer's headers; its body does not matter.

        Raises TimedOut whenever the API may have carried it out: when it did not answer, or something in between did.
        Any other error is a no, and then nothing has changed.
        """
        data = msgspec.json.encode(document)
        try:
            status, headers, body = self._exchange(method, self._base + path, data, deadline_s)
        except (HTTPError, OSError) as error:
            failure = self._no_answer(error, operation, object)
            if isinstance(error, NewConnectionError | ConnectTimeoutError):
                raise failure from error  # nothing was sent
            raise TimedOut(operation, object, f"{failure.cause}; it may be done all the same") from error
        if 200 <= status < 300:
            return headers
        answer = _answer(status, headers, body)
        failure = self._error(answer, headers, operation, object)
        if status >= 500:
            failure = TimedOut(operation, object, f"{failure.cause}; it may be done all the same")
        raise failure from answer

    # ------------------------------------------------------------------------------------------ repeating

    def _repeat(self, attempt: Callable[[float], T], deadline_s: float | None = None) -> T:
        deadline = Deadline(self._deadline_s if deadline_s is None else deadline_s)
        return repeat(lambda: attempt(max(0.001, deadline.left_s())), deadline, may_pass=_may_pass)

    # ------------------------------------------------------------------------------------------ one attempt

    def _call(
        self,
        method: str,
        path: str,
        into: type[T],
        operation: str,
        object: str,
        left_s: float,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> T:
        target = self._base + path + (f"?{urlencode(query)}" if query else "")
        try:
            status, headers, data = self._exchange(method, target, body, left_s)
        except (HTTPError, OSError) as error:
            raise self._no_answer(error, operation, object) from error
        if not 200 <= status < 300:
            answer = _answer(status, headers, data)
            raise self._error(answer, headers, operation, object) from answer
        try:
            return decode(data, into)
        except (msgspec.DecodeError, UnicodeError) as error:
            cause = f"{self._base} answered what its API does not document ({_kind(headers)}): {error}"
            raise Unreadable(operation, object, cause) from Answer(status)

    def _exchange(
        self, method: str, target: str, body: bytes | None, left_s: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body. The body is read in pieces: one byte a second does not outlast the deadline."""
        until = time.monotonic() + left_s
        bound_s = min(self._timeout_s, left_s)
        response = self._pool.request(
            method,
            target,
            body=body,
            headers=self._headers,
            timeout=urllib3.Timeout(connect=bound_s, read=bound_s),
            redirect=False,
            preload_content=False,
        )
        pieces: list[bytes] = []
        try:
            while piece := response.read1(_CHUNK):
                pieces.append(piece)
                if time.monotonic() > until:
                    raise TimeoutError
                if len(pieces) * _CHUNK > ANSWER_BYTES_MAX and sum(map(len, pieces)) > ANSWER_BYTES_MAX:
                    raise DecodeError(f"an answer of more than {ANSWER_BYTES_MAX} bytes")
        except BaseException:
            response.close()
            raise
        response.release_conn()
        return response.status, response.headers, b"".join(pieces)

    def _no_answer(self, error: Exception, operation: str, object: str) -> AdapterError:
        """The transport's trouble as one of ours."""
        cause = _root(error)
        late = isinstance(error, ConnectTimeoutError | ReadTimeoutError | TimeoutError)
        if late and not isinstance(error, NewConnectionError):  # which is a timeout by inheritance only
            return TimedOut(operation, object, f"no answer from {self._base} in time")
        if isinstance(cause, RemoteDisconnected):
            return Unreachable(operation, object, f"{self._base} closed the connection without an answer")
        if isinstance(error, DecodeError | InvalidHeader) or isinstance(cause, HTTPException):
            return Unreadable(operation, object, f"{self._base} answered what is not HTTP: {cause}")
        told = cause.strerror.lower() if isinstance(cause, OSError) and cause.strerror else type(cause).__name__
        return Unreachable(operation, object, f"{self._base}: {told}")

    def _error(self, answer: Answer, headers: Mapping[str, str], operation: str, object: str) -> AdapterError:
        code = f" {answer.code}" if answer.code else ""
        cause = f"{answer.status}{code}: {answer.message}"
        if answer.status == 429:
            return Throttled(operation, object, cause, retry_after_s=_seconds(headers.get("Retry-After")))
        if not 400 <= answer.status < 500 and answer.status not in _BY_STATUS:  # 5xx, and redirects: no word of the API
            return Unreadable(operation, object, cause)
        return (self._codes.get(answer.code) or _BY_STATUS.get(answer.status, Rejected))(operation, object, cause)


def _answer(status: int, headers: Mapping[str, str], data: bytes) -> Answer:
    try:
        said = decode(data, _Envelope).error
        problem = _Problem(message=said) if isinstance(said, str) else said
    except (msgspec.DecodeError, UnicodeError):
        problem = _Problem(message=f"{_kind(headers)} that names no error")
    return Answer(status, _readable(problem.code), _readable(problem.message))


def _may_pass(error: BaseException) -> bool:
    """Whether the same call may do better a moment later. A timeout has used up its time already."""
    answer = answer_of(error)
    return isinstance(error, Unreachable | Throttled) or (answer is not None and answer.status in _TRANSIENT)


def _seconds(header: str | None) -> float | None:
    """Retry-After in seconds (RFC 9110, section 10.2.3); its other form, a date, is not used by APIs that we know."""
    return float(header) if header is not None and header.strip().isdecimal() else None


def _kind(headers: Mapping[str, str]) -> str:
    return headers.get("Content-Type", "").partition(";")[0].strip() or "an answer without a type"


def _readable(text: str) -> str:
    """One line without control characters and secrets."""
    plain = "".join(c if c.isprintable() else " " for c in redact(text))
    return plain if len(plain) <= MESSAGE_LENGTH_MAX else f"{plain[:MESSAGE_LENGTH_MAX]}…"


def _root(error: BaseException) -> BaseException:
    """What went wrong below urllib3, whose own texts hold addresses of objects."""
    while isinstance(error, HTTPError) and (below := error.__cause__ or error.__context__) is not None:
        error = below
    return error
