"""Bad days at the providers behind libcloud: nothing is duplicated, nothing foreign touched, no list is cut short."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from failover.clouds.libcloud import LibcloudCloud
from failover.core.model import Node, Reading
from failover.errors import (
    AccessRefused,
    AdapterError,
    Conflict,
    QuotaExceeded,
    Rejected,
    Throttled,
    TimedOut,
    Unreachable,
    Unreadable,
)
from failover.testing.clouds import REASON, SERVICE, SITE, CloudConformance
from tests.clouds.libcloud_cases import CASES, TOKEN, Case
from tests.clouds.libcloud_support import Shelf, made, wish
from tests.standins.base import Fault, Pace, StandIn

UNIQUE = {"linode": Conflict, "openstack": Unreadable}
"""Where a second run meets the first one's node although no list shows it: by its name, by its use of the quota."""


@dataclass(frozen=True, slots=True)
class World:
    case: Case
    standin: StandIn
    open: Callable[..., LibcloudCloud]

    def count(self, pattern: str) -> int:
        return self.standin.count(pattern)


@pytest.fixture(params=CASES, ids=str)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    case: Case = request.param
    opened: list[LibcloudCloud] = []
    with case.standin(token=TOKEN, page_max=2, pace=Pace(addressed=0, running=0)) as standin:

        def open(**limits: float) -> LibcloudCloud:
            opened.append(made(case.dialect(standin), None, case.region, **limits))
            return opened[-1]

        yield World(case, standin, open)
        for cloud in opened:
            cloud.close()


def names(nodes: tuple[Node, ...]) -> list[str]:
    return sorted(node.name for node in nodes)


def stocked(world: World, count: int) -> LibcloudCloud:
    """A cloud that already has so many nodes."""
    cloud = world.open()
    for ordinal in range(count):
        cloud.ensure(wish(ordinal))
    return cloud


# ------------------------------------------------------------------------------------ lists


@pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.BROKEN, Fault.GATEWAY, Fault.DROP])
def test_a_list_is_read_again_after_a_moment_of_trouble(world: World, fault: Fault) -> None:
    cloud = stocked(world, 3)
    world.standin.fault(world.case.listing, fault, times=2, retry_after_s=0)
    assert names(cloud.nodes(SERVICE, SITE)) == [wish(n).name for n in range(3)]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.THROTTLED, Throttled),
        (Fault.BROKEN, Unreadable),
        (Fault.GATEWAY, Unreadable),
        (Fault.DROP, Unreachable),
    ],
)
@pytest.mark.parametrize("page", [1, 2])
def test_a_page_that_cannot_be_read_is_the_end_of_no_list(
    world: World, fault: Fault, error: type[AdapterError], page: int
) -> None:
    cloud = stocked(world, 5)
    world.standin.fault(world.case.listing, fault, times=None, skip=page - 1, retry_after_s=0)
    with pytest.raises(error):
        cloud.nodes(SERVICE, SITE)


@pytest.mark.parametrize("page", [0, 1, 2])
def test_an_empty_page_is_not_taken_for_the_truth(world: World, page: int) -> None:
    cloud = stocked(world, 5)
    world.standin.fault(world.case.listing, Fault.EMPTY, skip=page)
    try:
        found = cloud.nodes(SERVICE, SITE)
    except Unreadable:
        found = cloud.nodes(SERVICE, SITE)
    assert len(found) == 5


def test_lists_that_stay_empty_are_unreadable_where_the_provider_counts(world: World) -> None:
    cloud = stocked(world, 3)
    world.standin.fault(world.case.listing, Fault.EMPTY, times=None)
    with pytest.raises(Unreadable):
        cloud.nodes(SERVICE, SITE)
    with pytest.raises(Unreadable):
        cloud.ensure(wish(0))
    assert world.count(world.case.creating) == 3


