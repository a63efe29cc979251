"""What tests of local clouds share: a small release, wishes for nodes, waiting until something is so."""

import http.client
import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from failover.clouds.local import LocalCloud
from failover.core.model import Node, NodeSpec
from failover.local import control, tokens
from failover.local.registry import running
from failover.local.tokens import Role
from failover.net.archive import Packed, pack

T = TypeVar("T")
SERVICE = "guestbook"
PATIENCE_S = 20.0

SERVER = """
import http.server, json, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        data = json.dumps({"environment": dict(os.environ), "cwd": os.getcwd()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
    def log_message(self, *args): pass
http.server.HTTPServer((os.environ["FAILOVER_ADDRESS"], int(os.environ["PORT"])), Handler).serve_forever()
"""


def until(look: Callable[[], T]) -> T:
    """What `look` gives once it is true. Fails when that takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := look()):
        assert time.monotonic() < deadline, "this did not come about"
        time.sleep(0.02)
    return found


def packed(tmp_path: Path, **files: str) -> Packed:
    """A release of these files (`server_py="…"` is server.py); without any a server that shows its environment."""
    tree = tmp_path / f"tree-{len(list(tmp_path.iterdir()))}"
    tree.mkdir()
    for name, text in (files or {"server_py": SERVER}).items():
        (tree / name.replace("_", ".")).write_text(text, encoding="utf-8")
    return pack(tree)


def cloud(root: Path, name: str = "aurora", nodes_max: int = 20) -> LocalCloud:
    """A running cloud, with the rights of a mirror."""
    control.create_cloud(root, name, nodes_max)
    control.start(root, [name])
    return LocalCloud(root, name, "mirror")


def spec(
    release: Packed,
    ordinal: int = 0,
    *,
    site: str = "aurora",
    command: str = "sleep 600",
    ports: tuple[int, ...] = (8080,),
    **environment: str,
) -> NodeSpec:
    return NodeSpec(
        name=f"{SERVICE}-{site}-web-{ordinal}",
        service=SERVICE,
        site=site,
        group="web",
        ordinal=ordinal,
        spec="spec1",
        cpus=1,
        memory_mib=512,
        disk_gib=1,
        image="debian-12",
        ports=ports,
        release=release.digest,
        command=command,
        environment=environment,
    )


def get(node: Node, port: int = 8080, timeout_s: float = 5.0) -> dict[str, object]:
    """What the node's server shows. Raises OSError."""
    with closing(http.client.HTTPConnection(node.addresses[0], port, timeout=timeout_s)) as connection:
        connection.request("GET", "/")
        shown = json.load(connection.getresponse())
        assert isinstance(shown, dict)
        return shown


def serves(node: Node) -> bool:
    try:
        return bool(get(node))
    except OSError:
        return False


def api(root: Path, name: str, method: str, path: str, token: str, body: bytes = b"") -> tuple[int, dict[str, object]]:
    """A raw request to a cloud: status and document."""
    daemon = running(root / "clouds" / name)
    assert daemon is not None
    with closing(http.client.HTTPConnection(daemon.address, daemon.port, timeout=10)) as connection:
        connection.request(method, path, body, {"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())


def token(root: Path, name: str, role: Role = Role.MIRROR) -> str:
    return tokens.read(root / "clouds" / name, role)


def pids(root: Path, name: str = "aurora") -> list[int]:
    """The pids of the cloud's nodes that run, by the listing."""
    (found,) = [c for c in control.listing(root)["clouds"] if c["name"] == name]
    nodes = found["nodes"]
    assert isinstance(nodes, list)
    return [node["pid"] for node in nodes if node["pid"] is not None]


def exists(pid: int) -> bool:
    """Whether a process of that pid runs (a zombie does not)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def daemon_pid(root: Path, name: str = "aurora", kind: str = "clouds") -> int:
    daemon = running(root / kind / name)
    assert daemon is not None
    return daemon.identity.pid


def kill_daemon(root: Path, name: str = "aurora") -> None:
    """kill -9, and wait until it is gone: the kernel takes a moment."""
    pid = daemon_pid(root, name)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not exists(pid))


def daemons(directory: Path) -> list[int]:
    """Every process that was started as the daemon of this directory."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            words = Path("/proc", name, "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if str(directory).encode() in words and exists(int(name)):
            found.append(int(name))
    return found
