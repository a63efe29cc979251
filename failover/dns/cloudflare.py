"""Cloudflare (API v4, by its reference) as a DNS host. Grade 2.

All of a change is one batch, which Cloudflare carries out in one database transaction. It compares nothing by itself,
but a batch that deletes a record by an id that is not there any more fails as a whole. So the old epoch is deleted by
the id that was read, in the batch that brings the new one: of two who read the same epoch one wins. Only the very first
publication has no id to rely on. Name servers learn of each record on its own, within seconds.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

import msgspec
from libcloud.dns.drivers.cloudflare import CloudFlareDNSDriver

from failover.core.rrsets import Changes, RRset, normal_name
from failover.core.survey import MadeUp
from failover.dns.compare import require_limits
from failover.dns.entries import (
    Create,
    Delete,
    Entry,
    Step,
    Update,
    record_steps,
    require_fence,
    require_room,
    retyped,
    sets_of,
    stands,
)
from failover.dns.libcloud_dialect import refuse_types, within
from failover.dns.texts import quoted, unquoted
from failover.dns.transaction import OPERATION, check_transaction
from failover.errors import Conflict, NotFound, Rejected
from failover.net.calls import PerThread
from failover.net.libcloud import Api, Ask, Line, placed
from failover.net.lists import Document, Page, T, items, part, whole
from failover.ports import HostTraits

ENDPOINT = "https://api.cloudflare.com/client/v4"
TTL_AUTO, TTL_AUTO_S = 1, 300
"""What stands for "automatic", and how long that is; proxied records have no other."""
_PER_PAGE = {"zones": 50, "records": 1000}
_READ = "read DNS"
_PROXIABLE = ("A", "AAAA", "CNAME")

Plan = Literal["free", "pro", "business", "enterprise"]


class _Zone(msgspec.Struct):
    id: str
    name: str
    status: str
    name_servers: list[str]


class _Settings(msgspec.Struct):
    flatten_cname: bool | None = None


class _Record(msgspec.Struct):
    id: str
    name: str
    type: str
    ttl: int
    content: str | None = None
    proxied: bool | None = None
    settings: _Settings | None = None


class _Info(msgspec.Struct):
    page: int
    total_pages: int
    total_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limits:
    batch: int
    ttl_s_min: int


_LIMITS: dict[str, _Limits] = {
    "free": _Limits(batch=200, ttl_s_min=60),
    "pro": _Limits(batch=3500, ttl_s_min=60),
    "business": _Limits(batch=3500, ttl_s_min=60),
    "enterprise": _Limits(batch=3500, ttl_s_min=30),
}
"""Changes in one batch, and the shortest TTL, by the zone's plan."""


