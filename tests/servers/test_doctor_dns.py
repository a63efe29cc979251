"""`failover doctor dns` on real name servers: a root, a top-level domain, two hosts; each zone has its own trouble."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from failover.cli.app import run
from failover.net.secret import redact
from tests.servers.dns_tree import (
    EAST,
    NORTH,
    NS_EAST,
    NS_NORTH,
    NS_SOUTH,
    PARENT,
    ROOT,
    SOUTH,
    Tree,
)
from tests.standins.rdap import RdapStandIn, domain, network

pytestmark = pytest.mark.server("bind")

BOTH = (NS_NORTH, NS_SOUTH)
Findings = list[dict[str, str]]


def _zones(tree: Tree) -> None:
    for zone in ("good.test", "signed.test", "strange.test", "stale.test", "bare.test", "crossed.test"):
        tree.child(zone, NORTH, SOUTH)
    tree.delegate("good.test", *BOTH, ttl_s=3600)
    tree.delegate("signed.test", *BOTH, more=tree.sign("signed.test", NORTH, SOUTH))
    tree.delegate("strange.test", *BOTH, more=tree.sign("strange.test", NORTH))
    tree.sign("strange.test", SOUTH)
    tree.delegate("stale.test", *BOTH, more=tree.sign("stale.test", NORTH, SOUTH, end="now-1d"))
    tree.delegate("bare.test", *BOTH, more=tree.sign("bare.test", NORTH))
    tree.delegate("crossed.test", *BOTH)
    tree.sign("crossed.test", NORTH, SOUTH)

    tree.delegate("lame.test", *BOTH)
    tree.child("lame.test", NORTH)

    tree.delegate("dead.test", NS_NORTH, NS_EAST)
    tree.child("dead.test", NORTH, name_servers=(NS_NORTH, NS_EAST))

    tree.delegate("differs.test", *BOTH)
    tree.child("differs.test", NORTH)
    tree.child(
        "differs.test",
        SOUTH,
        name_servers=(NS_SOUTH,),
        soa="7 3600 7200 86400 3600",
        www="www 3600 IN A 192.0.2.9",
    )

    tree.delegate("glue.test", "ns.glue.test", NS_NORTH, more=f"ns.glue.test. 3600 IN A {SOUTH}")
    tree.child("glue.test", NORTH, SOUTH, name_servers=("ns.glue.test", NS_NORTH), more=f"ns.glue.test. IN A {EAST}")

    tree.delegate("alias.test", *BOTH)
    tree.child(
        "alias.test",
        NORTH,
        SOUTH,
        www="www 60 IN CNAME lb.good.test.",
        more="loop 60 IN CNAME loop2\nloop2 60 IN CNAME loop",
    )
    tree.child("good.test", NORTH, SOUTH, more="lb 3600 IN CNAME www")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    found = Tree(tmp_path_factory.mktemp("tree"))
    _zones(found)
    with found.run():
        yield found


@pytest.fixture(scope="module")
def registry() -> Iterator[RdapStandIn]:
    found = RdapStandIn()
    found.domains["good.test"] = domain("good.test", "active", expires="2090-01-01T00:00:00Z")
    try:
        yield found
    finally:
        found.stop()


CONFIG = """\
version: 1
service: shop
sites:
  home: {{addresses: {{web: [192.0.2.1]}}}}
  away: {{addresses: {{web: [192.0.2.2]}}}}
dns:
  zones: [{zone}]
  roots: ["{root}"]
  registry: {{{rdap}}}
  hosts:
    north: {{kind: rfc2136, server: "{north}"}}
    south: {{kind: rfc2136, server: "{south}"}}
  records:
    {name}: {{type: A, nodes: web}}
checks:
  tcp: {{tcp: "{{address}}:80"}}
"""


def config_of(directory: Path, tree: Tree, zone: str, *, rdap: str = "", name: str = "", south: str = SOUTH) -> Path:
    path = directory / "failover.yaml"
    path.write_text(
        CONFIG.format(
            zone=zone,
            name=name or f"www.{zone}",
            root=tree.place(ROOT),
            rdap=f"url: '{rdap}'" if rdap else "",
            north=tree.place(NORTH),
            south=tree.place(south),
        )
    )
    return path


@pytest.fixture
def doctor(tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command on one zone; returns its exit code and what is not fine."""

    def ask(zone: str, **said: str) -> tuple[int, Findings]:
        code = run(["doctor", "dns", "-c", str(config_of(tmp_path, tree, zone, **said)), "--output", "json"])
        document = json.loads(capsys.readouterr().out)
        assert document["cutover_would_fail"] is (code == 1)
        return code, [f for f in document["findings"] if f["severity"] != "fine"]

    return ask


