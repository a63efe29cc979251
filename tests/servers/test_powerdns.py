"""PowerDNS passes the suite, by its API and by dynamic updates: what we believe of both is true of the real server."""

from collections.abc import Iterator

import pytest

from failover.dns.authority import DnsAuthority
from failover.dns.powerdns import PowerDns
from failover.dns.rfc2136 import Rfc2136
from failover.testing.dns import DnsConformance
from tests.servers.pdns import Pdns

pytestmark = [pytest.mark.server("powerdns"), pytest.mark.xdist_group("powerdns")]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pdns]:
    with Pdns(tmp_path_factory.mktemp("pdns"), primary=True) as server:
        yield server


@pytest.fixture
def pdns(running: Pdns) -> Pdns:
    running.renew()
    return running


@pytest.fixture
def host(pdns: Pdns) -> PowerDns:
    return pdns.by_api()


class TestByApi(DnsConformance):
    @pytest.fixture
    def host(self, host: PowerDns) -> PowerDns:
        return host

    @pytest.fixture
    def authority(self) -> DnsAuthority:
        return DnsAuthority(timeout_s=60.0)


class TestByUpdate(DnsConformance):
    @pytest.fixture
    def host(self, pdns: Pdns) -> Rfc2136:
        return pdns.by_update()

    @pytest.fixture
    def authority(self) -> DnsAuthority:
        return DnsAuthority(timeout_s=60.0)
