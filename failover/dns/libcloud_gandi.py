"""Gandi LiveDNS's dialect (API v5, by its reference): whole sets, `@`, texts in quotes, TTLs from five minutes.

libcloud's connection still signs in with an API key at an older address; here it carries a personal access token.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import quote

import msgspec
from libcloud.dns.drivers.gandi_live import GandiLiveDNSDriver

from failover.core.rights import Act, Right, right_of
from failover.core.rrsets import Changes, RRset, normal_name
from failover.dns.entries import DeleteSet, Entry, Replace, ReplaceSet, Step, set_steps
from failover.dns.libcloud import factory
from failover.dns.libcloud_dialect import Zone, relative_name, whole_name, within
from failover.dns.texts import quoted, unquoted
from failover.errors import Unreadable
from failover.net.libcloud import Api, Ask, Line, placed
from failover.net.lists import Page, whole
from failover.ports import HostTraits

ENDPOINT = "https://api.gandi.net"
TTL_DEFAULT_S = 10800
_PER_PAGE = 500
_TOTAL = "Total-Count"
TRAITS = HostTraits(grade=3, servers=(), atomic_changes=1, ttl_s_min=300, ttl_s_max=2592000, converges_s=300.0)


class _Set(msgspec.Struct):
    rrset_name: str
    rrset_type: str
    rrset_values: list[str]
    rrset_ttl: int = TTL_DEFAULT_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Gandi:
    """See `Dialect`. Each set is replaced at once; a change between CNAME and addresses is one write of the name."""

    token: str = field(repr=False)
    endpoint: str = ENDPOINT
    ca_file: str | None = None
    kind: str = "gandi"
    traits: HostTraits = TRAITS

    def api(self, timeout_s: float) -> Api:
        driver = GandiLiveDNSDriver(self.token)
        connection = placed(driver.connection, self.endpoint)
        bearer = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        vars(connection)["add_default_headers"] = lambda headers: {**headers, **bearer}
        return Api(self.kind, Line(timeout_s, self.ca_file), {"api": connection})

    def zone(self, api: Api, name: str) -> Zone:  # noqa: ARG002
        return Zone(name=name, id=name)

    def servers(self, api: Api, zone: Zone) -> tuple[str, ...]:
        names = api.get(Ask(name="domains.nameservers", path=f"/v5/livedns/domains/{zone.id}/nameservers"), list[str])
        return tuple(f"{normal_name(name)}:53" for name in names)

    def entries(self, api: Api, zone: Zone) -> tuple[Entry, ...]:
        def read(page: str | None) -> Page[_Set]:
            number, seen = (int(part) for part in (page or "1 0").split())
            ask = Ask(name="domains.records", path=_path(zone), query={"page": number, "per_page": _PER_PAGE})
            found, total = api.get(ask, list[_Set]), _total(api)
            seen += len(found)
            return Page(found, total, f"{number + 1} {seen}" if found and seen < total else None)

        sets = whole(api, read, key=lambda found: (found.rrset_name, found.rrset_type))
        return tuple(entry for found in sets for entry in _entries(found, zone))

    def fitted(self, rrset: RRset) -> RRset:
        return within(rrset, self.traits)

    def steps(self, changes: Changes, entries: Iterable[Entry]) -> tuple[Step, ...]:
        return set_steps(changes, entries)

    def send(self, api: Api, zone: Zone, step: Step) -> None:
        match step:
            case Replace():
                body = {"items": [{"rrset_type": rrset.type, **_body(rrset)} for rrset in step.sets]}
                path = _path(zone, step.name)
                api.done(Ask(name="records.replace_name", method="PUT", path=path, body=body))
            case ReplaceSet():
                path = _path(zone, *step.rrset.key)
                api.done(Ask(name="records.replace_set", method="PUT", path=path, body=_body(step.rrset)))
            case DeleteSet():
                api.done(Ask(name="records.delete", method="DELETE", path=_path(zone, step.name, step.type)))

    def rights(self, api: Api, zone: Zone, name: str) -> tuple[Right, ...]:
        """By a set without values. The reference has 403 for a missing permission, and does not say what comes first:
        a refusal of the form proves nothing.

        Source: https://api.gandi.net/docs/livedns/ (400, 403)
        """
        ask = Ask(name="records.replace_set", method="PUT", path=_path(zone, name, "TXT"), body={"rrset_ttl": 0})
        needs = "the permission to manage technical configurations"
        return (right_of(Act.CHANGE, api.tried(ask), (), needs=needs),)


host = factory(Gandi)


def _path(zone: Zone, name: str = "", type: str = "") -> str:
    here = f"/v5/livedns/domains/{zone.id}/records"
    if name:
        here += f"/{quote(relative_name(name, zone.name, '@'), safe='@*')}"
    return f"{here}/{type}" if type else here


def _total(api: Api) -> int:
    """How many sets all pages have. Raises Unreadable where the API does not say it."""
    said = api.line.answer.headers.get(_TOTAL, "") if api.line.answer is not None else ""
    if not said.isdecimal():
        raise Unreadable(api.operation, api.object, f"{api.provider} answered a list without {_TOTAL}")
    return int(said)


def _body(rrset: RRset) -> dict[str, object]:
    values = [_written(rrset.type, value) for value in sorted(rrset.values)]
    return {"rrset_values": values, "rrset_ttl": rrset.ttl_s}


def _written(type: str, value: str) -> str:
    if type == "CNAME":
        return f"{value}."
    return quoted(value) if type == "TXT" else value


def _entries(found: _Set, zone: Zone) -> Iterable[Entry]:
    name = whole_name(found.rrset_name, zone.name)
    for number, said in enumerate(found.rrset_values):
        yield Entry(
            id=f"{name} {found.rrset_type} {number}",
            name=name,
            type=found.rrset_type,
            ttl_s=found.rrset_ttl,
            value=_read(found.rrset_type, said, zone),
        )


def _read(type: str, said: str, zone: Zone) -> str:
    """A target without a final dot is within the zone."""
    if type == "CNAME":
        return normal_name(said) if said.endswith(".") else whole_name(said, zone.name)
    return unquoted(said) if type == "TXT" else said
