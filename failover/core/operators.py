"""Whose name server or registrar it is: where independence is judged. What is not known is never called independent."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from failover.core.rrsets import normal_name
from failover.core.survey import Soa, ZoneFacts

_SERVERS = {
    "aws": r"ns-\d+\.awsdns-\d+\.(com|net|org|co\.uk)",
    "cloudflare": r"[a-z-]+\.ns\.cloudflare\.com",
    "digitalocean": r"ns\d\.digitalocean\.com",
    "linode": r"ns\d\.linode\.com",
    "vultr": r"ns\d\.vultr\.com",
    "hetzner": r"\w+\.ns\.hetzner\.(com|de)|(ns\d\.)?(first|second)-ns\.(com|de)|robotns\d\.second-ns\.(com|de)",
    "ovh": r"(dns|ns)\d*\.(ovh\.(net|ca)|anycast\.me)",
    "google": r"ns-cloud-[a-e]\d\.googledomains\.com",
    "azure": r"ns\d-\d+\.azure-dns\.(com|net|org|info)",
    "gandi": r"ns-\d+-[abc]\.gandi\.net",
    "ns1": r"dns\d\.p\d+\.nsone\.net",
    "ultradns": r"(p|u)dns\d+\.ultradns\.(com|net|org|info|biz|co\.uk)",
    "akamai": r"a\d+-\d+\.akam\.net",
    "ionos": r"ns\d+\.ui-dns\.(com|de|org|biz)",
}
"""Operators whose name servers stand under several names, or who host nodes too: theirs are the words of `kind`."""
_COMPANIES = {
    "aws": r"\b(amazon|aws)\b",
    "cloudflare": r"\bcloudflare\b|\bcloudflarenet\b",
    "digitalocean": r"\bdigital ?ocean\b",
    "linode": r"\blinode\b",
    "vultr": r"\bvultr\b|\bconstant company\b",
    "hetzner": r"\bhetzner\b",
    "ovh": r"\bovh\b",
    "google": r"\bgoogle\b",
    "azure": r"\bmicrosoft\b|\bazure\b",
    "gandi": r"\bgandi\b",
    "ns1": r"\bnsone\b|\bns1\b",
    "akamai": r"\bakamai\b",
    "ionos": r"\bionos\b|1&1",
}
"""As registries write their names: registrars, and those who hold the network of an address."""
_CONTACTS = {
    "aws": r"awsdns-hostmaster\.amazon\.com",
    "cloudflare": r"dns\.cloudflare\.com",
    "google": r"cloud-dns-hostmaster\.google\.com",
    "azure": r"azuredns-hostmaster\.microsoft\.com",
}
"""What they write into the SOA records of the zones that they serve, under whatever names."""
_SECOND_LEVEL = ("ac", "co", "com", "edu", "gov", "ne", "net", "or", "org")
"""Where registries of two letters often sell below: `example.co.uk`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operators:
    """Who runs the name servers of a zone, by their names.

    `known`: for certain, by their names or because the network that they stand in is registered to somebody.
    `likely`: their SOA record names somebody; a copy of the zone may say the same elsewhere.
    `unknown`: all others; a name of one's own (white label) may point into anybody's network.
    """

    known: Mapping[str, str]
    likely: Mapping[str, str]
    unknown: tuple[str, ...]


def operators_of(zone: ZoneFacts, owners: Mapping[str, str]) -> Operators:
    """`owners`: by place (`address:port`) who holds its network, where a registry said so."""
    names = zone.delegation.name_servers if zone.delegation is not None else {}
    known = {name: found for name, places in names.items() if (found := operator_of(name) or _holder(places, owners))}
    soas = {server.server: server.soa for server in zone.servers if server.soa is not None}
    rest = {name: places for name, places in names.items() if name not in known}
    likely = {name: found for name, places in rest.items() if (found := _said([soas[p] for p in places if p in soas]))}
    return Operators(known=known, likely=likely, unknown=tuple(sorted(rest.keys() - likely.keys())))


def _holder(places: Iterable[str], owners: Mapping[str, str]) -> str | None:
    """Of every address, if it is one."""
    found = {company_of(owners[place]) if place in owners else "" for place in places}
    return found.pop() or None if len(found) == 1 else None


def _said(soas: Iterable[Soa]) -> str | None:
    found = {operator_of(soa.primary) or _matching(_CONTACTS, soa.contact) or "" for soa in soas}
    return found.pop() or None if len(found) == 1 else None


def operator_of(name_server: str) -> str | None:
    """`ns-5.awsdns-00.co.uk` → `aws`; None for a name that is not known."""
    return _matching(_SERVERS, normal_name(name_server))


def domain_of(name: str) -> str:
    """The last two labels, three below `co.uk` and such: what one owner usually has."""
    labels = normal_name(name).split(".")
    below = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL
    return ".".join(labels[-3:] if below else labels[-2:])


def company_of(name: str) -> str:
    """`Amazon Registrar, Inc.` → `aws`; of a name that is not known the name itself."""
    for operator, pattern in _COMPANIES.items():
        if re.search(pattern, name, re.IGNORECASE):
            return operator
    return name


def _matching(table: Mapping[str, str], name: str) -> str | None:
    return next((operator for operator, pattern in table.items() if re.fullmatch(pattern, name)), None)
