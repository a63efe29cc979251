"""Vultr's dialect (API v2, by its reference): single records, '' for the zone's own name, cursors, quoted texts."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

import msgspec
from libcloud.dns.drivers.vultr import VultrDNSDriver

from failover.core.rights import Act, Right, by_scope, lacking
from failover.core.rrsets import Changes, RRset, normal_name
from failover.dns.entries import Entry, Step, record_steps
from failover.dns.libcloud import factory
from failover.dns.libcloud_dialect import (
    ADDRESSES_AND_TEXT,
    Zone,
    refuse_texts,
    relative_name,
    send_record,
    whole_name,
    within,
)
from failover.dns.texts import quoted, unquoted
from failover.errors import AccessRefused
from failover.net.granted import vultr_permissions
from failover.net.libcloud import Api, Ask, Line, placed
from failover.net.lists import Document, Page, items, part, whole
from failover.ports import HostTraits

ENDPOINT = "https://api.vultr.com"
_PER_PAGE = 500
"""The most that the API gives."""
_TEXT_BYTES_MAX = 255
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
class Vultr:
    """See `Dialect`. 120 s is the shortest TTL that its users report to be kept."""

    token: str = field(repr=False)
    endpoint: str = ENDPOINT
    ca_file: str | None = None
    kind: str = "vultr"
    traits: HostTraits = TRAITS

    def api(self, timeout_s: float) -> Api:
        driver = VultrDNSDriver(self.token, api_version="2")  # type: ignore[no-untyped-call]
        line = Line(timeout_s, self.ca_file)
        return Api(self.kind, line, {"api": placed(driver.connection, self.endpoint)})

    def zone(self, api: Api, name: str) -> Zone:  # noqa: ARG002
        return Zone(name=name, id=name)

    def servers(self, api: Api, zone: Zone) -> tuple[str, ...]:  # noqa: ARG002
        return self.traits.servers

    def entries(self, api: Api, zone: Zone) -> tuple[Entry, ...]:
        def read(cursor: str | None) -> Page[_Record]:
            query = {"per_page": _PER_PAGE, **({"cursor": cursor} if cursor else {})}
            document = api.get(Ask(name="domains.records", path=_path(zone), query=query), Document)
            meta = part(api, document, "meta", _Meta)
            return Page(items(api, document, "records", _Record), meta.total, meta.links.next or None)

        return tuple(_entry(record, zone) for record in whole(api, read, key=lambda record: record.id))

    def fitted(self, rrset: RRset) -> RRset:
        refuse_texts(rrset, ('"', "\\"), _TEXT_BYTES_MAX)
        return within(rrset, self.traits)

    def steps(self, changes: Changes, entries: Iterable[Entry]) -> tuple[Step, ...]:
        return record_steps(changes, entries)

    def send(self, api: Api, zone: Zone, step: Step) -> None:
        send_record(api, _path(zone), step, "PATCH", partial(_body, zone))

    def rights(self, api: Api, zone: Zone, name: str) -> tuple[Right, ...]:  # noqa: ARG002
        """By the permissions of the key's user."""
        try:
            return (by_scope(Act.CHANGE, "dns", vultr_permissions(api)),)
        except AccessRefused as error:
            return lacking((Act.CHANGE,), f"its user may not read the account, which would tell ({error.cause})")


host = factory(Vultr)


def _path(zone: Zone) -> str:
    return f"/v2/domains/{zone.id}/records"


def _body(zone: Zone, name: str, type: str, ttl_s: int, value: str) -> dict[str, object]:
    data = quoted(value) if type == "TXT" else value
    return {"name": relative_name(name, zone.name, ""), "data": data, "ttl": ttl_s}


def _entry(record: _Record, zone: Zone) -> Entry:
    value = record.data
    if record.type == "CNAME":
        value = normal_name(value)
    elif record.type == "TXT":
        value = unquoted(value)
    return Entry(id=record.id, name=whole_name(record.name, zone.name), type=record.type, ttl_s=record.ttl, value=value)
