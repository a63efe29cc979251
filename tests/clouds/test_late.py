"""A cloud that is built late: the common suite, and who is asked for what."""

from collections.abc import Callable

import pytest

from failover.clouds.late import LateCloud
from failover.clouds.table import Cloud
from failover.core.model import Reading
from failover.errors import AccessRefused, SecretError
from failover.net.once import Once
from failover.testing.clouds import CloudConformance, Operator
from failover.testing.memory_cloud import MemoryCloud
from tests.clouds.test_memory_cloud import MemoryOperator

LOOKS: dict[str, Callable[[Cloud], object]] = {
    "state": lambda c: c.state(),
    "nodes": lambda c: c.nodes("guestbook", "aurora"),
    "images": lambda c: c.images(),
    "sizes": lambda c: c.sizes(),
    "quota": lambda c: c.quota(),
    "firewall_now": lambda c: c.firewall_now("guestbook", "aurora"),
    "has": lambda c: c.has("sha256:one"),
    "list": lambda c: c.list(),
}
CHANGES: dict[str, Callable[[Cloud], object]] = {
    "firewall": lambda c: c.firewall("guestbook", "aurora", [80]),
    "clear": lambda c: c.clear("guestbook", "aurora"),
    "put": lambda c: c.put("sha256:one", b"sha256:one"),
    "remove": lambda c: c.remove("sha256:one"),
    "link": lambda c: c.link("sha256:one", 60.0),
    "hand_over": lambda c: c.hand_over("node", b"x", 60.0),
}


class TestLateCloud(CloudConformance):
    @pytest.fixture
    def memory(self) -> MemoryCloud:
        return MemoryCloud(nodes_max=self.nodes_max)

    @pytest.fixture
    def cloud(self, memory: MemoryCloud) -> Cloud:
        return LateCloud("memory", lambda: memory, lambda: memory)

    @pytest.fixture
    def operator(self, memory: MemoryCloud) -> Operator:
        return MemoryOperator(memory)


def no_secret() -> Cloud:
    raise SecretError("read secret", "env TOKEN", "the variable is not set", "export TOKEN")


def memory() -> MemoryCloud:
    return MemoryCloud(matches=lambda digest, archive: archive == digest.encode())


@pytest.mark.parametrize("name", LOOKS)
def test_who_only_looks_never_needs_the_credential_that_writes(name: str) -> None:
    cloud = memory()
    LOOKS[name](LateCloud("aurora", lambda: cloud, no_secret))


@pytest.mark.parametrize("name", CHANGES)
def test_changes_are_made_by_the_credential_that_writes(name: str) -> None:
    cloud = memory()
    CHANGES[name](LateCloud("aurora", no_secret, lambda: cloud))


@pytest.mark.parametrize("name", [*LOOKS, *CHANGES])
def test_a_secret_that_cannot_be_read_is_this_provider_s_trouble(name: str) -> None:
    cloud = LateCloud("aurora", no_secret, no_secret)
    if name == "state":
        assert cloud.state().reading is Reading.UNCLEAR
        assert "the variable is not set" in cloud.state().message
        return
    with pytest.raises(AccessRefused) as caught:
        (LOOKS | CHANGES)[name](cloud)
    assert (caught.value.object, caught.value.hint) == ("aurora", "export TOKEN")
    assert "the variable is not set" in caught.value.cause


def test_nothing_is_built_before_it_is_needed_and_then_once() -> None:
    built = []

    def make() -> Cloud:
        built.append(1)
        return memory()

    once = Once(make)
    cloud = LateCloud("aurora", once, once)
    assert built == []
    cloud.quota()
    cloud.remove("sha256:one")
    assert built == [1]


def test_another_depot_may_stand_beside() -> None:
    cloud, beside = memory(), memory()
    late = LateCloud("aurora", lambda: cloud, lambda: cloud, lambda: beside)
    late.put("sha256:one", b"sha256:one")
    assert (late.has("sha256:one"), cloud.list(), beside.list()) == (True, frozenset(), frozenset({"sha256:one"}))
