"""plan, apply and destroy: drift is found and mended, a site that fails stops nobody, foreign things stay."""

import os
import signal
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import dns.rcode
import dns.tsigkeyring
import dns.update
import pytest

from failover.clouds.local import LocalCloud
from failover.core.model import NodeSpec
from failover.net.tsig import read_key
from tests.e2e.conftest import Open
from tests.e2e.eyes import Eyes, answer
from tests.e2e.play import QUICK, Play, until

NAME = "www.guestbook.test"
pytestmark = pytest.mark.timeout(900)


def _actions(plan: dict[str, Any]) -> dict[str, list[str]]:
    """By site: what would be done, without what is as wanted."""
    found = {s["name"]: sorted(a["kind"] for a in s["actions"]) for s in plan["sites"]}
    return {site: kinds for site, kinds in found.items() if kinds}


def _drift(play: Play) -> dict[str, list[str]]:
    """The actions of `plan`, which says so by its exit code, as a table too."""
    found = play.ask("plan", code=2)
    assert found["changes"] is True
    assert found["problems"] == []
    return _actions(found)


def _mended(play: Play) -> None:
    assert play.ask("apply", "--yes")["problems"] == []
    assert play.ask("plan")["changes"] is False
    published = {node["address"] for node in play.nodes("aurora")}
    for server in play.servers().values():
        assert answer(server, NAME, "A") == published


def _ids(play: Play, cloud: str) -> set[tuple[str, int]]:
    return {(n["name"], n["pid"]) for n in play.nodes(cloud)}


def test_drift_of_every_kind(open_play: Open) -> None:
    play = open_play(QUICK)
    play.begin()
    with Eyes(play.servers()) as eyes:
        _a_killed_node(play)
        _a_changed_count(play)
        _a_changed_release(play)
        _a_changed_environment(play)
        _a_changed_secret(play)
        _two_sites_that_fail(play)
        _a_site_that_leaves_the_config(play)
    eyes.check()


def _a_site_that_leaves_the_config(play: Play) -> None:
    """Nodes that the config forgets are named until they are gone: they would cost for good."""
    line, others = r"(?m)^  cirrus: \{provider: cirrus, standby: hot\}$", _ids(play, "aurora") | _ids(play, "boreas")
    play.edit({line: ""})
    (left,) = play.ask("plan")["left_behind"]
    assert (left["site"], left["nodes"]) == ("cirrus", 2)
    assert "LEFT BEHIND" in play.run("plan").out
    assert "failover destroy --site cirrus" in play.run("apply", "--yes").err
    assert "the config does not say where it is" in play.run("destroy", "--site", "cirrus", "--yes", code=64).err
    play.edit({r"(?m)^sites:$": "sites:\n  cirrus: {provider: cirrus, standby: hot}"})
    assert play.ask("destroy", "--site", "cirrus", "--yes")["problems"] == []
    assert play.nodes("cirrus") == []
    play.edit({line: ""})
    assert play.ask("plan")["left_behind"] == []
    assert _ids(play, "aurora") | _ids(play, "boreas") == others


def _a_killed_node(play: Play) -> None:
    others = _ids(play, "aurora") | _ids(play, "cirrus")
    node = play.nodes("boreas")[0]
    os.kill(node["pid"], signal.SIGKILL)
    until(lambda: play.nodes("boreas")[0]["state"] == "stopped")
    assert _drift(play) == {"boreas": ["start"]}
    assert "it does not run" in play.run("plan", code=2).out
    _mended(play)
    assert _ids(play, "aurora") | _ids(play, "cirrus") == others, "only what drifted is touched"


def _a_changed_count(play: Play) -> None:
    play.edit({"count: 2, warm": "count: 3, warm"})
    assert _drift(play) == {site: ["create"] for site in ("aurora", "boreas", "cirrus")}
    _mended(play)
    assert len(play.nodes("aurora")) == 3
    play.edit({"count: 3, warm": "count: 1, warm"})
    assert _drift(play) == {site: ["destroy", "destroy"] for site in ("aurora", "boreas", "cirrus")}
    _mended(play)
    assert len(play.nodes("aurora")) == 1


