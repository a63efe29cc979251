"""Name servers of our own on free ports, and DNS hosts behind HTTP APIs at their stand-ins; all stopped again."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from failover.dns.rfc2136 import Rfc2136
from failover.local.nameserver import NameServer, create
from failover.local.zone_data import KEY_FILE
from failover.net.tsig import TsigKey, read_key
from failover.testing.dns import ZONE
from tests.dns.host_cases import CASES, TOKEN, Case, Host
from tests.standins.base import StandIn

SECRET = base64.b64encode(b"a secret of the tests, 32 bytes!").decode()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    create(tmp_path / "dns" / "north", ["example.test"], "ns1", "failover", SECRET)
    return tmp_path / "dns" / "north"


@pytest.fixture
def server(directory: Path) -> Iterator[NameServer]:
    running = NameServer(directory)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def key(directory: Path) -> TsigKey:
    return read_key(directory / KEY_FILE)


@pytest.fixture
def north(server: NameServer, key: TsigKey) -> Rfc2136:
    return Rfc2136(name="north", server=f"127.0.0.1:{server.port}", key=key, timeout_s=60.0, deadline_s=120.0)


@pytest.fixture(params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    """Who asks for it, or for one of the two below, runs once for each DNS host behind an HTTP API."""
    found: Case = request.param
    return found


@pytest.fixture
def standin(case: Case) -> Iterator[StandIn]:
    """It holds our zone, and somebody else's before it."""
    with case.standin(token=TOKEN) as running:
        case.zone(running, "example.net")
        case.zone(running, ZONE)
        yield running


@pytest.fixture
def host(case: Case, standin: StandIn) -> Iterator[Host]:
    made = case.host(standin)
    yield made
    made.close()
