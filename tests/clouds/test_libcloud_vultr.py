"""Vultr passes the common suite against its stand-in, at once and with delays, and does what only it needs."""

from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from failover.clouds.libcloud import LibcloudCloud
from failover.clouds.libcloud_vultr import Vultr as Dialect
from failover.clouds.table import Cloud, factory
from failover.core.firewall import Firewall, drift
from failover.core.model import NodeState, Reading
from failover.core.reading import Signal
from failover.errors import Rejected, Unreadable
from failover.ports import Account
from failover.testing.clouds import SERVICE, SITE
from tests.clouds.libcloud_support import IMAGES, LATE, Shelf, WordlessSuite, made, wish
from tests.policies import scopes
from tests.standins.base import Fault, Pace
from tests.standins.vultr import Vultr
from tests.standins.vultr.catalog import PLANS

TOKEN = "vultr-standin"
REGION = "fra"


def cloud_at(standin: Vultr, shelf: Shelf | None = None, **limits: float) -> LibcloudCloud:
    return made(Dialect(token=TOKEN, region=REGION, endpoint=standin.url), shelf, REGION, **limits)


class TestVultr(WordlessSuite):
    """A closed account is a refusal like any other."""

    def opened(self, **options: Any) -> Vultr:
        return Vultr(token=TOKEN, **options)

    def cloud_at(self, standin: Vultr, shelf: Shelf) -> Cloud:
        return cloud_at(standin, shelf)

    @pytest.fixture
    def reader(self, standin: Vultr) -> Iterator[Account]:
        token = standin.grant("reads-only", *scopes("vultr")["watch"])
        cloud = made(Dialect(token=token, region=REGION, endpoint=standin.url), None, REGION)
        yield cloud
        cloud.close()


class TestVultrWithDelays(TestVultr):
    """New instances are listed late and have addresses later."""

    pace = LATE


# ------------------------------------------------------------------------------------ what only Vultr needs


@pytest.fixture
def standin() -> Iterator[Vultr]:
    with Vultr(token=TOKEN, page_max=2, pace=Pace(addressed=0, running=0)) as standin:
        yield standin


@pytest.fixture
def cloud(standin: Vultr) -> Iterator[LibcloudCloud]:
    cloud = cloud_at(standin)
    yield cloud
    cloud.close()


def test_an_instance_carries_user_data_tags_and_the_firewall(standin: Vultr, cloud: LibcloudCloud) -> None:
    cloud.firewall(SERVICE, SITE, (8080,))
    node = cloud.ensure(wish())
    (instance,) = standin.instances.values()
    assert b64decode(instance.user_data).decode() == wish().user_data
    assert set(instance.tags) == {f"{key}:{value}" for key, value in wish().labels.items()}
    assert instance.firewall in standin.groups
    assert (instance.hostname, instance.system) == (wish().name, 2136)
    assert node.addresses == (instance.v4, instance.v6)


def test_a_pending_address_is_none(standin: Vultr, cloud: LibcloudCloud) -> None:
    standin.pace = Pace(addressed=1000, running=1000)
    node = cloud.ensure(wish())
    assert (node.state, node.addresses) == (NodeState.PENDING, ())


def test_an_instance_that_is_still_being_made_is_destroyed_when_it_can_be(standin: Vultr, cloud: LibcloudCloud) -> None:
    """Vultr refuses with 500, as if it were out of order: the instance would be left, and cost."""
    standin.pace = Pace(addressed=6, running=14)
    node = cloud.ensure(wish())
    cloud.destroy(node)
    assert standin.node_ids() == ()


def test_an_outage_is_not_waited_out_as_a_lock_is(standin: Vultr, cloud: LibcloudCloud) -> None:
    node = cloud.ensure(wish())
    standin.fault("^DELETE /v2/instances/", Fault.BROKEN, times=None)
    with pytest.raises(Unreadable):
        cloud.destroy(node)


def test_sizes_without_ipv4_are_not_for_us(standin: Vultr) -> None:
    cloud = made(Dialect(token=TOKEN, region="ewr", endpoint=standin.url), None, "ewr")
    prices = {size.name: size.price_per_hour for size in cloud.sizes()}
    assert "vc2-1c-0.5gb-v6" not in prices
    assert prices["vc2-1c-1gb"] == 0.007
    cloud.ensure(wish())
    assert [instance.plan for instance in standin.instances.values()] == ["vc2-1c-1gb"]
    cloud.close()


