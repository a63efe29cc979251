"""One controller and three agents, each on a host of its own: cuts of one vantage move nothing, a lost site is left.

The real commands, in network namespaces. DNS is BIND on the controller's loopback.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from failover.net.tsig import TsigKey, write_key
from tests.e2e.forks import Forks
from tests.servers.small_net import SmallNet, small_net
from tests.servers.tools import need

PATIENCE_S = 90.0
FAILOVER = (sys.executable, "-P", "-m", "failover")
AGENTS = ("paris", "oregon", "tokyo")
VANTAGES = ("home", *AGENTS)
SITES = ("virginia", "frankfurt")
CONTROLS = ("one", "two")
ZONE = "shop.test"
SECRET = "YSBzZWNyZXQgb2YgdGhlIHRlc3RzLCAzMiBieXRlcyE="
CUT = VANTAGES if os.environ.get("FAILOVER_EVERY_CUT") else VANTAGES[:2]
"""The agents are alike, so usually one of them stands for all."""
ROUNDS = 4
"""So many rounds of each cut: more than `fall` and the confirm window together need."""
NAMED = """\
include "{directory}/tsig.key";
options {{ directory "{directory}"; pid-file "{directory}/pid"; session-keyfile "{directory}/session.key";
  listen-on port 5300 {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no; notify no; minimal-responses yes; }};
controls {{ }};
zone "{zone}" {{ type primary; file "{directory}/zone"; check-integrity no;
  update-policy {{ grant failover zonesub ANY; }}; }};
"""
ZONE_FILE = """\
$ORIGIN {zone}.
$TTL 60
@ IN SOA ns1 hostmaster 1 60 30 3600 5
@ IN NS ns1
ns1 IN A 127.0.0.1
"""
CONFIG = """\
version: 1
service: shop
runner: {{every: 1s, call_timeout: 1s, provider: at-home}}
sites:
  virginia: {{provider: aws, addresses: {{web: ["{virginia}"]}}}}
  frankfurt: {{provider: do, addresses: {{web: ["{frankfurt}"]}}}}
dns:
  zones: [{zone}]
  ttl: 1
  hosts: {{bind: {{kind: rfc2136, server: "127.0.0.1:5300", tsig: {{name: failover, secret: {{file: tsig.secret}}}}}}}}
  records: {{www.{zone}: {{type: A, nodes: web}}}}
checks:
  http: {{url: "http://{{address}}:8080/", interval: 1s, timeout: 800ms, fall: 2, rise: 1}}
controls:
  - {{tcp: "{one}:8080", provider: first, timeout: 800ms}}
  - {{tcp: "{two}:8080", provider: second, timeout: 800ms}}
quorum:
  need: 2
  vantages:
    home: {{provider: at-home}}
    paris: {{provider: at-paris, agent: "http://{paris}:8443", key: {{file: vantage.key}}}}
    oregon: {{provider: at-oregon, agent: "http://{oregon}:8443", key: {{file: vantage.key}}}}
    tokyo: {{provider: at-tokyo, agent: "http://{tokyo}:8443", key: {{file: vantage.key}}}}
policy: {{unexplained_down: {{action: cutover, confirm: 1s}}, cooldown: 0s, tilt: 0s, retry_after: 0s}}
"""


@dataclass(slots=True)
class Stage:
    """The net with everything running in it. `forks` runs the commands at home."""

    net: SmallNet
    directory: Path
    forks: Forks

    def failover(self, *words: str, codes: tuple[int, ...] = (0,)) -> str:
        code, out, err = self.forks.run(words, cwd=self.directory, env=os.environ, timeout_s=PATIENCE_S)
        assert code in codes, f"{words}: {out}{err}"
        return out

    def check(self, rounds: int = 1) -> None:
        """Rounds as cron makes them."""
        for _ in range(rounds):
            self.failover("check")

    def status(self) -> dict[str, Any]:
        found = json.loads(self.failover("status", "--output", "json"))
        assert isinstance(found, dict)
        return found

    def answer(self) -> str:
        """What the name server says, asked by a client of its own."""
        asked = self.net.run("home", "dig", "+short", "+time=2", "@127.0.0.1", "-p", "5300", f"www.{ZONE}", "A")
        return asked.stdout.strip()

    def until(self, so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Check until the status is so; returns it."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            self.check()
            found = self.status()
            if so(found):
                return found
            assert time.monotonic() < deadline, json.dumps(found, indent=1)


def all_well(found: dict[str, Any]) -> bool:
    heard = all(vantage["problem"] is None and not vantage["isolated"] for vantage in found["vantages"])
    return heard and not found["isolated"] and all(site["verdict"] == "UP" for site in found["sites"])


def at_frankfurt(found: dict[str, Any]) -> bool:
    return str(found["active_site"]) == "frankfurt"


def ready(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not look():
        assert time.monotonic() < deadline, "it never got ready"
        time.sleep(0.1)


def start_bind(net: SmallNet, directory: Path) -> None:
    named = need("named", "bind9")
    need("dig", "bind9-dnsutils")
    write_key(directory / "tsig.key", TsigKey(name="failover", secret=SECRET))
    (directory / "zone").write_text(ZONE_FILE.format(zone=ZONE))
    (directory / "named.conf").write_text(NAMED.format(directory=directory, zone=ZONE))
    with (directory / "named.log").open("wb") as log:
        words = [named, "-g", "-n", "1", "-c", str(directory / "named.conf")]
        net.start("home", words, stdout=log, stderr=log)
    asked = ("dig", "+short", "+time=1", "+tries=1", "@127.0.0.1", "-p", "5300", ZONE, "SOA")
    ready(lambda: "hostmaster" in net.run("home", *asked, check=False).stdout)


def private(path: Path, text: str) -> None:
    path.touch(0o600)
    path.write_text(text)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("vantages")
    directory.chmod(0o755)
    web = directory / "web"
    web.mkdir()
    (web / "index.html").write_text("ok")
    with small_net(*VANTAGES, *SITES, *CONTROLS) as net:
        start_bind(net, directory)
        private(directory / "tsig.secret", SECRET)
        private(directory / "vantage.key", "a key that the controller and its agents share")
        (directory / "failover.yaml").write_text(CONFIG.format(zone=ZONE, **net.hosts))
        quiet: Mapping[str, Any] = {"stdout": -3, "stderr": -3}
        for host in (*SITES, *CONTROLS):
            words = [sys.executable, "-m", "http.server", "8080", "--directory", str(web), "--bind", net.address(host)]
            net.start(host, words, **quiet)
        config = str(directory / "failover.yaml")
        for name in AGENTS:
            words = [*FAILOVER, "vantage", "serve", "-c", config, "--vantage", name, "--plain"]
            net.start(name, [*words, "--listen", f"{net.address(name)}:8443"], **quiet)
        with closing(Forks(net.entering("home"))) as forks:
            made = Stage(net=net, directory=directory, forks=forks)
            ready(lambda: '"problem": null' in made.failover("vantage", "ask", "-o", "json", codes=(0, 1)))
            made.failover("apply", "--yes")
            yield made


@pytest.fixture
def well(stage: Stage) -> Stage:
    """Everything is healed and judged to be well, and the service is at its first site."""
    stage.net.heal()
    if stage.until(all_well)["active_site"] != "virginia":
        stage.failover("cutover", "virginia", "--yes")
    return stage


def sever(net: SmallNet, vantage: str) -> None:
    """Nothing of it goes out, nothing comes in."""
    net.cut(vantage, *net.others(vantage))
    for other in net.others(vantage):
        net.cut(other, vantage)


def deaf(net: SmallNet, vantage: str) -> None:
    for other in net.others(vantage):
        net.cut(other, vantage)


CUTS: dict[str, Callable[[SmallNet, str], None]] = {
    "cut off": sever,
    "sends nothing": lambda net, vantage: net.cut(vantage, *net.others(vantage)),
    "hears nothing": deaf,
    "no way to the site": lambda net, vantage: net.cut(vantage, "virginia"),
    "no way back from the site": lambda net, vantage: net.cut("virginia", vantage),
}


@pytest.mark.server("bind")
@pytest.mark.parametrize("vantage", CUT)
@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_a_cut_of_one_vantage_moves_nothing(well: Stage, vantage: str, cut: Callable[[SmallNet, str], None]) -> None:
    cut(well.net, vantage)
    well.check(ROUNDS)
    found = well.status()
    assert (found["active_site"], found["open_plan"]) == ("virginia", None), json.dumps(found, indent=1)
    assert well.answer() == well.net.address("virginia")


@pytest.mark.server("bind")
def test_the_site_lost_for_all_is_moved(well: Stage) -> None:
    well.net.cut("virginia", *well.net.others("virginia"))
    well.until(at_frankfurt)
    assert well.answer() == well.net.address("frankfurt")


@pytest.mark.server("bind")
def test_the_site_lost_for_all_is_moved_while_one_vantage_is_cut_off(well: Stage) -> None:
    sever(well.net, "tokyo")
    well.net.cut("virginia", *well.net.others("virginia"))
    well.until(at_frankfurt)
    assert well.answer() == well.net.address("frankfurt")
    evidence = json.dumps(well.failover("history"))
    assert "paris down" in evidence
    assert "tokyo no vote" in evidence