def _a_changed_release(play: Play) -> None:
    (play.directory / "app" / "page.html").open("a").close()  # opened, but not changed
    play.run("plan")
    (play.directory / "app" / "news.txt").write_text("new")
    assert _drift(play) == {site: ["remove", "replace", "upload"] for site in ("aurora", "boreas", "cirrus")}
    _mended(play)
    assert play.check()["active_site"] == "aurora"
    for cloud in ("aurora", "boreas", "cirrus"):
        assert len(list((play.local / "clouds" / cloud / "archives").glob("*.tar.gz"))) == 1, "the old release is gone"


def _a_changed_environment(play: Play) -> None:
    play.edit({"  run: python3 server.py": "  run: python3 server.py\n  env: {GUESTBOOK_MODE: quiet}"})
    assert _drift(play) == {site: ["replace"] for site in ("aurora", "boreas", "cirrus")}
    _mended(play)


def _a_changed_secret(play: Play) -> None:
    key = play.directory / "secrets" / "guestbook-key"
    key.write_text("another-secret-altogether\n")
    assert _drift(play) == {site: ["replace"] for site in ("aurora", "boreas", "cirrus")}
    _mended(play)
    assert not [said for said in play.said if "another-secret-altogether" in said]


def _two_sites_that_fail(play: Play) -> None:
    """One account is closed, one has no room: the third is mended all the same, and the exit code tells."""
    os.kill(play.nodes("cirrus")[0]["pid"], signal.SIGKILL)
    play.run("local", "close", "boreas", "--reason", "unpaid bill")
    play.edit(
        {
            "count: 1, warm": "count: 2, warm",
            "cirrus: {kind: local, nodes_max: 20}": "cirrus: {kind: local, nodes_max: 20}",
        }
    )
    plan = play.ask("plan", code=1)
    assert "unpaid bill" in str(plan["problems"])
    done = play.ask("apply", "--yes", code=1)
    assert [s["name"] for s in done["sites"] if s["problem"]] == ["boreas"]
    assert {len(play.nodes(cloud)) for cloud in ("aurora", "cirrus")} == {2}
    play.run("local", "reopen", "boreas")
    assert _drift(play) == {"boreas": ["create", "create", "upload"]}
    _mended(play)


def test_a_quota_an_image_and_a_node_that_never_serves(open_play: Open) -> None:
    """Found before anything is created; the other sites go on."""
    play = open_play(QUICK | {"boreas: {kind: local, nodes_max: 20}": "boreas: {kind: local, nodes_max: 1}"})
    done = play.ask("apply", "--yes", code=1)
    (boreas,) = [s for s in done["sites"] if s["name"] == "boreas"]
    assert "quota" in boreas["problem"]
    assert boreas["done"] == []
    assert play.nodes("boreas") == []
    assert done["dns"]["result"] == "committed"
    assert len(play.nodes("aurora")) == 2
    play.edit({"image: debian-12": "image: beos-5"})
    problems = play.ask("plan", code=1)["problems"]
    assert len([p for p in problems if "beos-5" in p]) == 3
    assert len(play.nodes("aurora")) == 2


def test_destroy_removes_what_is_ours_and_nothing_else(open_play: Open) -> None:
    play = open_play(QUICK | {r"(?m)^  cirrus: .*\n": ""})
    play.begin()
    foreign = _foreign_node(play, "boreas")
    for host in ("ns1", "ns2"):
        _add_record(play, host, "mail", "A", "192.0.2.25")
        _add_record(play, host, "www", "TXT", '"kept"')
    play.ask("destroy", "--yes")
    assert play.nodes("aurora") == []
    assert [n["name"] for n in play.nodes("boreas")] == [foreign]
    for server in play.servers().values():
        assert answer(server, NAME, "A") == set()
        assert answer(server, "_failover.guestbook.guestbook.test", "TXT") == set()
        assert answer(server, "mail.guestbook.test", "A") == {"192.0.2.25"}
        assert answer(server, NAME, "TXT") == {"kept"}
    assert play.status()["active_site"] is None
    assert play.check()["decision"] == "hold"
    play.run("destroy", "--yes")
    play.begin()
    assert [n["name"] for n in play.nodes("boreas") if n["name"] == foreign] == [foreign]
    assert play.status()["epoch"] > 2, "an epoch is never spent twice"
    _mended(play)


