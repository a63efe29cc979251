"""Every host of ours passes the suite that ships."""

import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from failover.core.rrsets import RRset
from failover.core.survey import MadeUp
from failover.dns.authority import DnsAuthority
from failover.dns.local import LocalHost
from failover.dns.rfc2136 import Rfc2136
from failover.local.nameserver import NameServer
from failover.net.tsig import TsigKey
from failover.testing.dns import NAMES, ZONE, DnsConformance, Trouble, TroubleConformance, www_published
from failover.testing.memory_dns import MemoryAuthority, MemoryDns
from tests.dns.foreign import Census, by_updates
from tests.dns.scripted import scripted
from tests.dns.trouble import Relay, memory_spoiled


class TestMemory(DnsConformance):
    @pytest.fixture(params=[1, 2, 3])
    def host(self, request: pytest.FixtureRequest) -> MemoryDns:
        return MemoryDns(grade=request.param, servers=("one:53", "two:53"))

    @pytest.fixture
    def reader(self, host: MemoryDns) -> MemoryDns:
        host.lacks = frozenset(name for name, _ in NAMES)
        return host

    @pytest.fixture
    def trouble(self, host: MemoryDns) -> Trouble:
        """What is one transaction ends as a whole."""
        return partial(memory_spoiled, host)

    @pytest.fixture
    def authority(self, host: MemoryDns) -> MemoryAuthority:
        return MemoryAuthority(host)

    @pytest.fixture(params=[True, False], ids=["refused", "gives way"])
    def odd(self, request: pytest.FixtureRequest, host: MemoryDns) -> Callable[[], MadeUp]:
        def make() -> MadeUp:
            host.odd = (MadeUp(name=ZONE, kind="ALIAS", target="lb.example.net", refused=request.param),)
            return host.odd[0]

        return make


class TestRfc2136(DnsConformance):
    @pytest.fixture
    def host(self, north: Rfc2136) -> Rfc2136:
        return north

    @pytest.fixture
    def reader(self, server: NameServer) -> Rfc2136:
        return Rfc2136(name="north", server=f"127.0.0.1:{server.port}", timeout_s=60.0, deadline_s=120.0)

    @pytest.fixture
    def authority(self) -> DnsAuthority:
        return DnsAuthority(timeout_s=60.0)

    @pytest.fixture
    def census(self, server: NameServer, key: TsigKey) -> Census:
        return by_updates(f"127.0.0.1:{server.port}", key)


class TestRfc2136InTrouble(TroubleConformance):
    """Messages hold little here, so that few sets are several."""

    @pytest.fixture
    def relay(self, server: NameServer) -> Relay:
        return Relay(server)

    @pytest.fixture
    def host(self, relay: Relay, key: TsigKey, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rfc2136]:
        monkeypatch.setattr("failover.dns.update.MESSAGE_ROOM", 900)
        with scripted(relay) as there:
            yield Rfc2136(name="north", server=there.server, key=key, timeout_s=60.0, deadline_s=120.0)

    @pytest.fixture
    def published(self, host: Rfc2136) -> RRset:
        return www_published(host)

    @pytest.fixture
    def trouble(self, relay: Relay) -> Trouble:
        return relay.spoiled

    @pytest.fixture
    def several(self) -> int:
        return 30


class TestLocal(DnsConformance):
    @pytest.fixture
    def host(self, server: NameServer, directory: Path) -> LocalHost:
        daemon = {"pid": os.getpid(), "start": "0", "address": "127.0.0.1", "port": server.port}
        (directory / "daemon.json").write_text(json.dumps(daemon))
        return LocalHost(root=directory.parent.parent, name="north", timeout_s=60.0, deadline_s=120.0)

    @pytest.fixture
    def authority(self) -> DnsAuthority:
        return DnsAuthority(timeout_s=60.0)

    @pytest.fixture
    def census(self, server: NameServer, key: TsigKey) -> Census:
        return by_updates(f"127.0.0.1:{server.port}", key)
