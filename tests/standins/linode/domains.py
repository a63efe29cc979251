"""Linode: domains and their records.

The document names the fields, says that a TTL is rounded to the nearest of a list and that 0 stands for the default.
That the TTL is lost when a record is created, so that it has to be written again, is a report of users (dnscontrol's
Linode provider): `keeps_ttl` says whether this one does it.
"""

import ipaddress
from dataclasses import dataclass, field
from typing import Any

from tests.standins.base import Refused, route
from tests.standins.linode.account import AccountPart
from tests.standins.wire import Call, Reply

TTLS = (0, 30, 120, 300, 3600, 7200, 14400, 28800, 57600, 86400, 172800, 345600, 604800, 1209600, 2419200)
TYPES = ("A", "AAAA", "NS", "MX", "CNAME", "TXT", "SRV", "PTR", "CAA")


@dataclass(slots=True, kw_only=True)
class Domain:
    id: int
    domain: str
    soa_email: str
    records: dict[int, dict[str, Any]] = field(default_factory=dict)


class DomainsPart(AccountPart):
    """Domains are known by number; their records come one by one."""

    def __init__(self, **options: Any) -> None:
        self.domains: dict[int, Domain] = {}
        self.keeps_ttl = False
        super().__init__(**options)

    @route("GET", "/v4/domains")
    def list_domains(self, call: Call) -> Reply:
        return self._page(call, "domains", [_shown(domain) for domain in self.domains.values()])

    @route("POST", "/v4/domains")
    def create_domain(self, call: Call) -> Reply:
        wish = call.document
        self._wanted(wish, "domain", "type")
        if wish["type"] == "master":
            self._wanted(wish, "soa_email")
        if any(domain.domain == wish["domain"] for domain in self.domains.values()):
            raise Refused(400, "DNS zone already exists.", "domain")
        domain = Domain(id=self._number(), domain=wish["domain"], soa_email=wish.get("soa_email", ""))
        self.domains[domain.id] = domain
        return self._reply(_shown(domain))

    @route("GET", "/v4/domains/{id}")
    def get_domain(self, call: Call, id: str) -> Reply:
        return self._reply(_shown(self._domain(id)))

    @route("DELETE", "/v4/domains/{id}")
    def delete_domain(self, call: Call, id: str) -> Reply:
        del self.domains[self._domain(id).id]
        return self._reply({})

    @route("GET", "/v4/domains/{id}/records")
    def list_records(self, call: Call, id: str) -> Reply:
        return self._page(call, "records", list(self._domain(id).records.values()))

    @route("POST", "/v4/domains/{id}/records")
    def create_record(self, call: Call, id: str) -> Reply:
        domain, wish = self._domain(id), call.document
        self._wanted(wish, "type")
        if wish["type"] not in TYPES:
            raise Refused(400, "Invalid record type", "type")
        now = self.instant(self.ticks)
        blank = {"service": None, "protocol": None, "priority": 0, "weight": 0, "port": 0, "tag": None}
        record = {**blank, "name": "", "target": "", "ttl_sec": 0, **wish, "created": now, "updated": now}
        _check(domain, record, None)
        record["ttl_sec"] = _rounded(record["ttl_sec"]) if self.keeps_ttl else 0
        record["id"] = self._number()
        domain.records[record["id"]] = record
        return self._reply(record)

    @route("GET", "/v4/domains/{id}/records/{record}")
    def get_record(self, call: Call, id: str, record: str) -> Reply:
        return self._reply(self._record(id, record))

    @route("PUT", "/v4/domains/{id}/records/{record}")
    def update_record(self, call: Call, id: str, record: str) -> Reply:
        """The type is not among what can be changed."""
        found = self._record(id, record)
        if call.document.get("type", found["type"]) != found["type"]:
            raise Refused(400, "type is not editable", "type")
        changed = {**found, **call.document, "updated": self.instant(self.ticks)}
        _check(self._domain(id), changed, found["id"])
        changed["ttl_sec"] = _rounded(changed["ttl_sec"])
        found.update(changed)
        return self._reply(found)

    @route("DELETE", "/v4/domains/{id}/records/{record}")
    def delete_record(self, call: Call, id: str, record: str) -> Reply:
        del self._domain(id).records[self._record(id, record)["id"]]
        return self._reply({})

    # ------------------------------------------------------------------------------------------ inside

    def _domain(self, id: str) -> Domain:
        found: Domain = self._one(self.domains, self._id(id))
        return found

    def _record(self, id: str, record: str) -> dict[str, Any]:
        found: dict[str, Any] = self._one(self._domain(id).records, self._id(record))
        return found


def _shown(domain: Domain) -> dict[str, Any]:
    return {
        "id": domain.id,
        "type": "master",
        "domain": domain.domain,
        "group": "",
        "status": "active",
        "description": "",
        "soa_email": domain.soa_email,
        "retry_sec": 0,
        "master_ips": [],
        "axfr_ips": [],
        "expire_sec": 0,
        "refresh_sec": 0,
        "ttl_sec": 0,
        "tags": [],
        "created": "2026-01-01T00:00:00",
        "updated": "2026-01-01T00:00:00",
    }


def _rounded(ttl_sec: int) -> int:
    return min(TTLS, key=lambda known: abs(known - ttl_sec))


def _check(domain: Domain, record: dict[str, Any], id: int | None) -> None:
    type, target = record["type"], record["target"]
    if not target:
        raise Refused(400, "target is required", "target")
    if record["name"].endswith("."):
        raise Refused(400, "Invalid hostname", "name")
    if type in ("A", "AAAA"):
        kind = ipaddress.IPv4Address if type == "A" else ipaddress.IPv6Address
        try:
            kind(target)
        except ValueError as error:
            raise Refused(400, "Invalid IP address", "target") from error
    for other in domain.records.values():
        if other.get("id") != id and other["name"] == record["name"] and "CNAME" in (type, other["type"]):
            raise Refused(400, "You cannot have a CNAME record alongside other records of this name", "name")