def about(findings: Findings, area: str, subject: str, says: str) -> dict[str, str]:
    fitting = [f for f in findings if (f["area"], f["subject"]) == (area, subject) and says in f["says"]]
    assert len(fitting) == 1, findings
    return fitting[0]


UNKNOWN = (
    "note",
    "independence",
    "whose name servers these are is not known, so nor is whether they are independent: ns1.north.test, ns1.south.test",
)
NO_IPV6 = ("note", "servers", "no name server has an IPv6 address")


def briefly(findings: Findings) -> list[tuple[str, str, str]]:
    return sorted((f["severity"], f["area"], f["says"]) for f in findings)


def test_all_is_well(doctor: Any, registry: RdapStandIn) -> None:
    registry.networks.update({f"{n}/32": network(f"{n}/32", registrant=f"Of {n}") for n in (NORTH, SOUTH)})
    code, findings = doctor("good.test", rdap=registry.url)
    assert (code, briefly(findings)) == (0, [NO_IPV6])


def test_names_of_one_s_own_that_point_into_one_company_s_network(doctor: Any, registry: RdapStandIn) -> None:
    """Two names under two domains say nothing: both stand at the same company."""
    registry.networks.clear()
    code, findings = doctor("good.test", rdap=registry.url)
    assert (code, briefly(findings)) == (0, sorted([NO_IPV6, UNKNOWN]))
    registry.networks["127.0.77.0/24"] = network("127.0.77.0/24", registrant="Amazon Technologies Inc.")
    _, findings = doctor("good.test", rdap=registry.url)
    assert about(findings, "independence", "good.test", "all name servers are aws's")["severity"] == "warning"
    registry.raw[f"/ip/{SOUTH}"] = (200, b"<html>", {})
    _, findings = doctor("good.test", rdap=registry.url)
    assert "ns1.south.test" in about(findings, "independence", "good.test", "is not known")["says"]
    del registry.raw[f"/ip/{SOUTH}"]


def test_a_signed_zone(doctor: Any) -> None:
    code, findings = doctor("signed.test")
    says = "the parent's answer is kept for 48 h: no cutover by changing name servers"
    assert (code, briefly(findings)) == (0, sorted([NO_IPV6, UNKNOWN, ("note", "delegation", says)]))


def test_a_host_that_signs_by_other_keys(doctor: Any, tree: Tree) -> None:
    code, findings = doctor("strange.test")
    assert code == 1
    about(findings, "dnssec", f"{tree.place(SOUTH)} (strange.test)", "none of its keys fits the parent's DS")
    crossed = about(findings, "dnssec", f"{tree.place(NORTH)} (strange.test)", "does not publish")
    assert "RFC 8901" in crossed["remedy"]


def test_signatures_that_are_over(doctor: Any, tree: Tree) -> None:
    code, findings = doctor("stale.test")
    assert code == 1
    about(findings, "dnssec", f"{tree.place(NORTH)} (stale.test)", "is over")


def test_a_host_that_does_not_sign(doctor: Any, tree: Tree) -> None:
    code, findings = doctor("bare.test")
    assert code == 1
    about(findings, "dnssec", f"{tree.place(SOUTH)} (bare.test)", "it gives no keys")


def test_signed_without_a_word_of_the_parent(doctor: Any) -> None:
    code, findings = doctor("crossed.test")
    assert code == 0
    assert about(findings, "dnssec", "crossed.test", "the parent has no DS")["severity"] == "note"


def test_a_lame_server(doctor: Any, tree: Tree) -> None:
    code, findings = doctor("lame.test")
    assert code == 0
    assert about(findings, "servers", f"{tree.place(SOUTH)} (lame.test)", "is lame: ")["severity"] == "warning"


def test_a_server_that_is_not_there(doctor: Any, tree: Tree) -> None:
    code, findings = doctor("dead.test", south=EAST)
    assert code == 0
    about(findings, "servers", f"{tree.place(EAST)} (dead.test)", "does not answer: Connection refused")


