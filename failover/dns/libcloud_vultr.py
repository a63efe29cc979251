"""Vultr's dialect (API v2, by its reference): single records, '' for the zone's own name, cursors, quoted texts."""

from dataclasses import dataclass
from typing import ClassVar

import msgspec
from libcloud.dns.drivers.vultr import VultrDNSDriver

from failover.core.rights import Act, Right, by_scope, lacking
from failover.core.rrsets import normal_name
from failover.dns.entries import Entry
from failover.dns.libcloud import factory
from failover.dns.libcloud_dialect import (
    Zone,
    relative_name,
    whole_name,
)
from failover.dns.libcloud_records import ADDRESSES_AND_TEXT, RecordDialect
from failover.dns.texts import quoted, unquoted
from failover.errors import AccessRefused
from failover.net.granted import vultr_permissions
from failover.net.libcloud import Api, Ask
from failover.net.lists import Document, Page, items, part, whole
from failover.ports import HostTraits

ENDPOINT = "https://api.vultr.com"
_PER_PAGE = 500
"""The most that the API gives."""
TRAITS = HostTraits(
    grade=3,
    servers=("ns1.vultr.com:53", "ns2.vultr.com:53"),
    atomic_changes=1,
    ttl_s_min=120,
    types=ADDRESSES_AND_TEXT,
    converges_s=120.0,
)


class _Record(msgspec.Struct):
    id: str
    type: str
    name: str
    data: str
    ttl: int


class _Links(msgspec.Struct):
    next: str


class _Meta(msgspec.Struct):
    total: int
    links: _Links


@dataclass(frozen=True, slots=True, kw_only=True)
class Vultr(RecordDialect):
    """See `Dialect`. 120 s is the shortest TTL that its users report to be kept."""

    driver: ClassVar = VultrDNSDriver
    version: ClassVar = "2"
    records: ClassVar = "/v2/domains/{id}/records"
    update: ClassVar = "PATCH"

    endpoint: str = ENDPOINT
    kind: str = "vultr"
    traits: HostTraits = TRAITS

    def body(self, zone: Zone, name: str, type: str, ttl_s: int, value: str) -> dict[str, object]:
        data = quoted(value) if type == "TXT" else value
        return {"name": relative_name(name, zone.name, ""), "data": data, "ttl": ttl_s}

    def entries(self, api: Api, zone: Zone) -> tuple[Entry, ...]:
        def read(cursor: str | None) -> Page[_Record]:
            query = {"per_page": _PER_PAGE, **({"cursor": cursor} if cursor else {})}
            document = api.get(Ask(name="domains.records", path=self.path(zone), query=query), Document)
            meta = part(api, document, "meta", _Meta)
            return Page(items(api, document, "records", _Record), meta.total, meta.links.next or None)

        return tuple(_entry(record, zone) for record in whole(api, read, key=lambda record: record.id))

    def rights(self, api: Api, zone: Zone, name: str) -> tuple[Right, ...]:  # noqa: ARG002
        """By the permissions of the key's user."""
        try:
            return (by_scope(Act.CHANGE, "dns", vultr_permissions(api)),)
        except AccessRefused as error:
            return lacking((Act.CHANGE,), f"its user may not read the account, which would tell ({error.cause})")


host = factory(Vultr)


def _entry(record: _Record, zone: Zone) -> Entry:
    value = record.data
    if record.type == "CNAME":
        value = normal_name(value)
    elif record.type == "TXT":
        value = unquoted(value)
    return Entry(id=record.id, name=whole_name(record.name, zone.name), type=record.type, ttl_s=record.ttl, value=value)
