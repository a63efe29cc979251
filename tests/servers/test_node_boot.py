"""The shipped user-data makes a node: its script installs the guestbook in a clean system, and its unit serves it."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from failover.core.model import NodeSpec
from failover.engine.delivery import environment_file
from failover.net.archive import pack
from failover.net.resources import resource
from failover.net.userdata import read_template, render
from tests.servers.clean_room import CLEAN, NOBODY, Room, Unit, eventually, lay_out, room
from tests.servers.tools import need

pytestmark = [pytest.mark.server("node"), pytest.mark.timeout(1200)]
LINKS = "http://127.0.0.1:9000"
KEY = """it's "quoted", 100 % $HOME `id` \\n
and on two lines"""
FIREWALL = """\
table inet filter {
    chain input {
        type filter hook input priority 0; policy drop;
        ct state established accept
        tcp dport 9000 accept
    }
}
"""
ASK = """\
import http.client
connection = http.client.HTTPConnection({address!r}, {port}, timeout=5)
try:
    connection.request({method!r}, {path!r}, {body!r}, {{"Content-Type": "application/x-www-form-urlencoded"}})
    answer = connection.getresponse()
    print(answer.status, answer.headers.get("X-Failover-Site"), answer.headers.get("X-Failover-Release"))
    print(answer.read().decode())
except OSError as error:
    print("no answer", error)
