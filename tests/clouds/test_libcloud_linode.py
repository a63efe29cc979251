"""Linode passes the common suite against its stand-in, at once and with delays, and does what only it needs."""

from collections.abc import Callable, Iterator

import pytest

from failover.clouds.libcloud import LibcloudCloud
from failover.clouds.libcloud_linode import Linode as Dialect
from failover.clouds.table import Cloud
from failover.core.model import NodeState, Reading
from failover.errors import AccessRefused
from failover.net.archive import Packed
from failover.testing.clouds import REASON, SERVICE, SITE, CloudConformance, Operator
from tests.clouds.libcloud_support import Shelf, Staff, made
from tests.standins.base import Pace
from tests.standins.linode import LinodeStandIn

TOKEN = "linode-standin"
REGION = "eu-central"


def cloud_at(standin: LinodeStandIn, shelf: Shelf | None = None, **limits: float) -> LibcloudCloud:
    return made(Dialect(token=TOKEN, region=REGION, endpoint=standin.url), shelf, REGION, **limits)


class TestLinode(CloudConformance):
    @pytest.fixture
    def shelf(self) -> Shelf:
        return Shelf()

    @pytest.fixture
    def standin(self) -> Iterator[LinodeStandIn]:
        with LinodeStandIn(token=TOKEN, nodes_max=self.nodes_max, page_max=2) as standin:
            yield standin

    @pytest.fixture
    def cloud(self, standin: LinodeStandIn, shelf: Shelf) -> Iterator[Cloud]:
        cloud = cloud_at(standin, shelf)
        yield cloud
        cloud.close()

    @pytest.fixture
    def operator(self, standin: LinodeStandIn, shelf: Shelf) -> Operator:
        return Staff(standin, shelf)

    def test_a_closed_account_says_so_and_refuses_everything(
        self, cloud: Cloud, operator: Operator, stocked: Packed
    ) -> None:
        """Linode says so by its servers only, whose list can still be read."""
        cloud.ensure(self.spec(stocked))
        (made,) = self.running(cloud, 1)
        operator.close(REASON)
        assert cloud.state().reading is Reading.CLOSED
        (listed,) = cloud.nodes(SERVICE, SITE)
        assert (listed.id, listed.state) == (made.id, NodeState.STOPPED)
        calls: tuple[Callable[[], object], ...] = (
            cloud.images,
            cloud.sizes,
            lambda: cloud.ensure(self.spec(stocked, 1)),
            lambda: cloud.firewall(SERVICE, SITE, (8080,)),
            lambda: cloud.put(stocked.digest, stocked.archive),
        )
        for call in calls:
            with pytest.raises(AccessRefused):
                call()


class TestLinodeWithDelays(TestLinode):
    """New Linodes are listed late and have addresses later."""

    @pytest.fixture
    def standin(self) -> Iterator[LinodeStandIn]:
        pace = Pace(listed=2, addressed=4, running=5)
        with LinodeStandIn(token=TOKEN, nodes_max=self.nodes_max, page_max=2, pace=pace) as standin:
            yield standin
