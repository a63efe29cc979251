"""Linode passes the common suite against its stand-in, at once and with delays, and does what only it needs."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from failover.clouds.images import ImageTable
from failover.clouds.libcloud import LibcloudCloud
from failover.clouds.libcloud_linode import Linode as Dialect
from failover.clouds.table import Cloud, factory
from failover.core.firewall import drift
from failover.core.model import NodeSpec, NodeState, Reading
from failover.errors import AccessRefused, Rejected
from failover.net.archive import Packed
from failover.ports import Account
from failover.testing.clouds import REASON, SERVICE, SITE, Operator
from tests.clouds.libcloud_support import IMAGES, LATE, Shelf, StandInSuite, made, wish
from tests.policies import scopes
from tests.standins.base import Pace
from tests.standins.linode import LinodeStandIn
from tests.standins.linode.firewalls import Firewall

TOKEN = "linode-standin"
REGION = "eu-central"


def cloud_at(standin: LinodeStandIn, shelf: Shelf | None = None, **limits: float) -> LibcloudCloud:
    return made(Dialect(token=TOKEN, region=REGION, endpoint=standin.url), shelf, REGION, **limits)


class TestLinode(StandInSuite):
    """A closed account is told by its servers only."""

    def opened(self, **options: Any) -> LinodeStandIn:
        return LinodeStandIn(token=TOKEN, **options)

    def cloud_at(self, standin: LinodeStandIn, shelf: Shelf) -> Cloud:
        return cloud_at(standin, shelf)

    @pytest.fixture
    def reader(self, standin: LinodeStandIn) -> Iterator[Account]:
        token = standin.grant("reads-only", *scopes("linode")["watch"])
        cloud = made(Dialect(token=token, region=REGION, endpoint=standin.url), None, REGION)
        yield cloud
        cloud.close()

    def test_a_closed_account_says_so_and_refuses_everything(
        self, cloud: Cloud, operator: Operator, stocked: Packed
    ) -> None:
        """Linode says so by its servers only, whose list can still be read."""
        cloud.ensure(self.spec(stocked))
        (made,) = self.running(cloud, 1)
        operator.close(REASON)
        assert cloud.state().reading is Reading.CLOSED
        (listed,) = cloud.nodes(SERVICE, SITE)
        assert (listed.id, listed.state) == (made.id, NodeState.STOPPED)
        calls: tuple[Callable[[], object], ...] = (
            cloud.images,
            cloud.sizes,
            lambda: cloud.ensure(self.spec(stocked, 1)),
            lambda: cloud.firewall(SERVICE, SITE, (8080,)),
            lambda: cloud.put(stocked.digest, stocked.archive),
        )
        for call in calls:
            with pytest.raises(AccessRefused):
                call()


class TestLinodeWithDelays(TestLinode):
    """New Linodes are listed late and have addresses later; the account allows interfaces of their own only."""

    pace = LATE

    def opened(self, **options: Any) -> LinodeStandIn:
        made = super().opened(**options)
        made.new_interfaces = "linode_only"
        return made


# ------------------------------------------------------------------------------------ what only Linode needs


@pytest.fixture
def standin() -> Iterator[LinodeStandIn]:
    with LinodeStandIn(token=TOKEN, page_max=2, pace=Pace(addressed=0, running=0)) as standin:
        yield standin


@pytest.fixture
def cloud(standin: LinodeStandIn) -> Iterator[LibcloudCloud]:
    cloud = cloud_at(standin)
    yield cloud
    cloud.close()


SETTINGS = (
    "legacy_config_only",
    "legacy_config_default_but_linode_allowed",
    "linode_default_but_legacy_config_allowed",
    "linode_only",
)


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_linode_carries_user_data_tags_and_the_firewall(
    standin: LinodeStandIn, cloud: LibcloudCloud, setting: str
) -> None:
    """Whatever the account says of interfaces for new Linodes."""
    standin.new_interfaces = setting
    cloud.firewall(SERVICE, SITE, (8080,))
    node = cloud.ensure(wish())
    (linode,) = standin.linodes.values()
    (firewall,) = standin.firewalls.values()
    assert linode.user_data.decode() == wish().user_data
    assert set(linode.tags) == {f"{key}:{value}" for key, value in wish().labels.items()}
    assert list(firewall.devices.values()) == [linode.id]
    assert node.addresses == (linode.v4, linode.v6)
    assert (linode.interface is not None) == (setting == "linode_only")
    assert cloud.firewall_now(SERVICE, SITE).outside == ()
    (created,) = [call.document for call in standin.requests if call.method == "POST" and "instances" in call.path]
    assert len(created["root_pass"]) > 50


@pytest.mark.parametrize("setting", SETTINGS[1::2])
def test_a_linode_without_a_firewall_gets_the_new_one(
    standin: LinodeStandIn, cloud: LibcloudCloud, setting: str
) -> None:
    """It stood there before, or somebody deleted the firewall: without one every port is open."""
    standin.new_interfaces = setting
    first, second = cloud.ensure(wish()), cloud.ensure(wish(1))
    cloud.ensure(replace(wish(2), site="boreas", name="guestbook-boreas-web-2"))
    theirs = standin.linodes[int(second.id)]
    rules = {"inbound": [], "inbound_policy": "DROP", "outbound": [], "outbound_policy": "ACCEPT"}
    standin.firewalls[7] = Firewall(id=7, label="theirs", made=0, rules=rules, tags=[], devices={8: theirs.id})
    assert cloud.firewall_now(SERVICE, SITE).outside == (first.name,)
    cloud.firewall(SERVICE, SITE, (8080,))
    assert cloud.firewall_now(SERVICE, SITE).outside == ()
    (ours,) = [firewall for firewall in standin.firewalls.values() if firewall.id != 7]
    assert list(ours.devices.values()) == [int(first.id)]
    changes = standin.count("^(POST|PUT) ")
    cloud.firewall(SERVICE, SITE, (8080,))
    assert standin.count("^(POST|PUT) ") == changes


def silent(shown: dict[str, Any]) -> dict[str, Any]:
    """As before firewalls told what they stand before."""
    return {key: value for key, value in shown.items() if key != "entities"}


def by_interface(shown: dict[str, Any]) -> dict[str, Any]:
    """As for a Linode with Linode interfaces, of which each has its firewall (API reference, "List firewalls")."""
    own = [{**entity, "id": 9, "type": "linode_interface", "parent_entity": entity} for entity in shown["entities"]]
    return {**shown, "entities": own}


@pytest.mark.parametrize("told", [silent, by_interface])
def test_whoever_stands_behind_a_firewall_is_left_where_it_is(
    standin: LinodeStandIn,
    cloud: LibcloudCloud,
    monkeypatch: pytest.MonkeyPatch,
    told: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    shown = standin._wall
    monkeypatch.setattr(standin, "_wall", lambda firewall: told(shown(firewall)))
    first = cloud.ensure(wish())
    assert cloud.firewall_now(SERVICE, SITE).outside == (first.name,)
    cloud.firewall(SERVICE, SITE, (8080,))
    cloud.ensure(wish(1))
    assert cloud.firewall_now(SERVICE, SITE).outside == ()
    changes = standin.count("^(POST|PUT) ")
    cloud.firewall(SERVICE, SITE, (8080,))
    assert standin.count("^(POST|PUT) ") == changes


def test_rules_of_others_that_name_a_set_are_no_trouble(standin: LinodeStandIn, cloud: LibcloudCloud) -> None:
    """Such a rule has neither action nor protocol; every firewall of the account is read to find ours."""
    rules = {"inbound": [{"ruleset": 3}], "inbound_policy": "DROP", "outbound": [], "outbound_policy": "ACCEPT"}
    standin.firewalls[7] = Firewall(id=7, label="theirs", made=0, rules=rules, tags=[])
    cloud.firewall(SERVICE, SITE, (8080,))
    assert drift(cloud.firewall_now(SERVICE, SITE), [8080]) == ()


def test_who_may_not_see_the_settings_of_the_account_asks_for_what_most_allow(
    standin: LinodeStandIn, cloud: LibcloudCloud
) -> None:
    wanted = {"linodes:read_write", "firewall:read_write", "images:read_only"}
    token = standin.grant("without-account", *wanted)
    restricted = made(Dialect(token=token, region=REGION, endpoint=standin.url), None, REGION)
    assert restricted.ensure(wish()).name == wish().name
    restricted.close()


DROPPING = {"action": "DROP", "protocol": "TCP", "ports": "8080", "addresses": {"ipv4": ["192.0.2.0/24"]}}
ICMP = {"action": "ACCEPT", "protocol": "ICMP", "addresses": {"ipv4": ["192.0.2.0/24"], "ipv6": None}}
CHANGES: dict[str, tuple[Callable[[Firewall], object], str]] = {
    "switched off": (lambda wall: setattr(wall, "status", "disabled"), "everything is open to everybody"),
    "lets in by default": (lambda wall: wall.rules.update(inbound_policy="ACCEPT"), "everything is open to everybody"),
    "drops first": (lambda wall: wall.rules["inbound"].insert(0, DROPPING), "port 8080 is closed"),
    "more": (lambda wall: wall.rules["inbound"].append(ICMP), "icmp is open to 192.0.2.0/24"),
    "less": (lambda wall: wall.rules["inbound"][0]["addresses"].pop("ipv6"), "port 8080 is closed over IPv6"),
    "a range": (
        lambda wall: wall.rules["inbound"][0].update(ports="22, 8080-8081"),
        "tcp 8080-8081 is open to everybody",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_firewall_that_was_changed_in_any_way_is_put_right(
    standin: LinodeStandIn, cloud: LibcloudCloud, change: str
) -> None:
    cloud.firewall(SERVICE, SITE, (8080,))
    (firewall,) = standin.firewalls.values()
    spoil, told = CHANGES[change]
    spoil(firewall)
    assert told in drift(cloud.firewall_now(SERVICE, SITE), [8080])
    cloud.firewall(SERVICE, SITE, (8080,))
    assert drift(cloud.firewall_now(SERVICE, SITE), [8080]) == ()
    assert firewall.status == "enabled"


def test_private_addresses_are_not_shown(standin: LinodeStandIn, cloud: LibcloudCloud) -> None:
    cloud.ensure(wish())
    (linode,) = standin.linodes.values()
    linode.private = "192.168.128.9"
    assert "192.168.128.9" not in cloud.nodes(SERVICE, SITE)[0].addresses


def test_disks_are_told_in_mb_and_prices_by_region(standin: LinodeStandIn, cloud: LibcloudCloud) -> None:
    nanode = next(size for size in cloud.sizes() if size.name == "g6-nanode-1")
    assert (nanode.disk_gib, nanode.memory_mib, nanode.price_per_hour) == (25, 1024, 0.0075)
    assert "g7-premium-2" not in {size.name for size in cloud.sizes()}
    brazil = made(Dialect(token=TOKEN, region="br-gru", endpoint=standin.url), None, "br-gru")
    dearer = next(size for size in brazil.sizes() if size.name == "g6-nanode-1")
    assert dearer.price_per_hour == pytest.approx(0.0105)
    brazil.close()


def test_a_region_that_does_not_exist_is_told(standin: LinodeStandIn) -> None:
    cloud = made(Dialect(token=TOKEN, region="atlantis", endpoint=standin.url), None, "atlantis")
    with pytest.raises(Rejected, match="no region atlantis"):
        cloud.sizes()
    cloud.close()


def test_a_region_where_nodes_get_no_user_data_is_told(standin: LinodeStandIn) -> None:
    cloud = made(Dialect(token=TOKEN, region="ap-west", endpoint=standin.url), None, "ap-west")
    with pytest.raises(Rejected, match="nodes in ap-west cannot be given user-data"):
        cloud.sizes()
    cloud.close()


def test_an_image_without_cloud_init_is_none(standin: LinodeStandIn, tmp_path: Path) -> None:
    table = tmp_path / "images.toml"
    table.write_text('[bare]\nlinode = { id = "linode/alpine3.19" }\n[mine]\nlinode = { id = "linode/debian13" }\n')
    images = ImageTable.load(table)
    cloud = factory("linode")(name="l", region=REGION, token=TOKEN, images=images, endpoint=standin.url)
    assert "mine" in cloud.images()
    assert "bare" not in cloud.images()


def test_what_is_deprecated_is_no_image(cloud: LibcloudCloud) -> None:
    assert cloud.images() == {"debian-12", "debian-13", "ubuntu-22.04", "ubuntu-24.04"}


def test_a_firewall_takes_many_ports_and_is_changed_in_place(standin: LinodeStandIn, cloud: LibcloudCloud) -> None:
    long = f"{SERVICE}-of-the-lighthouse"
    cloud.firewall(long, SITE, (8080,))
    cloud.firewall(long, SITE, range(8000, 8020))
    (firewall,) = standin.firewalls.values()
    rules = firewall.rules["inbound"]
    assert [len(rule["ports"].split(",")) for rule in rules] == [15, 5]
    assert all(rule["addresses"] == {"ipv4": ["0.0.0.0/0"], "ipv6": ["::/0"]} for rule in rules)
    assert (firewall.rules["inbound_policy"], firewall.rules["outbound_policy"]) == ("DROP", "ACCEPT")
    assert firewall.label.startswith("guestbook-of-the")
    assert len(firewall.label) <= 32
    changes = standin.count("^(POST|PUT) ")
    cloud.firewall(long, SITE, range(8000, 8020))
    assert standin.count("^(POST|PUT) ") == changes
    cloud.clear(long, SITE)
    assert not standin.firewalls


@pytest.mark.parametrize(
    ("spec", "part"),
    [
        (replace(wish(), name="x" * 65), "label"),
        (replace(wish(), group="g" * 40), "tag"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_is_sent(
    standin: LinodeStandIn, cloud: LibcloudCloud, spec: NodeSpec, part: str
) -> None:
    with pytest.raises(Rejected, match=f"give a {part}"):
        cloud.ensure(spec)
    assert standin.count("^POST ") == 0


def test_what_linode_wants_paid_is_a_warning(standin: LinodeStandIn, cloud: LibcloudCloud) -> None:
    standin.warn("Your payment is past due.")
    report = cloud.state()
    assert (report.reading, report.code, report.message) == (Reading.WARNED, "payment_due", "Your payment is past due.")


def test_a_suspended_linode_is_the_closed_account(standin: LinodeStandIn, cloud: LibcloudCloud) -> None:
    cloud.ensure(wish())
    standin.close("unpaid")
    report = cloud.state()
    assert (report.reading, report.code) == (Reading.CLOSED, "billing_suspension")


def test_it_is_built_from_what_a_config_says(standin: LinodeStandIn) -> None:
    cloud = factory("linode")(name="l", region=REGION, token=TOKEN, images=IMAGES, endpoint=standin.url)
    assert cloud.state().reading is Reading.ACTIVE
