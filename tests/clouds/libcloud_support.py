"""What the tests of all libcloud clouds share: a depot in memory, and a provider's staff that minds it too."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from failover.clouds.images import ImageTable
from failover.clouds.libcloud import LibcloudCloud
from failover.clouds.libcloud_dialect import Dialect
from failover.clouds.table import Cloud
from failover.core.model import NodeSpec, Reading
from failover.errors import AccessRefused, Unreachable
from failover.net.archive import Packed
from failover.testing.clouds import REASON, SERVICE, SITE, CloudConformance
from failover.testing.clouds import Operator as Suite
from failover.testing.memory_cloud import MemoryCloud, no_faults
from tests.standins.base import Operator, Pace, StandIn

IMAGES = ImageTable.load()


class Shelf:
    """A depot in memory, of the same account: closed with it."""

    def __init__(self) -> None:
        self.account = MemoryCloud()
        self.put, self.has, self.list = self.account.put, self.account.has, self.account.list
        self.remove, self.link, self.hand_over = self.account.remove, self.account.link, self.account.hand_over
        self.may_put = self.account.may_put
        self.withdrawn: list[str] = []

    def withdraw(self, name: str) -> None:
        self.withdrawn.append(name)

    def withdraw_all(self) -> None:
        self.withdrawn.append("all")

    def close(self) -> None:
        """There is nothing to close."""


class Staff(Operator):
    """Plays the provider at its API and at its depot."""

    def __init__(self, standin: StandIn, shelf: Shelf) -> None:
        super().__init__(standin)
        self._account = shelf.account

    def close(self, reason: str) -> None:
        super().close(reason)
        self._account.close(reason)

    def reopen(self) -> None:
        super().reopen()
        self._account.reopen()

    def refuse(self) -> None:
        super().refuse()
        self._account.faults = lambda operation: AccessRefused(operation, "", "401")

    def cut(self) -> None:
        super().cut()
        self._account.faults = lambda operation: Unreachable(operation, "", "no route")

    def recover(self) -> None:
        super().recover()
        self._account.faults = no_faults


class Silent(Staff):
    """At a provider that has no words for a warning."""

    def warn(self, message: str) -> None:
        pytest.skip("it does not warn through its API")


LATE = Pace(listed=2, addressed=4, running=5)


class StandInSuite(CloudConformance):
    """The common suite at a stand-in with a depot in memory. Subclass it with `opened` and `cloud_at`."""

    warns = True
    """Whether the provider warns through its API."""
    pace = Pace()

    def opened(self, **options: Any) -> StandIn:
        """The stand-in, not yet started."""
        raise NotImplementedError

    def cloud_at(self, standin: Any, shelf: Shelf) -> Cloud:
        raise NotImplementedError

    @pytest.fixture
    def shelf(self) -> Shelf:
        return Shelf()

    @pytest.fixture
    def standin(self) -> Iterator[StandIn]:
        with self.opened(nodes_max=self.nodes_max, page_max=2, pace=self.pace) as standin:
            yield standin

    @pytest.fixture
    def cloud(self, standin: StandIn, shelf: Shelf) -> Iterator[Cloud]:
        cloud = self.cloud_at(standin, shelf)
        yield cloud
        cloud.close()  # type: ignore[attr-defined] # ours have it

    @pytest.fixture
    def operator(self, standin: StandIn, shelf: Shelf) -> Suite:
        return Staff(standin, shelf) if self.warns else Silent(standin, shelf)


class WordlessSuite(StandInSuite):
    """Of a provider that does not say to every request that an account is closed."""

    warns = False
    closed = Reading.REFUSED
    """What the account's state is read as then."""

    def test_a_closed_account_says_so_and_refuses_everything(
        self, cloud: Cloud, operator: Suite, stocked: Packed
    ) -> None:
        made = cloud.ensure(self.spec(stocked))
        operator.close(REASON)
        assert cloud.state().reading is self.closed
        calls: tuple[Callable[[], object], ...] = (
            lambda: cloud.nodes(SERVICE, SITE),
            cloud.images,
            cloud.sizes,
            cloud.quota,
            lambda: cloud.ensure(self.spec(stocked, 1)),
            lambda: cloud.destroy(made),
            lambda: cloud.firewall(SERVICE, SITE, (8080,)),
            lambda: cloud.firewall_now(SERVICE, SITE),
            lambda: cloud.clear(SERVICE, SITE),
            lambda: cloud.put(stocked.digest, stocked.archive),
        )
        for call in calls:
            with pytest.raises(AccessRefused):
                call()


def wish(ordinal: int = 0, *, site: str = SITE, **more: Any) -> NodeSpec:
    """A node as the planner names it, with user-data; `more` of it is another."""
    spec = NodeSpec(
        name=f"{SERVICE}-{site}-web-{ordinal}-1a2b3c4d",
        service=SERVICE,
        site=site,
        group="web",
        ordinal=ordinal,
        spec="1a2b3c4d",
        cpus=1,
        memory_mib=512,
        disk_gib=1,
        image="debian-12",
        ports=(8080,),
        release="sha256:0",
        command="python3 server.py",
        user_data="#cloud-config\nhostname: röhre\n",
    )
    return replace(spec, **more)


def made(dialect: Dialect, shelf: Shelf | None, region: str, **limits: float) -> LibcloudCloud:
    """A cloud that loses no time between two looks."""
    bounds = {"poll_s": 0.02, "settle_s": 0.5, "deadline_s": 20.0, "timeout_s": 10.0, **limits}
    return LibcloudCloud(dialect, name=dialect.kind, region=region, images=IMAGES, depot=shelf, **bounds)
