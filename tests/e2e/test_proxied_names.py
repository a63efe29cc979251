"""Names behind Cloudflare's edge, by the real command: its API, name servers that answer the edge, and the edge."""

import signal
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.dns.host_cases import CLOUDFLARE
from tests.e2e.eyes import answer
from tests.e2e.given import ZONE, Web, answers_ok, config_of, directory, webs
from tests.e2e.play import Play
from tests.e2e.shown import FENCE, SERVER, WWW, Shown, name_server
from tests.ports import free_port
from tests.standins.cloudflare import Cloudflare
from tests.standins.cloudflare_edge import Edge
from tests.standins.route53.nameserver import NameServer

EDGE, NEAR, FAR = "127.64.0.9", "127.64.0.1", "127.64.0.2"
TOKEN = "a-token-that-nobody-may-see"
pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True, slots=True)
class Stage:
    play: Play
    api: Cloudflare
    shown: Shown
    server: NameServer
    edge: Edge
    sites: dict[str, Web]

    def records(self) -> list[tuple[Any, ...]]:
        """Ours, as the API holds them."""
        found = [r for r in self.shown.records() if r["name"] == WWW]
        return [(r["content"], r["proxied"], r["ttl"]) for r in found]

    def served(self, type: str = "A", name: str = WWW) -> set[str] | None:
        return answer(("127.0.0.1", self.server.port), name, type)

    def edge_findings(self) -> list[tuple[str, str]]:
        found = self.play.ask("doctor", code=(0, 1))["findings"]
        return [(f["severity"], f["says"]) for f in found if f["area"] == "edge"]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        api = stack.enter_context(Cloudflare(token=TOKEN))
        CLOUDFLARE.zone(api, ZONE)
        (zone,) = api.zones.values()
        foreign = {"name": f"ftp.{ZONE}", "type": "A", "content": "192.0.2.9", "proxied": True}
        api._transaction(zone, {"posts": [foreign, {"name": ZONE, "type": "TXT", "content": '"v=spf1 -all"'}]})
        shown = Shown(api, edge=(EDGE,))
        shown.delegated[SERVER] = "127.0.0.1"
        server = stack.enter_context(name_server(shown))
        server.resolves = True
        port = free_port(NEAR, FAR)
        sites = {"near": Web(NEAR, port, site="near"), "far": Web(FAR, port, site="far")}
        stack.enter_context(webs(*sites.values()))
        play = directory(tmp_path / "play")
        stack.callback(play.close)
        authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.cert_pem.write_to_path(play.directory / "ca.pem")
        authority.issue_cert(WWW).configure_cert(tls)
        edge = stack.enter_context(Edge(api, EDGE, free_port(EDGE), tls=tls, site_port=port))
        play.hide("token", TOKEN)
        made = Stage(play, api, shown, server, edge, sites)
        play.config.write_text(config(made, port))
        others = shown.census()
        yield made
        assert shown.census() == others, "somebody else's records have changed"


def config(stage: Stage, port: int) -> str:
    there = stage.server.place
    cf = (
        f"kind: cloudflare, endpoint: '{stage.api.url}/client/v4', servers: ['{there}'],"
        f" credentials: {{token: {{file: token}}}}, proxied: [{WWW}],"
        f" edge: {{url: 'https://{{name}}:{stage.edge.port}/healthz', tls: {{ca_file: ca.pem}}}}"
    )
    dns = f"ttl: 60, lost_after: 2s, roots: ['{there}'], resolvers: ['{there}']"
    return config_of({"cf": cf}, {"near": NEAR, "far": FAR}, answers_ok(port), dns=dns, policy=", min_grade: 2")


