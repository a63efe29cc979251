"""Two DNS hosts behind HTTP APIs, by the real command: Cloudflare and DigitalOcean.

Each has a name server that answers what the provider's stand-in holds.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.dns.host_cases import CLOUDFLARE, DIGITALOCEAN
from tests.e2e.eyes import answer
from tests.e2e.given import ZONE, Web, directory, free_port, webs
from tests.e2e.play import Play
from tests.standins.base import StandIn
from tests.standins.cloudflare import Cloudflare
from tests.standins.digitalocean import DigitalOcean
from tests.standins.route53 import Route53
from tests.standins.route53.nameserver import NameServer
from tests.standins.route53.zones import RecordSet

WWW, FENCE = f"www.{ZONE}", f"_failover.shop.{ZONE}"
NEAR, FAR = "127.63.0.1", "127.63.0.2"
TOKEN = "a-token-that-nobody-may-see"
OURS = ("www", WWW, "_failover.shop", FENCE)
pytestmark = pytest.mark.timeout(600)


class Shown:
    """What a stand-in holds, as name servers answer it: each record in the provider's own words is one of a set."""

    def __init__(self, standin: StandIn) -> None:
        self.standin = standin

    def records(self) -> list[dict[str, Any]]:
        if isinstance(self.standin, Cloudflare):
            return [record for zone in self.standin.zones.values() for record in zone.records.values()]
        assert isinstance(self.standin, DigitalOcean)
        return [record for domain in self.standin.domains.values() for record in domain.records.values()]

    def census(self) -> list[dict[str, Any]]:
        return [dict(record) for record in self.records() if record["name"] not in OURS]

    @property
    def zones(self) -> dict[str, Any]:
        """As far as the name server reads them."""
        found: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for record in self.records():
            name = record["name"] if record["name"].endswith(ZONE) else f"{record['name']}.{ZONE}"
            found.setdefault((f"{name.removeprefix('@.')}.", record["type"]), []).append(record)
        sets = {
            (name, type, ""): RecordSet(name=name, type=type, ttl=several[0]["ttl"], values=_values(type, several))
            for (name, type), several in found.items()
        }
        return {"one": SimpleNamespace(id="one", name=f"{ZONE}.", private=False, sets=sets)}


def _values(type: str, records: list[dict[str, Any]]) -> tuple[str, ...]:
    said = [str(record.get("content") or record.get("data")) for record in records]
    return tuple(f'"{text}"' if type == "TXT" and not text.startswith('"') else text for text in said)


@dataclass(frozen=True, slots=True)
class Stage:
    play: Play
    cloudflare: Cloudflare
    ocean: DigitalOcean
    servers: dict[str, NameServer]

    def census(self) -> dict[str, Any]:
        return {"cf": Shown(self.cloudflare).census(), "do": Shown(self.ocean).census()}

    def served(self, type: str = "A", name: str = WWW) -> dict[str, set[str] | None]:
        return {host: answer(("127.0.0.1", server.port), name, type) for host, server in self.servers.items()}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        cloudflare = stack.enter_context(Cloudflare(token=TOKEN))
        ocean = stack.enter_context(DigitalOcean(token=TOKEN))
        CLOUDFLARE.zone(cloudflare, ZONE)
        DIGITALOCEAN.zone(ocean, ZONE)
        (zone,) = cloudflare.zones.values()
        foreign = {"name": ZONE, "type": "MX", "content": "mail.example.net", "priority": 10, "ttl": 3600}
        cloudflare._transaction(
            zone, {"posts": [foreign, {"name": f"ftp.{ZONE}", "type": "A", "content": "192.0.2.9"}]}
        )
        ocean._record_made(ocean.domains[ZONE], {"type": "A", "name": "ftp", "data": "192.0.2.9", "ttl": 3600})
        servers = {
            host: stack.enter_context(NameServer(cast("Route53", Shown(standin))))
            for host, standin in (("cf", cloudflare), ("do", ocean))
        }
        play = directory(tmp_path / "play")
        stack.callback(play.close)
        (play.directory / "token").touch(0o600)
        (play.directory / "token").write_text(f"{TOKEN}\n")
        port = free_port(NEAR, FAR)
        made = Stage(play, cloudflare, ocean, servers)
        play.config.write_text(config(made, port))
        stack.enter_context(webs(*(Web(address, port) for address in (NEAR, FAR))))
        yield made


def config(stage: Stage, port: int) -> str:
    return f"""\
version: 1
service: shop
runner: {{every: 1s, call_timeout: 5s}}
sites:
  near: {{provider: near, addresses: {{web: [{NEAR}]}}}}
  far: {{provider: far, addresses: {{web: [{FAR}]}}}}
dns:
  zones: [{ZONE}]
  ttl: 60
  lost_after: 3s
  hosts:
    do:
      kind: digitalocean
      endpoint: {stage.ocean.url}
      servers: ['{stage.servers["do"].place}']
      credentials: {{token: {{file: token}}}}
    cf:
      kind: cloudflare
      endpoint: {stage.cloudflare.url}/client/v4
      servers: ['{stage.servers["cf"].place}']
      credentials: {{token: {{file: token}}}}
  records:
    {WWW}: {{type: A, nodes: web}}
checks:
  main: {{url: 'http://{{address}}:{port}/', expect: {{body: ok}}, interval: 2s, timeout: 2s, fall: 2, rise: 1}}
policy: {{unexplained_down: {{action: ask, confirm: 0s}}, min_grade: 2, cooldown: 0s, tilt: 0s}}
"""


def test_publish_and_move_and_take_back(stage: Stage) -> None:
    """The old address leaves the caches within a minute, for which nobody waits here: the names have moved before."""
    play, before = stage.play, stage.census()
    play.run("validate")
    play.run("plan", code=2)
    play.run("apply", "--yes")
    assert stage.served() == {"cf": {NEAR}, "do": {NEAR}}
    play.run("plan")
    play.check_until(lambda c: set(c["verdicts"].values()) == {"UP"})
    stage.ocean.fault("^(POST|PUT) ", "502", times=4)  # the worse host fails once: the next try brings it there
    play.run("cutover", "far", "--yes", "--timeout", "8", code=(0, 1))
    play.check_until(lambda c: stage.served() == {"cf": {FAR}, "do": {FAR}}, pause_s=0.2)
    epochs = stage.served("TXT", FENCE)
    assert epochs["cf"] == epochs["do"]
    assert "epoch=2 site=far" in str(epochs["cf"])
    assert stage.census() == before
    assert not [said for said in play.said if TOKEN in said]


def test_a_proxied_name_is_told_and_left_alone(stage: Stage) -> None:
    play = stage.play
    (zone,) = stage.cloudflare.zones.values()
    proxied = {"name": WWW, "type": "A", "content": "192.0.2.7", "proxied": True}
    stage.cloudflare._transaction(zone, {"posts": [proxied]})
    before = Shown(stage.cloudflare).records()
    play.run("apply", "--yes", "--adopt")
    assert Shown(stage.cloudflare).records() == before
    assert stage.served() == {"cf": {"192.0.2.7"}, "do": {NEAR}}
    (debt,) = play.status()["debts"]
    assert debt["host"] == "cf"
    assert "proxied" in play.run("status").out
