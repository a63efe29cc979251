"""DigitalOcean: domains and their records.

The document says what requests and answers look like; what follows is from DigitalOcean's guides and users' reports:
a name is relative, `@` for the domain itself; a CNAME stands alone; a target is written with a final dot and shown
without, `@` for the domain itself; a TTL is 30 s or more; a TXT has at most 512 bytes with its quotes, no backslash.
"""

import ipaddress
from dataclasses import dataclass, field
from typing import Any

from tests.standins.base import Refused, route
from tests.standins.digitalocean.account import AccountPart
from tests.standins.wire import Call, Reply

TTL_MIN, TTL_DEFAULT = 30, 1800
TEXT_MAX = 512
TYPES = ("A", "AAAA", "CAA", "CNAME", "MX", "NS", "SOA", "SRV", "TXT")
SERVERS = ("ns1.digitalocean.com", "ns2.digitalocean.com", "ns3.digitalocean.com")


@dataclass(slots=True, kw_only=True)
class Domain:
    name: str
    ttl: int = TTL_DEFAULT
    records: dict[int, dict[str, Any]] = field(default_factory=dict)


class DomainsPart(AccountPart):
    """Records come one by one, and nothing compares them with anything but a CNAME."""

    def __init__(self, **options: Any) -> None:
        self.domains: dict[str, Domain] = {}
        super().__init__(**options)

    @route("GET", "/v2/domains")
    def list_domains(self, call: Call) -> Reply:
        return self._page(call, "domains", [self._domain_shown(domain) for domain in self.domains.values()])

    @route("POST", "/v2/domains")
    def create_domain(self, call: Call) -> Reply:
        name = call.document["name"]
        if name in self.domains:
            raise Refused(422, "name has already been taken")
        self.domains[name] = domain = Domain(name=name)
        for server in SERVERS:
            self._record_made(domain, {"type": "NS", "name": "@", "data": f"{server}.", "ttl": TTL_DEFAULT})
        return self._reply({"domain": {**self._domain_shown(domain), "ttl": None, "zone_file": None}}, 201)

    @route("GET", "/v2/domains/{name}")
    def get_domain(self, call: Call, name: str) -> Reply:
        return self._reply({"domain": self._domain_shown(self._domain(name))})

    @route("DELETE", "/v2/domains/{name}")
    def delete_domain(self, call: Call, name: str) -> Reply:
        del self.domains[self._domain(name).name]
        return self._nothing()

    @route("GET", "/v2/domains/{name}/records")
    def list_records(self, call: Call, name: str) -> Reply:
        """`name` in the query is a whole name, `type` a type."""
        domain = self._domain(name)
        found = [record for record in domain.records.values() if call.asked("type", record["type"]) == record["type"]]
        wanted = call.asked("name")
        if wanted:
            found = [record for record in found if _whole(record["name"], domain.name) == wanted]
        return self._page(call, "domain_records", found)

    @route("POST", "/v2/domains/{name}/records")
    def create_record(self, call: Call, name: str) -> Reply:
        return self._reply({"domain_record": self._record_made(self._domain(name), call.document)}, 201)

    @route("GET", "/v2/domains/{name}/records/{id}")
    def get_record(self, call: Call, name: str, id: str) -> Reply:
        return self._reply({"domain_record": self._record(name, id)})

    @route("PUT", "/v2/domains/{name}/records/{id}")
    def update_record(self, call: Call, name: str, id: str) -> Reply:
        return self._record_changed(call, name, id)

    @route("PATCH", "/v2/domains/{name}/records/{id}")
    def patch_record(self, call: Call, name: str, id: str) -> Reply:
        return self._record_changed(call, name, id)

    @route("DELETE", "/v2/domains/{name}/records/{id}")
    def delete_record(self, call: Call, name: str, id: str) -> Reply:
        del self._domain(name).records[self._record(name, id)["id"]]
        return self._nothing()

    # ------------------------------------------------------------------------------------------ inside

    def _domain_shown(self, domain: Domain) -> dict[str, Any]:
        lines = [f"{r['name']} {r['ttl']} IN {r['type']} {r['data']}" for r in domain.records.values()]
        return {"name": domain.name, "ttl": domain.ttl, "zone_file": "\n".join(lines)}

    def _domain(self, name: str) -> Domain:
        if name not in self.domains:
            raise Refused(404, "The resource you were accessing could not be found.")
        return self.domains[name]

    def _record(self, name: str, id: str) -> dict[str, Any]:
        records = self._domain(name).records
        if not id.isdecimal() or int(id) not in records:
            raise Refused(404, "The resource you were accessing could not be found.")
        return records[int(id)]

    def _record_made(self, domain: Domain, wish: dict[str, Any]) -> dict[str, Any]:
        record = {"id": self._number(), **_checked(domain, wish, None)}
        domain.records[record["id"]] = record
        return record

    def _record_changed(self, call: Call, name: str, id: str) -> Reply:
        record = self._record(name, id)
        domain = self._domain(name)
        target = "." if record["type"] in ("CNAME", "MX", "NS", "SRV") and record["data"] != "@" else ""
        record.update(_checked(domain, {**record, "data": record["data"] + target, **call.document}, record["id"]))
        return self._reply({"domain_record": record})


def _checked(domain: Domain, wish: dict[str, Any], id: int | None) -> dict[str, Any]:
    type, name, data = wish["type"], wish.get("name", ""), wish.get("data", "")
    ttl = wish.get("ttl", domain.ttl)
    if type not in TYPES:
        raise Refused(422, "Type is not included in the list")
    if not name:
        raise Refused(422, "Name can't be blank")
    if ttl < TTL_MIN:
        raise Refused(422, f"TTL must be greater than or equal to {TTL_MIN}")
    for other in domain.records.values():
        if other["id"] != id and other["name"] == name and "CNAME" in (type, other["type"]):
            raise Refused(422, "CNAME records cannot share a name with other records")
    more = {key: wish.get(key) for key in ("priority", "port", "weight", "flags", "tag")}
    return {"type": type, "name": name, "data": _data(domain, type, data), "ttl": ttl, **more}


def _data(domain: Domain, type: str, data: str) -> str:
    if type in ("A", "AAAA"):
        kind = ipaddress.IPv4Address if type == "A" else ipaddress.IPv6Address
        try:
            return str(kind(data))
        except ValueError as error:
            raise Refused(422, f"IP address did not match {kind.__name__} format") from error
    if type == "TXT":
        if not data or "\\" in data or len(data) + 2 > TEXT_MAX:
            raise Refused(422, "Data is invalid")
    elif type in ("CNAME", "MX", "NS", "SRV"):
        if data in ("@", f"{domain.name}."):
            return "@"
        if not data.endswith("."):
            raise Refused(422, "Data needs to end with a dot (.)")
        return data[:-1]
    return data


def _whole(name: str, domain: str) -> str:
    return domain if name == "@" else f"{name}.{domain}"