def test_a_price_by_the_month_is_one_by_the_hour(
    standin: Vultr, cloud: LibcloudCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = {key: value for key, value in PLANS["vc2-1c-1gb"].items() if key != "hourly_cost"}
    monkeypatch.setitem(PLANS, "vc2-1c-1gb", plan)
    (price,) = [size.price_per_hour for size in cloud.sizes() if size.name == "vc2-1c-1gb"]
    assert price == pytest.approx(5 / 730)


def test_a_region_that_does_not_exist_is_told(standin: Vultr) -> None:
    cloud = made(Dialect(token=TOKEN, region="atl", endpoint=standin.url), None, "atl")
    with pytest.raises(Rejected, match="nothing can be had in atl, but in ams, ewr, fra"):
        cloud.sizes()
    cloud.close()


def test_a_firewall_is_changed_rule_by_rule(standin: Vultr, cloud: LibcloudCloud) -> None:
    cloud.firewall(SERVICE, SITE, (8080, 22))
    cloud.firewall(SERVICE, SITE, (8080, 443))
    (group,) = standin.groups.values()
    rules = {(r["ip_type"], r["port"], r["subnet"], r["subnet_size"]) for r in group.rules.values()}
    assert rules == {(f, p, s, 0) for f, s in (("v4", "0.0.0.0"), ("v6", "::")) for p in ("8080", "443")}
    changes = standin.count("^(POST|PUT|DELETE) ")
    cloud.firewall(SERVICE, SITE, (443, 8080))
    assert standin.count("^(POST|PUT|DELETE) ") == changes
    cloud.clear(SERVICE, SITE)
    assert not standin.groups


def test_an_instance_without_a_firewall_gets_the_new_one(standin: Vultr, cloud: LibcloudCloud) -> None:
    """It stood there before, or somebody deleted the group: without one every port is open."""
    first, second = cloud.ensure(wish()), cloud.ensure(wish(1))
    other = cloud.ensure(replace(wish(2), site="boreas", name="guestbook-boreas-web-2"))
    standin.instances[second.id].firewall = "theirs"
    assert cloud.firewall_now(SERVICE, SITE) == Firewall(outside=(first.name,))
    cloud.firewall(SERVICE, SITE, (8080,))
    assert cloud.firewall_now(SERVICE, SITE).outside == ()
    (group,) = standin.groups.values()
    found = [standin.instances[node.id].firewall for node in (first, second, other)]
    assert found == [group.id, "theirs", ""]
    changes = standin.count("^(POST|PUT|PATCH|DELETE) ")
    cloud.firewall(SERVICE, SITE, (8080,))
    assert standin.count("^(POST|PUT|PATCH|DELETE) ") == changes


def test_a_rule_for_others_than_a_network_is_told_by_their_name(standin: Vultr, cloud: LibcloudCloud) -> None:
    cloud.firewall(SERVICE, SITE, (8080,))
    (group,) = standin.groups.values()
    group.rules[9] = {**group.rules[1], "id": 9, "subnet": "", "source": "cloudflare", "port": "9000:9100"}
    assert drift(cloud.firewall_now(SERVICE, SITE), [8080]) == ("tcp 9000-9100 is open to cloudflare",)
    cloud.firewall(SERVICE, SITE, (8080,))
    assert 9 not in group.rules


def test_our_new_address_is_no_closed_account(standin: Vultr, cloud: LibcloudCloud) -> None:
    standin.allowed_addresses = set()
    report = cloud.state()
    assert report.reading is Reading.REFUSED
    assert {signal.signal for signal in report.signals} == {Signal.PERMISSION}


def test_a_suspended_instance_is_stopped(standin: Vultr, cloud: LibcloudCloud) -> None:
    cloud.ensure(wish())
    standin.open_when_closed = "^GET "
    standin.close("abuse")
    assert cloud.nodes(SERVICE, SITE)[0].state is NodeState.STOPPED


def test_it_is_built_from_what_a_config_says(standin: Vultr) -> None:
    cloud = factory("vultr")(name="v", region=REGION, token=TOKEN, images=IMAGES, endpoint=standin.url)
    assert cloud.state().reading is Reading.ACTIVE
