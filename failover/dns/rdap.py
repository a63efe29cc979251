"""What a registry says of a domain: RDAP (RFC 9082, 9083), the registry found by IANA's list (RFC 9224)."""

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError
from urllib3.exceptions import TimeoutError as TimeoutError_

from failover.core.rrsets import normal_name
from failover.core.survey import Registration
from failover.errors import NotFound, TimedOut, Unreachable, Unreadable
from failover.net.decode import decode

BOOTSTRAP = "https://data.iana.org/rdap/dns.json"
_WHAT = "ask registry"
_ANSWER_BYTES_MAX = 4 * 1024 * 1024
_REDIRECTS_MAX = 3
_NO_SUCH = (400, 404)
"""400: some registries say so of names that cannot be registered there."""


class _Event(msgspec.Struct, rename="camel"):
    event_action: str = ""
    event_date: str = ""


class _Entity(msgspec.Struct, rename="camel"):
    roles: list[str] = []
    handle: str = ""
    vcard_array: list[Any] = []


class _Domain(msgspec.Struct, rename="camel"):
    ldh_name: str = ""
    status: list[str] = []
    events: list[_Event] = []
    entities: list[_Entity] = []


class _Bootstrap(msgspec.Struct):
    services: list[list[list[str]]]


class Rdap:
    """`bootstrap`: IANA's list or one of that form, by URL or as a file. `url`: one service for all domains instead.

    `timeout_s` bounds each request.
    """

    def __init__(self, *, bootstrap: str | Path = BOOTSTRAP, url: str | None = None, timeout_s: float = 5.0) -> None:
        self._bootstrap = bootstrap
        self._url = url
        self._timeout_s = timeout_s

    def registration(self, zone: str, *, now_utc_s: float) -> Registration:
        """As the port says. The zone's own name is asked first, then the names above it: `a.b.org`, then `b.org`."""
        labels = normal_name(zone).split(".")
        base = (self._url or self._service(labels)).rstrip("/")
        for start in range(max(1, len(labels) - 1)):
            domain = ".".join(labels[start:])
            try:
                found = _read(self._get(f"{base}/domain/{domain}"), _Domain, domain)
            except NotFound:
                continue
            return _registration(found, domain, now_utc_s)
        raise NotFound(_WHAT, zone, "the registry knows no such domain")

    def _service(self, labels: list[str]) -> str:
        """The address of the registry's service: of all that fit the one with most labels (RFC 9224, section 4)."""
        data = _contents(self._bootstrap) if isinstance(self._bootstrap, Path) else self._get(self._bootstrap)
        services: list[list[list[str]]] = _read(data, _Bootstrap, str(self._bootstrap)).services
        by_name = {name.lower(): service[1] for service in services if len(service) == 2 for name in service[0]}
        for start in range(1, len(labels)):
            urls = by_name.get(".".join(labels[start:]))
            if urls:
                return next((url for url in urls if url.startswith("https:")), urls[0])
        raise NotFound(_WHAT, ".".join(labels), "its registry offers no RDAP")

    def _get(self, url: str) -> bytes:
        """Redirects are followed: registries use them, and there is no secret to lose."""
        pool = urllib3.PoolManager(retries=urllib3.Retry(total=_REDIRECTS_MAX, connect=0, read=0, status=0))
        headers = {"Accept": "application/rdap+json, application/json"}
        try:
            answer = pool.request("GET", url, headers=headers, timeout=self._timeout_s, preload_content=False)
            data = answer.read(_ANSWER_BYTES_MAX)
        except HTTPError as error:
            cause = error.reason if isinstance(error, MaxRetryError) and error.reason else error
            if isinstance(cause, TimeoutError_) and not isinstance(cause, NewConnectionError):
                raise TimedOut(_WHAT, url, f"no answer within {self._timeout_s:g} s") from error
            raise Unreachable(_WHAT, url, type(cause).__name__) from error
        finally:
            pool.clear()
        if answer.status in _NO_SUCH:
            raise NotFound(_WHAT, url, f"it answers {answer.status}")
        if answer.status != 200:
            raise Unreadable(_WHAT, url, f"it answers {answer.status}")
        return data


def _contents(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unreadable("read list of registries", str(path), error.strerror or "it cannot be opened") from error


def _read(data: bytes, into: type[Any], what: str) -> Any:
    try:
        return decode(data, into)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Unreadable(_WHAT, what, str(error)) from error


def _registration(found: _Domain, domain: str, now_utc_s: float) -> Registration:
    return Registration(
        domain=normal_name(found.ldh_name or domain),
        registrar=next((_name(entity) for entity in found.entities if "registrar" in entity.roles), ""),
        statuses=frozenset(status.replace(" ", "").lower() for status in found.status),
        expires_s=_expires_s(found.events, now_utc_s),
    )


def _expires_s(events: list[_Event], now_utc_s: float) -> float | None:
    for event in events:
        if event.event_action == "expiration":
            try:
                moment = datetime.fromisoformat(event.event_date)
            except ValueError:
                return None
            return moment.timestamp() - now_utc_s if moment.tzinfo else None
    return None


def _name(entity: _Entity) -> str:
    """`fn` of its jCard (RFC 7095): ["vcard", [["fn", {}, "text", "Example Registrar"], …]]."""
    properties = entity.vcard_array[1] if len(entity.vcard_array) == 2 else []
    for one in properties if isinstance(properties, list) else []:
        if isinstance(one, list) and len(one) >= 4 and one[0] == "fn" and isinstance(one[3], str):
            return one[3]
    return entity.handle
