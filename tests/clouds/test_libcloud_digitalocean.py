"""DigitalOcean passes the common suite against its stand-in, at once and with delays, and does what only it needs."""

from collections.abc import Iterator

import pytest

from failover.clouds.libcloud import LibcloudCloud
from failover.clouds.libcloud_digitalocean import DigitalOcean as Dialect
from failover.clouds.table import Cloud
from failover.testing.clouds import CloudConformance, Operator
from tests.clouds.libcloud_support import Shelf, Staff, made
from tests.standins.base import Pace
from tests.standins.digitalocean import DigitalOcean

TOKEN = "dop-v1-standin"
REGION = "fra1"


def cloud_at(standin: DigitalOcean, shelf: Shelf | None = None, **limits: float) -> LibcloudCloud:
    return made(Dialect(token=TOKEN, region=REGION, endpoint=standin.url), shelf, REGION, **limits)


class TestDigitalOcean(CloudConformance):
    @pytest.fixture
    def shelf(self) -> Shelf:
        return Shelf()

    @pytest.fixture
    def standin(self) -> Iterator[DigitalOcean]:
        with DigitalOcean(token=TOKEN, nodes_max=self.nodes_max, page_max=2) as standin:
            yield standin

    @pytest.fixture
    def cloud(self, standin: DigitalOcean, shelf: Shelf) -> Iterator[Cloud]:
        cloud = cloud_at(standin, shelf)
        yield cloud
        cloud.close()

    @pytest.fixture
    def operator(self, standin: DigitalOcean, shelf: Shelf) -> Operator:
        return Staff(standin, shelf)


class TestDigitalOceanWithDelays(TestDigitalOcean):
    """New droplets are listed late and have addresses later."""

    @pytest.fixture
    def standin(self) -> Iterator[DigitalOcean]:
        pace = Pace(listed=2, addressed=4, running=5)
        with DigitalOcean(token=TOKEN, nodes_max=self.nodes_max, page_max=2, pace=pace) as standin:
            yield standin
