"""The DNS hosts behind HTTP APIs, each with its stand-in, for tests of what all of them do."""

import copy
import json
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from failover.core.survey import MadeUp
from failover.dns.cloudflare import Cloudflare
from failover.dns.libcloud import LibcloudDns
from failover.dns.libcloud_digitalocean import host as digitalocean_host
from failover.dns.libcloud_gandi import host as gandi_host
from failover.dns.libcloud_linode import host as linode_host
from failover.dns.libcloud_vultr import host as vultr_host
from failover.testing.dns import ZONE
from tests.standins import cloudflare, digitalocean, gandi, linode, vultr
from tests.standins.base import StandIn
from tests.standins.digitalocean.domains import Domain as OceanDomain
from tests.standins.linode.domains import Domain as LinodeDomain
from tests.standins.vultr.domains import Domain as VultrDomain

TOKEN = "a-token-of-tests"
Host = LibcloudDns | Cloudflare


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`zone` makes one at the stand-in; `records` is what stands in it, in the stand-in's own words, by any id.

    `listing` and `writing` are patterns of requests: a list of records, and any change of one.
    """

    kind: str
    standin: Callable[..., StandIn]
    factory: Callable[..., Host]
    zone: Callable[[Any, str], None]
    records: Callable[[Any], dict[Any, Any]]
    listing: str
    writing: str
    odd: MadeUp | None = None
    """What it makes answers up from, and the request by which its own users do that."""
    oddly: tuple[str, str, dict[str, object]] = ("", "", {})

    def __str__(self) -> str:
        return self.kind

    def host(self, standin: StandIn, **options: Any) -> Host:
        """As a config would make it."""
        base = "/client/v4" if self.kind == "cloudflare" else ""
        words = {"name": self.kind, "token": TOKEN, "endpoint": standin.url + base, "zones": (ZONE,)}
        return self.factory(**{**words, "timeout_s": 5.0, "deadline_s": 20.0, **options})

    def make_up(self, standin: StandIn) -> MadeUp:
        """As a user of this provider does it, by its own API."""
        assert self.odd is not None
        method, path, document = self.oddly
        ids = [zone.id for zone in getattr(standin, "zones", {}).values() if zone.name == ZONE]
        url = standin.url + path.format(zone=next(iter(ids), ""))
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        asked = urllib.request.Request(url, json.dumps(document).encode(), headers, method=method)
        urllib.request.urlopen(asked, timeout=30).close()
        return self.odd

    def census(self, standin: StandIn, ours: tuple[str, ...] = ("www", "_failover.guestbook")) -> dict[Any, Any]:
        """Every record that is not ours."""
        names = {"", "@", *ours, *(f"{name}.{ZONE}" for name in ours)}
        found = copy.deepcopy(self.records(standin))
        return {id: record for id, record in found.items() if _name(id, record) not in names - {"", "@"}}


def _name(id: Any, record: dict[str, Any]) -> str:
    return str(record["name"]) if "name" in record else str(id[0])


def _ocean(standin: Any, name: str) -> None:
    standin.domains[name] = OceanDomain(name=name)


def _linode(standin: Any, name: str) -> None:
    id = 4000 + len(standin.domains)
    standin.domains[id] = LinodeDomain(id=id, domain=name, soa_email="owner@example.org")


def _vultr(standin: Any, name: str) -> None:
    standin.domains[name] = VultrDomain(domain=name, made=0)


def _gandi(standin: Any, name: str) -> None:
    standin.domains[name] = gandi.Domain(fqdn=name)


CLOUDFLARE = Case(
    kind="cloudflare",
    standin=cloudflare.Cloudflare,
    factory=Cloudflare,
    zone=lambda standin, name: standin.zone(name),
    records=lambda standin: next(zone.records for zone in standin.zones.values() if zone.name == ZONE),
    listing="^GET .*/dns_records$",
    writing="^POST .*/dns_records/batch$",
    odd=MadeUp(name=ZONE, kind="flattened CNAME", target="lb.example.net", refused=False),
    oddly=(
        "POST",
        "/client/v4/zones/{zone}/dns_records",
        {"type": "CNAME", "name": "@", "content": "lb.example.net", "ttl": 300, "proxied": False},
    ),
)
DIGITALOCEAN = Case(
    kind="digitalocean",
    standin=digitalocean.DigitalOcean,
    factory=digitalocean_host,
    zone=_ocean,
    records=lambda standin: standin.domains[ZONE].records,
    listing="^GET .*/records$",
    writing="^(POST|PUT|DELETE) .*/records",
)
LINODE = Case(
    kind="linode",
    standin=linode.LinodeStandIn,
    factory=linode_host,
    zone=_linode,
    records=lambda standin: next(d.records for d in standin.domains.values() if d.domain == ZONE),
    listing="^GET .*/records$",
    writing="^(POST|PUT|DELETE) .*/records",
)
VULTR = Case(
    kind="vultr",
    standin=vultr.Vultr,
    factory=vultr_host,
    zone=_vultr,
    records=lambda standin: standin.domains[ZONE].records,
    listing="^GET .*/records$",
    writing="^(POST|PATCH|DELETE) .*/records",
)
GANDI = Case(
    kind="gandi",
    standin=gandi.Gandi,
    factory=gandi_host,
    zone=_gandi,
    records=lambda standin: standin.domains[ZONE].sets,
    listing="^GET .*/records$",
    writing="^(PUT|DELETE) .*/records",
    odd=MadeUp(name=ZONE, kind="ALIAS", target="lb.example.net"),
    oddly=(
        "PUT",
        f"/v5/livedns/domains/{ZONE}/records/@/ALIAS",
        {"rrset_values": ["lb.example.net."], "rrset_ttl": 300},
    ),
)
CASES = (CLOUDFLARE, DIGITALOCEAN, LINODE, VULTR, GANDI)
