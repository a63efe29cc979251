"""What every stand-in for a provider has: routes, faults, an account with moods, a pace, and a log of requests.

A stand-in is written from the provider's documents and tried with an independent client first. Time in it is counted
in ticks: one per answered request. So whoever polls gets on, at any speed, and nothing depends on a clock.

    with DigitalOcean(token="t") as standin:
        standin.fault("POST /v2/droplets", "lost")         # the next one is carried out, and its reply is lost
        client = Client(token="t", endpoint=standin.url)
"""

import ipaddress
import json
import re
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol, Self, TypeVar, cast

from tests.standins.wire import Call, Reply, Server

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
GATEWAY_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


class Fault(StrEnum):
    """What may go wrong with one request."""

    THROTTLED = "429"
    """Too many requests, with Retry-After; not carried out."""
    BROKEN = "500"
    """The provider's own internal error; not carried out."""
    GATEWAY = "502"
    """HTML of a gateway; not carried out."""
    DROP = "drop"
    """The connection ends without an answer; not carried out."""
    HANG = "hang"
    """No answer until `mend` or `stop`; not carried out."""
    LOST = "lost"
    """Carried out, then the connection ends without an answer."""
    LATE = "late"
    """Carried out, then no answer until `mend` or `stop`."""
    EMPTY = "empty"
    """A list without its items; everything else of the answer is true."""
    CUT = "cut"
    """Carried out, and half of the answer comes."""
    REFUSED = "401"
    """The token is refused, this time; not carried out."""
    CLOSE = "close"
    """The account is closed just before this request is looked at."""


