"""Two DNS hosts of different kinds and grades, by the real command: Route 53 (the strict stand-in, with a name server
that answers what it holds) and a real PowerDNS by its API.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.eyes import Eyes, answer
from tests.e2e.given import RESTLESS, ZONE, Web, answers_ok, config_of, directory, webs
from tests.e2e.play import Play, Ran
from tests.ports import free_port
from tests.servers.pdns import API_KEY, Pdns
from tests.servers.pdns_front import Front
from tests.standins.route53 import Route53
from tests.standins.route53.nameserver import NameServer
from tests.standins.route53.zones import RecordSet, Zone

WWW, FENCE = f"www.{ZONE}", f"_failover.shop.{ZONE}"
NEAR, FAR, THIRD = "127.62.0.1", "127.62.0.2", "127.62.0.3"
ALIAS = (("HostedZoneId", "Z1"), ("DNSName", "lb.example.net."), ("EvaluateTargetHealth", "false"))
SECRET = "a-secret-key-of-the-stand-in"
OURS = {f"{name}." for name in (WWW, ZONE, FENCE)}
pytestmark = [pytest.mark.timeout(600), pytest.mark.server("powerdns")]


@dataclass(frozen=True, slots=True)
class Stage:
    play: Play
    route53: Route53
    zone: Zone
    name_server: NameServer
    pdns: Pdns
    api: Front

    def census(self) -> dict[str, Any]:
        """Everything at both hosts that is not ours; PowerDNS moves its SOA with every change."""
        amazon = {place: found for place, found in self.zone.sets.items() if not _is_ours(place[0], place[1])}
        power = {place: found for place, found in self.pdns.census(ZONE).items() if not _is_ours(*place)}
        power.pop((f"{ZONE}.", "SOA"))
        return {"r53": amazon, "ns1": power}

    @property
    def servers(self) -> dict[str, tuple[str, int]]:
        return {"r53": ("127.0.0.1", self.name_server.port), "ns1": ("127.0.0.1", self.pdns.port)}

    def served(self) -> dict[str, list[set[str] | None]]:
        return {host: [answer(at, name, "A") for name in (WWW, ZONE)] for host, at in self.servers.items()}


def _is_ours(name: str, type: str) -> bool:
    return name in OURS and type == ("TXT" if name == f"{FENCE}." else "A")


def both(*addresses: str) -> dict[str, list[set[str] | None]]:
    return {host: [{address}, {address}] for host, address in zip(("r53", "ns1"), addresses * 2, strict=False)}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    play = directory(tmp_path / "play")
    (tmp_path / "pdns").mkdir()
    with Pdns(tmp_path / "pdns") as pdns, Route53() as route53, NameServer(route53) as name_server, Front(pdns) as api:
        zone = route53.add_zone(ZONE)
        route53.put(
            zone,
            RecordSet(name=ZONE, type="MX", ttl=3600, values=("10 mail.example.net.",)),
            RecordSet(name=WWW, type="TXT", ttl=3600, values=('"keep me"',)),
            RecordSet(name=f"lb.{ZONE}", type="A", alias=ALIAS),
            RecordSet(
                name=f"w.{ZONE}",
                type="A",
                ttl=5,
                values=("192.0.2.9",),
                extras=(("SetIdentifier", "x"), ("Weight", "1")),
            ),
        )
        pdns.create(ZONE)
        mail, off, note = (
            {"name": f"{name}.", "type": type, "ttl": 60, "records": [{"content": content, "disabled": disabled}]}
            for name, type, content, disabled in (
                (ZONE, "MX", "10 mail.example.net.", False),
                (f"off.{ZONE}", "A", "192.0.2.9", True),
                (f"note.{ZONE}", "TXT", '"x"', False),
            )
        )
        pdns.patch(mail, off, note | {"comments": [{"content": "by hand", "account": "ops"}]}, zone=ZONE)
        for name, value in (("id", "AKIASTANDIN"), ("secret", SECRET), ("api-key", API_KEY)):
            play.hide(name, value)
        made = Stage(play, route53, zone, name_server, pdns, api)
        before = made.census()
        yield made
        play.close()
        assert made.census() == before, "somebody else's records have changed"


def config(stage: Stage, port: int) -> str:
    hosts = {
        "ns1": f"kind: powerdns, endpoint: '{stage.api.url}', servers: ['{stage.pdns.place}'],"
        " credentials: {token: {file: api-key}}",
        "r53": f"kind: route53, endpoint: '{stage.route53.url}', servers: ['{stage.name_server.place}'],"
        " credentials: {access_key: {file: id}, secret_key: {file: secret}}",
    }
    sites = {"near": NEAR, "far": FAR, "third": THIRD}
    return config_of(hosts, sites, answers_ok(port), names=(WWW, ZONE), policy=RESTLESS)


@pytest.fixture
def sites(stage: Stage) -> Iterator[None]:
    port = free_port(NEAR, FAR, THIRD)
    stage.play.config.write_text(config(stage, port))
    with webs(*(Web(address, port) for address in (NEAR, FAR, THIRD))):
        yield


@pytest.mark.usefixtures("sites")
def test_apply_cutover_failback_destroy(stage: Stage) -> None:
    play = stage.play
    play.run("validate")
    play.run("plan", code=2)
    play.run("apply", "--yes")
    assert stage.served() == both(NEAR)
    play.check_until(lambda c: set(c["verdicts"].values()) == {"UP"})
    with Eyes(stage.servers, name=WWW, fence=FENCE) as eyes:
        assert play.ask("cutover", "far", "--yes")["result"] == "committed"
        assert stage.served() == both(FAR)
        assert play.ask("failback", "--yes")["target"] == "near"
        assert stage.served() == both(NEAR)
    eyes.check()
    play.run("plan")
    play.run("destroy", "--yes")
    assert stage.served() == {"r53": [set(), set()], "ns1": [set(), set()]}
    assert not [said for said in play.said if SECRET in said or API_KEY in said]


@pytest.mark.usefixtures("sites")
def test_what_one_host_does_not_take_or_does_not_serve_becomes_a_debt(stage: Stage) -> None:
    play = stage.play
    play.run("apply", "--yes")
    play.check_until(lambda c: set(c["verdicts"].values()) == {"UP"})
    stage.api.refusing = True
    assert play.ask("cutover", "far", "--yes")["result"] == "committed"
    assert stage.served() == both(FAR, NEAR)
    (debt,) = play.status()["debts"]
    assert debt["host"] == "ns1"
    stage.api.refusing = False
    play.check_until(lambda c: not c["debts"])
    assert stage.served() == both(FAR)
    stage.name_server.stuck = True
    assert play.ask("cutover", "near", "--yes")["result"] == "committed"
    assert stage.served() == both(FAR, NEAR)
    assert [debt["host"] for debt in play.status()["debts"]] == ["r53"]
    assert stage.name_server.place in play.run("status").out
    stage.name_server.stuck = False
    play.check_until(lambda c: not c["debts"])
    assert stage.served() == both(NEAR)


@pytest.mark.usefixtures("sites")
def test_a_secret_of_one_host_that_is_gone_does_not_stop_the_other(stage: Stage) -> None:
    play = stage.play
    play.run("apply", "--yes")
    play.check_until(lambda c: set(c["verdicts"].values()) == {"UP"})
    (play.directory / "api-key").rename(play.directory / "elsewhere")
    assert play.ask("cutover", "far", "--yes")["result"] == "committed"
    assert stage.served() == both(FAR, NEAR)
    play.check()
    (ns1,) = [host for host in play.status()["dns"] if host["host"] == "ns1"]
    assert "api-key" in ns1["problem"]
    play.run("validate", code=78)
    (play.directory / "elsewhere").rename(play.directory / "api-key")
    play.check_until(lambda c: not c["debts"])
    assert stage.served() == both(FAR)


@pytest.mark.usefixtures("sites")
def test_a_stale_controller_changes_neither_host(stage: Stage) -> None:
    """Two controllers of one past. One is overtaken just when its change of the first host arrives there."""
    play = stage.play
    play.run("apply", "--yes")
    play.check_until(lambda c: set(c["verdicts"].values()) == {"UP"})
    stale = Play(shutil.copytree(play.directory, play.directory.parent / "stale"))
    patient = stale.config.read_text().replace("call_timeout: 5s", "call_timeout: 60s")
    stale.config.write_text(patient.replace("lost_after: 3s", "lost_after: 2m"))
    words = ("cutover", "far", "--yes")
    overtaking: list[Ran] = []
    stage.route53.before_change = lambda: overtaking.append(play.end(play.start(*words), *words))
    with Eyes(stage.servers, name=WWW, fence=FENCE) as eyes:
        late = stale.run("cutover", "third", "--yes", code=1)
        assert [ran.code for ran in overtaking] == [0]
        assert stage.served() == both(FAR)
        again = stale.run("cutover", "third", "--yes", code=1)
        assert "somebody else changed the records" in again.err
        assert "another controller was here" in stale.run("check", code=1).out, "it stops deciding, and says so"
        assert stage.served() == both(FAR)
        assert stale.ask("cutover", "third", "--yes", "--force")["result"] == "committed", "a person may go on over it"
        assert stage.served() == both(THIRD)
    assert "epoch" in late.out + late.err
    eyes.check()