"""
APP = pack(resource("examples/guestbook"))


@pytest.fixture
def clean(tmp_path: Path) -> Iterator[Room]:
    with room(tmp_path / "room") as made:
        yield made


def spec(**changed: object) -> NodeSpec:
    base = NodeSpec(
        name="guestbook-frankfurt-web-0-abcd",
        service="guestbook",
        site="frankfurt",
        group="web",
        ordinal=0,
        spec="abcd",
        cpus=1,
        memory_mib=512,
        disk_gib=10,
        image="debian-12",
        ports=(8080,),
        release=APP.digest,
        command="python3 server.py",
    )
    return replace(base, **changed)  # type: ignore[arg-type]


def user_data(wish: NodeSpec, *, address: str = "0.0.0.0") -> str:
    links = (f"{LINKS}/release.tar.gz", f"{LINKS}/environment")
    return render(read_template(None), wish, *links, kind="aws", address=address)


@contextlib.contextmanager
def links(clean: Room, archive: bytes, environment: dict[str, str]) -> Iterator[None]:
    """The depot: gives out both objects as long as the block lasts."""
    folder = clean.directory.with_name("depot")
    folder.mkdir(exist_ok=True)
    (folder / "release.tar.gz").write_bytes(archive)
    (folder / "environment").write_bytes(environment_file(environment))
    command = [sys.executable, "-m", "http.server", "9000", "--bind", "127.0.0.1", "--directory", str(folder)]
    server = subprocess.Popen(
        clean.inside("--", *command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        eventually(lambda: ask(clean, "/environment", port=9000).startswith("200"))
        yield
    finally:
        server.terminate()
        server.wait()


@contextlib.contextmanager
def serving(clean: Room, unit: Unit) -> Iterator[subprocess.Popen[bytes]]:
    """What systemd does after ExecStartPre: the unit's command as a user without any rights."""
    environment = {**CLEAN, **unit.environment(clean.root)}
    process = subprocess.Popen(clean.entering(*unit.command, user=NOBODY), env=environment, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def ask(clean: Room, path: str, method: str = "GET", body: str | None = None, *, port: int = 8080) -> str:
    return clean.ask(ASK.format(address="127.0.0.1", port=port, method=method, path=path, body=body))


def healthy(clean: Room) -> bool:
    return ask(clean, "/healthz") == f"200 frankfurt {APP.digest}\nok\n"


# ---------------------------------------------------------------------------------------------- boots


def test_a_node_installs_and_serves_and_needs_no_link_after_a_reboot(clean: Room) -> None:
    unit = lay_out(user_data(spec()), clean.root)
    with links(clean, APP.archive, {"GUESTBOOK_KEY": KEY}):
        clean.must(*unit.before)
    for _ in ("first boot", "after a reboot"):
        clean.must(*unit.before)
        with serving(clean, unit):
            eventually(lambda: healthy(clean))
    private = [f"/etc/failover/guestbook/{name}" for name in ("environment", "node.json")]
    assert clean.must("stat", "-c", "%a %U", *private) == "600 root\n600 root\n"
    assert clean.must("ls", "-A", "/opt/failover/guestbook") == f"{APP.digest.removeprefix('sha256:')}\n"


def test_the_program_gets_its_secrets_exactly(clean: Room) -> None:
    unit = lay_out(user_data(spec()), clean.root)
    with links(clean, APP.archive, {"GUESTBOOK_KEY": KEY, "MODE": "live"}):
        clean.must(*unit.before)
    with serving(clean, unit):
        eventually(lambda: healthy(clean))
        found = unit.environment(clean.root)
        assert (found["GUESTBOOK_KEY"], found["MODE"]) == (KEY, "live")
        assert ask(clean, "/remove", "POST", "id=x&key=wrong").startswith("403")
        assert ask(clean, "/remove", "POST", f"id=x&key={quote(KEY)}").startswith("404")


def test_an_active_firewall_is_opened_for_the_ports_once(clean: Room) -> None:
    (clean.root / "etc/nftables.conf").write_text(FIREWALL)
    clean.must("nft", "-f", "/etc/nftables.conf")
    unit = lay_out(user_data(spec()), clean.root)
    with links(clean, APP.archive, {}):
        for _ in range(2):
            clean.must(*unit.before)
    with serving(clean, unit):
        eventually(lambda: healthy(clean))
    assert clean.must("nft", "list", "ruleset").count("failover") == 1


def test_where_no_firewall_is_active_none_is_made(clean: Room) -> None:
    unit = lay_out(user_data(spec()), clean.root)
    with links(clean, APP.archive, {}):
        clean.must(*unit.before)
    assert clean.must("nft", "list", "ruleset") == ""


def test_the_digest_is_that_of_the_tree_whatever_its_files_are_called(clean: Room, tmp_path: Path) -> None:
    app = tmp_path / "app"
    (app / "sub dir").mkdir(parents=True)
    (app / "run").write_text("#!/bin/sh\nexec sleep 60\n")
    (app / "run").chmod(0o755)
    (app / "sub dir" / "a\nb\\ä").write_text("x")
    (app / "link").symlink_to("sub dir")
    packed = pack(app)
    unit = lay_out(user_data(spec(release=packed.digest, command="./run")), clean.root)
    with links(clean, packed.archive, {}):
        clean.must(*unit.before)
    with serving(clean, unit) as process:
        eventually(lambda: process.poll() is None)


# ---------------------------------------------------------------------------------------------- refusals


def other_release(tmp_path: Path) -> bytes:
    """The guestbook with one other byte."""
    app = tmp_path / "other"
    app.mkdir()
    for name in ("server.py", "page.html"):
        data = (resource("examples/guestbook") / name).read_bytes()
        (app / name).write_bytes(data.replace(b"Guestbook", b"guestbook", 1) if name == "page.html" else data)
    other = pack(app)
    assert other.digest != APP.digest
    return other.archive


def flipped(archive: bytes) -> bytes:
    return archive[:2000] + bytes([archive[2000] ^ 1]) + archive[2001:]


@pytest.mark.parametrize("kind", ["another file", "a flipped bit", "half of it", "nothing"])
def test_a_wrong_archive_is_refused(clean: Room, tmp_path: Path, kind: str) -> None:
    archives = {
        "another file": other_release(tmp_path),
        "a flipped bit": flipped(APP.archive),
        "half of it": APP.archive[: len(APP.archive) // 2],
        "nothing": b"",
    }
    unit = lay_out(user_data(spec()), clean.root)
    with links(clean, archives[kind], {"GUESTBOOK_KEY": KEY}):
        done = clean.run(*unit.before)
    assert done.returncode == 1
    assert "refused" in done.stderr or "cannot be installed" in done.stderr
    assert "Traceback" not in done.stderr
    assert clean.must("cat", "/run/failover-guestbook.refused") == "."
    assert clean.must("ls", "-A", "/opt/failover/guestbook") == ""
    assert clean.must("ls", "/etc/failover/guestbook") == "node.json\n"


def test_a_byte_that_was_changed_on_the_node_is_mended_or_refused(clean: Room) -> None:
    unit = lay_out(user_data(spec()), clean.root)
    page = clean.root / f"opt/failover/guestbook/{APP.digest.removeprefix('sha256:')}/page.html"
    with links(clean, APP.archive, {}):
        clean.must(*unit.before)
        page.write_text("owned")
        clean.must(*unit.before)
    assert page.read_bytes() == (resource("examples/guestbook") / "page.html").read_bytes()


# ---------------------------------------------------------------------------------------------- cloud-init


@pytest.mark.parametrize("wish", [spec(), spec(ports=(443, 80), ssh_keys=("ssh-ed25519 AAAA me@example.org",))])
def test_cloud_init_finds_it_valid(tmp_path: Path, wish: NodeSpec) -> None:
    program = need("cloud-init", "cloud-init")
    path = tmp_path / "user-data"
    path.write_text(user_data(wish))
    done = subprocess.run([program, "schema", "--config-file", str(path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Valid cloud-config" in done.stdout


@pytest.mark.parametrize("ports", [(), (8080,), (80,)])
def test_systemd_finds_its_unit_valid_and_well_confined(tmp_path: Path, ports: tuple[int, ...]) -> None:
    program = need("systemd-analyze", "systemd")
    unit = lay_out(user_data(spec(ports=ports)), tmp_path)
    path = tmp_path / "failover-guestbook.service"
    path.write_text(unit.text.replace(unit.before[0], "/bin/true"))
    done = subprocess.run([program, "verify", "--man=no", str(path)], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    command = [program, "security", "--offline=yes", "--json=short", "--threshold=30", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, [item for item in json.loads(done.stdout) if item["exposure"]]