class Mood(StrEnum):
    ACTIVE = "active"
    WARNED = "warned"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A node that is switched on, as the provider's hypervisor knows it: its public address, and what it is told.

    `image`: what it was made from, in the provider's own words.
    """

    id: str
    address: str
    user_data: str
    image: str = ""


class Refused(Exception):
    """Raised by a handler: the provider says no."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(status, message, code)
        self.status = status
        self.message = message
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How many ticks after its creation a node is listed, has its addresses, and runs; and how long lists still show
    one after its deletion.
    """

    listed: int = 0
    addressed: int = 1
    running: int = 2
    gone: int = 1


@dataclass(slots=True, kw_only=True)
class _Planned:
    pattern: re.Pattern[str]
    kind: Fault
    times: int | None
    skip: int
    page: int | None
    retry_after_s: int


Handler = Callable[..., Reply]
H = TypeVar("H", bound=Handler)


def route(method: str, path: str) -> Callable[[H], H]:
    """Marks the method that answers there. `{name}` in the path matches one segment, given as an argument."""
    pattern = re.compile(re.sub(r"\\{\w+\\}", "([^/]+)", re.escape(path)))

    def mark(handler: H) -> H:
        routes = cast("Any", handler).__dict__.setdefault("routes", [])
        routes.append((method, pattern))
        return handler

    return mark


def addresses(network: str) -> Iterator[str]:
    """The addresses of a network, one after the other, none twice."""
    return (str(address) for address in ipaddress.ip_network(network).hosts())


class StandIn(ABC):
    """One provider with one account. Use as a context manager, or `start` and `stop`.

    Attributes that a test may set at any time: `pace`, `delay_s` (every request takes that long), `page_max` (no list
    has more items a page, whatever is asked for), `nodes_max` (the account's limit), `closed_status` (what a closed
    account gets) except from `open_when_closed` (a pattern of `METHOD /path`: what a closed account may still read).
    `host` is where it listens; `free_v4` are the addresses that its nodes get, one after the other.
    """

    closed_message = "You do not have access for the attempted action."
    open_when_closed = r"\Z\A"
    """Nothing, unless the provider's document has an oracle."""

    def __init__(
        self,
        *,
        token: str = "standin-token",
        port: int = 0,
        nodes_max: int = 10,
        page_max: int | None = None,
        pace: Pace = Pace(),
        delay_s: float = 0.0,
        host: str = "127.0.0.1",
        free_v4: Iterator[str] | None = None,
        network_v6: str = "2001:db8::/64",
    ) -> None:
        self.tokens = {token}
        self.scopes: dict[str, frozenset[str]] = {}
        """By token what it may, in the provider's words; a token that is not named here may everything."""
        self.nodes_max = nodes_max
        self.page_max = page_max
        self.pace = pace
        self.delay_s = delay_s
        self.closed_status = 403
        self.mood = Mood.ACTIVE
        self.reason = ""
        self.refusing = False
        self.unreachable = False
        self.hanging = False
        """Somebody waits for an answer that `mend` cuts off."""
        self.ticks = 0
        self.requests: list[Call] = []
        """Every request, in the order of arrival."""
        self.complaints: list[str] = []
        """What is wrong with the stand-in itself; `stop` raises when there is anything."""
        self.free_v4 = addresses("198.18.0.0/15") if free_v4 is None else free_v4
        self.free_v6 = addresses(network_v6)
        self._lock = threading.RLock()
        self._faults: list[_Planned] = []
        self._released = threading.Event()
        self._window: tuple[int, float] | None = None
        self._seen: list[float] = []
        self._routes = self._collected()
        self._host = host
        self._server = Server(self._respond, (host, port))

    # ------------------------------------------------------------------------------------------ the server

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """`http://host:port`, without a path."""
        return f"http://{self._host}:{self.port}"

    def start(self) -> Self:
        self._server.begin()
        return self

    def stop(self) -> None:
        """Raises AssertionError when the stand-in itself did not keep to the provider's document."""
        self._released.set()
        self._server.end()
        assert not self.complaints, "\n".join(self.complaints)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # ------------------------------------------------------------------------------------------ what a test plays

    def fault(
        self,
        pattern: str,
        kind: Fault | str,
        *,
        times: int | None = 1,
        skip: int = 0,
        page: int | None = None,
        retry_after_s: int = 1,
    ) -> None:
        """The next `times` requests that match go wrong (None: all of them), after `skip` that do not.

        `pattern` is searched in `METHOD /path` and in the name of the operation (the stand-in's method that answers).
        `page`: only requests for that page of a list, the first is 1.
        """
        planned = _Planned(
            pattern=re.compile(pattern),
            kind=Fault(kind),
            times=times,
            skip=skip,
            page=page,
            retry_after_s=retry_after_s,
        )
        with self._lock:
            self._faults.append(planned)

    def mend(self) -> None:
        """No faults any more; whoever still waits for an answer is cut off."""
        with self._lock:
            self._faults.clear()
            self.hanging = False
            self._released.set()
            self._released = threading.Event()

    def limit_rate(self, requests: int, window_s: float) -> None:
        """From now on more than so many requests within that time get 429."""
        with self._lock:
            self._window = (requests, window_s)
            self._seen.clear()

    def count(self, pattern: str) -> int:
        """How many requests so far match `METHOD /path`."""
        with self._lock:
            return sum(1 for call in self.requests if re.search(pattern, f"{call.method} {call.path}"))

    def warn(self, message: str) -> None:
        with self._lock:
            self.mood, self.reason = Mood.WARNED, message

    def close(self, reason: str) -> None:
        """The provider closes the account: every node is stopped, the API refuses."""
        with self._lock:
            self.mood, self.reason = Mood.CLOSED, reason
            for id in self.node_ids():
                self.halt(id)

    def reopen(self) -> None:
        """The account is active again; one that was closed is empty."""
        with self._lock:
            if self.mood is Mood.CLOSED:
                self.empty()
            self.mood, self.reason = Mood.ACTIVE, ""

    def machines(self) -> tuple[Machine, ...]:
        """Every node that is switched on now, whoever owns it."""
        with self._lock:
            return tuple(self.switched_on())

    def delete(self, id: str) -> None:
        """Somebody deletes that node, past us: it is gone at once."""
        with self._lock:
            self.ticks += 1
            self.forget(id)

    def walls(self) -> Mapping[str, frozenset[int]]:
        """By name every firewall of the account, with the TCP ports that it opens to everybody over both families."""
        return {}

    def set_wall(self, name: str, ports: Collection[int]) -> None:
        """Somebody changes that firewall by hand, or makes it: open at exactly these ports."""
        raise KeyError(name, ports)

    def grant(self, token: str, *scopes: str) -> str:
        """One more token, which may that and no more."""
        self.tokens.add(token)
        self.scopes[token] = frozenset(scopes)
        return token

    def scopes_of(self, call: Call) -> frozenset[str] | None:
        """What the token of this request may; None: everything."""
        return self.scopes.get(call.header("Authorization").partition(" ")[2])

    # ------------------------------------------------------------------------------------------ what a provider says

    @abstractmethod
    def refusal(self, status: int, message: str, code: str = "") -> Reply:
        """An error in the provider's own shape."""

    @abstractmethod
    def node_ids(self) -> tuple[str, ...]:
        """Every node there is, whoever owns it."""

    @abstractmethod
    def halt(self, id: str) -> None:
        """The node of that id is off, without a call of ours."""

    @abstractmethod
    def foreign(self, name: str) -> str:
        """A node of somebody else in the same account: its id."""

    @abstractmethod
    def switched_on(self) -> Iterable[Machine]:
        """See `machines`."""

    @abstractmethod
    def forget(self, id: str) -> None:
        """See `delete`."""

    @abstractmethod
    def empty(self) -> None:
        """Everything in the account is gone."""

    @abstractmethod
    def unauthorized(self) -> Reply:
        """What a wrong token gets."""

    def closed(self, call: Call) -> Reply | None:
        """What this request gets in a closed account; None: its usual answer."""
        if re.search(self.open_when_closed, f"{call.method} {call.path}"):
            return None
        return self.refusal(self.closed_status, self.closed_message)

    def throttled(self, retry_after_s: int) -> Reply:
        reply = self.refusal(429, "Too many requests.")
        return replace(reply, headers={**reply.headers, "Retry-After": str(retry_after_s)})

    def admitted(self, call: Call) -> bool:
        """Whether the credential of this request is good."""
        kind, _, token = call.header("Authorization").partition(" ")
        return kind.lower() == "bearer" and token in self.tokens

    def checked(self, call: Call) -> None:  # noqa: B027 - few providers have a document that a machine can read
        """Raises Refused where the provider's document does not allow the request."""

    def conforming(self, call: Call, reply: Reply) -> Reply:
        """The reply, as it goes out. Raises where the provider's document does not allow it."""
        return reply

    def page_of(self, call: Call) -> int:
        page = call.asked("page", "1")
        return int(page) if page.isdecimal() else 1

    def emptied(self, document: Any) -> Any:
        """The list without its items."""
        if isinstance(document, list):
            return []
        return {key: [] if isinstance(value, list) else value for key, value in document.items()}

    def missing(self, call: Call) -> Reply:
        """Nothing answers there."""
        return self.refusal(404, "Not found")

    # ------------------------------------------------------------------------------------------ for handlers

    def instant(self, tick: int) -> str:
        """The time of a tick, in UTC: a second each."""
        return (BEGINNING + timedelta(seconds=tick)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def sliced(self, items: Sequence[Any], page: int, per_page: int) -> tuple[list[Any], int]:
        """One page of a list, and how many pages there are (at least one)."""
        size = min(per_page, self.page_max or per_page)
        return list(items[(page - 1) * size : page * size]), max(1, -(-len(items) // size))

    # ------------------------------------------------------------------------------------------ answering

    def _collected(self) -> list[tuple[str, re.Pattern[str], str]]:
        found = {
            (method, pattern, name)
            for part in type(self).__mro__
            for name, member in vars(part).items()
            for method, pattern in getattr(member, "routes", ())
        }
        return sorted(found, key=lambda r: r[1].groups)  # /keys/mine before /keys/{id}

    def _route(self, call: Call) -> tuple[str, tuple[str, ...]]:
        for method, pattern, name in self._routes:
            if method == call.method and (match := pattern.fullmatch(call.path)):
                return name, match.groups()
        return "", ()

    def _respond(self, call: Call) -> Reply | None:
        if self.delay_s:
            time.sleep(self.delay_s)
        with self._lock:
            self.requests.append(call)
            if self.unreachable:
                return None
            planned, released = self._due(call), self._released
        return self._answer(call) if planned is None else self._spoilt(call, planned, released)

    def _due(self, call: Call) -> _Planned | None:
        """The fault that this request gets: the oldest that matches and is not used up."""
        names = (f"{call.method} {call.path}", self._route(call)[0])
        for planned in self._faults:
            if planned.times == 0 or not any(planned.pattern.search(name) for name in names):
                continue
            if planned.page is not None and planned.page != self.page_of(call):
                continue
            if planned.skip:
                planned.skip -= 1
                continue
            if planned.times is not None:
                planned.times -= 1
            return planned
        return None

    def _spoilt(self, call: Call, planned: _Planned, released: threading.Event) -> Reply | None:
        match planned.kind:
            case Fault.THROTTLED:
                return self.throttled(planned.retry_after_s)
            case Fault.BROKEN:
                return self.refusal(500, "Server Error")
            case Fault.GATEWAY:
                return Reply(status=502, raw=GATEWAY_PAGE, type="text/html")
            case Fault.REFUSED:
                return self.unauthorized()
            case Fault.LOST | Fault.LATE:
                self._answer(call)
            case Fault.EMPTY:
                reply = self._answer(call)
                whole = reply.status == 200 and isinstance(reply.document, dict | list)
                return replace(reply, document=self.emptied(reply.document)) if whole else reply
            case Fault.CUT:
                reply = self._answer(call)
                return replace(reply, raw=reply.body[: len(reply.body) // 2])
            case Fault.CLOSE:
                self.close("closed while it was used")
                return self._answer(call)
            case Fault.DROP | Fault.HANG:
                pass
        if planned.kind in (Fault.HANG, Fault.LATE):
            self.hanging = True
            released.wait()
        return None

    def _answer(self, call: Call) -> Reply:
        with self._lock:
            self.ticks += 1
            try:
                return self.conforming(call, self._handled(call))
            except Exception as error:  # noqa: BLE001 - whatever it is, the test must hear of it
                self.complaints.append(f"{call.method} {call.target}: {type(error).__name__}: {error}")
                return self.refusal(500, f"the stand-in is wrong: {error}")

    def _handled(self, call: Call) -> Reply:
        if (wait_s := self._too_many()) is not None:
            return self.throttled(wait_s)
        try:
            if self.refusing or not self.admitted(call):
                return self.unauthorized()
            if self.mood is Mood.CLOSED and (reply := self.closed(call)) is not None:
                return reply
            self.checked(call)
            name, arguments = self._route(call)
            handler: Handler = getattr(self, name) if name else self.missing
            return handler(call, *arguments)
        except Refused as refused:
            return self.refusal(refused.status, refused.message, refused.code)
        except json.JSONDecodeError as error:
            return self.refusal(400, f"The body is not JSON: {error}")

    def _too_many(self) -> int | None:
        """Seconds to wait where the rate limit is reached."""
        if self._window is None:
            return None
        requests, window_s = self._window
        now = time.monotonic()
        self._seen = [at for at in self._seen if at > now - window_s]
        if len(self._seen) >= requests:
            return max(1, round(window_s))
        self._seen.append(now)
        return None


class _Named(Protocol):
    @property
    def id(self) -> str: ...


class Operator:
    """Plays the provider's staff for the conformance suite of clouds (`failover.testing.clouds.Operator`)."""

    def __init__(self, standin: StandIn) -> None:
        self._standin = standin

    def close(self, reason: str) -> None:
        self._standin.close(reason)

    def reopen(self) -> None:
        self._standin.reopen()

    def warn(self, message: str) -> None:
        self._standin.warn(message)

    def refuse(self) -> None:
        self._standin.refusing = True

    def cut(self) -> None:
        self._standin.unreachable = True

    def recover(self) -> None:
        self._standin.refusing = self._standin.unreachable = False

    def stop(self, node: _Named) -> None:
        self._standin.halt(node.id)

    def foreign(self, name: str) -> str:
        return self._standin.foreign(name)

    def has_node(self, id: str) -> bool:
        return id in self._standin.node_ids()

    def walls(self) -> Mapping[str, frozenset[int]]:
        return self._standin.walls()

    def set_wall(self, name: str, ports: Collection[int]) -> None:
        self._standin.set_wall(name, ports)
