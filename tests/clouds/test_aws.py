"""AWS passes the common suite against moto over HTTP, at once and with EC2's delays."""

from collections.abc import Iterator

import pytest

from failover.clouds.aws import Aws
from failover.clouds.depot_settings import DepotSettings
from failover.clouds.images import ImageTable
from failover.clouds.table import Cloud
from failover.core.model import NodeState
from failover.net.archive import Packed
from failover.net.aws import AwsCredentials
from failover.ports import Account
from failover.testing.clouds import CloudConformance
from failover.testing.clouds import Operator as Suite
from tests.policies import granted
from tests.standins.base import Operator, Pace
from tests.standins.moto import REGION, Moto, MotoProcess

TESTED = AwsCredentials(access_key="AKIATESTEDTESTED1234", secret_key="a-secret-of-tests")


def aws(standin: Moto, **options: object) -> Aws:
    wanted = {
        "region": REGION,
        "credentials": TESTED,
        "images": ImageTable.load(),
        "endpoint": standin.url,
        "role": "mirror",
        "depot": DepotSettings(bucket=standin.bucket),
        "deadline_s": 120.0,
        "timeout_s": 30.0,
        "state_s": 30.0,
        **options,
    }
    return Aws(**wanted)  # type: ignore[arg-type]


class MotoOperator(Operator):
    """What AWS has no words for is not played."""

    def warn(self, message: str) -> None:
        pytest.skip("AWS does not warn through an API")


class TestAws(CloudConformance):
    @pytest.fixture
    def standin(self, moto_process: MotoProcess) -> Iterator[Moto]:
        with Moto(moto_process, nodes_max=self.nodes_max, page_max=2) as standin:
            yield standin

    @pytest.fixture
    def cloud(self, standin: Moto) -> Iterator[Cloud]:
        cloud = aws(standin)
        yield cloud
        cloud.close()

    @pytest.fixture
    def reader(self, standin: Moto) -> Iterator[Account]:
        key = standin.grant("AKIDWATCH", *granted("watch"))
        cloud = aws(standin, role="watch", credentials=AwsCredentials(access_key=key, secret_key="watching"))
        yield cloud
        cloud.close()

    @pytest.fixture
    def operator(self, standin: Moto) -> Operator:
        return MotoOperator(standin)

    def test_a_stopped_node_is_shown_and_started_again(self, cloud: Cloud, operator: Suite, stocked: Packed) -> None:
        """As the suite has it, but for the address: EC2 gives a new one with every start."""
        made = cloud.ensure(self.spec(stocked))
        (before,) = self.running(cloud, 1)
        operator.stop(made)
        (stopped,) = self.settled(cloud, lambda nodes: nodes[0].state is NodeState.STOPPED)
        assert stopped.id == made.id
        assert cloud.ensure(self.spec(stocked)).state is NodeState.PENDING
        (started,) = self.running(cloud, 1)
        assert (started.id, started.created_at_s) == (made.id, before.created_at_s)
        assert started.addresses


class TestAwsWithDelays(TestAws):
    """New instances are listed late, have addresses later, and end slowly."""

    @pytest.fixture
    def standin(self, moto_process: MotoProcess) -> Iterator[Moto]:
        pace = Pace(listed=1, addressed=3, running=4, gone=3)
        with Moto(moto_process, nodes_max=self.nodes_max, page_max=2, pace=pace) as standin:
            yield standin
