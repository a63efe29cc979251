"""A stand-in for Gandi's LiveDNS (API v5), written from its reference: domains, whole record sets, name servers.

Sets have no ids; a TTL is 300 to 2592000 s. `PUT …/{name}` replaces all sets of a name, `PUT …/{name}/{type}` one.
A target without a final dot is within the domain. What the reference does not say: a CNAME alone is enforced, texts
without quotes (octoDNS sends them) get some, and a closed account is refused everything.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tests.standins.base import Refused, route
from tests.standins.nodeless import Nodeless
from tests.standins.wire import Call, Reply

BASE = "/v5/livedns/domains"
PER_PAGE = 100
TTL_MIN, TTL_MAX, TTL_DEFAULT = 300, 2592000, 10800
TYPES = ("A", "AAAA", "ALIAS", "CAA", "CNAME", "DNAME", "MX", "NS", "PTR", "SRV", "SSHFP", "TLSA", "TXT")
Sets = dict[tuple[str, str], dict[str, Any]]


@dataclass(slots=True, kw_only=True)
class Domain:
    fqdn: str
    sets: Sets = field(default_factory=dict)


class Gandi(Nodeless):
    """`domains` are what the token sees, for tests to look at."""

    closed_message = "Access was denied to this resource."

    def __init__(self, **options: Any) -> None:
        self.domains: dict[str, Domain] = {}
        super().__init__(**options)

    def empty(self) -> None:
        self.domains.clear()

    # ------------------------------------------------------------------------------------------ the provider's manners

    def refusal(self, status: int, message: str, code: str = "") -> Reply:
        objects = {400: "HTTPBadRequest", 403: "HTTPForbidden", 404: "HTTPNotFound", 409: "HTTPConflict"}
        document = {
            "cause": code or "Refused",
            "code": status,
            "message": message,
            "object": objects.get(status, "HTTPError"),
        }
        return Reply(status=status, document=document)

    def unauthorized(self) -> Reply:
        return self.refusal(
            401, "The server could not verify that you authorized to access the document you requested."
        )

    def checked(self, call: Call) -> None:
        """A personal access token that sees domains, and may not manage their records."""
        if self.scopes_of(call) is not None and call.method != "GET":
            raise Refused(403, "Access was denied to this resource.", "Forbidden")

    def _page(self, call: Call, items: Sequence[Any]) -> Reply:
        asked, page = call.asked("per_page", str(PER_PAGE)), self.page_of(call)
        if not asked.isdecimal() or int(asked) < 1:
            raise Refused(400, "per_page must be a positive number")
        part, _ = self.sliced(items, page, int(asked))
        return Reply(document=part, headers={"Total-Count": str(len(items)), "Filtered-Count": str(len(part))})

    def _done(self, status: int, message: str, **headers: str) -> Reply:
        return Reply(status=status, document={"message": message}, headers=headers)

    # ------------------------------------------------------------------------------------------ domains

    @route("GET", BASE)
    def list_domains(self, call: Call) -> Reply:
        return self._page(call, [{"fqdn": name, "domain_href": f"{self.url}{BASE}/{name}"} for name in self.domains])

    @route("POST", BASE)
    def create_domain(self, call: Call) -> Reply:
        name = call.document["fqdn"]
        if name in self.domains:
            raise Refused(409, f"The domain {name} already exists", "Duplicate Entry")
        self.domains[name] = Domain(fqdn=name)
        return self._done(201, "Domain Created", Location=f"{self.url}{BASE}/{name}")

    @route("GET", BASE + "/{fqdn}")
    def get_domain(self, call: Call, fqdn: str) -> Reply:
        href = f"{self.url}{BASE}/{self._domain(fqdn).fqdn}"
        return Reply(document={"fqdn": fqdn, "automatic_snapshots": True, "domain_records_href": f"{href}/records"})

    @route("GET", BASE + "/{fqdn}/nameservers")
    def list_nameservers(self, call: Call, fqdn: str) -> Reply:
        self._domain(fqdn)
        return Reply(document=["ns-154-a.gandi.net", "ns-232-b.gandi.net", "ns-109-c.gandi.net"])

    # ------------------------------------------------------------------------------------------ records

    @route("GET", BASE + "/{fqdn}/records")
    def list_records(self, call: Call, fqdn: str) -> Reply:
        return self._page(call, self._shown(fqdn, self._domain(fqdn).sets))

    @route("POST", BASE + "/{fqdn}/records")
    def create_record(self, call: Call, fqdn: str) -> Reply:
        wish = call.document
        key = (wish["rrset_name"], wish["rrset_type"])
        if key in self._domain(fqdn).sets:
            raise Refused(409, f"A DNS Record already exists with same value {key}", "Duplicate Entry")
        self._put(fqdn, {key: wish})
        return self._done(201, "DNS Record Created", Location=self._href(fqdn, key))

    @route("GET", BASE + "/{fqdn}/records/{name}")
    def get_name(self, call: Call, fqdn: str, name: str) -> Reply:
        sets = self._domain(fqdn).sets
        return self._page(call, self._shown(fqdn, {key: found for key, found in sets.items() if key[0] == name}))

    @route("PUT", BASE + "/{fqdn}/records/{name}")
    def put_name(self, call: Call, fqdn: str, name: str) -> Reply:
        wish = {(name, item["rrset_type"]): item for item in call.document["items"]}
        self._put(fqdn, wish, gone=[key for key in self._domain(fqdn).sets if key[0] == name])
        return self._done(201, "DNS Record Created")

    @route("GET", BASE + "/{fqdn}/records/{name}/{type}")
    def get_record(self, call: Call, fqdn: str, name: str, type: str) -> Reply:
        self._known(fqdn, (name, type))
        return Reply(document=self._shown(fqdn, {(name, type): self._domain(fqdn).sets[name, type]})[0])

    @route("PUT", BASE + "/{fqdn}/records/{name}/{type}")
    def put_record(self, call: Call, fqdn: str, name: str, type: str) -> Reply:
        self._put(fqdn, {(name, type): call.document})
        return self._done(201, "DNS Record Created")

    @route("DELETE", BASE + "/{fqdn}/records/{name}/{type}")
    def delete_record(self, call: Call, fqdn: str, name: str, type: str) -> Reply:
        self._known(fqdn, (name, type))
        del self._domain(fqdn).sets[name, type]
        return Reply(status=204)

    # ------------------------------------------------------------------------------------------ inside

    def _domain(self, fqdn: str) -> Domain:
        if fqdn not in self.domains:
            raise Refused(404, f"Unknown domain {fqdn}", "Not Found")
        return self.domains[fqdn]

    def _known(self, fqdn: str, key: tuple[str, str]) -> None:
        if key not in self._domain(fqdn).sets:
            raise Refused(404, f"Can't find the DNS record {'/'.join(key)}", "Not Found")

    def _href(self, fqdn: str, key: tuple[str, str]) -> str:
        return f"{self.url}{BASE}/{fqdn}/records/{quote(key[0])}/{key[1]}"

    def _shown(self, fqdn: str, sets: Sets) -> list[dict[str, Any]]:
        return [
            {"rrset_name": key[0], "rrset_type": key[1], "rrset_href": self._href(fqdn, key), **found}
            for key, found in sorted(sets.items())
        ]

    def _put(
        self, fqdn: str, wish: dict[tuple[str, str], dict[str, Any]], gone: Sequence[tuple[str, str]] = ()
    ) -> None:
        """All of it, or Refused and nothing."""
        domain = self._domain(fqdn)
        sets = {key: found for key, found in domain.sets.items() if key not in gone}
        sets |= {key: _checked(key, item) for key, item in wish.items()}
        for name, type in sets:
            if type == "CNAME" and sum(1 for key in sets if key[0] == name) > 1:
                raise Refused(409, f"A CNAME record already exists, or other records do: {name}", "Duplicate Entry")
        domain.sets = sets


def _checked(key: tuple[str, str], item: dict[str, Any]) -> dict[str, Any]:
    if "rrset_values" not in item:
        raise Refused(400, "rrset_values: required key not provided")
    type, values, ttl = key[1], item["rrset_values"], item.get("rrset_ttl", TTL_DEFAULT)
    if type not in TYPES or not values or len(set(values)) != len(values):
        raise Refused(400, f"{type} with {values} is no record set")
    if not TTL_MIN <= ttl <= TTL_MAX:
        raise Refused(400, f"{ttl} is less than minimum value {TTL_MIN}, or more than {TTL_MAX}")
    if type in ("A", "AAAA"):
        try:
            values = [str((ipaddress.IPv4Address if type == "A" else ipaddress.IPv6Address)(value)) for value in values]
        except ValueError as error:
            raise Refused(400, f"{values} are no addresses") from error
    if type == "TXT":
        values = [value if value.startswith('"') else f'"{value}"' for value in values]
    return {"rrset_ttl": ttl, "rrset_values": values}