def test_a_value_that_cannot_be_read_makes_the_list_unreadable(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a crash of the whole command, which has other sites too."""
    cloud = stocked(world, 2)
    monkeypatch.setattr(world.standin, "conforming", lambda _call, reply: reply)
    monkeypatch.setattr(world.standin, "instant", lambda _tick: "the day before yesterday")
    with pytest.raises(Unreadable, match="does not document"):
        cloud.nodes(SERVICE, SITE)


def test_how_long_to_wait_is_handed_on(world: World) -> None:
    cloud = world.open(deadline_s=2.0)
    world.standin.fault(world.case.listing, Fault.THROTTLED, times=None, retry_after_s=77)
    with pytest.raises(Throttled) as caught:
        cloud.nodes(SERVICE, SITE)
    assert caught.value.retry_after_s == 77.0


def test_a_list_without_an_answer_ends_in_time(world: World) -> None:
    cloud = stocked(world, 1)
    impatient = world.open(timeout_s=0.3, deadline_s=1.0)
    world.standin.fault(world.case.listing, Fault.HANG, times=None)
    with pytest.raises(TimedOut):
        impatient.nodes(SERVICE, SITE)
    world.standin.mend()
    assert len(cloud.nodes(SERVICE, SITE)) == 1


# ------------------------------------------------------------------------------------ creating


@pytest.mark.parametrize("listed", [0, 4])
@pytest.mark.parametrize(("fault", "error"), [(Fault.LOST, Unreachable), (Fault.LATE, TimedOut)])
def test_a_node_whose_reply_was_lost_is_found_again(
    world: World, fault: Fault, error: type[AdapterError], listed: int
) -> None:
    world.standin.pace = Pace(listed=listed, addressed=0, running=0)
    cloud = world.open(timeout_s=1.5, settle_s=5.0)
    world.standin.fault(world.case.creating, fault)
    with pytest.raises(error):
        cloud.ensure(wish())
    world.standin.mend()
    found = cloud.ensure(wish())
    assert world.count(world.case.creating) == 1
    assert [node.id for node in cloud.nodes(SERVICE, SITE)] == [found.id]


def test_another_run_finds_the_node_whose_reply_was_lost(world: World) -> None:
    world.standin.fault(world.case.creating, Fault.LOST)
    with pytest.raises(Unreachable):
        world.open().ensure(wish())
    found = world.open().ensure(wish())
    assert world.standin.node_ids() == (found.id,)


@pytest.mark.parametrize("fault", [Fault.BROKEN, Fault.GATEWAY, Fault.DROP, Fault.THROTTLED])
def test_a_creation_is_never_repeated_by_itself(world: World, fault: Fault) -> None:
    cloud = world.open(settle_s=0.0)
    world.standin.fault(world.case.creating, fault, retry_after_s=0)
    with pytest.raises((Unreadable, Unreachable, Throttled)):
        cloud.ensure(wish())
    assert world.count(world.case.creating) == 1
    assert cloud.nodes(SERVICE, SITE) == ()
    cloud.ensure(wish())
    assert len(cloud.nodes(SERVICE, SITE)) == 1


def test_an_account_that_closes_half_way_through(world: World) -> None:
    cloud = world.open()
    world.standin.fault(world.case.creating, Fault.CLOSE, skip=2)
    for ordinal in range(2):
        cloud.ensure(wish(ordinal))
    for ordinal in (2, 3):
        with pytest.raises(AccessRefused):
            cloud.ensure(wish(ordinal))
    assert len(world.standin.node_ids()) == 2
    assert cloud.state().reading in (Reading.CLOSED, Reading.REFUSED)


# ------------------------------------------------------------------------------------ duplicates, strangers


def test_duplicates_are_all_shown_the_oldest_first_and_ensured_as_one(world: World) -> None:
    """Two runs that did not know of each other."""
    world.standin.pace = Pace(listed=30, addressed=0, running=0)
    ids = [world.open().ensure(wish()).id]
    if (error := UNIQUE.get(world.case.kind)) is not None:
        with pytest.raises(error):
            world.open().ensure(wish())
        assert world.standin.node_ids() == (ids[0],)
        return
    ids.append(world.open().ensure(wish()).id)
    world.standin.pace = Pace(addressed=0, running=0)
    shelf = Shelf()
    cloud = made(world.case.dialect(world.standin), shelf, world.case.region)
    assert [node.id for node in cloud.nodes(SERVICE, SITE)] == ids
    assert cloud.ensure(wish()).id == ids[0]
    cloud.destroy(cloud.nodes(SERVICE, SITE)[1])
    assert world.standin.node_ids() == (ids[0],)
    assert shelf.withdrawn == [], "the one that stays may still have to fetch it"
    cloud.destroy(cloud.nodes(SERVICE, SITE)[0])
    assert shelf.withdrawn == [wish().name]
    cloud.close()


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.DROP, Fault.GATEWAY])
def test_a_deletion_is_repeated(world: World, fault: Fault) -> None:
    cloud = stocked(world, 1)
    theirs = world.standin.foreign("database")
    (node,) = cloud.nodes(SERVICE, SITE)
    world.standin.fault("^DELETE ", fault)
    cloud.destroy(node)
    assert cloud.nodes(SERVICE, SITE) == ()
    assert theirs in world.standin.node_ids()


def test_clearing_leaves_what_is_not_ours(world: World) -> None:
    cloud = stocked(world, 1)
    cloud.firewall(SERVICE, "boreas", (8080,))
    cloud.firewall(SERVICE, SITE, (22, 8080))
    theirs = world.standin.foreign("database")
    cloud.destroy(cloud.nodes(SERVICE, SITE)[0])
    cloud.clear(SERVICE, SITE)
    before = world.count("^(POST|PUT) ")
    cloud.firewall(SERVICE, "boreas", (8080,))
    assert world.count("^(POST|PUT) ") == before, "the other site's firewall was gone"
    assert theirs in world.standin.node_ids()


# ------------------------------------------------------------------------------------ the account


@pytest.mark.parametrize(
    ("fault", "reading"),
    [
        (Fault.THROTTLED, Reading.UNCLEAR),
        (Fault.BROKEN, Reading.UNCLEAR),
        (Fault.GATEWAY, Reading.UNCLEAR),
        (Fault.DROP, Reading.UNCLEAR),
        (Fault.HANG, Reading.UNCLEAR),
    ],
)
def test_trouble_says_nothing_about_the_account(world: World, fault: Fault, reading: Reading) -> None:
    cloud = world.open(timeout_s=1.5)
    world.standin.fault(".", fault, times=None, retry_after_s=0)
    assert cloud.state().reading is reading
    world.standin.mend()
    assert cloud.state().reading is Reading.ACTIVE


def test_an_api_that_refuses_connections(world: World) -> None:
    cloud = stocked(world, 1)
    world.standin.stop()
    assert cloud.state().reading is Reading.UNCLEAR
    with pytest.raises(Unreachable):
        cloud.nodes(SERVICE, SITE)
    with pytest.raises(Unreachable):
        cloud.ensure(wish(1))


def test_a_reason_is_not_made_up(world: World) -> None:
    """Every reading of a closed account is explicit or a refusal, never active."""
    cloud = stocked(world, 1)
    world.standin.close(REASON)
    fresh = world.open().state()
    assert fresh.reading in (Reading.CLOSED, Reading.REFUSED)
    assert cloud.state().reading in (Reading.CLOSED, Reading.REFUSED)


def test_secrets_stand_in_no_error(world: World) -> None:
    cloud = world.open()
    world.standin.refusing = True
    with pytest.raises(AccessRefused) as caught:
        cloud.nodes(SERVICE, SITE)
    assert (
        TOKEN not in f"{caught.value!r} {caught.value} {caught.value.__cause__!r} {world.case.dialect(world.standin)!r}"
    )
    assert TOKEN not in repr(replace(wish(), user_data=TOKEN))


# ------------------------------------------------------------------------------------ what cannot be had


def test_a_node_that_no_size_fits_is_rejected(world: World) -> None:
    with pytest.raises(Rejected, match="has no size for the node"):
        world.open().ensure(replace(wish(), cpus=64))
    assert world.standin.node_ids() == ()


def test_who_waits_for_another_call_does_not_wait_for_ever(world: World) -> None:
    cloud = world.open(timeout_s=0.5, deadline_s=0.5)
    world.standin.fault(world.case.listing, Fault.HANG, times=None)
    with ThreadPoolExecutor(3) as pool:
        for call in [pool.submit(cloud.ensure, wish()) for _ in range(3)]:
            with pytest.raises(TimedOut):
                call.result()


def test_a_quota_is_told_when_nothing_is_going(world: World) -> None:
    world.standin.nodes_max = 1
    cloud = stocked(world, 1)
    with pytest.raises(QuotaExceeded):
        cloud.ensure(wish(1))
    assert world.count(world.case.creating) == 2


def test_what_was_handed_over_is_withdrawn_with_the_node(world: World, tmp_path: Path) -> None:
    shelf, packed = Shelf(), CloudConformance().packed(tmp_path, "first")
    shelf.put(packed.digest, packed.archive)
    cloud = made(world.case.dialect(world.standin), shelf, world.case.region)
    cloud.destroy(cloud.ensure(replace(wish(), release=packed.digest)))
    assert shelf.withdrawn == [wish().name]
    cloud.clear(wish().service, wish().site)
    assert shelf.withdrawn[-1] == "all", "also what nodes got that somebody else deleted"
    cloud.close()
