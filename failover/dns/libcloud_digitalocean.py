"""DigitalOcean's dialect (API v2, by its OpenAPI document): single records, `@`, pages by number."""

from dataclasses import dataclass
from typing import ClassVar

import msgspec
from libcloud.dns.drivers.digitalocean import DigitalOceanDNSDriver

from failover.core.rights import Act, Right, right_of, worst
from failover.core.rrsets import normal_name
from failover.dns.entries import Entry
from failover.dns.libcloud import factory
from failover.dns.libcloud_dialect import (
    Zone,
    relative_name,
    whole_name,
)
from failover.dns.libcloud_records import ADDRESSES_AND_TEXT, RecordDialect
from failover.net.libcloud import Api, Ask
from failover.net.lists import Document, Page, items, part, whole
from failover.ports import HostTraits

ENDPOINT = "https://api.digitalocean.com"
_PER_PAGE = 200
"""The most that the API gives."""
_ID_OF_NOTHING = 2**53 - 1
_LET_IN = (400, 404, 422)
"""What an endpoint says that was reached. Its document: the scope of an endpoint "is required to access it"."""
_TEXT_BYTES_MAX = 500
"""The API counts 512 with the quotes that it adds (reported by users; not documented)."""
TRAITS = HostTraits(
    grade=3,
    servers=tuple(f"ns{n}.digitalocean.com:53" for n in (1, 2, 3)),
    atomic_changes=1,
    ttl_s_min=30,
    types=ADDRESSES_AND_TEXT,
    converges_s=60.0,
)


class _Record(msgspec.Struct):
    id: int
    type: str
    name: str
    data: str
    ttl: int


class _Meta(msgspec.Struct):
    total: int


class _Pages(msgspec.Struct):
    next: str = ""


class _Links(msgspec.Struct):
    pages: _Pages = msgspec.field(default_factory=_Pages)


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitalOcean(RecordDialect):
    """See `Dialect`."""

    driver: ClassVar = DigitalOceanDNSDriver
    records: ClassVar = "/v2/domains/{id}/records"
    text_bytes_max: ClassVar = _TEXT_BYTES_MAX

    endpoint: str = ENDPOINT
    kind: str = "digitalocean"
    traits: HostTraits = TRAITS

    def body(self, zone: Zone, name: str, type: str, ttl_s: int, value: str) -> dict[str, object]:
        """The document wants `flags` and `tag` for a TXT too, empty as they are."""
        more = {"flags": None, "tag": None} if type == "TXT" else {}
        return {"type": type, "name": relative_name(name, zone.name, "@"), "data": value, "ttl": ttl_s, **more}

    def entries(self, api: Api, zone: Zone) -> tuple[Entry, ...]:
        def read(page: str | None) -> Page[_Record]:
            number = int(page or "1")
            ask = Ask(name="domains.records", path=self.path(zone), query={"per_page": _PER_PAGE, "page": number})
            document = api.get(ask, Document)
            more = part(api, document, "links", _Links).pages.next
            total = part(api, document, "meta", _Meta).total
            return Page(items(api, document, "domain_records", _Record), total, str(number + 1) if more else None)

        return tuple(_entry(record, zone) for record in whole(api, read, key=lambda record: record.id))

    def rights(self, api: Api, zone: Zone, name: str) -> tuple[Right, ...]:  # noqa: ARG002
        """By requests that cannot be carried out. Source: the OpenAPI document, `security` of each operation."""
        one = f"{self.path(zone)}/{_ID_OF_NOTHING}"
        tries = {
            "domain:create": Ask(name="records.create", method="POST", path=self.path(zone), body={}),
            "domain:update": Ask(name="records.update", method="PUT", path=one, body={}),
            "domain:delete": Ask(name="records.delete", method="DELETE", path=one),
        }
        found = [right_of(Act.CHANGE, api.tried(ask), _LET_IN, needs=scope) for scope, ask in tries.items()]
        return (worst(found),)


host = factory(DigitalOcean)


def _entry(record: _Record, zone: Zone) -> Entry:
    value = record.data
    if record.type == "CNAME":
        value = zone.name if value == "@" else normal_name(value)
    return Entry(
        id=str(record.id), name=whole_name(record.name, zone.name), type=record.type, ttl_s=record.ttl, value=value
    )
