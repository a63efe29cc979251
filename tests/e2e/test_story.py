"""The main job, as a stranger would see it: apply, check once a second, and providers that close the account."""

import urllib.request
from pathlib import Path

import pytest

from tests.e2e.conftest import Open
from tests.e2e.eyes import Eyes, answer
from tests.e2e.play import Play, notices, notify_to

NAME = "www.guestbook.test"


def _addresses(play: Play, cloud: str) -> set[str]:
    return {node["address"] for node in play.nodes(cloud)}


def _published(play: Play) -> list[set[str] | None]:
    return [answer(server, NAME, "A") for server in play.servers().values()]


def _get(address: str, path: str) -> int:
    with urllib.request.urlopen(f"http://{address}:8080{path}", timeout=30) as response:
        found: int = response.status
        return found


@pytest.mark.timeout(900)
def test_accounts_are_closed_one_after_the_other_and_the_service_moves_on(open_play: Open, tmp_path: Path) -> None:
    play = open_play()
    play.run("apply", "--yes")
    _local_list_has_the_promised_shape(play)
    with Eyes(play.servers()) as eyes:
        _ready(play)
        _status_has_the_promised_shape(play)
        _a_second_apply_changes_nothing(play)
        aurora, boreas, cirrus = (_addresses(play, cloud) for cloud in ("aurora", "boreas", "cirrus"))
        for address in aurora:
            assert (_get(address, "/"), _get(address, "/healthz")) == (200, 200)
        play.run("local", "close", "aurora")
        moved = play.check_until(lambda c: c["active_site"] == "boreas", pause_s=1.0)
        assert moved["epoch"] == 2
        assert _published(play) == [boreas, boreas]
        assert [_get(address, "/") for address in boreas] == [200, 200]
        notify_to(play, tmp_path / "pages")
        play.run("local", "close", "boreas")
        play.check_until(lambda c: c["active_site"] == "cirrus", pause_s=1.0)
        assert _published(play) == [cirrus, cirrus]
        _nowhere_to_go(play, tmp_path / "pages", cirrus)
        _home_again(play)
    eyes.check()
    for host, seen in eyes.addresses.items():
        assert seen <= aurora | boreas | cirrus | _addresses(play, "aurora"), host
        assert eyes.epochs[host] == sorted(set(eyes.epochs[host]))


def _ready(play: Play) -> None:
    play.check_until(lambda c: set(c["verdicts"].values()) == {"UP"}, pause_s=1.0)


def _local_list_has_the_promised_shape(play: Play) -> None:
    found = play.ask("local", "list")
    assert [c["name"] for c in found["clouds"]] == ["aurora", "boreas", "cirrus"]
    for cloud in found["clouds"]:
        assert cloud["account"] == "active"
        assert len(cloud["nodes"]) == 2
        for node in cloud["nodes"]:
            assert set(node) >= {"name", "address", "port", "pid"}
            assert isinstance(node["pid"], int)
            assert node["port"] == 8080
    assert [d["name"] for d in found["dns"]] == ["ns1", "ns2"]
    for host in found["dns"]:
        assert host["server"].startswith("127.0.0.1:")
        assert host["zones"] == ["guestbook.test"]


def _status_has_the_promised_shape(play: Play) -> None:
    found = play.status()
    assert (found["service"], found["active_site"], found["epoch"], found["paused"]) == (
        "guestbook",
        "aurora",
        1,
        False,
    )
    assert found["safe"] is True
    assert found["next"] == "would cut over to boreas"
    assert found["budget_s"] == sum(term["seconds"] for term in found["budget"])
    for site in found["sites"]:
        assert set(site) >= {"name", "provider", "verdict", "standby", "ready", "reasons"}
        assert (site["verdict"], site["standby"], site["ready"], site["reasons"]) == ("UP", "hot", True, [])


def _a_second_apply_changes_nothing(play: Play) -> None:
    before = play.ask("local", "list")
    assert play.ask("plan")["changes"] is False
    assert play.ask("apply", "--yes")["changed"] is False
    assert play.ask("local", "list") == before


def _nowhere_to_go(play: Play, pages: Path, last: set[str]) -> None:
    """Everything is closed: hold, page, touch nothing."""
    play.run("local", "close", "cirrus")
    held = play.check_until(
        lambda c: c["decision"] == "page" and c["verdicts"]["cirrus"] == "ACCOUNT_CLOSED", pause_s=1
    )
    assert held["active_site"] == "cirrus"
    assert "no site can take over" in held["reasons"]
    assert _published(play) == [last, last]
    status = play.status()
    assert status["safe"] is False
    assert status["next"].startswith("cannot cut over, because no site can take over")
    sent = [n for n in notices(pages) if n["event"] == "page"]
    assert sent, "nobody was told"
    assert sent[-1]["severity"] == "critical"
    for _ in range(2):
        play.check()
    assert len([n for n in notices(pages) if n["event"] == "page"]) == len(sent), "the same page is sent once"


def _home_again(play: Play) -> None:
    """One provider opens the account again, empty: its site is mended though the others fail, and a person moves."""
    play.run("local", "reopen", "aurora")
    assert play.nodes("aurora") == []
    report = play.ask("apply", "--yes", code=1)
    assert {s["name"]: s["problem"] is None for s in report["sites"]} == {
        "aurora": True,
        "boreas": False,
        "cirrus": False,
    }
    assert play.ask("cutover", "--yes")["target"] == "aurora"
    fresh = _addresses(play, "aurora")
    assert _published(play) == [fresh, fresh]
