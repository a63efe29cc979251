"""Linode's dialect (API v4, by its OpenAPI document): zones by number, '' for the zone's own name, a list of TTLs.

A TTL is not always kept when a record is created (reported by users): it is looked at, and written again.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import msgspec
from libcloud.dns.drivers.linode import LinodeDNSDriver

from failover.core.rights import Act, Right, allowed, refused, unproven
from failover.core.rrsets import RRset, normal_name
from failover.dns.entries import Entry
from failover.dns.libcloud import factory
from failover.dns.libcloud_dialect import (
    Zone,
    relative_name,
    whole_name,
)
from failover.dns.libcloud_records import ADDRESSES_AND_TEXT, RecordDialect
from failover.errors import NotFound
from failover.net.granted import linode_token
from failover.net.libcloud import Api, Ask
from failover.net.lists import Document, Page, T, items, part, whole
from failover.ports import HostTraits

ENDPOINT = "https://api.linode.com"
TTLS_S = (30, 120, 300, 3600, 7200, 14400, 28800, 57600, 86400, 172800, 345600, 604800, 1209600, 2419200)
"""Any other is rounded by the API."""
TTL_DEFAULT_S = 86400
"""What 0 means."""
_PAGE_SIZE = 500
TRAITS = HostTraits(
    grade=3,
    servers=tuple(f"ns{n}.linode.com:53" for n in (1, 2, 3, 4, 5)),
    atomic_changes=1,
    ttl_s_min=TTLS_S[0],
    ttl_s_max=TTLS_S[-1],
    types=ADDRESSES_AND_TEXT,
    converges_s=120.0,
)


class _Domain(msgspec.Struct):
    id: int
    domain: str


class _Record(msgspec.Struct):
    id: int
    type: str
    name: str | None
    target: str | None
    ttl_sec: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Linode(RecordDialect):
    """See `Dialect`."""

    driver: ClassVar = LinodeDNSDriver
    version: ClassVar = "4.0"
    records: ClassVar = "/v4/domains/{id}/records"

    endpoint: str = ENDPOINT
    kind: str = "linode"
    traits: HostTraits = TRAITS

    def body(self, zone: Zone, name: str, type: str, ttl_s: int, value: str) -> dict[str, object]:
        del type  # it does not stand in a PUT
        return {"name": relative_name(name, zone.name, ""), "target": value, "ttl_sec": ttl_s}

    def zone(self, api: Api, name: str) -> Zone:
        for found in _listed(api, "domains.list", "/v4/domains", _Domain):
            if normal_name(found.domain) == name:
                return Zone(name=name, id=str(found.id))
        raise NotFound(api.operation, api.object, f"this account has no domain {name}", "create the domain at Linode")

    def entries(self, api: Api, zone: Zone) -> tuple[Entry, ...]:
        return tuple(_entry(record, zone) for record in _listed(api, "domains.records", self.path(zone), _Record))

    def fitted(self, rrset: RRset) -> RRset:
        """The next shorter of its TTLs."""
        fit = RecordDialect.fitted(self, rrset)
        return replace(fit, ttl_s=max(ttl_s for ttl_s in TTLS_S if ttl_s <= fit.ttl_s))

    def rights(self, api: Api, zone: Zone, name: str) -> tuple[Right, ...]:  # noqa: ARG002
        """By the token's scopes, and the grants of a restricted user."""
        token = linode_token(api)
        if lack := token.lacks("domains"):
            return (refused(Act.CHANGE, lack),)
        if token.problem:
            return (unproven(Act.CHANGE, token.problem),)
        held = token.grants is None or any(
            str(grant.id) == zone.id and grant.permissions == "read_write" for grant in token.grants.domain
        )
        says = f"its user is restricted, and may not write the domain {zone.name}"
        return (allowed(Act.CHANGE) if held else refused(Act.CHANGE, says),)


host = factory(Linode)


def _entry(record: _Record, zone: Zone) -> Entry:
    value = record.target or ""
    return Entry(
        id=str(record.id),
        name=whole_name(record.name or "", zone.name),
        type=record.type,
        ttl_s=record.ttl_sec or TTL_DEFAULT_S,
        value=normal_name(value) if record.type == "CNAME" else value,
    )


def _listed(api: Api, name: str, path: str, kind: type[T]) -> list[T]:
    def read(page: str | None) -> Page[T]:
        number = int(page or "1")
        document = api.get(Ask(name=name, path=path, query={"page": number, "page_size": _PAGE_SIZE}), Document)
        more = number < part(api, document, "pages", int)
        return Page(
            items(api, document, "data", kind), part(api, document, "results", int), str(number + 1) if more else None
        )

    return whole(api, read, key=lambda item: getattr(item, "id", None))
