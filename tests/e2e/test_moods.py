"""One playground, many bad days: each test leaves it as it found it, so they may come in any order."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from failover.stores.lease import FileLease
from tests.e2e.conftest import Open
from tests.e2e.eyes import answer, epoch
from tests.e2e.play import FAILOVER, QUICK, Play, environment, notices, notify_to, until

NAME = "www.guestbook.test"
FENCE = "_failover.guestbook.guestbook.test"

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def shared(open_play: Open) -> Play:
    play = open_play(QUICK | {"lost_after: 5s": "lost_after: 2s"})
    notify_to(play, play.directory / "pages")
    play.run("apply", "--yes")
    return play


@pytest.fixture
def play(shared: Play) -> Iterator[Play]:
    """The shared playground, everything well and aurora active; the config is put back afterwards."""
    config = shared.config.read_text()
    shared.settle()
    yield shared
    shared.config.write_text(config)


def _holds(play: Play, host: str) -> set[str] | None:
    return answer(play.servers()[host], NAME, "A")


def _serving(play: Play, cloud: str) -> set[str]:
    return {node["address"] for node in play.nodes(cloud)}


@contextmanager
def _stopped(pid: int) -> Iterator[None]:
    """The process stands still: it takes connections and never answers."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


# ------------------------------------------------------------------------------------ who may work


def test_two_checks_at_once(play: Play) -> None:
    for _ in range(3):
        both = [play.start("check"), play.start("check")]
        assert sorted(play.end(process, "check").code for process in both) == [0, 75]


def test_who_holds_the_lock_keeps_others_out(play: Play) -> None:
    lease = FileLease(play.directory / ".failover" / "state.db")
    lease.acquire("tick")
    try:
        kept_out = play.run("check", code=75)
        assert "held by process" in kept_out.err
        play.run("cutover", "boreas", "--yes", "--wait", "0", code=75)
        play.run("status")  # to look, to pause and to abort need no lock
        play.run("pause")
        play.run("unpause")
        waiting = play.start("cutover", "boreas", "--yes", "--wait", "80")
        until(lambda: "operator" in play.run("check", code=75).err, "the cutover's place in front")
    finally:
        lease.release("tick")
    assert play.end(waiting, "cutover", "boreas").code == 0
    assert play.status()["active_site"] == "boreas"


def test_watch_and_check_together_and_an_end_by_sigterm(play: Play) -> None:
    watch = play.start("watch", "--every", "0.5")
    assert watch.stderr is not None
    assert watch.stderr.readline() == "watching guestbook every 0.5 s\n"
    assert "active aurora" in watch.stderr.readline(), "each change of the line is told"
    for _ in range(3):
        play.run("check", code=(0, 75))
    watch.send_signal(signal.SIGTERM)
    ended = play.end(watch, "watch")
    assert ended.code == 0, str(ended)
    assert "SIGTERM: ends after this round" in ended.err
    assert "Traceback" not in ended.err


def test_a_status_that_stays_ends_quietly(play: Play) -> None:
    status = play.start("status", "--watch")
    assert status.stdout is not None
    assert "guestbook" in status.stdout.readline()
    status.send_signal(signal.SIGINT)
    ended = play.end(status, "status", "--watch")
    assert ended.code in (0, 130)
    assert "Traceback" not in ended.err


# ------------------------------------------------------------------------------------ who is broken?


def test_we_ourselves_are_cut_off(play: Play) -> None:
    before = _serving(play, "aurora")
    play.run("local", "stop", "east", "west")
    play.run("local", "close", "aurora")
    for _ in range(4):
        found = play.check()
        assert set(found["verdicts"].values()) == {"OBSERVER_ISOLATED"}
        assert (found["decision"], found["active_site"]) == ("hold", "aurora")
    assert play.status()["isolated"] is True
    assert "cut off" in play.status()["next"]
    assert [_holds(play, host) for host in ("ns1", "ns2")] == [before, before]
    play.run("local", "start", "east", "west")
    play.check_until(lambda c: c["active_site"] == "boreas")