class Cloudflare:
    """`ports.Dns`. May be used by several threads.

    `token` needs Zone Read and DNS Edit for the zones. `zones` are those whose name servers make up the traits,
    `servers` (each `address:port`) takes their place. `deadline_s` bounds each call in all, `timeout_s` each wait for
    the network. `endpoint`: another address of the API; `ca_file`: what to trust there.
    """

    def __init__(
        self,
        *,
        name: str,
        token: str,
        plan: Plan = "free",
        zones: Sequence[str] = (),
        servers: Sequence[str] = (),
        endpoint: str | None = None,
        ca_file: str | None = None,
        timeout_s: float = 3.0,
        deadline_s: float = 10.0,
    ) -> None:
        self.name = name
        self._limits = _LIMITS[plan]
        self._names = tuple(normal_name(zone) for zone in zones)
        self._by_zone: dict[str, tuple[str, ...]] = {}
        self._servers = tuple(servers)
        self._deadline_s = deadline_s
        self._zones: dict[str, _Zone] = {}

        def api() -> Api:
            driver = CloudFlareDNSDriver(token)  # type: ignore[no-untyped-call]
            return Api("cloudflare", Line(timeout_s, ca_file), {"api": placed(driver.connection, endpoint or ENDPOINT)})

        self._apis = PerThread(api, lambda api: api.line.close())

    def close(self) -> None:
        """End every connection."""
        self._apis.close()

    # ------------------------------------------------------------------------------------------ what stands there

    def traits(self) -> HostTraits:
        """See `ports.Dns`. A set counts once for each of its values; the epoch takes two changes."""
        if self._servers:
            return replace(self._traits(), servers=self._servers)
        for zone in self._names:
            if zone not in self._by_zone:
                with self._asking("find name servers", zone) as api:
                    found = self._zone(api, zone).name_servers
                self._by_zone[zone] = tuple(f"{normal_name(server)}:53" for server in found)
        servers = dict.fromkeys(server for found in self._by_zone.values() for server in found)
        return replace(self._traits(), servers=tuple(servers), servers_by_zone=dict(self._by_zone))

    def _traits(self) -> HostTraits:
        limits = self._limits
        return HostTraits(
            grade=2, servers=(), atomic_changes=limits.batch - 2, ttl_s_min=limits.ttl_s_min, converges_s=60.0
        )

    def read(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[RRset, ...]:
        """See `ports.Dns`. Of a proxied name these are the addresses behind the proxy."""
        with self._asking(_READ, zone) as api:
            entries = self._entries(api, self._zone(api, zone))
        return sets_of(entries, names)

    def made_up(self, zone: str, names: Sequence[str]) -> tuple[MadeUp, ...]:
        """See `ports.Dns`: proxied records, and CNAMEs that are flattened: that at the zone's own name always is.

        A change takes their place, but for the first publication at a proxied name.
        """
        wanted = {normal_name(name) for name in names}
        with self._asking("look for aliases", zone) as api:
            here = self._zone(api, zone)
            records = [r for r in _listed(api, "records", _records(here), _Record) if normal_name(r.name) in wanted]
        found = {odd for record in records if (odd := _odd(record, normal_name(zone))) is not None}
        return tuple(sorted(found, key=lambda odd: (odd.name, odd.kind)))

    # ------------------------------------------------------------------------------------------ changing

    def apply(self, zone: str, changes: Changes, *, expect: RRset | None, fence: RRset | None) -> None:
        """See `ports.Dns`. One transaction of the plan's number of changes; more are several, the epoch in the last.

        A proxied name is Rejected when it is to be published for the first time. One that somebody proxies later still
        moves, behind the proxy.
        """
        check_transaction(zone, changes, expect, fence)
        traits = self._traits()
        require_limits(zone, changes, traits)
        refuse_types(zone, "cloudflare", changes, traits.types)
        new = None if fence is None else within(fence, traits)
        place = next(rrset.key for rrset in (expect, fence) if rrset is not None)
        with self._asking(OPERATION, zone) as api:
            here = self._zone(api, zone)
            entries = self._entries(api, here)
            require_fence(zone, entries, place, (expect,))
            require_room(zone, entries, changes)
            if expect is None:
                _refuse_proxied(zone, entries, changes)
            batches = self._batches(zone, changes, entries, place, new)
            for batch in batches:
                self._send(api, here, batch, place, expect)
            entries = self._entries(api, here)
        require_fence(zone, entries, place, (new,))
        if not stands(changes, entries):
            raise Conflict(OPERATION, zone, "somebody else has changed the records at the same time", "read again")

    def _batches(
        self, zone: str, changes: Changes, entries: tuple[Entry, ...], place: tuple[str, str], new: RRset | None
    ) -> list[list[Step]]:
        steps = record_steps(changes, entries)
        fence: list[Step] = [Delete(entry=entry) for entry in entries if entry.key == place]
        if new is not None:
            fence += [Create(name=new.name, type=new.type, ttl_s=new.ttl_s, value=value) for value in new.values]
        size = self._limits.batch
        if len(steps) + len(fence) > size and (moved := retyped(changes)):
            cause = f"{len(steps)} changes are more than one transaction of {size}, and {sorted(moved)[0]} changes type"
            raise Rejected(OPERATION, zone, cause, "let the names be CNAMEs to one steering name, and move that")
        batches = [list(steps[start : start + size]) for start in range(0, len(steps), size)] or [[]]
        if len(batches[-1]) + len(fence) > size:
            batches.append([])
        batches[-1] += fence
        return batches

    def _send(self, api: Api, zone: _Zone, batch: Sequence[Step], place: tuple[str, str], expect: RRset | None) -> None:
        """Never repeated. A refusal may mean that somebody was faster: then the next reading shows another epoch."""
        ask = Ask(name="records.batch", method="POST", path=f"{_records(zone)}/batch", body=_body(batch))
        try:
            api.sent(ask)
        except (Rejected, NotFound, Conflict):
            require_fence(zone.name, self._entries(api, zone), place, (expect,))
            raise

    # ------------------------------------------------------------------------------------------ asking

    @contextmanager
    def _asking(self, operation: str, object: str) -> Iterator[Api]:
        """A connection for this thread alone, with the deadline of the operation. A zone may come back anew."""
        with self._apis.lent() as api:
            api.begin(operation, f"{object} at {self.name}", self._deadline_s)
            try:
                yield api
            except NotFound:
                self._zones.pop(normal_name(object), None)
                raise

    def _zone(self, api: Api, name: str) -> _Zone:
        """Raises NotFound, and Rejected where several accounts have such a zone."""
        name = normal_name(name)
        if name not in self._zones:
            found = [z for z in _listed(api, "zones", "/zones", _Zone, name=name) if normal_name(z.name) == name]
            active = [zone for zone in found if zone.status == "active"] if len(found) > 1 else found
            if not found:
                raise NotFound(
                    api.operation, api.object, "this token sees no such zone", "give it Zone Read for the zone"
                )
            if len(active) != 1:
                cause = f"the token sees {len(found)} zones of this name"
                raise Rejected(api.operation, api.object, cause, "give the token the one zone only")
            self._zones[name] = active[0]
        return self._zones[name]

    def _entries(self, api: Api, zone: _Zone) -> tuple[Entry, ...]:
        found = _listed(api, "records", _records(zone), _Record)
        return tuple(_entry(record) for record in found)


def _records(zone: _Zone) -> str:
    return f"/zones/{zone.id}/dns_records"


def _odd(record: _Record, zone: str) -> MadeUp | None:
    """What Cloudflare answers with addresses of its own, or with those that the target has."""
    name, alias = normal_name(record.name), record.type == "CNAME"
    target = normal_name(record.content or "") if alias else ""
    if record.proxied:
        return MadeUp(name=name, kind="proxied record", target=target, refused=False)
    if alias and (name == zone or (record.settings is not None and record.settings.flatten_cname)):
        return MadeUp(name=name, kind="flattened CNAME", target=target, refused=False)
    return None


def _refuse_proxied(zone: str, entries: Iterable[Entry], changes: Changes) -> None:
    names = {rrset.name for rrset in changes.put}
    for entry in entries:
        if entry.proxied and entry.name in names:
            cause = f"{entry.name} is proxied: name servers answer Cloudflare's addresses, so no change can be verified"
            raise Rejected(OPERATION, zone, cause, 'set it to "DNS only" at Cloudflare')


def _body(batch: Iterable[Step]) -> dict[str, object]:
    deletes: list[object] = []
    patches: list[object] = []
    posts: list[object] = []
    for step in batch:
        match step:
            case Delete(entry=entry):
                deletes.append({"id": entry.id})
            case Update(entry=entry):
                record = _record(entry.name, entry.type, step.ttl_s, step.value)
                patches.append({"id": entry.id, **record, **({"ttl": TTL_AUTO} if entry.proxied else {})})
            case Create():
                plain = {"proxied": False} if step.type in _PROXIABLE else {}
                posts.append({**_record(step.name, step.type, step.ttl_s, step.value), **plain})
    parts = {"deletes": deletes, "patches": patches, "posts": posts}
    return {name: part for name, part in parts.items() if part}


def _record(name: str, type: str, ttl_s: int, value: str) -> dict[str, object]:
    content = quoted(value) if type == "TXT" else value
    return {"name": name, "type": type, "ttl": ttl_s, "content": content}


def _entry(record: _Record) -> Entry:
    value = record.content or ""
    if record.type == "CNAME":
        value = normal_name(value)
    elif record.type == "TXT":
        value = unquoted(value)
    return Entry(
        id=record.id,
        name=normal_name(record.name),
        type=record.type,
        ttl_s=TTL_AUTO_S if record.ttl == TTL_AUTO else record.ttl,
        value=value,
        proxied=bool(record.proxied),
    )


def _listed(api: Api, what: str, path: str, kind: type[T], **query: object) -> list[T]:
    def read(page: str | None) -> Page[T]:
        asked = {"page": int(page or "1"), "per_page": _PER_PAGE[what], **query}
        document = api.get(Ask(name=f"{what}.list", path=path, query=asked), Document)
        info = part(api, document, "result_info", _Info)
        more = info.page < info.total_pages
        return Page(items(api, document, "result", kind), info.total_count, str(info.page + 1) if more else None)

    return whole(api, read, key=lambda item: getattr(item, "id", None))
