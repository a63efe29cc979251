"""Two DNS hosts behind HTTP APIs, by the real command: Cloudflare and DigitalOcean.

Each has a name server that answers what the provider's stand-in holds.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.dns.host_cases import CLOUDFLARE, DIGITALOCEAN
from tests.e2e.eyes import answer
from tests.e2e.given import ZONE, Web, answers_ok, config_of, directory, webs
from tests.e2e.play import Play
from tests.e2e.shown import FENCE, OURS, WWW, Shown, name_server
from tests.ports import free_port
from tests.standins.base import StandIn
from tests.standins.cloudflare import Cloudflare
from tests.standins.digitalocean import DigitalOcean
from tests.standins.route53.nameserver import NameServer

NEAR, FAR = "127.63.0.1", "127.63.0.2"
TOKEN = "a-token-that-nobody-may-see"
pytestmark = pytest.mark.timeout(600)


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
        cloudflare = stack.enter_context(Cloudflare(token=TOKEN, plan="enterprise"))
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
            host: stack.enter_context(name_server(Shown(standin)))
            for host, standin in (("cf", cloudflare), ("do", ocean))
        }
        play = directory(tmp_path / "play")
        stack.callback(play.close)
        play.hide("token", TOKEN)
        port = free_port(NEAR, FAR)
        made = Stage(play, cloudflare, ocean, servers)
        play.config.write_text(config(made, port))
        stack.enter_context(webs(*(Web(address, port) for address in (NEAR, FAR))))
        before = made.census()
        yield made
        assert made.census() == before, "somebody else's records have changed"


def config(stage: Stage, port: int) -> str:
    token = "credentials: {token: {file: token}}"
    ocean, cloudflare = (f"servers: ['{stage.servers[host].place}'], {token}" for host in ("do", "cf"))
    hosts = {
        "do": f"kind: digitalocean, endpoint: '{stage.ocean.url}', {ocean}",
        "cf": f"kind: cloudflare, plan: enterprise, endpoint: '{stage.cloudflare.url}/client/v4', {cloudflare}",
    }
    dns, sites = "ttl: 30, lost_after: 3s", {"near": NEAR, "far": FAR}
    return config_of(hosts, sites, answers_ok(port), dns=dns, policy=", min_grade: 2")


def test_publish_and_fail_back_and_destroy(stage: Stage) -> None:
    """Home is the site that the config names first: when that becomes another one, `failback` goes there.

    With a TTL of half a minute, the shortest that both have, for caches are waited for twice."""
    play = stage.play
    play.run("validate")
    play.run("plan", code=2)
    play.run("apply", "--yes")
    assert stage.served() == {"cf": {NEAR}, "do": {NEAR}}
    play.run("plan")
    play.check_until(lambda c: set(c["verdicts"].values()) == {"UP"})
    play.edit({r"(?m)^(  near: .*\n)(  far: .*\n)": r"\2\1"})
    stage.ocean.fault("^(POST|PUT) ", "502", times=4)  # the worse host fails once: the next try brings it there
    play.run("failback", "--yes", "--timeout", "1", code=(0, 1))
    play.check_until(lambda c: stage.served() == {"cf": {FAR}, "do": {FAR}}, pause_s=0.2)
    epochs = stage.served("TXT", FENCE)
    assert epochs["cf"] == epochs["do"]
    assert "epoch=2 site=far" in str(epochs["cf"])
    play.run("continue", "--timeout", "60")
    assert (play.status()["active_site"], play.status()["debts"]) == ("far", [])
    stage.ocean.fault("^DELETE ", "502", times=1)
    play.run("destroy", "--yes")
    assert stage.served() == stage.served("TXT", FENCE) == {"cf": set(), "do": set()}
    assert [r for s in (stage.cloudflare, stage.ocean) for r in Shown(s).records() if r["name"] in OURS] == []
    assert not [said for said in play.said if TOKEN in said]


def test_a_proxied_name_beside_another_vendor_is_refused_before_anything_changes(stage: Stage) -> None:
    """The plan says why, and what to do; the other host is not touched either."""
    play = stage.play
    (zone,) = stage.cloudflare.zones.values()
    proxied = {"name": WWW, "type": "A", "content": "192.0.2.7", "proxied": True}
    stage.cloudflare._transaction(zone, {"posts": [proxied]})
    before = [Shown(standin).records() for standin in (stage.cloudflare, stage.ocean)]
    said = f'cf: {WWW} is proxied, but do would answer other addresses: set it to "DNS only" at cf'
    assert said in play.ask("plan", code=1)["problems"]
    refused = play.run("apply", "--yes", "--adopt", code=1)
    assert said in refused.err
    assert [Shown(standin).records() for standin in (stage.cloudflare, stage.ocean)] == before


@contextmanager
def unlisted(standin: StandIn, kind: str) -> Iterator[None]:
    """Its lists of records are not to be had, or make no sense."""
    if kind == "refused":
        standin.refusing = True
    else:
        standin.fault("^GET .*/(dns_)?records$", kind, times=None, retry_after_s=0)
    yield
    standin.mend()
    standin.refusing = False


def test_lists_that_cannot_be_had_lead_to_no_change_at_all(stage: Stage) -> None:
    """A person asks for a cutover, and the check runs: nothing is written, removed or given up for it."""
    play = stage.play
    play.run("apply", "--yes")
    before = [Shown(standin).records() for standin in (stage.cloudflare, stage.ocean)]
    for kind in ("429", "502", "empty", "cut", "refused"):
        with unlisted(stage.cloudflare, kind), unlisted(stage.ocean, kind):
            refused = play.run("cutover", "far", "--yes", "--timeout", "1", code=1)
            assert "no DNS host can be read" in refused.err, kind
            play.ask("check", code=(0, 1))
        assert [Shown(standin).records() for standin in (stage.cloudflare, stage.ocean)] == before, kind
        assert stage.served() == {"cf": {NEAR}, "do": {NEAR}}, kind
    play.check_until(lambda c: set(c["verdicts"].values()) == {"UP"})
    census = stage.census()
    with unlisted(stage.ocean, "empty"):  # the better host moves, the other keeps its records until it can be read
        play.run("cutover", "far", "--yes", "--timeout", "1", code=(0, 1))
        play.check_until(lambda c: stage.served()["cf"] == {FAR}, pause_s=0.2)
        assert stage.served()["do"] == {NEAR}
    play.check_until(lambda c: stage.served() == {"cf": {FAR}, "do": {FAR}}, pause_s=0.2)
    assert stage.census() == census
