"""apache-libcloud as every cloud adapter uses it: its connections, sign-in and catalogs; never its parsers of answers.

The drivers' own lists and errors are not used. They take a body without the expected key for an empty list, a page
that lacks one for the end, an unknown state for a crash; they say 401 for every 403, and lose the status of every web
page. What a provider answered is read here, from the HTTP answer itself. Nothing is ever repeated by libcloud.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urljoin

import msgspec
import requests
from libcloud.common.base import Connection
from libcloud.http import LibcloudConnection

from failover.core.reading import Answer, Transport
from failover.errors import AdapterError, TimedOut, Unreadable
from failover.net.answers import answer_behind, error_of, from_parts, from_response
from failover.net.bodies import is_web_page
from failover.net.calls import Deadline, repeat
from failover.net.decode import decode

ANSWER_BYTES_MAX = 32 * 1024 * 1024
_CHUNK = 64 * 1024
_LOGIN = "/auth/tokens"
"""Where OpenStack's identity service gives tokens; libcloud goes there on the way to other services."""

T = TypeVar("T")


def _plain(content: bytes) -> tuple[str, str]:
    """A good answer that says nothing about the account, if it is the API's own: JSON."""
    msgspec.json.decode(content)
    return "", ""


class _Once:
    """In place of libcloud's own repetitions, which any text in one environment variable turns on, creations too."""

    def __init__(self, **_: Any) -> None:
        """Whatever it is told."""

    def __call__(self, request: T) -> T:
        return request


class Line:
    """What all connections of one driver share: how long the call under way may take, and its HTTP answer."""

    def __init__(self, timeout_s: float, ca_file: str | None = None) -> None:
        self.timeout_s = timeout_s
        self.ca_file = ca_file
        self.deadline = Deadline(timeout_s)
        self.answer: requests.Response | None = None
        """Of the last request, None while there is none: what stands here belongs to the call that was just made."""
        self._sessions: list[requests.Session] = []

    def through(self, connection: Connection) -> None:
        """From now on this connection of a driver speaks over the line; nothing has been sent by it before."""
        connection.conn_class = self._wire  # type: ignore[assignment] # libcloud only calls it
        connection.connection = None
        connection.retryCls = _Once  # type: ignore[assignment]

    def _wire(self, **options: Any) -> "_Wire":
        wire = _Wire(self, **options)
        assert wire.session is not None  # noqa: S101 - made by the constructor
        self._sessions.append(wire.session)
        return wire

    def close(self) -> None:
        for session in self._sessions:
            session.close()


def placed(connection: Connection, endpoint: str) -> Connection:
    """The driver's connection goes there, with no query parameters but the caller's own."""
    host, port, secure, path = connection._tuple_from_url(endpoint)  # type: ignore[no-untyped-call]
    connection.host, connection.port, connection.secure, connection.request_path = host, port, secure, path
    connection.add_default_params = dict  # type: ignore[method-assign] # some drivers force a page size
    return connection


