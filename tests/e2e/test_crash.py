"""kill -9 of the real command at every write of its journal: the next run finishes, and DNS never shows it."""

import itertools
import os
import signal
from collections.abc import Callable

import pytest

from tests.e2e.conftest import Open
from tests.e2e.eyes import Eyes, answer, epoch
from tests.e2e.forks import Death
from tests.e2e.play import QUICK, Play, Ran, until

TWO_SITES = {
    **QUICK,
    r"(?m)^  cirrus: .*\n": "",
    r"web: \{count: 2": "web: {count: 1",
}
FENCE = "_failover.guestbook.guestbook.test"
HOOKS = "\nhooks: {before: [['true']], after: [['true']], abort: [['true']]}\n"


def _kill(play: Play, number: int, moment: str, *words: str) -> Ran:
    """Run the command; SIGKILL comes before or after its n-th write, if it comes so far."""
    return play.run(*words, code=(0, -signal.SIGKILL), death=Death(number, moment))


def _addresses(play: Play, cloud: str) -> set[str]:
    return {node["address"] for node in play.nodes(cloud)}


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_cutover_by_hand(open_play: Open, moment: str) -> None:
    play = open_play(TWO_SITES)
    with play.config.open("a") as config:
        config.write(HOOKS)
    play.begin()
    serving = {cloud: _addresses(play, cloud) for cloud in ("aurora", "boreas")}
    active, epochs = "aurora", [1]
    with Eyes(play.servers()) as eyes:
        for number in itertools.count(1):
            target = "boreas" if active == "aurora" else "aurora"
            ran = _kill(play, number, moment, "cutover", target, "--yes")
            done = play.check_until(lambda c: c["decision"] == "hold")
            active = done["active_site"]
            assert done["epoch"] >= epochs[-1], "the epoch went back"
            epochs.append(done["epoch"])
            for server in play.servers().values():
                assert answer(server, "www.guestbook.test", "A") == serving[active]
            if ran.code == 0:
                assert active == target
                break
    assert max(epochs) > 15, "the sweep did not see a whole cutover"
    eyes.check()
    for host in eyes.epochs:
        assert eyes.addresses[host] == serving["aurora"] | serving["boreas"]
        assert eyes.epochs[host] == sorted(set(eyes.epochs[host]))
    ended = {plan["result"] for plan in play.ask("history")["plans"]}
    assert ended <= {"committed", "unwound", "never started"}


@pytest.mark.timeout(900)
def test_a_cutover_by_checks_of_which_every_one_is_killed(open_play: Open) -> None:
    """Each check gets one write further than the one before; none ends by itself until the cutover is done."""
    play = open_play(TWO_SITES)
    play.begin()
    aurora, boreas = _addresses(play, "aurora"), _addresses(play, "boreas")
    with Eyes(play.servers()) as eyes:
        play.run("local", "close", "aurora")
        for number in itertools.count(1):
            if _kill(play, number, "after", "check").code == 0:
                break
        found = play.check_until(lambda c: c["active_site"] == "boreas" and c["decision"] == "hold")
        assert found["verdicts"]["aurora"] == "ACCOUNT_CLOSED"
        assert number > 5
        for server in play.servers().values():
            assert answer(server, "www.guestbook.test", "A") == boreas
    eyes.check()
    assert eyes.addresses["ns1"] == aurora | boreas


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", ["ns1", "ns2"])
def test_a_cutover_between_the_changes_of_two_hosts(open_play: Open, first: str) -> None:
    """One host stands still, so that it cannot take the change before the command is killed; the other has taken it."""
    play = open_play(TWO_SITES)
    play.begin()
    second = {"ns1": "ns2", "ns2": "ns1"}[first]
    servers, boreas = play.servers(), _addresses(play, "boreas")
    before = epoch(servers[first], FENCE)
    assert before is not None
    pid = play.daemon("dns", second)
    os.kill(pid, signal.SIGSTOP)
    try:
        _kill_when(play, lambda: epoch(servers[first], FENCE) == before + 1)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert [epoch(servers[host], FENCE) for host in (first, second)] == [before + 1, before]
    play.check_until(lambda c: c["active_site"] == "boreas" and c["decision"] == "hold" and not c["debts"])
    for server in servers.values():
        assert answer(server, "www.guestbook.test", "A") == boreas
        assert epoch(server, FENCE) == before + 1


def _kill_when(play: Play, taken: Callable[[], bool]) -> None:
    play.run("cutover", "boreas", "--yes", code=-signal.SIGKILL, kill_when=taken)


@pytest.mark.timeout(1500)
def test_apply_and_destroy(open_play: Open) -> None:
    """Killed again and again on the way: the next run goes on from what is there, without duplicates or orphans."""
    play = open_play(TWO_SITES)
    _killed_while_clouds_open(play)
    _sweep(play, "before", "apply", "--yes")
    _as_wanted(play, count=1)
    play.edit({"count: 1, warm": "count: 2, warm"})
    (play.directory / "app" / "extra.txt").write_text("a new release")
    _sweep(play, "after", "apply", "--yes")
    _as_wanted(play, count=2)
    _sweep(play, "before", "destroy", "--yes")
    assert [play.nodes(cloud) for cloud in ("aurora", "boreas")] == [[], []]
    for server in play.servers().values():
        assert answer(server, "www.guestbook.test", "A") == set()
        assert answer(server, "_failover.guestbook.guestbook.test", "TXT") == set()
    assert not list(play.local.glob("clouds/*/archives/*.tar.gz"))
    play.run("apply", "--yes")
    _as_wanted(play, count=2)


def _killed_while_clouds_open(play: Play) -> None:
    process = play.start("apply", "--yes")
    until(lambda: (play.local / "clouds" / "boreas").exists() or process.poll() is not None)
    process.kill()
    assert play.end(process, "apply", "--yes").code == -signal.SIGKILL


def _sweep(play: Play, moment: str, *words: str) -> None:
    for number in itertools.count(1, 2):
        if _kill(play, number, moment, *words).code == 0:
            assert number > 3
            return


def _as_wanted(play: Play, count: int) -> None:
    assert play.ask("plan")["changes"] is False
    for cloud in ("aurora", "boreas"):
        nodes = play.nodes(cloud)
        assert len(nodes) == count
        assert {n["state"] for n in nodes} == {"running"}
        folders = list((play.local / "clouds" / cloud / "nodes").iterdir())
        assert len(folders) == count, "a node's disk was left over"
    for server in play.servers().values():
        assert answer(server, "www.guestbook.test", "A") == _addresses(play, "aurora")
