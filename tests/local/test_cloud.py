"""A cloud's nodes are real processes, and its moods are real."""

import contextlib
import json
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from failover.clouds.local import LocalCloud
from failover.core.model import NodeState, Reading
from failover.errors import AccessRefused, Conflict, NotFound, Rejected, SecretError, Unreachable, Unreadable
from failover.local import control
from failover.local.nodes import MARK
from failover.local.process import marked
from failover.local.tokens import Role
from failover.net.archive import Packed
from failover.net.http import answer_of
from tests.local.help import SERVICE, api, cloud, exists, get, kill_daemon, packed, pids, serves, spec, token, until

SERVE = "python3 server.py"


@pytest.fixture
def aurora(root: Path) -> LocalCloud:
    return cloud(root)


@pytest.fixture
def release(aurora: LocalCloud, tmp_path: Path) -> Packed:
    made = packed(tmp_path)
    aurora.put(made.digest, made.archive)
    return made


# ---------------------------------------------------------------------------------------------- what a node is


def test_a_node_serves_its_release_on_an_address_of_its_own(
    root: Path, aurora: LocalCloud, release: Packed, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = aurora.ensure(spec(release, command=SERVE, KEY="opensesame", LANG="de"))
    until(lambda: serves(node))
    shown = get(node)
    home = root / "clouds" / "aurora" / "nodes" / node.id
    environment = shown["environment"]
    assert isinstance(environment, dict)
    environment.pop("LC_CTYPE", None)  # Python's own (PEP 538)
    assert shown["cwd"] == str(home / "release")
    assert environment.pop("PATH")
    assert environment == {
        "HOME": str(home / "home"),
        "LANG": "de",
        "KEY": "opensesame",
        "PORT": "8080",
        "FAILOVER_ADDRESS": node.addresses[0],
        "FAILOVER_SITE": "aurora",
        "FAILOVER_RELEASE": release.digest,
        "FAILOVER_NODE": node.id,
    }


def test_two_clouds_use_the_same_port(root: Path, aurora: LocalCloud, release: Packed) -> None:
    boreas = cloud(root, "boreas")
    boreas.put(release.digest, release.archive)
    nodes = [
        aurora.ensure(spec(release, command=SERVE)),
        boreas.ensure(spec(release, site="boreas", command=SERVE)),
    ]
    for node in nodes:
        until(lambda node=node: serves(node))  # type: ignore[misc]
    assert nodes[0].addresses != nodes[1].addresses


def test_the_environment_is_kept_private(root: Path, aurora: LocalCloud, release: Packed) -> None:
    node = aurora.ensure(spec(release, KEY="opensesame"))
    status, listed = api(root, "aurora", "GET", "/v1/nodes", token(root, "aurora"))
    assert status == 200
    assert "opensesame" not in json.dumps(listed)
    holding = [p for p in root.rglob("*") if p.is_file() and b"opensesame" in p.read_bytes()]
    assert [p.name for p in holding] == ["environment.json"]
    assert stat.S_IMODE(holding[0].stat().st_mode) == 0o600
    assert "opensesame" not in repr(node)


def test_a_command_that_cannot_run_leaves_a_stopped_node(root: Path, aurora: LocalCloud, release: Packed) -> None:
    aurora.ensure(spec(release, command="no-such-program --now"))
    (node,) = until(lambda: [n for n in aurora.nodes(SERVICE, "aurora") if n.state is NodeState.STOPPED])
    path = f"/v1/nodes/{node.id}"
    until(lambda: api(root, "aurora", "GET", path, token(root, "aurora"))[1]["last_exit"] == "exited with 127")
    assert "no-such-program" in (root / "clouds" / "aurora" / "nodes" / node.id / "log").read_text(encoding="utf-8")


def test_a_command_is_not_given_to_a_shell(root: Path, aurora: LocalCloud, release: Packed, tmp_path: Path) -> None:
    aurora.ensure(spec(release, command=f"true ; touch {tmp_path}/broken"))
    until(lambda: [n for n in aurora.nodes(SERVICE, "aurora") if n.state is NodeState.STOPPED])
    assert not (tmp_path / "broken").exists()


def test_a_node_that_ends_is_not_restarted(root: Path, aurora: LocalCloud, release: Packed) -> None:
    aurora.ensure(spec(release, command="true"))
    until(lambda: [n for n in aurora.nodes(SERVICE, "aurora") if n.state is NodeState.STOPPED])
    control.stop(root)
    control.start(root)
    assert [n.state for n in aurora.nodes(SERVICE, "aurora")] == [NodeState.STOPPED]


def test_a_node_without_ports_needs_none(aurora: LocalCloud, release: Packed) -> None:
    assert aurora.ensure(spec(release, ports=())).state is NodeState.RUNNING


# ---------------------------------------------------------------------------------------------- what is on a node


def test_one_changed_byte_shows(root: Path, aurora: LocalCloud, release: Packed) -> None:
    node = aurora.ensure(spec(release))
    file = root / "clouds" / "aurora" / "nodes" / node.id / "release" / "server.py"
    old = file.stat()
    for _ in range(3):
        assert aurora.nodes(SERVICE, "aurora")[0].release == release.digest
        data = file.read_bytes()
        file.write_bytes(b"#" + data[1:])
        os.utime(file, ns=(old.st_atime_ns, old.st_mtime_ns))
        assert aurora.nodes(SERVICE, "aurora")[0].release != release.digest
        file.write_bytes(data)


def test_a_lost_release_shows_and_its_node_must_be_made_anew(root: Path, aurora: LocalCloud, release: Packed) -> None:
    node = aurora.ensure(spec(release, command="true"))
    until(lambda: [n for n in aurora.nodes(SERVICE, "aurora") if n.state is NodeState.STOPPED])
    folder = root / "clouds" / "aurora" / "nodes" / node.id / "release"
    (folder / "server.py").unlink()
    folder.rmdir()
    assert aurora.nodes(SERVICE, "aurora")[0].release == "unreadable"
    with pytest.raises(Conflict):
        aurora.ensure(spec(release, command="true"))
    aurora.destroy(node)
    assert aurora.ensure(spec(release)).id != node.id


def test_a_damaged_archive_is_as_good_as_none(root: Path, aurora: LocalCloud, release: Packed) -> None:
    (archive,) = (root / "clouds" / "aurora" / "archives").glob("*.tar.gz")
    data = archive.read_bytes()
    archive.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert not aurora.has(release.digest)
    with pytest.raises(NotFound):
        aurora.ensure(spec(release))
    aurora.put(release.digest, release.archive)
    assert aurora.has(release.digest)


# ---------------------------------------------------------------------------------------------- closing


def test_closing_kills_everything_at_once(root: Path, aurora: LocalCloud, release: Packed) -> None:
    runaway = "python3 -c 'import os,time; os.fork() or os.setsid(); time.sleep(600)'"
    nodes = [aurora.ensure(spec(release, 0, command=SERVE)), aurora.ensure(spec(release, 1, command=runaway))]
    until(lambda: serves(nodes[0]))
    ids = [node.id for node in nodes]
    processes = until(lambda: found if len(found := list(marked(MARK, ids))) == 3 else [])
    control.close(root, "aurora", "abuse")
    assert not [p for p in processes if exists(p.pid)]
    assert not serves(nodes[0])
    assert list((root / "clouds" / "aurora" / "nodes").iterdir()) == []
    assert not (root / "clouds" / "aurora" / "archives").exists()
    listed = control.listing(root)["clouds"][0]
    assert (listed["account"], listed["reason"], listed["nodes"]) == ("closed", "abuse", [])


def test_a_closed_account_answers_403_with_its_reason(root: Path, aurora: LocalCloud) -> None:
    control.close(root, "aurora", "terms of service")
    for method, path in (("GET", "/v1/account"), ("GET", "/v1/nodes"), ("POST", "/v1/nodes"), ("GET", "/v1/x")):
        status, document = api(root, "aurora", method, path, token(root, "aurora"))
        assert status == 403
        assert document == {"error": {"code": "account_closed", "message": "terms of service"}}
    with pytest.raises(AccessRefused) as caught:
        aurora.nodes(SERVICE, "aurora")
    answer = answer_of(caught.value)
    assert answer is not None
    assert (answer.status, answer.code, answer.message) == (403, "account_closed", "terms of service")


def test_a_closed_account_stays_closed_over_a_restart(root: Path, aurora: LocalCloud, release: Packed) -> None:
    aurora.ensure(spec(release))
    control.close(root, "aurora", "abuse")
    control.stop(root)
    control.start(root)
    assert aurora.state().reading is Reading.CLOSED
    with pytest.raises(Rejected):
        control.warn(root, "aurora", "hm")
    control.reopen(root, "aurora")
    assert aurora.nodes(SERVICE, "aurora") == ()


def test_a_warning_stays_over_a_restart(root: Path, aurora: LocalCloud) -> None:
    control.warn(root, "aurora", "24 hours")
    control.stop(root)
    control.start(root)
    assert (aurora.state().reading, aurora.state().message) == (Reading.WARNED, "24 hours")


# ---------------------------------------------------------------------------------------------- dying and coming back


def test_nodes_die_with_a_killed_daemon_and_come_back_with_it(root: Path, aurora: LocalCloud, release: Packed) -> None:
    nodes = [aurora.ensure(spec(release, ordinal, command=SERVE)) for ordinal in range(2)]
    for node in nodes:
        until(lambda node=node: serves(node))  # type: ignore[misc]
    before = pids(root)
    assert len(before) == 2
    kill_daemon(root)
    until(lambda: not any(exists(pid) for pid in before))
    assert pids(root) == []
    assert aurora.state().reading is Reading.UNCLEAR
    with pytest.raises(Unreachable):
        aurora.nodes(SERVICE, "aurora")
    control.start(root)
    after = aurora.nodes(SERVICE, "aurora")
    assert [(n.id, n.addresses, n.state) for n in after] == [(n.id, n.addresses, NodeState.RUNNING) for n in nodes]
    for node in nodes:
        until(lambda node=node: serves(node))  # type: ignore[misc]
    assert not set(pids(root)) & set(before)


def test_what_a_node_forked_does_not_outlive_a_killed_daemon_for_long(
    root: Path, aurora: LocalCloud, release: Packed
) -> None:
    node = aurora.ensure(spec(release, command="python3 -c 'import os,time; os.fork(); time.sleep(600)'"))
    until(lambda: len(list(marked(MARK, [node.id]))) == 2)
    kill_daemon(root)
    control.stop(root)
    assert list(marked(MARK, [node.id])) == []


@pytest.mark.parametrize("round", range(5))
def test_a_daemon_killed_while_nodes_are_made_knows_every_node_that_runs(
    root: Path, aurora: LocalCloud, release: Packed, round: int
) -> None:
    def make() -> None:
        for ordinal in range(6):
            try:
                aurora.ensure(spec(release, ordinal))
            except (Unreachable, Unreadable):
                return

    maker = Thread(target=make)
    maker.start()
    time.sleep(0.01 + 0.02 * round)
    kill_daemon(root)
    maker.join()
    control.start(root)
    make()
    nodes = aurora.nodes(SERVICE, "aurora")
    assert sorted(node.ordinal for node in nodes) == list(range(6))
    ids = {node.id for node in nodes}
    folders = {folder.name for folder in (root / "clouds" / "aurora" / "nodes").iterdir()}
    assert folders == ids
    until(
        lambda: len(list(marked(MARK, ids))) == 6
    )  # a process that is just being replaced by its program shows no mark


@pytest.mark.parametrize("round", range(4))
def test_a_daemon_killed_while_it_closes_is_before_or_after(
    root: Path, aurora: LocalCloud, release: Packed, round: int
) -> None:
    nodes = {aurora.ensure(spec(release, ordinal)).id for ordinal in range(3)}

    def close() -> None:
        with contextlib.suppress(Unreachable):
            control.close(root, "aurora", "abuse")

    closer = Thread(target=close)
    closer.start()
    time.sleep(0.005 * round)
    kill_daemon(root)
    closer.join()
    control.start(root)
    closed = aurora.state().reading is Reading.CLOSED
    control.reopen(root, "aurora")
    assert {node.id for node in aurora.nodes(SERVICE, "aurora")} == (set() if closed else nodes)
    assert aurora.list() == (frozenset() if closed else {release.digest})
    assert {p.name for p in (root / "clouds" / "aurora" / "nodes").iterdir()} == (set() if closed else nodes)
    assert len(list(marked(MARK, nodes))) == (0 if closed else 3)


def test_stop_ends_a_node_that_does_not_listen(root: Path, aurora: LocalCloud, release: Packed) -> None:
    deaf = "python3 -c 'import signal,time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(600)'"
    node = aurora.ensure(spec(release, command=deaf))
    log = root / "clouds" / "aurora" / "nodes" / node.id / "log"
    until(lambda: log.read_text(encoding="utf-8"))
    (pid,) = pids(root)
    control.stop(root)
    assert not exists(pid)


# ---------------------------------------------------------------------------------------------- faults


def test_drop_hangs_nodes_and_cuts_the_api(root: Path, aurora: LocalCloud, release: Packed) -> None:
    node = aurora.ensure(spec(release, command=SERVE))
    until(lambda: serves(node))
    control.fail(root, "aurora")
    assert control.listing(root)["clouds"][0]["fault"] == "drop"
    assert aurora.state().reading is Reading.UNCLEAR
    with pytest.raises(Unreachable):
        aurora.nodes(SERVICE, "aurora")
    with pytest.raises(TimeoutError):
        get(node, timeout_s=0.3)
    assert [place.name for place in control.start(root, ["aurora"])] == ["aurora"]
    until(lambda: serves(node))
    assert control.listing(root)["clouds"][0]["fault"] is None


def test_stop_ends_nodes_that_are_frozen(root: Path, aurora: LocalCloud, release: Packed) -> None:
    aurora.ensure(spec(release))
    (pid,) = pids(root)
    control.fail(root, "aurora", "drop")
    control.stop(root)
    assert not exists(pid)
    control.start(root)
    assert aurora.state().reading is Reading.ACTIVE


@pytest.mark.parametrize(
    ("mode", "reading", "error"),
    [
        ("api", Reading.UNCLEAR, Unreachable),
        ("refuse", Reading.REFUSED, AccessRefused),
        ("error", Reading.UNCLEAR, Unreadable),
    ],
)
def test_other_faults_leave_the_nodes_alone(
    root: Path, aurora: LocalCloud, release: Packed, mode: str, reading: Reading, error: type[Exception]
) -> None:
    node = aurora.ensure(spec(release, command=SERVE))
    until(lambda: serves(node))
    control.fail(root, "aurora", mode)
    assert aurora.state().reading is reading
    with pytest.raises(error):
        aurora.nodes(SERVICE, "aurora")
    assert serves(node)
    control.fail(root, "aurora", "drop")
    control.fail(root, "aurora", mode)
    until(lambda: serves(node))
    control.start(root)
    assert len(aurora.nodes(SERVICE, "aurora")) == 1


# ---------------------------------------------------------------------------------------------- who may ask


def test_a_watcher_may_only_read(root: Path, aurora: LocalCloud, release: Packed) -> None:
    node = aurora.ensure(spec(release))
    watcher = LocalCloud(root, "aurora", "watch")
    assert [n.id for n in watcher.nodes(SERVICE, "aurora")] == [node.id]
    for call in (
        lambda: watcher.ensure(spec(release, 1)),
        lambda: watcher.destroy(node),
        lambda: watcher.put(release.digest, release.archive),
        lambda: watcher.remove(release.digest),
    ):
        with pytest.raises(AccessRefused) as caught:
            call()
        answer = answer_of(caught.value)
        assert answer is not None
        assert answer.code == "forbidden"
    assert len(aurora.nodes(SERVICE, "aurora")) == 1


@pytest.mark.parametrize("wrong", ["", "wrong", "Bearer"])
def test_a_wrong_token_is_refused(root: Path, aurora: LocalCloud, wrong: str) -> None:
    for method, path in (("GET", "/v1/account"), ("POST", "/operator/close"), ("GET", "/")):
        status, document = api(root, "aurora", method, path, wrong)
        assert (status, document["error"]["code"]) == (401, "unauthorized")  # type: ignore[index]


def test_roles_do_not_mix(root: Path, aurora: LocalCloud) -> None:
    assert api(root, "aurora", "POST", "/operator/close", token(root, "aurora"))[0] == 401
    assert api(root, "aurora", "GET", "/v1/account", token(root, "aurora", Role.OPERATOR))[0] == 401
    assert aurora.state().reading is Reading.ACTIVE


def test_a_token_that_others_can_read_is_refused(root: Path, aurora: LocalCloud) -> None:
    (root / "clouds" / "aurora" / "mirror.token").chmod(0o644)
    with pytest.raises(SecretError):
        aurora.nodes(SERVICE, "aurora")
    assert aurora.state().reading is Reading.UNCLEAR


def test_a_cloud_that_never_was_is_unreachable_and_not_empty(root: Path) -> None:
    nowhere = LocalCloud(root, "nowhere")
    assert nowhere.state().reading is Reading.UNCLEAR
    with pytest.raises(Unreachable):
        nowhere.nodes(SERVICE, "aurora")


# ---------------------------------------------------------------------------------------------- the API itself


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One cloud for all tests that change nothing."""
    root = tmp_path_factory.mktemp("standing")
    cloud(root)
    yield root
    control.stop(root)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"image": "beos-5"}, "image_not_found"),
        ({"image": ["debian-12"]}, "image_not_found"),
        ({"name": "../../etc"}, "invalid_request"),
        ({"name": None}, "invalid_request"),
        ({"labels": {"a": 1}}, "invalid_request"),
        ({"labels": []}, "invalid_request"),
        ({"environment": {"A=B": "c"}}, "invalid_request"),
        ({"environment": {"A": "\0"}}, "invalid_request"),
        ({"ports": "8080"}, "invalid_request"),
        ({"ports": [0]}, "invalid_request"),
        ({"ports": [True]}, "invalid_request"),
        ({"ports": [80, 80]}, "invalid_request"),
        ({"cpus": 0}, "invalid_request"),
        ({"cpus": "2"}, "invalid_request"),
        ({"command": ""}, "invalid_request"),
        ({"command": "echo 'open"}, "invalid_request"),
        ({"command": 7}, "invalid_request"),
        ({"release": "latest"}, "invalid_digest"),
        ({"release": "sha256:../../../../etc/passwd"}, "invalid_digest"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(standing: Path, change: dict[str, object], code: str) -> None:
    wish = {"name": "n", "image": "debian-12", "ports": [8080], "release": f"sha256:{'0' * 64}", "command": "true"}
    body = json.dumps({**wish, **change}).encode()
    status, document = api(standing, "aurora", "POST", "/v1/nodes", token(standing, "aurora"), body)
    assert (status, document["error"]["code"]) == (400, code)  # type: ignore[index]


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"null", b"<html>"])
def test_a_body_that_is_no_object_is_refused(standing: Path, body: bytes) -> None:
    assert api(standing, "aurora", "POST", "/v1/nodes", token(standing, "aurora"), body)[0] == 400


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nodes?limit=x", 400),
        ("GET", "/v1/nodes?after=x", 400),
        ("GET", "/v1/nodes?limit=-5", 200),
        ("GET", "/v1/nodes/none", 404),
        ("DELETE", "/v1/nodes/none", 404),
        ("PUT", "/v1/archives/latest", 400),
        ("GET", "/v1/archives/..%2f..%2fcloud.json", 400),
        ("PUT", "/v1/archives", 404),
        ("GET", "/v2/nodes", 404),
        ("DELETE", "/v1/account", 404),
        ("GET", "/", 404),
    ],
)
def test_odd_requests_get_proper_answers(standing: Path, method: str, path: str, status: int) -> None:
    assert api(standing, "aurora", method, path, token(standing, "aurora"))[0] == status


def test_a_port_that_cannot_be_had_is_told(root: Path, aurora: LocalCloud, release: Packed) -> None:
    import socket

    with socket.create_server(("0.0.0.0", 0)) as everywhere:
        port = everywhere.getsockname()[1]
        with pytest.raises(Rejected) as caught:
            aurora.ensure(spec(release, ports=(port,)))
    assert str(port) in caught.value.cause
    assert aurora.quota().nodes_used == 0


def test_a_request_whose_folder_goes_with_the_account_hears_why(root: Path, aurora: LocalCloud, tmp_path: Path) -> None:
    """Closing removes what another request is just unpacking."""
    large = packed(tmp_path, **{f"part{number}_txt": "x" for number in range(600)})
    aurora.put(large.digest, large.archive)
    heard: list[Exception] = []

    def make() -> None:
        try:
            aurora.ensure(spec(large, command=SERVE))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is looked at below
            heard.append(error)

    thread = Thread(target=make)
    thread.start()
    until(lambda: list((root / "clouds" / "aurora" / "nodes").glob(".new-*")))
    control.close(root, "aurora", "abuse")
    thread.join()
    assert [type(error) for error in heard] == [AccessRefused]