def _foreign_node(play: Play, cloud: str) -> str:
    """A node of somebody else in the same account, made by the same API."""
    api = LocalCloud(play.local, cloud, "mirror")
    (release,) = api.list()
    spec = NodeSpec(
        name="somebody-elses",
        service="blog",
        site=cloud,
        group="web",
        ordinal=0,
        spec="0",
        cpus=1,
        memory_mib=64,
        disk_gib=1,
        image="debian-12",
        ports=(8080,),
        release=release,
        command="python3 server.py",
    )
    return api.ensure(spec).name


def _add_record(play: Play, host: str, name: str, kind: str, value: str) -> None:
    address, port = play.servers()[host]
    key = read_key(play.local / "dns" / host / "tsig.key")
    ring = dns.tsigkeyring.from_text({key.name: (key.algorithm, key.secret)})
    update = dns.update.UpdateMessage("guestbook.test", keyring=ring)
    update.add(name, 60, kind, value)
    reply = dns.query.tcp(update, address, port=port, timeout=30)
    assert reply.rcode() == dns.rcode.NOERROR


# ------------------------------------------------------------------------------------ warm and cold


def test_warm_and_cold_standbys(open_play: Open) -> None:
    changes = {r"boreas: \{provider: boreas, standby: hot": "boreas: {provider: boreas, standby: warm"}
    changes |= {r"cirrus: \{provider: cirrus, standby: hot": "cirrus: {provider: cirrus, standby: cold"}
    play = open_play(QUICK | changes)
    play.run("apply", "--yes")
    assert [len(play.nodes(cloud)) for cloud in ("aurora", "boreas", "cirrus")] == [2, 1, 0]
    assert len(list(play.local.glob("clouds/cirrus/archives/*.tar.gz"))) == 1
    assert play.ask("plan")["changes"] is False
    play.check_until(lambda _: play.site("boreas")["ready"] and play.site("cirrus")["ready"])
    assert play.site("cirrus")["standby"] == "cold"
    _one_byte_of_the_archive(play)
    _the_api_of_the_cold_site_is_gone(play)
    with Eyes(play.servers()) as eyes:
        play.run("local", "close", "aurora")
        play.check_until(lambda c: c["active_site"] == "boreas" and c["decision"] == "hold")
        assert len(play.nodes("boreas")) == 2
        play.run("local", "close", "boreas")
        play.check_until(lambda c: c["active_site"] == "cirrus" and c["decision"] in ("hold", "page"))
        cirrus = {node["address"] for node in play.nodes("cirrus")}
        assert len(cirrus) == 2
        for server in play.servers().values():
            assert answer(server, NAME, "A") == cirrus
    eyes.check()


def _one_byte_of_the_archive(play: Play) -> None:
    (archive,) = play.local.glob("clouds/cirrus/archives/*.tar.gz")
    data = bytearray(archive.read_bytes())
    data[len(data) // 2] ^= 1
    archive.write_bytes(data)
    play.check()
    cirrus = play.site("cirrus")
    assert cirrus["ready"] is False
    assert "depot" in str(cirrus["reasons"])
    assert _drift(play) == {"cirrus": ["upload"]}
    _mended(play)
    play.check()
    assert play.site("cirrus")["ready"] is True


def _the_api_of_the_cold_site_is_gone(play: Play) -> None:
    for mode in ("refuse", "api"):
        play.run("local", "fail", "cirrus", "--mode", mode)
        play.check()
        assert play.site("cirrus")["ready"] is False
        assert play.run("cutover", "cirrus", "--yes", "--force", code=1).code == 1, "force cannot make nodes"
        assert play.status()["active_site"] == "aurora"
        assert play.status()["open_plan"] is None
    play.run("local", "start", "cirrus")
    play.check_until(lambda _: play.site("cirrus")["ready"])


def test_nothing_of_the_release_escapes(open_play: Open, tmp_path: Path) -> None:
    """Links that lead out of the release are refused, before anything is made."""
    play = open_play(QUICK)
    (play.directory / "app" / "out").symlink_to(tmp_path)
    refused = play.run("apply", "--yes", code=1)
    assert "app/out" in refused.err or "out" in refused.err
