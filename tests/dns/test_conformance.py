"""Every host of ours passes the suite that ships."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from failover.core.survey import MadeUp
from failover.dns.authority import DnsAuthority
from failover.dns.local import LocalHost
from failover.dns.rfc2136 import Rfc2136
from failover.local.nameserver import NameServer
from failover.net.tsig import TsigKey
from failover.testing.dns import NAMES, ZONE, DnsConformance
from failover.testing.memory_dns import MemoryAuthority, MemoryDns
from tests.dns.foreign import Census, by_updates


class TestMemory(DnsConformance):
    @pytest.fixture(params=[1, 2, 3])
    def host(self, request: pytest.FixtureRequest) -> MemoryDns:
        return MemoryDns(grade=request.param, servers=("one:53", "two:53"))

    @pytest.fixture
    def reader(self, host: MemoryDns) -> MemoryDns:
        host.lacks = frozenset(name for name, _ in NAMES)
        return host

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
