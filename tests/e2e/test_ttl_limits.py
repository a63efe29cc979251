"""DNS hosts that cannot keep so short a TTL, by the real command: Gandi (300 s at least) and Vultr (120 s)."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.dns.host_cases import GANDI, VULTR
from tests.e2e.eyes import answer
from tests.e2e.given import ZONE, Web, answers_ok, config_of, directory, webs
from tests.e2e.play import Play, notices, notify_to
from tests.e2e.shown import FENCE, WWW, Shown, name_server
from tests.ports import free_port
from tests.standins.gandi import Gandi
from tests.standins.route53.nameserver import NameServer
from tests.standins.vultr import Vultr

NEAR, FAR = "127.65.0.1", "127.65.0.2"
TOKEN = "a-token-that-nobody-may-see"
KEPT = {"gan": 300, "vul": 120}
pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True, slots=True)
class Stage:
    play: Play
    shown: dict[str, Shown]
    servers: dict[str, NameServer]

    def served(self, type: str = "A", name: str = WWW) -> dict[str, set[str] | None]:
        return {host: answer(("127.0.0.1", server.port), name, type) for host, server in self.servers.items()}

    def ttls(self) -> dict[str, set[int]]:
        return {h: {r["ttl"] for r in s.records() if r["name"] == "www"} for h, s in self.shown.items()}

    def census(self) -> dict[str, list[dict[str, object]]]:
        return {host: shown.census() for host, shown in self.shown.items()}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        gandi = stack.enter_context(Gandi(token=TOKEN))
        vultr = stack.enter_context(Vultr(token=TOKEN))
        for case, standin in ((GANDI, gandi), (VULTR, vultr)):
            case.zone(standin, ZONE)
        gandi.domains[ZONE].sets["ftp", "A"] = {"rrset_ttl": 10800, "rrset_values": ["192.0.2.9"]}
        vultr._record_made(vultr.domains[ZONE], {"type": "A", "name": "ftp", "data": "192.0.2.9", "ttl": 3600})
        shown = {"gan": Shown(gandi), "vul": Shown(vultr)}
        servers = {host: stack.enter_context(name_server(view)) for host, view in shown.items()}
        play = directory(tmp_path / "play")
        stack.callback(play.close)
        play.hide("token", TOKEN)
        port = free_port(NEAR, FAR)
        urls = {"gan": ("gandi", gandi.url), "vul": ("vultr", vultr.url)}
        hosts = {
            host: f"kind: {kind}, endpoint: '{url}', servers: ['{servers[host].place}'],"
            " credentials: {token: {file: token}}"
            for host, (kind, url) in urls.items()
        }
        play.config.write_text(config_of(hosts, {"near": NEAR, "far": FAR}, answers_ok(port), dns="ttl: 60"))
        stack.enter_context(webs(*(Web(address, port) for address in (NEAR, FAR))))
        yield Stage(play, shown, servers)


def test_the_plan_says_so_the_worst_case_counts_it_and_it_is_no_drift(stage: Stage) -> None:
    play, before = stage.play, stage.census()
    told = play.directory / "told"
    notify_to(play, told)
    planned = " ".join(play.run("plan", code=2).out.split())
    for ttl_s in KEPT.values():
        assert f"it keeps a TTL of {ttl_s} s, not 60 s" in planned
    assert "300 ttl" in planned, "before anything was ever asked"
    play.run("apply", "--yes")
    assert stage.ttls() == {"gan": {300}, "vul": {120}}
    assert stage.served() == {"gan": {NEAR}, "vul": {NEAR}}
    play.run("plan")
    play.run("apply", "--yes")
    play.check_until(lambda c: set(c["verdicts"].values()) == {"UP"})
    again = play.check()
    assert (again["decision"], again["debts"], again["epoch"]) == ("hold", [], 1)
    status = play.status()
    assert {h["host"]: h["ttl_s"] for h in status["dns"]} == KEPT
    assert {t["term"]: t["seconds"] for t in status["budget"]}["ttl"] == 300
    play.run("cutover", "far", "--yes", "--timeout", "1", code=(0, 1))
    play.check_until(lambda c: stage.served() == {"gan": {FAR}, "vul": {FAR}}, pause_s=0.2)
    assert "caches within 2" in play.ask("show", play.status()["open_plan"])["events"][-1]["reason"]
    assert {"epoch=2 site=far" in str(found) for found in stage.served("TXT", FENCE).values()} == {True}
    assert stage.ttls() == {"gan": {300}, "vul": {120}}
    assert [n["event"] for n in notices(told) if n["event"] in ("records-changed", "debt")] == []
    assert stage.census() == before
    assert not [said for said in play.said if TOKEN in said]
