"""DigitalOcean's dialect (API v2, by its OpenAPI document): single records, `@`, pages by number."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

import msgspec
from libcloud.dns.drivers.digitalocean import DigitalOceanDNSDriver

from failover.core.rights import Act, Right, right_of, worst
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
from failover.net.libcloud import Api, Ask, Line, placed
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
class DigitalOcean:
    """See `Dialect`."""

    token: str = field(repr=False)
    endpoint: str = ENDPOINT
    ca_file: str | None = None
    kind: str = "digitalocean"
    traits: HostTraits = TRAITS

    def api(self, timeout_s: float) -> Api:
        driver = DigitalOceanDNSDriver(self.token)  # type: ignore[no-untyped-call]
        line = Line(timeout_s, self.ca_file)
        return Api(self.kind, line, {"api": placed(driver.connection, self.endpoint)})

    def zone(self, api: Api, name: str) -> Zone:  # noqa: ARG002
        return Zone(name=name, id=name)

    def servers(self, api: Api, zone: Zone) -> tuple[str, ...]:  # noqa: ARG002
        return self.traits.servers

    def entries(self, api: Api, zone: Zone) -> tuple[Entry, ...]:
        def read(page: str | None) -> Page[_Record]:
            number = int(page or "1")
            ask = Ask(name="domains.records", path=_path(zone), query={"per_page": _PER_PAGE, "page": number})
            document = api.get(ask, Document)
            more = part(api, document, "links", _Links).pages.next
            total = part(api, document, "meta", _Meta).total
            return Page(items(api, document, "domain_records", _Record), total, str(number + 1) if more else None)

        return tuple(_entry(record, zone) for record in whole(api, read, key=lambda record: record.id))

    def fitted(self, rrset: RRset) -> RRset:
        refuse_texts(rrset, ('"', "\\"), _TEXT_BYTES_MAX)
        return within(rrset, self.traits)

    def steps(self, changes: Changes, entries: Iterable[Entry]) -> tuple[Step, ...]:
        return record_steps(changes, entries)

    def send(self, api: Api, zone: Zone, step: Step) -> None:
        send_record(api, _path(zone), step, "PUT", partial(_body, zone))

    def rights(self, api: Api, zone: Zone, name: str) -> tuple[Right, ...]:  # noqa: ARG002
        """By requests that cannot be carried out. Source: the OpenAPI document, `security` of each operation."""
        one = f"{_path(zone)}/{_ID_OF_NOTHING}"
        tries = {
            "domain:create": Ask(name="records.create", method="POST", path=_path(zone), body={}),
            "domain:update": Ask(name="records.update", method="PUT", path=one, body={}),
            "domain:delete": Ask(name="records.delete", method="DELETE", path=one),
        }
        found = [right_of(Act.CHANGE, api.tried(ask), _LET_IN, needs=scope) for scope, ask in tries.items()]
        return (worst(found),)


host = factory(DigitalOcean)


def _path(zone: Zone) -> str:
    return f"/v2/domains/{zone.id}/records"


def _body(zone: Zone, name: str, type: str, ttl_s: int, value: str) -> dict[str, object]:
    """The document wants `flags` and `tag` for a TXT too, empty as they are."""
    more = {"flags": None, "tag": None} if type == "TXT" else {}
    return {"type": type, "name": relative_name(name, zone.name, "@"), "data": value, "ttl": ttl_s, **more}


def _entry(record: _Record, zone: Zone) -> Entry:
    value = record.data
    if record.type == "CNAME":
        value = zone.name if value == "@" else normal_name(value)
    return Entry(
        id=str(record.id), name=whole_name(record.name, zone.name), type=record.type, ttl_s=record.ttl, value=value
    )
