"""Whose name server or registrar it is, by its name: where independence is judged."""

import re

from failover.core.rrsets import normal_name

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
_REGISTRARS = {
    "aws": r"\bamazon\b",
    "cloudflare": r"\bcloudflare\b",
    "hetzner": r"\bhetzner\b",
    "ovh": r"\bovh\b",
    "google": r"\bgoogle\b",
    "gandi": r"\bgandi\b",
    "ionos": r"\bionos\b|1&1",
}
_SECOND_LEVEL = ("ac", "co", "com", "edu", "gov", "ne", "net", "or", "org")
"""Where registries of two letters often sell below: `example.co.uk`."""


def operator_of(name_server: str) -> str:
    """`ns-5.awsdns-00.co.uk` → `aws`; of a name that is not known its last two labels, three below `co.uk` and such."""
    name = normal_name(name_server)
    for operator, pattern in _SERVERS.items():
        if re.fullmatch(pattern, name):
            return operator
    labels = name.split(".")
    below = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL
    return ".".join(labels[-3:] if below else labels[-2:])


def registrar_of(name: str) -> str:
    """`Amazon Registrar, Inc.` → `aws`; of a name that is not known the name itself."""
    for operator, pattern in _REGISTRARS.items():
        if re.search(pattern, name, re.IGNORECASE):
            return operator
    return name
