"""Hetzner passes the common suite against its stand-in, at once and with delays, and does what only it needs."""

from collections.abc import Callable, Iterator

import pytest

from failover.clouds.hetzner_project import Hetzner as HetznerCloud
from failover.clouds.table import Cloud
from failover.core.model import Reading
from failover.errors import AccessRefused
from failover.net.archive import Packed
from failover.testing.clouds import REASON, SERVICE, SITE, CloudConformance, Operator
from tests.clouds.libcloud_support import IMAGES, Shelf, Staff
from tests.standins.base import Pace
from tests.standins.hetzner import Hetzner

TOKEN = "hetzner-standin"
REGION = "nbg1"


def cloud_at(standin: Hetzner, shelf: Shelf | None = None, **more: object) -> HetznerCloud:
    """A cloud that loses no time between two looks."""
    wanted = {"poll_s": 0.02, "deadline_s": 20.0, "endpoint": standin.url, "token": TOKEN, "region": REGION, **more}
    return HetznerCloud(name="hetzner", images=IMAGES, depot=shelf, **wanted)  # type: ignore[arg-type] # their types differ


class HetznerStaff(Staff):
    def warn(self, message: str) -> None:
        pytest.skip("Hetzner does not warn through its API")


class TestHetzner(CloudConformance):
    @pytest.fixture
    def shelf(self) -> Shelf:
        return Shelf()

    @pytest.fixture
    def standin(self) -> Iterator[Hetzner]:
        with Hetzner(token=TOKEN, nodes_max=self.nodes_max, page_max=2) as standin:
            yield standin

    @pytest.fixture
    def cloud(self, standin: Hetzner, shelf: Shelf) -> Iterator[Cloud]:
        cloud = cloud_at(standin, shelf)
        yield cloud
        cloud.close()

    @pytest.fixture
    def operator(self, standin: Hetzner, shelf: Shelf) -> Operator:
        return HetznerStaff(standin, shelf)

    def test_a_closed_account_says_so_and_refuses_everything(
        self, cloud: Cloud, operator: Operator, stocked: Packed
    ) -> None:
        """Hetzner has no word for it: a refusal like any other."""
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
            lambda: cloud.clear(SERVICE, SITE),
            lambda: cloud.put(stocked.digest, stocked.archive),
        )
        for call in calls:
            with pytest.raises(AccessRefused):
                call()


class TestHetznerWithDelays(TestHetzner):
    """New servers are listed late, have addresses later, are locked for long, and go slowly."""

    @pytest.fixture
    def standin(self) -> Iterator[Hetzner]:
        pace = Pace(listed=2, addressed=4, running=5)
        with Hetzner(token=TOKEN, nodes_max=self.nodes_max, page_max=2, pace=pace) as standin:
            standin.delete_ticks = 3
            yield standin
