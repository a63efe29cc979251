"""Cloudflare, DigitalOcean, Linode, Vultr and Gandi, against the suite of all DNS hosts."""

from collections.abc import Iterator

import pytest

from failover.ports import Dns
from failover.testing.dns import ZONE, DnsConformance
from tests.dns.host_cases import CASES, TOKEN, Case
from tests.standins.base import StandIn


@pytest.fixture(params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture
def standin(case: Case) -> Iterator[StandIn]:
    with case.standin(token=TOKEN) as running:
        case.zone(running, "example.net")
        case.zone(running, ZONE)
        yield running


@pytest.fixture
def api_host(case: Case, standin: StandIn) -> Iterator[Dns]:
    made = case.host(standin)
    yield made
    made.close()


class TestApiHosts(DnsConformance):
    @pytest.fixture
    def host(self, api_host: Dns) -> Dns:
        return api_host
