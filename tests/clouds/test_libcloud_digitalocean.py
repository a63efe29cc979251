"""DigitalOcean passes the common suite against its stand-in, at once and with delays, and does what only it needs."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from failover.clouds.libcloud import LibcloudCloud
from failover.clouds.libcloud_digitalocean import DigitalOcean as Dialect
from failover.clouds.table import Cloud, factory
from failover.core.firewall import drift
from failover.core.model import Reading
from failover.errors import Conflict, Rejected, TimedOut
from failover.ports import Account
from failover.testing.clouds import SERVICE, SITE
from tests.clouds.libcloud_support import IMAGES, LATE, Shelf, StandInSuite, made, wish
from tests.policies import scopes
from tests.standins.base import Pace
from tests.standins.digitalocean import DigitalOcean

TOKEN = "dop-v1-standin"
REGION = "fra1"


def cloud_at(standin: DigitalOcean, shelf: Shelf | None = None, **limits: float) -> LibcloudCloud:
    return made(Dialect(token=TOKEN, region=REGION, endpoint=standin.url), shelf, REGION, **limits)


class TestDigitalOcean(StandInSuite):
    """Its API has a word for everything."""

    def opened(self, **options: Any) -> DigitalOcean:
        return DigitalOcean(token=TOKEN, **options)

    def cloud_at(self, standin: DigitalOcean, shelf: Shelf) -> Cloud:
        return cloud_at(standin, shelf)

    @pytest.fixture
    def reader(self, standin: DigitalOcean) -> Iterator[Account]:
        token = standin.grant("reads-only", *scopes("digitalocean")["watch"])
        cloud = made(Dialect(token=token, region=REGION, endpoint=standin.url), None, REGION)
        yield cloud
        cloud.close()


class TestDigitalOceanWithDelays(TestDigitalOcean):
    """New droplets are listed late and have addresses later."""

    pace = LATE


# ------------------------------------------------------------------------------------ what only DigitalOcean needs


@pytest.fixture
def standin() -> Iterator[DigitalOcean]:
    with DigitalOcean(token=TOKEN, page_max=2, pace=Pace(addressed=0, running=0)) as standin:
        yield standin


@pytest.fixture
def cloud(standin: DigitalOcean) -> Iterator[LibcloudCloud]:
    cloud = cloud_at(standin)
    yield cloud
    cloud.close()


def test_a_droplet_carries_user_data_tags_and_both_families(standin: DigitalOcean, cloud: LibcloudCloud) -> None:
    node = cloud.ensure(wish())
    (droplet,) = standin.droplets.values()
    assert droplet.user_data == wish().user_data
    assert "failover-nodes:guestbook:aurora" in droplet.tags
    assert {f"{key}:{value}" for key, value in wish().labels.items()} < set(droplet.tags)
    assert [":" in address for address in cloud.nodes(SERVICE, SITE)[0].addresses] == [False, True]
    assert node.addresses == (droplet.v4, droplet.v6)


def test_nothing_is_sent_that_the_document_does_not_speak_of(standin: DigitalOcean, cloud: LibcloudCloud) -> None:
    cloud.state(), cloud.images(), cloud.sizes(), cloud.quota()
    cloud.firewall(SERVICE, SITE, (22, 8080))
    cloud.destroy(cloud.ensure(wish()))
    cloud.clear(SERVICE, SITE)
    assert standin.undeclared == set()
    assert standin.refusals == []


def test_the_cheapest_size_of_the_region_is_taken(standin: DigitalOcean, cloud: LibcloudCloud) -> None:
    cloud.ensure(replace(wish(), cpus=2, memory_mib=4096))
    assert [droplet.size for droplet in standin.droplets.values()] == ["s-2vcpu-4gb"]
    prices = {size.name: size.price_per_hour for size in cloud.sizes()}
    assert prices["s-1vcpu-1gb"] == pytest.approx(0.00893)
    assert not [name for name in prices if name.endswith(("sold-out", "far"))]


@pytest.mark.parametrize("region", ["sgp1", "atlantis1"])
def test_a_region_where_nothing_can_be_had_is_told(standin: DigitalOcean, region: str) -> None:
    cloud = made(Dialect(token=TOKEN, region=region, endpoint=standin.url), None, region)
    with pytest.raises(Rejected, match=f"nothing can be had in {region}, but in ams3, fra1, nyc3"):
        cloud.sizes()
    cloud.close()


def test_a_firewall_follows_the_tag_and_is_changed_in_place(standin: DigitalOcean, cloud: LibcloudCloud) -> None:
    cloud.firewall(SERVICE, SITE, (8080,))
    cloud.firewall(SERVICE, SITE, (22, 443))
    (firewall,) = standin.firewalls.values()
    assert firewall.rules["tags"] == ["failover-nodes:guestbook:aurora"]
    everywhere = {"addresses": ["0.0.0.0/0", "::/0"]}
    assert [(r["protocol"], r["ports"], r["sources"]) for r in firewall.rules["inbound_rules"]] == [
        ("tcp", "22", everywhere),
        ("tcp", "443", everywhere),
    ]
    assert {r["protocol"] for r in firewall.rules["outbound_rules"]} == {"tcp", "udp", "icmp"}
    changes = standin.count("^(POST|PUT) ")
    cloud.firewall(SERVICE, SITE, (443, 22))
    assert standin.count("^(POST|PUT) ") == changes
    cloud.clear(SERVICE, SITE)
    assert not standin.firewalls
    assert "failover-nodes:guestbook:aurora" not in standin.tags


def test_a_firewall_that_lets_in_only_some_is_no_firewall_that_lets_in_all(
    standin: DigitalOcean, cloud: LibcloudCloud
) -> None:
    """And what somebody put behind it by hand stays behind it."""
    cloud.firewall(SERVICE, SITE, (8080,))
    (firewall,) = standin.firewalls.values()
    theirs = int(standin.foreign("theirs"))
    firewall.rules["droplet_ids"] = [theirs]
    some = {"addresses": ["192.0.2.0/24"], "droplet_ids": [theirs], "load_balancer_uids": ["lb-1"]}
    firewall.rules["inbound_rules"] = [
        {"protocol": "tcp", "ports": "8080", "sources": some},
        {"protocol": "udp", "ports": "0", "sources": {"tags": ["production"], "kubernetes_ids": ["k-1"]}},
    ]
    assert drift(cloud.firewall_now(SERVICE, SITE), [8080]) == (
        "port 8080 is closed",
        f"port 8080 is open to 192.0.2.0/24 and droplet {theirs} and load balancer lb-1",
        "udp is open to cluster k-1 and tag production",
    )
    cloud.firewall(SERVICE, SITE, (8080,))
    assert drift(cloud.firewall_now(SERVICE, SITE), [8080]) == ()
    assert firewall.rules["droplet_ids"] == [theirs]
    assert firewall.rules["tags"] == ["failover-nodes:guestbook:aurora"]


@pytest.mark.parametrize("gone", [0, 4])
def test_tags_that_nothing_carries_any_more_are_cleared(standin: DigitalOcean, cloud: LibcloudCloud, gone: int) -> None:
    """A tag is an object of the account: it stays when its droplets go, one more with each release."""
    standin.pace = Pace(addressed=0, running=0, gone=gone)
    standin.tags |= {"production", "failover", "failover-site:elsewhere", "failover-spec:followed"}
    cloud.firewall(SERVICE, SITE, (8080,))
    node, other = cloud.ensure(wish()), cloud.ensure(replace(wish(1), site="boreas", name="guestbook-boreas-web-1"))
    (firewall,) = standin.firewalls.values()
    standin.firewalls["theirs"] = replace(
        firewall, id="theirs", rules={**firewall.rules, "name": "theirs", "tags": ["failover-spec:followed"]}
    )
    kept = set(standin.droplets[int(other.id)].tags)
    cloud.destroy(node)
    cloud.clear(SERVICE, SITE)
    foreign = {"production", "failover", "failover-site:elsewhere", "failover-spec:followed"}
    assert standin.tags == kept | foreign
    assert set(standin.droplets[int(other.id)].tags) == kept
    cloud.destroy(other)
    cloud.clear(SERVICE, "boreas")
    assert standin.tags == foreign
    assert standin.undeclared == set()


def test_a_droplet_is_destroyed_when_it_is_gone_and_no_sooner(standin: DigitalOcean, cloud: LibcloudCloud) -> None:
    """Its request to delete is answered at once, and may come to nothing: the droplet would run, and cost, for good."""
    standin.pace = Pace(addressed=0, running=0, gone=6)
    node = cloud.ensure(wish())
    standin.deaf_to_deletes = 2
    cloud.destroy(node)
    assert standin.node_ids() == ()
    assert cloud.nodes(SERVICE, SITE) == ()
    again = cloud.ensure(wish())
    assert again.id != node.id, "the old one is none, also where a list still showed it"


def test_a_droplet_that_does_not_go_is_said(standin: DigitalOcean) -> None:
    cloud = cloud_at(standin, deadline_s=1.0)
    node = cloud.ensure(wish())
    standin.deaf_to_deletes = 10_000
    with pytest.raises(TimedOut, match="destroy node guestbook-aurora-web-0"):
        cloud.destroy(node)
    assert [found.id for found in cloud.nodes(SERVICE, SITE)] == [node.id]
    cloud.close()


def test_a_firewall_of_somebody_else_is_left_alone(standin: DigitalOcean, cloud: LibcloudCloud) -> None:
    cloud.firewall(SERVICE, SITE, (8080,))
    (firewall,) = standin.firewalls.values()
    firewall.rules["tags"] = []
    with pytest.raises(Conflict):
        cloud.firewall(SERVICE, SITE, (22,))
    with pytest.raises(Conflict):
        cloud.clear(SERVICE, SITE)
    assert list(standin.firewalls) == [firewall.id]


def test_a_busy_droplet_is_waited_for(standin: DigitalOcean, cloud: LibcloudCloud) -> None:
    node = cloud.ensure(wish())
    standin.halt(node.id)
    standin.droplets[int(node.id)].busy_until = standin.ticks + 4
    cloud.ensure(wish())
    standin.droplets[int(node.id)].busy_until = standin.ticks + 4
    cloud.destroy(node)
    assert standin.node_ids() == ()


def test_the_oracle_is_believed(standin: DigitalOcean, cloud: LibcloudCloud) -> None:
    standin.close("terms of service")
    report = cloud.state()
    assert (report.reading, report.code, report.message) == (Reading.CLOSED, "locked", "terms of service")
    assert [signal.service for signal in report.signals] == ["account", "droplets", "firewalls"]


def test_it_is_built_from_what_a_config_says(standin: DigitalOcean) -> None:
    cloud = factory("digitalocean")(name="do", region=REGION, token=TOKEN, images=IMAGES, endpoint=standin.url)
    assert cloud.state().reading is Reading.ACTIVE
    with pytest.raises(Rejected, match="no depot"):
        cloud.list()