def test_hosts_that_differ(doctor: Any, tree: Tree) -> None:
    code, findings = doctor("differs.test")
    assert code == 0
    south = f"{tree.place(SOUTH)} (differs.test)"
    about(findings, "content", south, "www.differs.test A is 192.0.2.9 there, 192.0.2.1 elsewhere")
    about(findings, "delegation", south, f"its NS set lacks {NS_NORTH}")
    about(findings, "timers", "differs.test", "SOA timers differ")
    about(findings, "content", "www.differs.test A", "its TTL is 3600 s")


def test_glue_that_is_old(doctor: Any) -> None:
    _, findings = doctor("glue.test")
    about(findings, "delegation", "ns.glue.test", f"it says {EAST}, the parent's glue says {SOUTH}")


def test_where_a_cname_leads(doctor: Any) -> None:
    _, findings = doctor("alias.test")
    way = "2 CNAMEs on the way: www.alias.test → lb.good.test → www.good.test"
    assert way in about(findings, "content", "www.alias.test", "CNAMEs on the way")["says"]
    about(findings, "content", "www.alias.test", "lb.good.test is kept for 3600 s")
    about(findings, "content", "www.alias.test", "depends on the name servers of www.good.test")


def test_a_circle_of_cnames(doctor: Any) -> None:
    _, findings = doctor("alias.test", name="loop.alias.test")
    about(findings, "content", "loop.alias.test", "it does not end after 8 CNAMEs")


def test_a_zone_that_nobody_delegates(doctor: Any) -> None:
    code, findings = doctor("gone.test")
    assert code == 1
    assert about(findings, "delegation", "gone.test", "the parent (test) delegates no such zone")["severity"] == "fatal"
    about(findings, "servers", "gone.test", "no name server answers for it")


def test_hosts_that_the_world_does_not_ask(doctor: Any, tree: Tree) -> None:
    code, findings = doctor("good.test", south=PARENT)
    assert code == 0
    assert about(findings, "hosts", "south", "the world does not ask it")["severity"] == "warning"
    about(findings, "hosts", f"{NS_SOUTH} ({tree.place(SOUTH)})", "no host of the config answers for it")


def test_what_the_registry_holds_against_it(doctor: Any, registry: RdapStandIn) -> None:
    registry.domains["signed.test"] = domain("signed.test", "client hold", "client update prohibited")
    code, findings = doctor("signed.test", rdap=registry.url)
    assert code == 1
    assert about(findings, "registrar", "signed.test", "clienthold")["severity"] == "fatal"
    assert about(findings, "registrar", "signed.test", "clientupdateprohibited")["severity"] == "warning"


def test_a_registry_that_cannot_be_asked_is_no_failure(doctor: Any) -> None:
    code, findings = doctor("good.test", rdap="http://127.0.0.1:9")
    assert code == 0
    assert about(findings, "registrar", "good.test", "could not be asked")["severity"] == "note"


def test_a_root_that_is_not_there(tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is below cannot be found, and that is said; the hosts are asked all the same."""
    path = config_of(tmp_path, tree, "good.test")
    assert run(["doctor", "dns", "-c", str(path), "--root", tree.place(EAST)]) == 0
    shown = capsys.readouterr().out
    assert "could not be read: look up" in shown
    assert "a cutover would go through" in shown


def test_a_root_that_is_none(tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = config_of(tmp_path, tree, "good.test")
    for root in ("a.root:none", ":53", ""):
        assert run(["doctor", "dns", "-c", str(path), "--root", root]) == 64
        assert "192.0.2.1:53" in capsys.readouterr().err


def test_servers_that_answer_by_udp_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree = Tree(tmp_path, deaf=(SOUTH,))
    tree.delegate("good.test", *BOTH)
    tree.child("good.test", NORTH, SOUTH)
    with tree.run():
        path = config_of(tmp_path, tree, "good.test")
        assert run(["doctor", "dns", "-c", str(path), "--output", "json"]) == 0
    findings = json.loads(capsys.readouterr().out)["findings"]
    about(findings, "servers", f"{tree.place(SOUTH)} (good.test)", "does not answer by TCP: Connection refused")
    about(findings, "content", "good.test", "our names are the same at 2 servers")


def test_the_real_command(tree: Tree, tmp_path: Path) -> None:
    path = config_of(tmp_path, tree, "differs.test")
    words = [sys.executable, "-m", "failover", "-c", str(path), "doctor", "dns", "--verbose"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("SEVERITY")
    assert done.stdout == redact(done.stdout)
    assert done.stdout.endswith("a cutover would go through\n")
