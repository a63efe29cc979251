"""What the tests of all libcloud clouds share: a depot in memory, and a provider's staff that minds it too."""

from failover.clouds.images import ImageTable
from failover.clouds.libcloud import LibcloudCloud
from failover.clouds.libcloud_dialect import Dialect
from failover.core.model import NodeSpec
from failover.errors import AccessRefused, Unreachable
from failover.testing.clouds import SERVICE, SITE
from failover.testing.memory_cloud import MemoryCloud, no_faults
from tests.standins.base import Operator, StandIn

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

    def look(self) -> None:
        """It is no service of its own."""

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


def wish(ordinal: int = 0) -> NodeSpec:
    """A node as the planner names it, with user-data."""
    return NodeSpec(
        name=f"{SERVICE}-{SITE}-web-{ordinal}-1a2b3c4d",
        service=SERVICE,
        site=SITE,
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


def made(dialect: Dialect, shelf: Shelf | None, region: str, **limits: float) -> LibcloudCloud:
    """A cloud that loses no time between two looks."""
    bounds = {"poll_s": 0.02, "settle_s": 0.5, "deadline_s": 20.0, "timeout_s": 10.0, **limits}
    return LibcloudCloud(dialect, name=dialect.kind, region=region, images=IMAGES, depot=shelf, **bounds)