def test_the_whole_life_of_a_proxied_name(stage: Stage) -> None:
    """Nobody waits for caches: what they hold, the edge's addresses, is right before and after."""
    play = stage.play
    play.run("validate")
    planned = play.run("plan", code=2)
    assert "www.shop.test behind its edge, where X-Failover-Site names the site" in " ".join(planned.out.split())
    play.run("apply", "--yes")
    assert stage.records() == [(NEAR, True, 1)]
    assert stage.served() == {EDGE}
    play.run("plan")
    well = play.check_until(lambda c: set(c["verdicts"].values()) == {"UP"})
    assert (well["decision"], well["debts"]) == ("hold", [])
    assert stage.edge_findings() == [("fine", "the active site answers through it")]
    seen = play.ask("doctor", "dns", code=(0, 1))["findings"]
    assert [f["severity"] for f in seen if f["area"] == "content"] == ["fine"], "the edge's addresses are no drift"
    play.run("cutover", "far", "--yes")
    assert stage.records() == [(FAR, True, 1)]
    assert "epoch=2 site=far" in str(stage.served("TXT", FENCE))
    status = play.status()
    (host,) = status["dns"]
    assert (host["proxied"], host["late_servers"], status["debts"]) == ([WWW], [], [])
    assert None not in (host["accepted_utc_s"], host["served_utc_s"], host["seen_utc_s"])
    terms = {term["term"]: term["seconds"] for term in status["budget"]}
    assert (terms["propagation"], terms["confirm-edge"], "ttl" in terms) == (300.0, 9.0, False)
    play.run("failback", "--yes")
    assert stage.records() == [(NEAR, True, 1)]
    asked = [call for call in stage.edge.requests if call.path == "/healthz"]
    assert len({call.target for call in asked}) == len(asked), "no two of them asked for the same"
    assert {call.header("Cache-Control") for call in asked} == {"no-cache"}
    play.run("destroy", "--yes")
    assert stage.records() == []
    assert not [said for said in play.said if TOKEN in said]


def test_an_edge_that_keeps_the_old_site_is_a_debt_also_after_a_kill(stage: Stage) -> None:
    """The API says yes, the name servers have the epoch, and visitors still come to the old site."""
    play = stage.play
    play.run("apply", "--yes")
    play.check_until(lambda c: set(c["verdicts"].values()) == {"UP"})
    stage.edge.stuck = True
    moved = [(FAR, True, 1)]
    play.run("cutover", "far", "--yes", code=-signal.SIGKILL, kill_when=lambda: stage.records() == moved)
    play.check_until(lambda c: c["active_site"] == "far" and c["debts"])
    (debt,) = play.status()["debts"]
    says = (
        f"edge {EDGE}:{stage.edge.port}: {WWW} is not answered by far: header X-Failover-Site is 'near', expected 'far'"
    )
    assert (debt["host"], debt["reason"], debt["stale_servers"]) == ("cf", says, [])
    (host,) = play.status()["dns"]
    assert host["late_servers"] == [says]
    assert host["served_utc_s"] is None
    stage.edge.stuck = False
    play.check_until(lambda c: not c["debts"])
    assert play.status()["dns"][0]["served_utc_s"] is not None
    assert stage.records() == moved


def test_what_the_edge_keeps_in_its_cache_proves_nothing(stage: Stage) -> None:
    """A rule caches everything, whatever the query: an answer of before would name the right site again."""
    play = stage.play
    stage.edge.cache_everything = stage.edge.ignore_query = True
    play.run("apply", "--yes")
    play.check_until(lambda c: set(c["verdicts"].values()) == {"UP"})
    ((severity, reason),) = stage.edge_findings()
    assert severity == "warning"
    assert f"{WWW} is not answered by near: a cache on the way answers (Age: '7'), not the site" in reason


def test_refused_before_anything_is_changed(stage: Stage) -> None:
    play, before = stage.play, stage.shown.records()
    stage.shown.delegated[f"ns1.other.{ZONE}"] = "127.0.0.8"
    said = f"{ZONE} is delegated to ns1.other.{ZONE} as well, where proxied names have other addresses"
    planned = play.run("plan", code=1)
    assert said in " ".join(planned.out.split())
    assert said in play.run("apply", "--yes", code=1).err
    assert stage.shown.records() == before
    del stage.shown.delegated[f"ns1.other.{ZONE}"]
    play.edit({r", proxied: .*, edge: .*\}": "}"})
    (zone,) = stage.api.zones.values()
    stage.api._transaction(zone, {"posts": [{"name": WWW, "type": "A", "content": NEAR, "proxied": True}]})
    before = stage.shown.records()
    (problem,) = play.ask("plan", code=1)["problems"]
    assert 'name it in `proxied` of cf, with an `edge`, or set it to "DNS only"' in problem
    assert "is proxied" in play.run("apply", "--yes", "--adopt", code=1).err
    assert stage.shown.records() == before
