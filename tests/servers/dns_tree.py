"""A root of our own, a top-level domain `test` below it, and two DNS hosts: one BIND with a view for each of them.

Each has a loopback address of its own, all at one port (see `relay`).
"""

import contextlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from failover.testing.dns import wait_until
from tests.ports import free_port
from tests.servers.relay import relays
from tests.servers.tools import need

ROOT, PARENT, NORTH, SOUTH, EAST = (f"127.0.77.{n}" for n in range(1, 6))
"""Nothing listens at EAST."""
NS_NORTH, NS_SOUTH, NS_EAST = "ns1.north.test", "ns1.south.test", "ns1.east.test"
WHERE = {NS_NORTH: NORTH, NS_SOUTH: SOUTH, NS_EAST: EAST}
_START_TRIES = 5
_CONFIG = """\
options {{
    directory "{directory}"; pid-file "{directory}/pid"; session-keyfile "{directory}/session.key";
    listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
    recursion no; notify no; allow-transfer {{ none; }}; dnssec-validation no;
}};
controls {{ }};
"""
_VIEW = 'view "{name}" {{ match-clients {{ {address}; }}; {zones} }};\n'
_ZONE = 'zone "{zone}" {{ type primary; file "{file}"; check-integrity no; }};\n'
_ROOT = """\
. 3600 IN SOA a.root. h.root. 1 60 30 1209600 60
. 3600 IN NS a.root.
a.root. 3600 IN A {root}
test. 172800 IN NS ns.nic.test.
ns.nic.test. 172800 IN A {parent}
"""


@dataclass(slots=True)
class Tree:
    """What is served where, by zone; then `run` serves it."""

    directory: Path
    served: dict[str, dict[str, str]] = field(default_factory=dict)
    """By address, by zone: the file."""
    above: list[str] = field(default_factory=list)
    """Lines of the zone `test`."""
    deaf: tuple[str, ...] = ()
    """Addresses that do not answer by TCP."""
    port: int = 0

    def place(self, address: str) -> str:
        return f"{address}:{self.port}"

    def delegate(self, zone: str, *name_servers: str, more: str = "", ttl_s: int = 172800) -> None:
        self.above += [f"{zone}. {ttl_s} IN NS {name}." for name in name_servers]
        self.above += [more] if more else []

    def serve(self, address: str, zone: str, text: str) -> Path:
        path = self.directory / f"{address}-{zone or 'root'}"
        path.write_text(text)
        self.served.setdefault(address, {})[zone] = path.name
        return path

    def child(
        self, zone: str, *addresses: str, name_servers: tuple[str, ...] = (NS_NORTH, NS_SOUTH), **said: str
    ) -> None:
        for address in addresses:
            self.serve(address, zone, zone_text(zone, name_servers, **said))

    def sign(self, zone: str, *addresses: str, end: str = "now+30d") -> str:
        """Sign the zone at these addresses by new keys of its own; returns its DS line."""
        keys = self.directory / f"keys-{zone}-{addresses[0]}"
        keys.mkdir()
        for flags in ([], ["-f", "KSK"]):
            self._tool("dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", *flags, "-K", str(keys), zone)
        for address in addresses:
            path = self.directory / self.served[address][zone]
            options = ["-q", "-S", "-P", "-s", "now-60d", "-e", end, "-K", str(keys), "-d", str(keys), "-o", zone]
            self._tool("dnssec-signzone", *options, "-f", str(path), str(path))
        return (keys / f"dsset-{zone}.").read_text().strip()

    def _tool(self, *words: str) -> None:
        subprocess.run([need(words[0], "bind9-utils"), *words[1:]], cwd=self.directory, check=True, capture_output=True)

    @contextmanager
    def run(self) -> Iterator["Tree"]:
        named = need("named", "bind9")
        known = [f"{name}. 3600 IN A {address}" for name, address in {"ns.nic.test": PARENT, **WHERE}.items()]
        self.serve(PARENT, "test", zone_text("test", ("ns.nic.test",), more="\n".join([*known, *self.above])))
        self.serve(ROOT, "", _ROOT.format(parent=PARENT, root=ROOT))
        for _ in range(_START_TRIES):
            with contextlib.suppress(_PortTaken), _running(self, named) as upstream:
                self.port = free_port(*self.served)
                with relays(list(self.served), self.port, upstream, deaf=self.deaf):
                    yield self
                    return
        raise AssertionError("no port stayed free")

    def config(self, port: int) -> Path:
        text = _CONFIG.format(directory=self.directory, port=port)
        for address, zones in self.served.items():
            clauses = "".join(_ZONE.format(zone=zone or ".", file=file) for zone, file in zones.items())
            text += _VIEW.format(name=address, address=address, zones=clauses)
        path = self.directory / "config"
        path.write_text(text)
        return path


def zone_text(
    zone: str,
    name_servers: tuple[str, ...],
    *,
    soa: str = "1 3600 600 1209600 60",
    www: str = "www 60 IN A 192.0.2.1",
    more: str = "",
) -> str:
    head = f"$ORIGIN {zone}.\n$TTL 300\n@ IN SOA {name_servers[0]}. h.{zone}. {soa}\n"
    return head + "".join(f"@ IN NS {name}.\n" for name in name_servers) + f"{www}\n{more}\n"


def is_running(log: Path) -> bool:
    """BIND serves everything; one of its first lines is `running as: …`."""
    return any(line.endswith(" running") for line in log.read_text().splitlines())


class _PortTaken(Exception):
    """Someone else took it meanwhile."""


@contextmanager
def _running(tree: Tree, named: str) -> Iterator[tuple[str, int]]:
    """BIND with all views; yields its place."""
    port, log = free_port(), tree.directory / "log"
    with log.open("wb") as file:
        command = [named, "-g", "-n", "1", "-c", str(tree.config(port))]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
    try:
        wait_until(lambda: process.poll() is not None or is_running(log))
        if process.poll() is not None:
            raise _PortTaken if "address in use" in log.read_text() else AssertionError(log.read_text())
        yield "127.0.0.1", port
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
