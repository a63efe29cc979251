"""Knot passes the suite as well, by questions and by transfers: dynamic updates are no speciality of BIND's."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from failover.dns.authority import DnsAuthority
from failover.dns.rfc2136 import Rfc2136
from failover.errors import AdapterError
from failover.testing.dns import ZONE, DnsConformance, wait_until
from tests.dns.foreign import Census, by_updates
from tests.ports import free_port
from tests.servers.test_bind import KEY
from tests.servers.tools import need

pytestmark = pytest.mark.server("knot")
_START_TRIES = 5
_CONFIG = """\
server:
  listen: 127.0.0.1@{port}
  rundir: {directory}
database:
  storage: {directory}
key:
  - id: {key.name}
    algorithm: {key.algorithm}
    secret: {key.secret}
acl:
  - id: ours
    key: {key.name}
    action: [update, transfer]
zone:
  - domain: {zone}
    storage: {directory}
    file: zone
    acl: ours
"""
_ZONE = f"""\
$ORIGIN {ZONE}.
$TTL 60
@ IN SOA ns1 hostmaster 1 60 30 3600 5
@ IN NS ns1
ns1 IN A 127.0.0.1
"""


def _start(knotd: str, directory: Path) -> tuple[int, subprocess.Popen[bytes]]:
    """Its port, which somebody else may have taken meanwhile: then it has ended."""
    port = free_port()
    (directory / "zone").write_text(_ZONE)
    (directory / "config").touch(0o600)
    (directory / "config").write_text(_CONFIG.format(port=port, directory=directory, key=KEY, zone=ZONE))
    with (directory / "log").open("wb") as log:
        command = [knotd, "-c", str(directory / "config")]
        return port, subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _is_ready(port: int, process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        return True
    try:
        return DnsAuthority(timeout_s=0.5).ask(f"127.0.0.1:{port}", ZONE, "SOA") is not None
    except AdapterError:
        return False


@pytest.fixture
def place(tmp_path: Path) -> Iterator[str]:
    knotd = need("knotd", "knot")
    for _ in range(_START_TRIES):
        port, process = _start(knotd, tmp_path)
        try:
            wait_until(lambda: _is_ready(port, process))  # noqa: B023 - called within this very turn
            if process.poll() is None:
                yield f"127.0.0.1:{port}"
                return
        finally:
            process.kill()
            process.wait()
    pytest.fail((tmp_path / "log").read_text())


class TestKnot(DnsConformance):
    @pytest.fixture
    def host(self, place: str) -> Rfc2136:
        return Rfc2136(name="knot", server=place, key=KEY, timeout_s=60.0, deadline_s=120.0)

    @pytest.fixture
    def authority(self) -> DnsAuthority:
        return DnsAuthority(timeout_s=60.0)

    @pytest.fixture
    def census(self, place: str) -> Census:
        return by_updates(place, KEY)


class TestKnotByTransfer(DnsConformance):
    @pytest.fixture
    def host(self, place: str) -> Rfc2136:
        return Rfc2136(name="knot", server=place, key=KEY, timeout_s=60.0, deadline_s=120.0, transfer_from=1)

    @pytest.fixture
    def census(self, place: str) -> Census:
        return by_updates(place, KEY)
