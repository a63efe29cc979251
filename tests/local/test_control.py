"""Creating, starting, stopping and listing, with real daemons."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from failover.core.model import Reading
from failover.errors import AdapterError, StateDamaged, Unreachable, UsageError
from failover.local import control
from failover.local.process import identify
from failover.local.registry import Record, read_record, running, write_record
from tests.local.conftest import left_running
from tests.local.help import cloud, daemon_pid, daemons, exists, packed, pids, spec, until


def test_created_once(root: Path) -> None:
    assert control.create_cloud(root, "aurora", 3)
    assert not control.create_cloud(root, "aurora", 5)
    assert cloud(root).quota().nodes_max == 3


def test_created_by_one_of_many_at_once(root: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: control.create_cloud(root, "aurora"), range(8)))
    assert sorted(made) == [False] * 7 + [True]
    assert [p.name for p in (root / "clouds").iterdir()] == ["aurora"]


def test_everything_is_private(root: Path) -> None:
    cloud(root)
    control.create_control(root, "one")
    control.create_dns(root, "ns1", ["example.test"])
    control.start(root)
    for path in (root, *root.rglob("*")):
        if path.suffix == ".zone":  # what a name server tells everybody
            continue
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "Aurora", "-a", "a-", "a b", "ä", "x" * 64])
def test_a_bad_name_is_refused(root: Path, name: str) -> None:
    with pytest.raises(UsageError):
        control.create_cloud(root, name)
    assert not root.exists()


def test_an_unknown_name_is_told_with_the_known_ones(root: Path) -> None:
    control.create_cloud(root, "aurora")
    with pytest.raises(UsageError) as caught:
        control.close(root, "boreas", "why")
    assert "aurora" in caught.value.hint


def test_names_shared_by_kinds_must_be_told_apart(root: Path) -> None:
    control.create_cloud(root, "one")
    control.create_control(root, "one")
    with pytest.raises(UsageError) as caught:
        control.start(root, ["one"])
    assert "clouds/one" in caught.value.hint
    (started,) = control.start(root, ["controls/one"])
    assert started.kind.label == "control"


def test_a_folder_in_the_way_is_told(root: Path) -> None:
    (root / "clouds" / "aurora").mkdir(parents=True)
    (root / "clouds" / "aurora" / "something").touch()
    with pytest.raises(StateDamaged):
        control.create_cloud(root, "aurora")
    assert [p.name for p in (root / "clouds").iterdir()] == ["aurora"]


def test_start_and_stop_tell_what_changed(root: Path) -> None:
    control.create_cloud(root, "aurora")
    control.create_control(root, "one")
    assert {place.name for place in control.start(root)} == {"aurora", "one"}
    assert control.start(root) == ()
    assert {place.name for place in control.stop(root, ["one"])} == {"one"}
    assert {place.name for place in control.stop(root)} == {"aurora"}
    assert control.stop(root) == ()
    assert left_running(root) == []


def test_nothing_to_start_is_no_error(root: Path) -> None:
    assert control.start(root) == ()
    assert control.listing(root) == {"clouds": [], "dns": [], "controls": []}


def test_two_starts_at_once_start_one_daemon(root: Path) -> None:
    control.create_cloud(root, "aurora")
    code = f"from pathlib import Path; from failover.local import control; control.start(Path({str(root)!r}))"
    starters = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
    assert [starter.wait(timeout=60) for starter in starters] == [0] * 4
    assert daemons(root / "clouds" / "aurora") == [daemon_pid(root)]


def test_a_second_daemon_in_the_same_directory_ends_at_once(root: Path) -> None:
    cloud(root)
    command = [sys.executable, "-m", "failover.local", "cloud", "--directory", str(root / "clouds" / "aurora")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, "it runs already")
    until(lambda: daemons(root / "clouds" / "aurora") == [daemon_pid(root)])  # the refused one has said so, and ends


def test_what_cannot_start_says_why(root: Path) -> None:
    control.create_cloud(root, "aurora")
    (root / "clouds" / "aurora" / "cloud.json").write_text("{", encoding="utf-8")
    with pytest.raises(AdapterError) as caught:
        control.start(root)
    assert "cloud.json" in caught.value.cause
    assert "log" in caught.value.hint
    assert left_running(root) == []


def test_what_is_damaged_is_never_listed_as_empty(root: Path) -> None:
    control.create_cloud(root, "aurora")
    for text in ("", "{", "[]", "{}", '{"schema_version": 1}', '{"schema_version": 99}'):
        (root / "clouds" / "aurora" / "cloud.json").write_text(text, encoding="utf-8")
        with pytest.raises(StateDamaged):
            control.listing(root)


def test_ports_stay_the_same(root: Path) -> None:
    cloud(root)
    control.create_dns(root, "ns1", ["example.test"])
    control.create_control(root, "one")
    control.start(root)

    def ports() -> list[int]:
        records = [running(root / place) for place in ("clouds/aurora", "dns/ns1", "controls/one")]
        return [record.port for record in records if record is not None]

    before = ports()
    assert len(before) == 3
    control.stop(root)
    control.start(root)
    assert ports() == before


def test_a_port_that_was_taken_meanwhile_is_left(root: Path) -> None:
    cloud(root)
    before = running(root / "clouds" / "aurora")
    assert before is not None
    control.stop(root)
    with socket.create_server((before.address, before.port)):
        aurora = cloud(root)
        assert aurora.state().reading is Reading.ACTIVE
        after = running(root / "clouds" / "aurora")
        assert after is not None
        assert after.port != before.port


def test_a_stranger_under_our_pid_is_never_signalled(root: Path) -> None:
    aurora = cloud(root)
    directory = root / "clouds" / "aurora"
    control.stop(root)
    with subprocess.Popen(["sleep", "600"]) as stranger:
        try:
            found, ours = identify(stranger.pid), read_record(directory)
            assert found is not None
            assert ours is not None
            stale = type(found)(pid=stranger.pid, start=found.start - 1, boot_id=found.boot_id)
            write_record(directory, Record(identity=stale, address=ours.address, port=ours.port))
            assert control.listing(root)["clouds"][0]["running"] is False
            assert aurora.state().reading is Reading.UNCLEAR
            assert control.stop(root) == ()
            assert [place.name for place in control.start(root)] == ["aurora"]
            assert aurora.state().reading is Reading.ACTIVE
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_record_of_another_boot_is_not_running(root: Path) -> None:
    aurora = cloud(root)
    directory = root / "clouds" / "aurora"
    record = read_record(directory)
    assert record is not None
    document = json.loads((directory / "daemon.json").read_text(encoding="utf-8"))
    (directory / "daemon.json").write_text(json.dumps({**document, "boot_id": "another"}), encoding="utf-8")
    assert running(directory) is None
    with pytest.raises(Unreachable) as caught:
        aurora.nodes("guestbook", "aurora")
    assert caught.value.hint == "failover local start aurora"
    write_record(directory, record)


def test_a_daemon_ends_when_its_directory_is_gone(root: Path, tmp_path: Path) -> None:
    aurora, release = cloud(root), packed(tmp_path)
    aurora.put(release.digest, release.archive)
    aurora.ensure(spec(release))
    control.create_control(root, "one")
    control.start(root)
    all = [daemon_pid(root), daemon_pid(root, "one", "controls"), *pids(root)]
    assert len(all) == 3
    root.rename(tmp_path / "elsewhere")
    until(lambda: not any(exists(pid) for pid in all))


def test_a_daemon_killed_while_it_was_away_is_started_again(root: Path) -> None:
    control.create_control(root, "one")
    control.start(root)
    pid = daemon_pid(root, "one", "controls")
    os.kill(pid, signal.SIGKILL)
    until(lambda: not exists(pid))
    assert control.listing(root)["controls"][0]["running"] is False
    assert [place.name for place in control.start(root)] == ["one"]


def test_a_control_answers_while_it_runs(root: Path) -> None:
    control.create_control(root, "one")
    with pytest.raises(UsageError):
        control.target(root, "one")
    control.start(root)
    address, _, port = control.target(root, "one").partition(":")
    socket.create_connection((address, int(port)), timeout=5).close()
    with pytest.raises(UsageError):
        control.fail(root, "one")
    control.stop(root)
    assert control.target(root, "one") == f"{address}:{port}"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, int(port)), timeout=5)


def test_orders_need_a_running_daemon_of_the_right_kind(root: Path) -> None:
    control.create_cloud(root, "aurora")
    control.create_dns(root, "ns1", ["example.test"])
    with pytest.raises(Unreachable) as caught:
        control.close(root, "aurora", "why")
    assert caught.value.hint == "failover local start aurora"
    for order in (control.close, control.warn):
        with pytest.raises(UsageError):
            order(root, "ns1", "why")
    control.start(root)
    for name in ("aurora", "ns1"):
        with pytest.raises(UsageError):
            control.fail(root, name, "no-such-mode")


def test_the_listing_shows_what_runs_and_what_does_not(root: Path, tmp_path: Path) -> None:
    aurora, release = cloud(root), packed(tmp_path)
    aurora.put(release.digest, release.archive)
    node = aurora.ensure(spec(release))
    control.create_dns(root, "ns1", ["example.test", "example.org"])
    control.start(root)
    found = control.listing(root)
    (pid,) = pids(root)
    assert found["clouds"] == [
        {
            "name": "aurora",
            "account": "active",
            "reason": "",
            "running": True,
            "fault": None,
            "nodes": [{"name": node.name, "address": node.addresses[0], "port": 8080, "pid": pid, "state": "running"}],
        }
    ]
    assert found["dns"][0]["zones"] == ["example.test", "example.org"]
    control.stop(root)
    after = control.listing(root)
    assert after["dns"][0]["server"] == found["dns"][0]["server"]
    assert after["clouds"][0]["running"] is False
    assert pids(root) == []
    json.dumps(after)


def test_a_log_does_not_grow_for_ever(root: Path) -> None:
    control.create_control(root, "one")
    log = root / "controls" / "one" / "log"
    log.write_bytes(b"x" * (2 * 1024 * 1024))
    control.start(root)
    assert log.stat().st_size == 0