@pytest.mark.skipif(os.getuid() != 0 or shutil.which("unshare") is None, reason="a network of its own needs root")
def test_without_any_network(play: Play) -> None:
    for _ in range(3):
        alone = subprocess.run(
            ["unshare", "-n", *FAILOVER, "check", "-o", "json"],
            cwd=play.directory,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        if "unshare" in alone.stderr:
            pytest.skip("no network namespaces here")
        found = play.keep(["check"], alone.returncode, alone.stdout, alone.stderr)
        assert found.code == 0
        assert set(found.document["verdicts"].values()) == {"OBSERVER_ISOLATED"}
        assert (found.document["decision"], found.document["active_site"]) == ("hold", "aurora")


def test_the_api_refuses_us_while_the_site_serves(play: Play) -> None:
    play.run("local", "fail", "aurora", "--mode", "refuse")
    for _ in range(3):
        found = play.check()
        assert found["verdicts"]["aurora"] == "ACCESS_REFUSED"
        assert (found["decision"], found["active_site"]) == ("page", "aurora")
    assert "ACCESS_REFUSED" in notices(play.directory / "pages")[-1]["title"]


@pytest.mark.parametrize("mode", ["api", "error"])
def test_the_api_gives_no_usable_answer_while_the_site_serves(play: Play, mode: str) -> None:
    play.run("local", "fail", "aurora", "--mode", mode)
    for _ in range(3):
        found = play.check()
        assert (found["verdicts"]["aurora"], found["decision"]) == ("UP", "hold")


def test_the_provider_is_down(play: Play) -> None:
    play.run("local", "fail", "aurora")
    found = play.check_until(lambda c: c["active_site"] == "boreas" and c["decision"] == "hold")
    assert found["verdicts"]["aurora"] == "PROVIDER_DOWN"
    (plan,) = play.ask("history", "--limit", "1")["plans"]
    assert (plan["source"], plan["target"], plan["result"], plan["automatic"]) == (
        "aurora",
        "boreas",
        "committed",
        True,
    )
    assert "reconfirm" in play.run("show", plan["id"]).out
    events = play.ask("show", plan["id"])["events"]
    steps = ["claim", "reconfirm", "preflight", "verify", "swap", "confirm", "commit", ""]
    assert list(dict.fromkeys(e["step"] for e in events)) == steps
    assert events[-1]["reason"] == "committed"
    play.run("local", "start", "aurora")
    play.check_until(lambda c: c["verdicts"]["aurora"] == "UP")
    assert play.status()["active_site"] == "boreas", "nothing goes back by itself"
    assert play.ask("failback", "--yes")["target"] == "aurora"


def test_the_program_is_down(play: Play) -> None:
    """A mirror would run the same program: page, do not move."""
    for node in play.nodes("aurora"):
        os.kill(node["pid"], signal.SIGSTOP)
    try:
        found = play.check_until(lambda c: c["verdicts"]["aurora"] == "APP_DOWN")
        assert (found["decision"], found["active_site"]) == ("page", "aurora")
    finally:
        for node in play.nodes("aurora"):
            os.kill(node["pid"], signal.SIGCONT)


def test_the_nodes_are_gone_though_the_account_is_fine(play: Play) -> None:
    for node in play.nodes("aurora"):
        os.kill(node["pid"], signal.SIGKILL)
    found = play.check_until(lambda c: c["active_site"] == "boreas" and c["decision"] == "hold")
    assert found["verdicts"]["aurora"] == "RESOURCES_GONE"


def test_the_provider_warns(play: Play) -> None:
    play.run("local", "warn", "aurora", "--message", "closes in 24 hours")
    found = play.check_until(lambda c: c["verdicts"]["aurora"] == "ACCOUNT_WARNED")
    assert (found["decision"], found["active_site"]) == ("page", "aurora")
    assert "closes in 24 hours" in str(found["reasons"])
    play.run("local", "reopen", "aurora")


# ------------------------------------------------------------------------------------ a changed byte


def test_one_byte_of_a_standby_is_changed(play: Play) -> None:
    pages = sorted(play.local.glob("clouds/boreas/nodes/*/release/page.html"))
    assert len(pages) == 2
    pages[0].write_bytes(pages[0].read_bytes() + b" ")
    play.check()
    boreas = play.site("boreas")
    assert boreas["ready"] is False
    assert "another release" in str(boreas["reasons"])
    assert play.status()["next"] == "would cut over to cirrus"
    drift = play.ask("plan", code=2)
    assert [a["kind"] for s in drift["sites"] for a in s["actions"]] == ["rebuild"]
    refused = play.run("cutover", "boreas", "--yes", code=1)
    assert "another release" in refused.err
    assert "--force" in refused.err
    play.run("apply", "--yes")
    assert play.ask("plan")["changes"] is False
    play.check_until(lambda _: play.site("boreas")["ready"])


# ------------------------------------------------------------------------------------ DNS hosts


def test_a_dns_host_is_stopped(play: Play) -> None:
    play.run("local", "stop", "ns2")
    done = play.ask("cutover", "boreas", "--yes")
    assert done["result"] == "committed"
    boreas = _serving(play, "boreas")
    assert _holds(play, "ns1") == boreas
    status = play.status()
    assert [(d["host"], d["epoch"]) for d in status["debts"]] == [("ns2", done["epoch"])]
    assert "DEBT: ns2" in play.run("status").out
    play.check()
    assert any(n["event"] == "debt" and "ns2" in str(n["reasons"]) for n in notices(play.directory / "pages"))
    play.run("local", "start", "ns2")
    play.check_until(lambda c: not c["debts"])
    assert _holds(play, "ns2") == boreas
    assert epoch(play.servers()["ns2"], FENCE) == done["epoch"]


@pytest.mark.parametrize("mode", ["servfail", "refuse", "refuse-updates"])
def test_a_dns_host_says_no(play: Play, mode: str) -> None:
    play.run("local", "fail", "ns2", "--mode", mode)
    assert play.ask("cutover", "boreas", "--yes")["result"] == "committed"
    assert [d["host"] for d in play.status()["debts"]] == ["ns2"]
    play.run("local", "start", "ns2")
    play.check_until(lambda c: not c["debts"])
    assert _holds(play, "ns2") == _holds(play, "ns1") == _serving(play, "boreas")


def test_a_dns_host_never_answers(play: Play) -> None:
    with _stopped(play.daemon("dns", "ns1")):
        assert play.check()["decision"] == "hold"
        (ns1,) = [h for h in play.status()["dns"] if h["host"] == "ns1"]
        assert ns1["problem"]
        assert play.ask("cutover", "boreas", "--yes")["result"] == "committed"
    assert _holds(play, "ns2") == _serving(play, "boreas")
    play.check_until(lambda c: not c["debts"])
    assert _holds(play, "ns1") == _serving(play, "boreas")


def test_no_dns_host_answers(play: Play) -> None:
    with _stopped(play.daemon("dns", "ns1")), _stopped(play.daemon("dns", "ns2")):
        play.run("local", "fail", "aurora")
        found = play.check_until(lambda c: c["decision"] == "page")
        assert found["active_site"] == "aurora"
        assert "no DNS host can be read" in str(found["reasons"])
        assert "no DNS host can be read" in play.run("cutover", "boreas", "--yes", code=1).err
    play.check_until(lambda c: c["active_site"] == "boreas")


def test_somebody_else_changes_a_record(play: Play) -> None:
    _nsupdate(play, "ns1", f"update delete {NAME} A\nupdate add {NAME} 1 A 192.0.2.66\n")
    play.check()
    assert any(n["event"] == "records-changed" for n in notices(play.directory / "pages"))
    play.run("cutover", "boreas", "--yes", "--force")
    play.check_until(lambda c: not c["debts"] and c["decision"] == "hold")
    assert _holds(play, "ns1") == _holds(play, "ns2") == _serving(play, "boreas")


def _nsupdate(play: Play, host: str, lines: str) -> None:
    """By the standard tool, as an outsider who has the key."""
    address, port = play.servers()[host]
    key = play.local / "dns" / host / "tsig.key"
    program = shutil.which("nsupdate")
    if program is None:
        pytest.skip("nsupdate is not installed")
    subprocess.run(
        [program, "-k", str(key)],
        input=f"server {address} {port}\nzone guestbook.test\n{lines}send\n",
        text=True,
        check=True,
        timeout=60,
    )


# ------------------------------------------------------------------------------------ an API that never answers


def test_a_providers_api_never_answers(play: Play) -> None:
    with _stopped(play.daemon("clouds", "aurora")):
        for found in (play.check(), play.check()):
            assert (found["verdicts"]["aurora"], found["decision"]) == ("UP", "hold")
        problem = play.run("plan", code=1)
        assert "aurora" in problem.out
    with _stopped(play.daemon("clouds", "boreas")):
        assert play.ask("cutover", "boreas", "--yes")["result"] == "committed", "a hot target needs no API"


# ------------------------------------------------------------------------------------ persons and hooks


def test_a_pause_holds_and_ends(play: Play) -> None:
    play.run("pause", "--reason", "maintenance")
    play.run("local", "fail", "aurora")
    found = play.check_until(lambda c: c["verdicts"]["aurora"] == "PROVIDER_DOWN")
    assert (found["decision"], found["active_site"]) == ("hold", "aurora")
    assert "maintenance" in str(found["reasons"])
    assert play.status()["paused"] is True
    play.run("pause", "--reason", "lunch", "--for", "1s")
    play.check_until(lambda c: c["active_site"] == "boreas")
    assert play.status()["paused"] is False


def test_a_hook_vetoes(play: Play) -> None:
    with play.config.open("a") as config:
        config.write("\nhooks: {before: [[sh, -c, 'echo not today >&2; exit 3']], abort: [[touch, aborted]]}\n")
    before = _holds(play, "ns1")
    refused = play.ask("cutover", "boreas", "--yes", code=1)
    assert refused["result"] == "unwound"
    assert "not today" in play.said[-1]
    assert _holds(play, "ns1") == before
    assert (play.directory / "aborted").exists()
    assert play.ask("show", refused["plan"])["result"] == "unwound"


def test_a_hook_hangs(play: Play) -> None:
    """Its outcome is unknown; it is tried again for a while, and then the plan is unwound."""
    with play.config.open("a") as config:
        config.write("\nhooks: {before: [[sleep, '1000']], timeout: 1s}\n")
    before = _holds(play, "ns1")
    ended = play.ask("cutover", "boreas", "--yes", code=1)
    events = play.ask("show", ended["plan"])["events"]
    assert [e["kind"] for e in events if e["step"] == "before-hooks"][:2] == ["started", "unknown"]
    play.check_until(lambda c: c["decision"] == "hold")
    assert play.ask("show", ended["plan"])["result"] == "unwound"
    assert _holds(play, "ns1") == before


def test_an_abort_while_a_hook_works(play: Play) -> None:
    started, go = play.directory / "started", play.directory / "go"
    for path in (started, go):
        path.unlink(missing_ok=True)
    script = f"touch {started}; while [ ! -e {go} ]; do sleep 0.05; done"
    with play.config.open("a") as config:
        config.write(f"\nhooks: {{before: [[sh, -c, '{script}']], timeout: 80s}}\n")
    before = _holds(play, "ns1")
    cutover = play.start("cutover", "boreas", "--yes")
    try:
        until(started.exists, "the hook")
        plan = play.status()["open_plan"]
        assert plan in play.status()["next"]
        play.run("abort", plan)
    finally:
        go.touch()
    assert play.end(cutover, "cutover", "boreas").code == 1
    assert play.ask("show", plan)["result"] == "unwound"
    assert _holds(play, "ns1") == before


# ------------------------------------------------------------------------------------ the machine


def test_everything_is_stopped_and_comes_back_as_it_was(play: Play) -> None:
    before = {cloud: _serving(play, cloud) for cloud in ("aurora", "boreas", "cirrus")}
    play.run("local", "stop")
    found = play.check()
    assert set(found["verdicts"].values()) == {"OBSERVER_ISOLATED"}
    assert (found["decision"], found["active_site"]) == ("hold", "aurora")
    play.run("local", "start")
    play.check_until(lambda c: set(c["verdicts"].values()) == {"UP"})
    assert {cloud: _serving(play, cloud) for cloud in before} == before
    assert _holds(play, "ns1") == _holds(play, "ns2") == before["aurora"]


def test_from_another_directory_as_cron_does(play: Play) -> None:
    found = play.run("-c", str(play.config), "check", "-o", "json", cwd=Path("/")).document
    assert found["active_site"] == "aurora"
    named = play.run("check", "-o", "json", cwd=Path("/"), env={"FAILOVER_CONFIG": str(play.config)}).document
    assert named["epoch"] == found["epoch"]
    assert play.ask("plan", "-c", "../play/failover.yaml")["changes"] is False


# ------------------------------------------------------------------------------------ secrets


def test_no_secret_is_shown_or_lies_about(play: Play, tmp_path: Path) -> None:
    for words in (["status"], ["plan"], ["history"], ["local", "list"], ["validate"], ["apply", "--yes"]):
        play.run(*words)
        play.run(*words, "-o", "json")
    play.run("local", "fail", "boreas", "--mode", "error")
    play.run("plan", code=1)
    secret = play.secret
    keys = [path.read_text().split('secret "')[1].split('"')[0] for path in play.local.glob("dns/*/tsig.key")]
    tokens = [path.read_text().strip() for path in play.local.glob("*/*/*.token")]
    assert len(keys) == 2
    assert len(tokens) == 11
    for value in (secret, *keys, *tokens):
        assert not [said for said in play.said if value in said]
    allowed = ("environment.json", "tsig.key", ".token")
    for path in (play.directory / ".failover").rglob("*"):
        if path.is_file() and any(v.encode() in path.read_bytes() for v in (secret, *keys, *tokens)):
            assert path.name.endswith(allowed), path
            assert path.stat().st_mode & 0o077 == 0, path
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words_of = line.read_bytes()
        except OSError:
            continue
        assert secret.encode() not in words_of
