"""Vultr: DNS domains and their records, by the API reference's "DNS".

The reference names the fields. From users' reports (dnscontrol's and octoDNS's Vultr providers): the domain's own name
is '', a TXT is written and shown in quotes and holds none inside, targets have no final dot. A type cannot be changed:
it is not among what an update takes.
"""

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Any

from tests.standins.base import Refused, route
from tests.standins.vultr.account import AccountPart
from tests.standins.wire import Call, Reply

TTL_DEFAULT = 300
TYPES = ("A", "AAAA", "CNAME", "NS", "MX", "SRV", "TXT", "CAA", "SSHFP")
TEXT = re.compile(r'"[^"]*"')


@dataclass(slots=True, kw_only=True)
class Domain:
    domain: str
    made: int
    records: dict[str, dict[str, Any]] = field(default_factory=dict)


class DomainsPart(AccountPart):
    """Domains are known by name; their records come one by one."""

    def __init__(self, **options: Any) -> None:
        self.domains: dict[str, Domain] = {}
        super().__init__(**options)

    @route("GET", "/v2/domains")
    def list_domains(self, call: Call) -> Reply:
        return self._page(call, "domains", [self._domain_shown(domain) for domain in self.domains.values()])

    @route("POST", "/v2/domains")
    def create_domain(self, call: Call) -> Reply:
        wish = call.document
        self._wanted(wish, "domain")
        if wish["domain"] in self.domains:
            raise Refused(400, "Unable to add domain: Domain already exists.")
        self.domains[wish["domain"]] = domain = Domain(domain=wish["domain"], made=self.ticks)
        if wish.get("ip"):
            self._record_made(domain, {"type": "A", "name": "", "data": wish["ip"]})
        for server in ("ns1.vultr.com", "ns2.vultr.com"):
            self._record_made(domain, {"type": "NS", "name": "", "data": server})
        return Reply(status=201, document={"domain": self._domain_shown(domain)})

    @route("GET", "/v2/domains/{name}")
    def get_domain(self, call: Call, name: str) -> Reply:
        return Reply(document={"domain": self._domain_shown(self._domain(name))})

    @route("DELETE", "/v2/domains/{name}")
    def delete_domain(self, call: Call, name: str) -> Reply:
        del self.domains[self._domain(name).domain]
        return Reply(status=204)

    @route("GET", "/v2/domains/{name}/records")
    def list_records(self, call: Call, name: str) -> Reply:
        return self._page(call, "records", list(self._domain(name).records.values()))

    @route("POST", "/v2/domains/{name}/records")
    def create_record(self, call: Call, name: str) -> Reply:
        self._wanted(call.document, "type", "data")
        return Reply(status=201, document={"record": self._record_made(self._domain(name), call.document)})

    @route("GET", "/v2/domains/{name}/records/{id}")
    def get_record(self, call: Call, name: str, id: str) -> Reply:
        return Reply(document={"record": self._one(self._domain(name).records, id, "record")})

    @route("PATCH", "/v2/domains/{name}/records/{id}")
    def update_record(self, call: Call, name: str, id: str) -> Reply:
        domain = self._domain(name)
        record = self._one(domain.records, id, "record")
        sent = {key: value for key, value in call.document.items() if value is not None}
        changed = {**record, **{key: sent[key] for key in ("name", "data", "ttl", "priority") if key in sent}}
        _check(domain, changed)
        record.update(changed)
        return Reply(status=204)

    @route("DELETE", "/v2/domains/{name}/records/{id}")
    def delete_record(self, call: Call, name: str, id: str) -> Reply:
        records = self._domain(name).records
        del records[self._one(records, id, "record")["id"]]
        return Reply(status=204)

    # ------------------------------------------------------------------------------------------ inside

    def _domain_shown(self, domain: Domain) -> dict[str, Any]:
        return {"domain": domain.domain, "date_created": self.instant(domain.made), "dns_sec": "disabled"}

    def _domain(self, name: str) -> Domain:
        found: Domain = self._one(self.domains, name, "domain")
        return found

    def _record_made(self, domain: Domain, wish: dict[str, Any]) -> dict[str, Any]:
        record = {
            "id": self._uuid(),
            "type": wish["type"],
            "name": wish.get("name") or "",
            "data": wish["data"],
            "priority": wish.get("priority") or 0,
            "ttl": wish.get("ttl") or TTL_DEFAULT,
        }
        _check(domain, record)
        domain.records[record["id"]] = record
        return record


def _check(domain: Domain, record: dict[str, Any]) -> None:
    type, data = record["type"], record["data"]
    if type not in TYPES:
        raise Refused(400, "Invalid record type")
    if type == "TXT" and not TEXT.fullmatch(data):
        raise Refused(400, "TXT data must be in quotes")
    if type in ("A", "AAAA"):
        try:
            (ipaddress.IPv4Address if type == "A" else ipaddress.IPv6Address)(data)
        except ValueError as error:
            raise Refused(400, "Invalid IP address") from error
    for other in domain.records.values():
        if other["id"] != record["id"] and other["name"] == record["name"] and "CNAME" in (type, other["type"]):
            raise Refused(400, "A CNAME cannot stand beside other records")
