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

from failover.core.rights import Act, Right, right_of
from failover.core.rrsets import Changes, RRset, normal_name
from failover.core.survey import MadeUp
from failover.dns.cloudflare_words import (
    Record,
    automatic,
    body_of,
    entry_of,
    kept_names,
    marked,
    odd_of,
    proxied_names,
)
from failover.dns.compare import require_limits, require_room
from failover.dns.entries import (
    Create,
    Delete,
    Entry,
    Step,
    record_steps,
    require_fence,
    retyped,
    sets_of,
    stands,
)
from failover.dns.libcloud_dialect import refuse_types, within
from failover.dns.transaction import OPERATION, Parts, check_transaction, reading_again, sending
from failover.errors import Conflict, NotFound, Rejected
from failover.net.calls import PerThread
from failover.net.libcloud import Api, Ask, Line, placed
from failover.net.lists import Document, Page, T, items, part, whole
from failover.ports import HostTraits

ENDPOINT = "https://api.cloudflare.com/client/v4"
EDGE_S = 300.0
"""Changes of proxied records "take place within five minutes or less" (Cloudflare's documents: Proxied DNS records)."""
_PER_PAGE = {"zones": 50, "records": 5000}
"""The API takes up to 5,000,000 records a page; by this a zone of any plan but the largest is one page of 2 MB."""
_READ = "read DNS"
_ID_OF_NOTHING = "f" * 32
_NO_RECORD = "81044"
"""Its code for a record that does not exist."""

Plan = Literal["free", "pro", "business", "enterprise"]


class _Zone(msgspec.Struct):
    id: str
    name: str
    status: str
    name_servers: list[str]


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
    `servers` (each `address:port`) takes their place. `proxied`: names whose first record is made to stand behind the
    edge; of those that stand it is never changed. `deadline_s` bounds each call in all, `timeout_s` each wait for the
    network. `endpoint`: another address of the API; `ca_file`: what to trust there.
    """

    def __init__(
        self,
        *,
        name: str,
        token: str,
        plan: Plan = "free",
        zones: Sequence[str] = (),
        servers: Sequence[str] = (),
        proxied: Sequence[str] = (),
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
        self._proxied = frozenset(normal_name(name) for name in proxied)
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
            grade=2,
            servers=(),
            atomic_changes=limits.batch - 2,
            ttl_s_min=limits.ttl_s_min,
            converges_s=EDGE_S if self._proxied else 60.0,
        )

    def read(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[RRset, ...]:
        """See `ports.Dns`. Of a proxied name these are the addresses behind the proxy."""
        with self._asking(_READ, zone) as api:
            entries = self._entries(api, self._zone(api, zone))
        return marked(sets_of(entries, names), proxied_names(entries))

    def made_up(self, zone: str, names: Sequence[str]) -> tuple[MadeUp, ...]:
        """See `ports.Dns`: proxied records, and CNAMEs that are flattened: that at the zone's own name always is.

        A change takes their place, but for the first publication at a proxied name. Names that are meant to be proxied
        are left out.
        """
        wanted = {normal_name(name) for name in names}
        with self._asking("look for aliases", zone) as api:
            here = self._zone(api, zone)
            records = [r for r in _listed(api, "records", _records(here), Record) if normal_name(r.name) in wanted]
        found = {odd for r in records if (odd := odd_of(r, normal_name(zone), self._proxied)) is not None}
        return tuple(sorted(found, key=lambda odd: (odd.name, odd.kind)))

    # ------------------------------------------------------------------------------------------ changing

    def apply(self, zone: str, changes: Changes, *, expect: RRset | None, fence: RRset | None) -> None:
        """See `ports.Dns`. One transaction of the plan's number of changes; more are several, the epoch in the last.

        A proxied name stays proxied. One that is not named so is Rejected when it is to be published the first time;
        if somebody proxies it later, it still moves, behind the proxy.
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
            require_room(zone, changes, (entry.key for entry in entries))
            if expect is None:
                self._refuse_proxied(zone, entries, changes)
            hidden = kept_names(entries, self._proxied)
            parts = Parts(zone)
            for batch in self._batches(zone, automatic(changes, hidden), entries, place, new):
                with parts.next():
                    self._send(api, here, body_of(batch, hidden), place, expect)
            with reading_again(zone):
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

    def _refuse_proxied(self, zone: str, entries: Iterable[Entry], changes: Changes) -> None:
        names = {rrset.name for rrset in changes.put} - self._proxied
        for name in sorted(names & proxied_names(entries)):
            cause = f"{name} is proxied: name servers answer Cloudflare's addresses, so no change can be verified"
            raise Rejected(OPERATION, zone, cause, 'set it to "DNS only" at Cloudflare, or name it in `proxied`')

    def _send(
        self, api: Api, zone: _Zone, body: dict[str, object], place: tuple[str, str], expect: RRset | None
    ) -> None:
        """Never repeated. A refusal may mean that somebody was faster: then the next reading shows another epoch."""
        ask = Ask(name="records.batch", method="POST", path=f"{_records(zone)}/batch", body=body)
        try:
            with sending(zone.name):
                api.sent(ask)
        except (Rejected, NotFound, Conflict):
            require_fence(zone.name, self._entries(api, zone), place, (expect,))
            raise

    def rights(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[Right, ...]:
        """See `ports.Dns`. By a batch that removes a record of an id that nothing has: it fails as a whole (81044).

        The zone's own `permissions` are those of memberships, which its reference calls deprecated: not of a token.
        """
        del names
        with self._asking("ask rights", zone) as api:
            path = f"/zones/{self._zone(api, zone).id}/dns_records/batch"
            ask = Ask(name="records.batch", method="POST", path=path, body={"deletes": [{"id": _ID_OF_NOTHING}]})
            return (right_of(Act.CHANGE, api.tried(ask), (_NO_RECORD,), needs="DNS:Edit for the zone"),)

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
        found = _listed(api, "records", _records(zone), Record)
        return tuple(entry_of(record) for record in found)


def _records(zone: _Zone) -> str:
    return f"/zones/{zone.id}/dns_records"


def _listed(api: Api, what: str, path: str, kind: type[T], **query: object) -> list[T]:
    def read(page: str | None) -> Page[T]:
        asked = {"page": int(page or "1"), "per_page": _PER_PAGE[what], **query}
        document = api.get(Ask(name=f"{what}.list", path=path, query=asked), Document)
        info = part(api, document, "result_info", _Info)
        more = info.page < info.total_pages
        return Page(items(api, document, "result", kind), info.total_count, str(info.page + 1) if more else None)

    return whole(api, read, key=lambda item: getattr(item, "id", None))
