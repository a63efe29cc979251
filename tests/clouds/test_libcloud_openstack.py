"""OpenStack passes the common suite against its stand-in, at once and with delays, and does what only it needs."""

from collections.abc import Callable, Iterator

import pytest

from failover.clouds.libcloud import LibcloudCloud
from failover.clouds.libcloud_openstack import OpenStack as Dialect
from failover.clouds.table import Cloud
from failover.core.model import Reading
from failover.errors import AccessRefused
from failover.net.archive import Packed
from failover.testing.clouds import REASON, SERVICE, SITE, CloudConformance, Operator
from tests.clouds.libcloud_support import Shelf, Staff, made
from tests.standins.base import Pace
from tests.standins.openstack import OpenStack

PASSWORD = "open sesame"
REGION = "GRA11"


def cloud_at(standin: OpenStack, shelf: Shelf | None = None, **limits: float) -> LibcloudCloud:
    dialect = Dialect(auth_url=standin.auth_url, project="p1", username="operator", password=PASSWORD, region=REGION)
    return made(dialect, shelf, REGION, **limits)


class OpenStackStaff(Staff):
    def warn(self, message: str) -> None:
        pytest.skip("OpenStack does not warn through its API")


class TestOpenStack(CloudConformance):
    @pytest.fixture
    def shelf(self) -> Shelf:
        return Shelf()

    @pytest.fixture
    def standin(self) -> Iterator[OpenStack]:
        with OpenStack(token=PASSWORD, nodes_max=self.nodes_max, page_max=2) as standin:
            yield standin

    @pytest.fixture
    def cloud(self, standin: OpenStack, shelf: Shelf) -> Iterator[Cloud]:
        cloud = cloud_at(standin, shelf)
        yield cloud
        cloud.close()

    @pytest.fixture
    def operator(self, standin: OpenStack, shelf: Shelf) -> Operator:
        return OpenStackStaff(standin, shelf)

    def test_a_closed_account_says_so_and_refuses_everything(
        self, cloud: Cloud, operator: Operator, stocked: Packed
    ) -> None:
        """keystone says so, and only about a token from before."""
        made = cloud.ensure(self.spec(stocked))
        operator.close(REASON)
        assert cloud.state().reading is Reading.CLOSED
        calls: tuple[Callable[[], object], ...] = (
            lambda: cloud.nodes(SERVICE, SITE),
            cloud.images,
            cloud.sizes,
            cloud.quota,
            lambda: cloud.ensure(self.spec(stocked, 1)),
            lambda: cloud.destroy(made),
            lambda: cloud.firewall(SERVICE, SITE, (8080,)),
            lambda: cloud.put(stocked.digest, stocked.archive),
        )
        for call in calls:
            with pytest.raises(AccessRefused):
                call()


class TestOpenStackWithDelays(TestOpenStack):
    """New servers are listed late and have addresses later."""

    @pytest.fixture
    def standin(self) -> Iterator[OpenStack]:
        pace = Pace(listed=2, addressed=4, running=5)
        with OpenStack(token=PASSWORD, nodes_max=self.nodes_max, page_max=2, pace=pace) as standin:
            yield standin