class _Wire(LibcloudConnection):
    """One HTTP connection: limits of our own, no redirects (a token goes to the address it is for), no `.netrc`."""

    def __init__(self, line: Line, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        self._line = line
        assert self.session is not None  # noqa: S101 - made by the constructor
        self.session.trust_env = False
        if line.ca_file is not None:
            self.ca_cert = line.ca_file

    def request(  # the signature is libcloud's
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: Any = None,
        raw: bool = False,  # noqa: ARG002
        stream: bool = False,  # noqa: ARG002
        hooks: Any = None,
    ) -> None:
        line = self._line
        line.answer = self.response = None
        left_s = line.deadline.left_s()
        if left_s <= 0:
            raise requests.Timeout(f"not done within {line.deadline.seconds:g} s")
        assert self.session is not None  # noqa: S101
        response = self.session.request(
            method=method,
            url=urljoin(self.host or "", url),
            data=body,
            headers=self._normalize_headers(headers=headers),  # type: ignore[no-untyped-call]
            allow_redirects=False,
            stream=True,
            verify=self.verification,
            timeout=min(line.timeout_s, left_s),
            hooks=hooks,
        )
        _read(response, line.deadline)
        line.answer = self.response = response


def _read(response: requests.Response, deadline: Deadline) -> None:
    """The whole body, in pieces: one byte a second does not outlast the deadline."""
    pieces, size = [], 0
    try:
        while piece := response.raw.read1(_CHUNK, decode_content=True):
            pieces.append(piece)
            size += len(piece)
            if deadline.left_s() <= 0:
                raise requests.Timeout(f"not read within {deadline.seconds:g} s")
            if size > ANSWER_BYTES_MAX:
                raise requests.exceptions.ContentDecodingError(f"an answer of more than {ANSWER_BYTES_MAX} bytes")
    except BaseException:
        response.close()
        raise
    response.raw.release_conn()
    vars(response).update(_content=b"".join(pieces), _content_consumed=True)  # where requests keeps what it has read


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request. `name`: `service.Operation` in the provider's words; `service`: which connection of the driver's."""

    name: str
    path: str
    method: str = "GET"
    query: Mapping[str, object] = field(default_factory=dict)
    body: Mapping[str, object] | None = None
    service: str = ""


class Api:
    """One driver, for one thread at a time. `begin` an operation, then ask.

    `connections` are the driver's, by service; the first is asked where no service is named. `refreshes`: its tokens
    expire, so a first 401 may mean no more than that.
    """

    def __init__(
        self, provider: str, line: Line, connections: Mapping[str, Connection], *, refreshes: bool = False
    ) -> None:
        self.provider = provider
        self.line = line
        self.operation = self.object = ""
        self._connections = connections
        self._refreshes = refreshes
        for connection in connections.values():
            line.through(connection)

    @property
    def deadline(self) -> Deadline:
        """Of the operation that was begun."""
        return self.line.deadline

    def connection(self, service: str) -> Connection:
        """The driver's own connection to a service."""
        return self._connections[service]

    def begin(self, operation: str, object: str, deadline_s: float) -> None:
        """What is asked from now on belongs to this operation: in our own words, for errors, and with one deadline."""
        self.operation, self.object, self.line.deadline = operation, object, Deadline(deadline_s)

    # ------------------------------------------------------------------------------------------ asking

    def get(self, ask: Ask, into: type[T]) -> T:
        """The answer to a read. Repeated within the deadline while it may do better."""
        return repeat(lambda: self.once(ask, into), self.deadline)

    def done(self, ask: Ask) -> None:
        """A PUT or DELETE was carried out. Repeated as `get` is: after a lost reply the next may raise NotFound."""
        repeat(lambda: self._request(ask), self.deadline)

    def sent(self, ask: Ask) -> None:
        """A POST was carried out whose answer does not matter. Never repeated."""
        self._request(ask)

    def once(self, ask: Ask, into: type[T]) -> T:
        """The answer of one attempt. Raises the AdapterError that fits: Unreadable where it has another shape."""
        self._request(ask)
        response = self.line.answer
        content, kind = (
            (response.content, response.headers.get("Content-Type", "")) if response is not None else (b"", "")
        )
        try:
            return decode(content, into)
        except (msgspec.DecodeError, UnicodeError) as error:
            told = kind.partition(";")[0] or "an answer without a type"
            cause = f"{self.provider} answered what its API does not document ({told}): {error}"
            raise Unreadable(self.operation, self.object, cause) from error

    def look(self, ask: Ask, told: Callable[[bytes], tuple[str, str]] = _plain) -> Answer:
        """What the provider answers to a read, one attempt, as evidence about the account. Never raises.

        `told` finds the account's state, and the provider's words about it, in the body of a good answer.
        """
        try:
            self._request(ask)
            content = self.line.answer.content if self.line.answer is not None else b""
            code, message = told(content)
        except AdapterError as error:
            return answer_behind(error) or from_parts(self.provider, ask.name, transport=Transport.TIMEOUT)
        except (msgspec.DecodeError, UnicodeError) as error:
            return from_parts(self.provider, ask.name, message=f"not the API's own answer: {error}")
        return from_parts(self.provider, ask.name, status=200, code=code, message=message)

    def tried(self, ask: Ask) -> Answer:
        """What the provider answers to a request that cannot be carried out, one attempt. Never raises."""
        return self.look(ask, lambda _: ("", ""))

    # ------------------------------------------------------------------------------------------ one request

    def _request(self, ask: Ask) -> None:
        if self.deadline.left_s() <= 0:
            raise TimedOut(self.operation, self.object, f"not done within {self.deadline.seconds:g} s")
        try:
            try:
                self._send(ask)
            except Exception:
                if not self._expired():
                    raise
                self._send(ask)  # libcloud has forgotten the token, and signs in anew
        except Exception as error:  # noqa: BLE001 - libcloud raises what it likes; the HTTP answer itself tells
            failure = error_of(self._answer(error, ask.name), self.operation, self.object)
            raise failure from failure.__cause__

    def _send(self, ask: Ask) -> None:
        connection = self._connections[ask.service] if ask.service else next(iter(self._connections.values()))
        self.line.answer = None
        data = None if ask.body is None else _encoded(connection, ask.body)
        connection.request(ask.path, params=dict(ask.query), data=data, method=ask.method)  # type: ignore[no-untyped-call]

    def _expired(self) -> bool:
        """Whether the last answer refused a token that may merely be too old."""
        response = self.line.answer
        return self._refreshes and response is not None and response.status_code == 401 and not _at_login(response)

    def _answer(self, error: Exception, name: str) -> Answer:
        response = self.line.answer
        if response is not None and _at_login(response):
            name = "identity.tokens"
        if response is None or not 200 <= response.status_code < 300:
            return from_response(response, error, self.provider, name)
        # libcloud could not make anything of a good status: a web page, or a catalog without our region.
        html = is_web_page(response.headers.get("Content-Type", ""), response.text)
        return from_parts(self.provider, name, message=f"{type(error).__name__}: {error}", html=html)


def _at_login(response: requests.Response) -> bool:
    return _LOGIN in (response.url or "")


def _encoded(connection: Connection, body: Mapping[str, object]) -> Any:
    """As this connection wants it: some encode by themselves."""
    own = type(connection).encode_data is not Connection.encode_data
    return dict(body) if own else msgspec.json.encode(body)
