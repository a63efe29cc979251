"""hcloud, Hetzner's own library, as the adapter uses it: one attempt a call, limits of our own, whole lists.

By itself hcloud sends a request again after a timeout, also one that creates; its errors lose the HTTP status; a page
without its numbers ends a list. So every HTTP answer is judged below it, before it sees one.
"""

import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import hcloud
import requests
import urllib3
from hcloud.actions import Action, BoundAction
from requests.adapters import HTTPAdapter

from failover import __version__
from failover.core.reading import Answer
from failover.errors import AdapterError, Rejected, Unreadable
from failover.net.answers import answer_behind, error_of, from_parts, from_response
from failover.net.calls import Deadline, repeat
from failover.net.secret import remember

PROVIDER = "hetzner"
ENDPOINT = "https://api.hetzner.cloud"
ANSWER_BYTES_MAX = 32 * 1024 * 1024
PAGES_MAX = 1000
PER_PAGE = 50
"""The most that the API gives."""
READINGS = 3
"""How often a list is read whose length is not what the provider says."""
_CHUNK = 64 * 1024

T = TypeVar("T")


class _Paged(Protocol):
    """What hcloud's `get_list` returns: the items, and `meta` with the numbers of the page."""

    @property
    def meta(self) -> Any: ...

    def __getitem__(self, index: int, /) -> Any: ...


class HetznerApi:
    """One client of hcloud, for one thread at a time. `begin` an operation, then ask.

    `endpoint` is the API's address, without or with its path `/v1`. `timeout_s` bounds each wait for the network.
    """

    def __init__(self, token: str, *, endpoint: str, timeout_s: float, ca_file: str | None = None) -> None:
        remember(token)
        base = endpoint.rstrip("/")
        self.client = hcloud.Client(
            token,
            api_endpoint=base if urlsplit(base).path else f"{base}/v1",
            application_name="failover",
            application_version=__version__,
        )
        self.operation = self.object = ""
        self._transport = _Transport(timeout_s)
        # There is no public way to another session, and none to fewer attempts.
        self._session: requests.Session = self.client._client._session
        self._session.trust_env = False
        if ca_file is not None:
            self._session.verify = ca_file
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, self._transport)

    def close(self) -> None:
        """End every connection."""
        self._session.close()

    @property
    def deadline(self) -> Deadline:
        """Of the operation that was begun."""
        return self._transport.deadline

    def begin(self, operation: str, object: str, deadline_s: float) -> None:
        """What is asked from now on belongs to this operation: in our own words, for errors, and with one deadline."""
        self.operation, self.object = operation, object
        self._transport.deadline = Deadline(deadline_s)

    # ------------------------------------------------------------------------------------------ asking

    def once(self, name: str, do: Callable[[], T]) -> T:
        """`do()`, one attempt. `name`: `service.operation`, as hcloud names them.

        Raises the AdapterError that fits: Unreadable where the answer has another shape than the API documents.
        """
        self.deadline.bound_s(1.0, self.operation, self.object)
        try:
            return do()
        except _Judged as judged:
            failure = error_of(judged.answer(name), self.operation, self.object)
            raise failure from failure.__cause__
        except AdapterError:
            raise
        except Exception as error:
            told = f"{type(error).__name__}: {error}"
            cause = f"{PROVIDER} answered {name} with what its API does not document ({told})"
            raise Unreadable(self.operation, self.object, cause) from error

    def read(self, name: str, do: Callable[[], T]) -> T:
        """`do()`, again within the deadline while it may do better. For calls that are safe to repeat only."""
        return repeat(lambda: self.once(name, do), self.deadline)

    def whole(self, name: str, page: Callable[..., _Paged], **filters: Any) -> list[Any]:
        """Every item of every page, as many as the API says that there are.

        Things come and go between two pages, so a list of another length is read again, and one whose pages do not
        agree about it.
        """
        problem = ""
        for _ in range(READINGS):
            found, totals = self._pages(name, page, filters)
            different = len({item.id for item in found})
            if totals == {None} or totals == {len(found)} == {different}:
                return found
            problem = f"{different} items were listed, {' or '.join(map(str, totals))} there should be"
        raise Unreadable(self.operation, self.object, problem)

    def count(self, name: str, page: Callable[..., _Paged]) -> int:
        """How many items all pages have, as the first one says; counted where it does not."""
        _, numbers = self.read(name, partial(_page, page, page=1, per_page=1))
        total: int | None = numbers.total_entries
        return total if total is not None else len(self.whole(name, page))

    def _pages(
        self, name: str, page: Callable[..., _Paged], filters: Mapping[str, Any]
    ) -> tuple[list[Any], set[int | None]]:
        """The items, and how many each page says that there are (None: it does not)."""
        found: list[Any] = []
        totals: set[int | None] = set()
        number = 1
        for _ in range(PAGES_MAX):
            items, numbers = self.read(name, partial(_page, page, page=number, per_page=PER_PAGE, **filters))
            found += items
            totals.add(numbers.total_entries)
            if numbers.next_page is None:
                return found, totals
            number = numbers.next_page
        raise Unreadable(self.operation, self.object, f"the list of {name} has no end")

    def look(self, name: str, do: Callable[[], object]) -> Answer:
        """What the API answers to a read, one attempt, as evidence about the account. Never raises."""
        try:
            self.once(name, do)
        except AdapterError as error:
            return answer_behind(error) or from_parts(PROVIDER, name, message=str(error))
        return from_parts(PROVIDER, name, status=200)

    def finish(self, actions: Iterable[BoundAction], poll_s: float) -> None:
        """Wait until all of them are done. Raises Rejected where one failed, TimedOut at the deadline."""
        for action in actions:
            self._finish(action, poll_s)

    def _finish(self, action: BoundAction, poll_s: float) -> None:
        now = action
        while now.status == Action.STATUS_RUNNING:
            self.deadline.wait(poll_s, self.operation, self.object)
            now = self.read("actions.get", lambda: self.client.actions.get_by_id(action.id))
        if now.status != Action.STATUS_SUCCESS:
            told = now.error or {"code": "unknown", "message": "without a word"}
            raise Rejected(self.operation, self.object, f"{now.command} failed: {told['code']}: {told['message']}")


