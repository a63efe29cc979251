"""The memory cloud: the common suite, and the faults that only it can play."""

from collections.abc import Collection, Mapping

import pytest

from failover.clouds.table import Cloud
from failover.core.model import Node, NodeState, Reading
from failover.core.rights import Act
from failover.errors import AccessRefused, AdapterError, TimedOut, Unreachable
from failover.net.archive import Packed
from failover.ports import Account
from failover.testing.clouds import SERVICE, SITE, CloudConformance, Operator
from failover.testing.memory_cloud import MemoryCloud, ReplyLost, no_faults


class MemoryOperator:
    """Plays the provider of a memory cloud."""

    def __init__(self, cloud: MemoryCloud) -> None:
        self._cloud = cloud
        self.close = cloud.close
        self.reopen = cloud.reopen
        self.warn = cloud.warn
        self.has_node = cloud.has_node

    def refuse(self) -> None:
        self._cloud.faults = lambda operation: AccessRefused(operation, "", "401")

    def cut(self) -> None:
        self._cloud.faults = lambda operation: Unreachable(operation, "", "no route")

    def recover(self) -> None:
        self._cloud.faults = no_faults

    def stop(self, node: Node) -> None:
        self._cloud.stop(node.name)

    def foreign(self, name: str) -> str:
        return self._cloud.foreign(name).id

    def walls(self) -> Mapping[str, frozenset[int]]:
        return {" ".join(place): ports for place, ports in self._cloud.open_ports.items()}

    def set_wall(self, name: str, ports: Collection[int]) -> None:
        service, _, site = name.partition(" ")
        self._cloud.open_ports[service, site] = frozenset(ports)


class TestMemoryCloud(CloudConformance):
    @pytest.fixture
    def cloud(self) -> Cloud:
        return MemoryCloud(nodes_max=self.nodes_max)

    @pytest.fixture
    def reader(self, cloud: Cloud) -> Account:
        assert isinstance(cloud, MemoryCloud)
        cloud.lacks = frozenset(Act)
        return cloud

    @pytest.fixture
    def operator(self, cloud: Cloud) -> Operator:
        assert isinstance(cloud, MemoryCloud)
        return MemoryOperator(cloud)


class TestMemoryCloudWithSlowNodes(TestMemoryCloud):
    @pytest.fixture
    def cloud(self) -> Cloud:
        return MemoryCloud(nodes_max=self.nodes_max, polls_pending=2)


@pytest.fixture
def release() -> Packed:
    return Packed(digest="sha256:one", archive=b"one", files=1)


@pytest.fixture
def cloud(release: Packed) -> MemoryCloud:
    made = MemoryCloud(matches=lambda digest, archive: digest == f"sha256:{archive.decode()}")
    made.put(release.digest, release.archive)
    return made


spec = CloudConformance().spec


def test_a_lost_reply_leaves_the_node_and_a_second_call_finds_it(cloud: MemoryCloud, release: Packed) -> None:
    cloud.faults = lambda operation: ReplyLost(operation) if operation == "ensure" else None
    with pytest.raises(TimedOut):
        cloud.ensure(spec(release))
    cloud.faults = no_faults
    (listed,) = cloud.nodes(SERVICE, SITE)
    assert cloud.ensure(spec(release)) == listed


def test_a_fault_before_the_call_changes_nothing(cloud: MemoryCloud, release: Packed) -> None:
    cloud.faults = lambda operation: TimedOut(operation)
    with pytest.raises(TimedOut):
        cloud.ensure(spec(release))
    cloud.faults = no_faults
    assert cloud.nodes(SERVICE, SITE) == ()


@pytest.mark.parametrize(
    ("error", "reading"),
    [
        (AccessRefused("ask"), Reading.REFUSED),
        (Unreachable("ask"), Reading.UNCLEAR),
        (AdapterError("ask"), Reading.UNCLEAR),
    ],
)
def test_a_fault_of_the_account_is_a_reading(cloud: MemoryCloud, error: AdapterError, reading: Reading) -> None:
    cloud.faults = lambda _: error
    assert cloud.state().reading is reading


def test_the_same_calls_give_the_same_nodes(release: Packed) -> None:
    def run() -> list[Node]:
        cloud = MemoryCloud(matches=lambda *_: True)
        cloud.put(release.digest, release.archive)
        return [cloud.ensure(spec(release, ordinal)) for ordinal in range(3)]

    assert run() == run()


def test_new_nodes_run_after_so_many_looks(cloud: MemoryCloud, release: Packed) -> None:
    cloud.polls_pending = 2
    assert cloud.ensure(spec(release)).state is NodeState.PENDING
    states = [cloud.nodes(SERVICE, SITE)[0].state for _ in range(3)]
    assert states == [NodeState.PENDING, NodeState.PENDING, NodeState.RUNNING]
    assert list(cloud.running()) == ["10.0.0.2"]


def test_a_tampered_node_shows_what_is_really_on_it(cloud: MemoryCloud, release: Packed) -> None:
    name = cloud.ensure(spec(release)).name
    cloud.tamper(name, "sha256:other")
    assert cloud.nodes(SERVICE, SITE)[0].release == "sha256:other"
    assert cloud.environment(name) == {"MODE": "live"}
