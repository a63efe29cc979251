"""What a registry says of a domain: RDAP (RFC 9082, 9083), the registry found by IANA's list (RFC 9224)."""

import ipaddress
from collections.abc import Sequence
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


class _Network(msgspec.Struct, rename="camel"):
    name: str = ""
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

    def owner(self, address: str) -> str:
        """As the port says: the registrant's name, else that of the network (RFC 9083, section 5.4)."""
        asked = ipaddress.ip_address(address)
        base = (self._url or self._network_service(asked)).rstrip("/")
        found = _read(self._get(f"{base}/ip/{asked}"), _Network, address)
        name = next((_name(entity) for entity in found.entities if "registrant" in entity.roles), "") or found.name
        if not name:
            raise NotFound(_WHAT, address, "the registry names nobody")
        return str(name)

    def _network_service(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
        """Of all networks that hold the address the smallest one's registry (RFC 9224, section 5)."""
        listed = self._listed(f"ipv{address.version}.json")
        try:
            networks = [(ipaddress.ip_network(name), urls) for names, urls in listed for name in names if urls]
        except ValueError as error:
            raise Unreadable(_WHAT, "list of registries of networks", str(error)) from error
        fitting = [(network.prefixlen, urls) for network, urls in networks if address in network]
        if not fitting:
            raise NotFound(_WHAT, str(address), "it lies in no registry's network")
        return _secure(max(fitting)[1])

    def _listed(self, name: str = "") -> list[tuple[list[str], list[str]]]:
        """IANA's list of the registries of domains, or the one of this name beside it: what they hold, and where."""
        place: str | Path = self._bootstrap
        if name:
            place = place.with_name(name) if isinstance(place, Path) else f"{place.rpartition('/')[0]}/{name}"
        data = _contents(place) if isinstance(place, Path) else self._get(place)
        services: list[list[list[str]]] = _read(data, _Bootstrap, str(place)).services
        return [(service[0], service[1]) for service in services if len(service) == 2]

    def _service(self, labels: list[str]) -> str:
        """The address of the registry's service: of all that fit the one with most labels (RFC 9224, section 4)."""
        by_name = {name.lower(): urls for names, urls in self._listed() for name in names}
        for start in range(1, len(labels)):
            urls = by_name.get(".".join(labels[start:]))
            if urls:
                return _secure(urls)
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


def _secure(urls: Sequence[str]) -> str:
    return next((url for url in urls if url.startswith("https:")), urls[0])


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