def code_of(error: AdapterError) -> str:
    """Hetzner's own code behind an error, "" where there is none."""
    answer = answer_behind(error)
    return answer.code if answer is not None else ""


def _page(read: Callable[..., _Paged], **query: Any) -> tuple[list[Any], Any]:
    """Raises where the page does not say which it is: an end that is not told is none."""
    found = read(**query)
    return list(found[0]), _there(found.meta.pagination)


def _there(numbers: T | None) -> T:
    if numbers is None:
        raise ValueError("a page without its numbers")
    return numbers


# ------------------------------------------------------------------------------------ one request


class _Judged(Exception):
    """An HTTP answer that is no success, or none at all; hcloud lets it through."""

    def __init__(self, response: requests.Response | None, error: BaseException | None) -> None:
        super().__init__()
        self._response = response
        self._error = error

    def answer(self, name: str) -> Answer:
        answer = from_response(self._response, self._error, PROVIDER, name)
        if answer.status != 429 or answer.retry_after_s is not None or self._response is None:
            return answer
        return replace(answer, retry_after_s=_refill_s(self._response.headers))


def _refill_s(headers: Mapping[str, str]) -> float | None:
    """Seconds until one more request is allowed: a project has so many an hour, and they come back one by one."""
    limit = headers.get("RateLimit-Limit", "")
    return 3600.0 / int(limit) if limit.isdecimal() and int(limit) else None


class _Transport(HTTPAdapter):
    """Below hcloud: sends within the deadline, reads whole answers, and lets successes through only."""

    def __init__(self, timeout_s: float) -> None:
        super().__init__(max_retries=0)
        self.timeout_s = timeout_s
        self.deadline = Deadline(timeout_s)

    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
        try:
            left_s = self.deadline.left_s()
            if left_s <= 0:
                raise TimeoutError(f"not done within {self.deadline.seconds:g} s")
            verify = options.get("verify", True)
            response = super().send(request, stream=True, timeout=min(self.timeout_s, left_s), verify=verify)
            response.raw = io.BytesIO(self._content(response))
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise _Judged(None, error) from error
        if not 200 <= response.status_code < 300:
            raise _Judged(response, None)
        return response

    def _content(self, response: requests.Response) -> bytes:
        """The whole body, in pieces: one byte a second does not outlast the deadline."""
        pieces, size = [], 0
        try:
            while piece := response.raw.read1(_CHUNK, decode_content=True):  # what has come, not until so much has
                pieces.append(piece)
                size += len(piece)
                if self.deadline.left_s() <= 0:
                    raise TimeoutError(f"not read within {self.deadline.seconds:g} s")
                if size > ANSWER_BYTES_MAX:
                    raise urllib3.exceptions.DecodeError(f"an answer of more than {ANSWER_BYTES_MAX} bytes")
        except BaseException:
            response.close()
            raise
        return b"".join(pieces)
