"""Could this site take over now? One story per reason why not."""

from dataclasses import replace

import pytest

from failover.core.health import HealthState
from failover.core.model import AccountReport, NodeState, Quota, Reading, Release, Site, Standby
from failover.core.ready import Facts, Stock, readiness, short
from tests.core.builders import BOREAS, DIGEST, HTTP, OTHER_DIGEST, SERVICE, WEB, node

HOT = Site(name=BOREAS, provider="b", standby=Standby.HOT)
WARM = replace(HOT, standby=Standby.WARM)
COLD = replace(HOT, standby=Standby.COLD)
GIVEN = replace(HOT, provider=None, addresses={"web": ("198.51.100.2",)})
GIVEN_COLD = replace(GIVEN, standby=Standby.COLD)
STOCK = Stock(quota=Quota(nodes_max=4, nodes_used=0), images=frozenset({"debian-12"}), archive=True)
FINE = Facts(
    report=AccountReport(reading=Reading.ACTIVE),
    data_plane=HealthState.UP,
    addresses=("198.51.100.2",),
    passing=("198.51.100.2",),
    nodes=(node(BOREAS),),
    stock=STOCK,
)
NO_NODES = replace(FINE, addresses=(), passing=(), nodes=(), failing=("http",))


def why_not(site: Site, facts: Facts, *, fresh: bool = False, releases: tuple[str, ...] = (DIGEST,)) -> tuple[str, ...]:
    found = readiness(SERVICE, site, facts, releases, fresh=fresh)
    assert found.ready is not bool(found.reasons)
    return found.reasons


@pytest.mark.parametrize("site", [HOT, WARM, COLD, GIVEN, GIVEN_COLD])
def test_1_a_site_in_good_order_is_ready(site: Site) -> None:
    assert why_not(site, FINE) == ()


@pytest.mark.parametrize("site", [HOT, WARM, COLD, GIVEN])
@pytest.mark.parametrize("reading", [Reading.CLOSED, Reading.WARNED])
def test_2_an_account_closed_or_warned_is_no_target(site: Site, reading: Reading) -> None:
    (reason,) = why_not(site, replace(FINE, report=AccountReport(reading=reading)))
    assert "account" in reason


@pytest.mark.parametrize("reading", [Reading.REFUSED, Reading.UNCLEAR, Reading.NONE])
def test_3_only_a_site_that_must_be_scaled_needs_its_api(reading: Reading) -> None:
    facts = replace(FINE, report=AccountReport(reading=reading))
    assert why_not(HOT, facts) == ()
    assert why_not(GIVEN_COLD, facts) == ()
    assert "API" in why_not(WARM, facts)[0]
    assert "API" in why_not(COLD, facts)[0]


@pytest.mark.parametrize("site", [HOT, WARM, GIVEN, GIVEN_COLD])
def test_4_a_serving_site_without_addresses(site: Site) -> None:
    assert "it has no address to check" in why_not(site, NO_NODES)


def test_5_a_cold_site_needs_no_nodes() -> None:
    assert why_not(COLD, NO_NODES) == ()


def test_6_too_few_addresses_serve_in_this_round() -> None:
    facts = replace(FINE, addresses=("a", "b", "c"), passing=("a",), details=("b: refused", "c: refused"))
    assert why_not(HOT, facts) == ("1 of 3 addresses serve: b: refused; c: refused",)
    assert why_not(HOT, replace(facts, passing=("a", "b"))) == ()
    assert why_not(HOT, replace(facts, passing=(), details=())) == ("0 of 3 addresses serve",)


def test_7_a_check_that_fails_counts_although_other_addresses_make_up_the_half() -> None:
    facts = replace(FINE, addresses=("a", "b", "c"), passing=("a", "b"), failing=("api",), details=("c: refused",))
    for fresh in (False, True):
        assert why_not(HOT, facts, fresh=fresh) == ("check api does not pass: c: refused",)


