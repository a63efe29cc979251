"""Vultr passes the common suite against its stand-in, at once and with delays, and does what only it needs."""

from collections.abc import Callable, Iterator

import pytest

from failover.clouds.libcloud import LibcloudCloud
from failover.clouds.libcloud_vultr import Vultr as Dialect
from failover.clouds.table import Cloud
from failover.core.model import Reading
from failover.errors import AccessRefused
from failover.net.archive import Packed
from failover.testing.clouds import REASON, SERVICE, SITE, CloudConformance, Operator
from tests.clouds.libcloud_support import Shelf, Staff, made
from tests.standins.base import Pace
from tests.standins.vultr import Vultr

TOKEN = "vultr-standin"
REGION = "fra"


def cloud_at(standin: Vultr, shelf: Shelf | None = None, **limits: float) -> LibcloudCloud:
    return made(Dialect(token=TOKEN, region=REGION, endpoint=standin.url), shelf, REGION, **limits)


class VultrStaff(Staff):
    def warn(self, message: str) -> None:
        pytest.skip("Vultr does not warn through its API")


class TestVultr(CloudConformance):
    @pytest.fixture
    def shelf(self) -> Shelf:
        return Shelf()

    @pytest.fixture
    def standin(self) -> Iterator[Vultr]:
        with Vultr(token=TOKEN, nodes_max=self.nodes_max, page_max=2) as standin:
            yield standin

    @pytest.fixture
    def cloud(self, standin: Vultr, shelf: Shelf) -> Iterator[Cloud]:
        cloud = cloud_at(standin, shelf)
        yield cloud
        cloud.close()

    @pytest.fixture
    def operator(self, standin: Vultr, shelf: Shelf) -> Operator:
        return VultrStaff(standin, shelf)

    def test_a_closed_account_says_so_and_refuses_everything(
        self, cloud: Cloud, operator: Operator, stocked: Packed
    ) -> None:
        """Vultr has no word for it: a refusal like any other."""
        made = cloud.ensure(self.spec(stocked))
        operator.close(REASON)
        assert cloud.state().reading is Reading.REFUSED
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


class TestVultrWithDelays(TestVultr):
    """New instances are listed late and have addresses later."""

    @pytest.fixture
    def standin(self) -> Iterator[Vultr]:
        pace = Pace(listed=2, addressed=4, running=5)
        with Vultr(token=TOKEN, nodes_max=self.nodes_max, page_max=2, pace=pace) as standin:
            yield standin
