"""What the stand-ins of DNS hosts hold, as a name server answers it.

A proxied record of Cloudflare is answered with the edge's addresses (Cloudflare's documents: Proxy status).
"""

from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any, cast

from tests.e2e.given import ZONE
from tests.standins.base import StandIn
from tests.standins.cloudflare import PROXIABLE, Cloudflare
from tests.standins.digitalocean import DigitalOcean
from tests.standins.gandi import Gandi
from tests.standins.route53 import Route53
from tests.standins.route53.nameserver import NameServer
from tests.standins.route53.zones import RecordSet
from tests.standins.vultr import Vultr

WWW, FENCE = f"www.{ZONE}", f"_failover.shop.{ZONE}"
OURS = ("www", WWW, "_failover.shop", FENCE)
SERVER = f"ns1.{ZONE}"
PROXIED_TTL_S = 300


class Shown:
    """Each record in the provider's own words is one of a set.

    `edge`: the addresses that proxied names have. `delegated`: the name servers that the parent names, with their
    addresses; then there is a parent, at the same place.
    """

    def __init__(self, standin: StandIn, edge: Sequence[str] = ()) -> None:
        self.standin = standin
        self.edge = edge
        self.delegated: dict[str, str] = {}

    def records(self) -> list[dict[str, Any]]:
        match self.standin:
            case Cloudflare():
                return [record for zone in self.standin.zones.values() for record in zone.records.values()]
            case Gandi():
                return [_of_a_set(key, found) for d in self.standin.domains.values() for key, found in d.sets.items()]
            case DigitalOcean() | Vultr():
                return [record for domain in self.standin.domains.values() for record in domain.records.values()]
        raise AssertionError(self.standin)

    def census(self) -> list[dict[str, Any]]:
        return [dict(record) for record in self.records() if record["name"] not in OURS]

    @property
    def zones(self) -> dict[str, Any]:
        """As far as the name server reads them."""
        found: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for record in self.records():
            name = record["name"] if record["name"].endswith(ZONE) else f"{record['name']}.{ZONE}"
            found.setdefault((f"{name.removeprefix('@.').removeprefix('.')}.", record["type"]), []).append(record)
        sets = {key: _set(*key, _values(key[1], several), several[0]["ttl"]) for key, several in found.items()}
        for name in {key[0] for key, several in found.items() if any(r.get("proxied") for r in several)}:
            sets = {key: known for key, known in sets.items() if key[0] != name or key[1] not in PROXIABLE}
            sets[name, "A"] = _set(name, "A", self.edge, PROXIED_TTL_S)
        if self.delegated:
            targets = [f"{server}." for server in self.delegated]
            sets[f"{ZONE}.", "NS"] = _set(f"{ZONE}.", "NS", targets, 3600)
            soa = f"{targets[0]} hostmaster.{ZONE}. 1 10000 2400 604800 300"
            sets[f"{ZONE}.", "SOA"] = _set(f"{ZONE}.", "SOA", (soa,), 3600)
            sets |= {(f"{n}.", "A"): _set(f"{n}.", "A", (a,), 3600) for n, a in self.delegated.items()}
        zones = {"one": _zone(f"{ZONE}.", {(*key, ""): known for key, known in sets.items()})}
        parent = ZONE.partition(".")[2]
        return {**zones, "two": _zone(f"{parent}.", {})} if self.delegated else zones


def name_server(shown: Shown) -> NameServer:
    """It reads zones only, and those of any stand-in will do."""
    return NameServer(cast("Route53", shown))


def _zone(name: str, sets: dict[tuple[str, str, str], RecordSet]) -> SimpleNamespace:
    return SimpleNamespace(id=name, name=name, private=False, sets=sets)


def _set(name: str, type: str, values: Iterable[str], ttl: int) -> RecordSet:
    return RecordSet(name=name, type=type, ttl=ttl, values=tuple(values))


def _of_a_set(key: tuple[str, str], found: dict[str, Any]) -> dict[str, Any]:
    return {"name": key[0], "type": key[1], "ttl": found["rrset_ttl"], "values": found["rrset_values"]}


def _values(type: str, records: list[dict[str, Any]]) -> tuple[str, ...]:
    said = [str(v) for r in records for v in r.get("values", [r.get("content") or r.get("data")])]
    return tuple(f'"{text}"' if type == "TXT" and not text.startswith('"') else text for text in said)