@pytest.mark.parametrize("plane", [HealthState.UNKNOWN, HealthState.DOWN])
def test_8_a_streak_must_have_risen_unless_a_person_asks(plane: HealthState) -> None:
    facts = replace(FINE, data_plane=plane)
    assert readiness(SERVICE, HOT, facts, ()).reasons == ("its checks have not been good for long enough",)
    assert why_not(HOT, facts, fresh=True) == ()


def test_9_a_running_node_with_one_byte_changed() -> None:
    facts = replace(FINE, nodes=(node(BOREAS, release=OTHER_DIGEST),))
    name = "guestbook-boreas-web-0-0badcafe"
    assert why_not(HOT, facts) == (f"{name} holds another release (bbbbbbbbbbbb, wanted aaaaaaaaaaaa)",)
    assert why_not(HOT, replace(facts, nodes=(node(BOREAS, release=OTHER_DIGEST, status=NodeState.STOPPED),))) == ()
    assert why_not(HOT, replace(facts, nodes=(node(BOREAS, release=None),))) == ()
    assert why_not(HOT, replace(facts, nodes=None)) == ()
    assert why_not(HOT, facts, releases=()) == ()
    assert why_not(HOT, facts, releases=(DIGEST, OTHER_DIGEST)) == ()


def test_10_stock_that_could_not_be_read() -> None:
    for site in (WARM, COLD):
        assert why_not(site, replace(FINE, stock=Stock(problem="no answer in time"))) == (
            "its stock could not be read: no answer in time",
        )


@pytest.mark.parametrize(
    "stock",
    [
        Stock(),
        replace(STOCK, quota=None),
        replace(STOCK, images=None),
        replace(STOCK, archive=None),
    ],
)
def test_11_stock_that_is_not_known_is_not_taken_for_gone_nor_for_there(stock: Stock) -> None:
    (reason,) = why_not(COLD, replace(FINE, stock=stock))
    assert reason.endswith("is not known")
    for site in (HOT, GIVEN, GIVEN_COLD):
        assert why_not(site, replace(FINE, stock=stock)) == ()


def test_12_everything_that_is_missing_is_named() -> None:
    stock = Stock(quota=Quota(nodes_max=4, nodes_used=4), images=frozenset({"debian-11"}), archive=False)
    assert why_not(COLD, replace(NO_NODES, stock=stock)) == (
        "the release archive is not in its depot, or is damaged",
        "image debian-12 does not exist there",
        "1 more nodes are needed, the quota leaves 0",
    )


@pytest.mark.parametrize(("maximum", "used", "ready"), [(None, 9, True), (2, 1, True), (2, 2, False), (2, 5, False)])
def test_13_the_quota_must_leave_room_for_the_full_count(maximum: int | None, used: int, ready: bool) -> None:
    facts = replace(NO_NODES, stock=replace(STOCK, quota=Quota(nodes_max=maximum, nodes_used=used)))
    assert (why_not(COLD, facts) == ()) is ready


def test_14_nodes_that_are_there_need_no_more_quota() -> None:
    facts = replace(FINE, stock=replace(STOCK, quota=Quota(nodes_max=1, nodes_used=1)))
    assert why_not(WARM, facts) == ()
    assert why_not(WARM, replace(facts, nodes=None)) == ("1 more nodes are needed, the quota leaves 0",)


def test_15_without_a_check_nothing_is_proven() -> None:
    found = readiness(replace(SERVICE, checks=()), HOT, NO_NODES, (DIGEST,))
    assert found.reasons == ("the config has no check that could prove it",)


def test_16_a_service_of_two_groups_asks_for_both_images() -> None:
    two = replace(SERVICE, groups=(WEB, replace(WEB, name="api", image="debian-13")), checks=(HTTP,))
    assert readiness(two, COLD, FINE, (DIGEST,)).reasons == ("image debian-13 does not exist there",)


def test_digests_are_shortened_for_people() -> None:
    assert short(Release(digest=DIGEST, command="").digest) == "aaaaaaaaaaaa"
    assert short(None) == "unknown"
