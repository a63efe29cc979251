"""OpenStack passes the common suite against its stand-in, at once and with delays, and does what only it needs."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from failover.clouds.libcloud import LibcloudCloud
from failover.clouds.libcloud_keystone import Tokens
from failover.clouds.libcloud_openstack import OpenStack as Dialect
from failover.clouds.table import Cloud, factory
from failover.core.firewall import Firewall, drift
from failover.core.model import NodeState, Reading
from failover.errors import AccessRefused, Rejected
from failover.ports import Account
from failover.testing.clouds import SERVICE, SITE
from tests.clouds.libcloud_support import IMAGES, LATE, Shelf, WordlessSuite, made, wish
from tests.policies import scopes
from tests.standins.base import Pace
from tests.standins.openstack import OpenStack

PASSWORD = "open sesame"
REGION = "GRA11"


def dialect_at(standin: OpenStack) -> Dialect:
    return Dialect(auth_url=standin.auth_url, project="p1", username="operator", password=PASSWORD, region=REGION)


def cloud_at(standin: OpenStack, shelf: Shelf | None = None, **limits: float) -> LibcloudCloud:
    return made(dialect_at(standin), shelf, REGION, **limits)


class TestOpenStack(WordlessSuite):
    """keystone alone says that a project is closed, and only about a token from before."""

    closed = Reading.CLOSED

    def opened(self, **options: Any) -> OpenStack:
        return OpenStack(token=PASSWORD, **options)

    def cloud_at(self, standin: OpenStack, shelf: Shelf) -> Cloud:
        return cloud_at(standin, shelf)

    @pytest.fixture
    def reader(self, standin: OpenStack) -> Iterator[Account]:
        password = standin.grant("reads only", *scopes("openstack")["watch"])
        cloud = made(replace(dialect_at(standin), password=password, tokens=Tokens()), None, REGION)
        yield cloud
        cloud.close()


class TestOpenStackWithDelays(TestOpenStack):
    """New servers are listed late and have addresses later."""

    pace = LATE


# ------------------------------------------------------------------------------------ what only OpenStack needs


@pytest.fixture
def standin() -> Iterator[OpenStack]:
    with OpenStack(token=PASSWORD, page_max=2, pace=Pace(addressed=0, running=0)) as standin:
        yield standin


@pytest.fixture
def cloud(standin: OpenStack) -> Iterator[LibcloudCloud]:
    cloud = cloud_at(standin)
    yield cloud
    cloud.close()


def test_a_server_carries_user_data_metadata_and_its_group(standin: OpenStack, cloud: LibcloudCloud) -> None:
    cloud.firewall(SERVICE, SITE, (8080,))
    node = cloud.ensure(wish())
    assert (node.state, node.addresses) == (NodeState.PENDING, ())  # nova tells the id alone
    (server,) = standin.servers.values()
    assert server.user_data == wish().user_data
    assert server.metadata == wish().labels
    assert [standin.groups[id]["name"] for id in server.groups] == ["failover-nodes:guestbook:aurora"]
    (listed,) = cloud.nodes(SERVICE, SITE)
    assert [":" in address for address in listed.addresses] == [False, True]


def test_the_newest_active_image_and_the_smallest_size_are_taken(standin: OpenStack, cloud: LibcloudCloud) -> None:
    cloud.ensure(wish())
    (server,) = standin.servers.values()
    image = next(image for image in standin.images if image["id"] == server.image)
    assert (image["name"], image["created_at"]) == ("Debian 12", "2026-09-01T10:00:00Z")
    assert server.flavor["name"] == "d2-2"
    assert {size.price_per_hour for size in cloud.sizes()} == {None}
    assert cloud.images() == {"debian-12", "debian-13", "ubuntu-22.04", "ubuntu-24.04"}


def test_a_size_that_does_not_exist_is_rejected(standin: OpenStack, cloud: LibcloudCloud) -> None:
    with pytest.raises(Rejected, match="no size b2-99"):
        cloud.ensure(replace(wish(), size="b2-99"))
    assert not standin.servers


def test_a_region_that_does_not_exist_is_told(standin: OpenStack) -> None:
    cloud = made(replace(dialect_at(standin), region="ATL1"), None, "ATL1")
    with pytest.raises(Rejected, match="no region ATL1; there are BHS5, GRA11"):
        cloud.sizes()
    assert cloud.state().reading is Reading.ACTIVE  # as keystone says
    cloud.close()


@pytest.mark.parametrize("wanted", ["private", "id of private"])
def test_a_network_can_be_named(standin: OpenStack, wanted: str) -> None:
    ids = {network["name"]: id for id, network in standin.networks.items()}
    network = ids["private"] if wanted.startswith("id") else wanted
    cloud = made(replace(dialect_at(standin), network=network), None, REGION)
    cloud.ensure(wish())
    assert {port["network_id"] for port in standin.ports.values()} == {ids["private"]}
    (node,) = cloud.nodes(SERVICE, SITE)
    assert [address.rpartition(".")[0] for address in node.addresses] == ["10.0.0"]
    cloud.close()


def test_a_network_that_does_not_exist_is_told(standin: OpenStack) -> None:
    cloud = made(replace(dialect_at(standin), network="Intranet"), None, REGION)
    with pytest.raises(Rejected, match="0 networks are called Intranet; there are Ext-Net, private"):
        cloud.ensure(wish())
    cloud.close()


def test_a_server_without_a_host_says_why_and_is_removed(standin: OpenStack, cloud: LibcloudCloud) -> None:
    standin.builds_failing = 1
    cloud.ensure(wish())
    assert cloud.nodes(SERVICE, SITE)[0].state is NodeState.STOPPED
    with pytest.raises(Rejected, match="ended in ERROR: No valid host was found"):
        cloud.ensure(wish())
    assert cloud.nodes(SERVICE, SITE) == ()
    cloud.ensure(wish())
    assert [node.state for node in cloud.nodes(SERVICE, SITE)] == [NodeState.RUNNING]


def test_a_security_group_is_changed_rule_by_rule(standin: OpenStack, cloud: LibcloudCloud) -> None:
    cloud.firewall(SERVICE, SITE, (8080, 22))
    cloud.firewall(SERVICE, SITE, (8080, 443))
    (group,) = [group for group in standin.groups.values() if group["name"] == "failover-nodes:guestbook:aurora"]
    rules = [r for r in standin.rules.values() if r["security_group_id"] == group["id"]]
    opened = {
        (r["ethertype"], r["port_range_min"], r["remote_ip_prefix"]) for r in rules if r["direction"] == "ingress"
    }
    assert opened == {(f, p, a) for f, a in (("IPv4", "0.0.0.0/0"), ("IPv6", "::/0")) for p in (8080, 443)}
    assert sum(r["direction"] == "egress" for r in rules) == 2
    changes = standin.count("^(POST|PUT|DELETE) /network")
    cloud.firewall(SERVICE, SITE, (443, 8080))
    assert standin.count("^(POST|PUT|DELETE) /network") == changes


def test_a_server_without_the_group_gets_it_beside_what_it_has(standin: OpenStack, cloud: LibcloudCloud) -> None:
    """It is older than the group, or somebody took the group off: nova gave it the project's own one."""
    first = cloud.ensure(wish())
    other = cloud.ensure(replace(wish(1), site="boreas", name="guestbook-boreas-web-1"))
    theirs = standin.foreign("database")
    assert cloud.firewall_now(SERVICE, SITE) == Firewall(outside=(first.name,))
    cloud.firewall(SERVICE, SITE, (8080,))
    assert drift(cloud.firewall_now(SERVICE, SITE), [8080]) == ()
    names = {id: [standin.groups[group]["name"] for group in s.groups] for id, s in standin.servers.items()}
    assert names[first.id] == ["default", "failover-nodes:guestbook:aurora"]
    assert (names[other.id], names[theirs]) == (["default"], [])
    changes = standin.count("^(POST|PUT|DELETE) /(compute|network)")
    cloud.firewall(SERVICE, SITE, (8080,))
    assert standin.count("^(POST|PUT|DELETE) /(compute|network)") == changes


def test_a_server_that_is_being_built_gets_its_group_from_its_making(standin: OpenStack, cloud: LibcloudCloud) -> None:
    standin.pace = Pace(addressed=3, running=9)
    cloud.ensure(wish())
    assert cloud.firewall_now(SERVICE, SITE).outside == ()


RULES: dict[str, tuple[dict[str, object], str]] = {
    "everything": ({"ethertype": "IPv6"}, "everything is open to everybody over IPv6"),
    "a group": ({"protocol": "tcp", "remote_group_id": "group-1"}, "tcp is open to group-1"),
    "a range": (
        {"protocol": "udp", "port_range_min": 53, "port_range_max": 54, "remote_ip_prefix": "192.0.2.0/24"},
        "udp 53-54 is open to 192.0.2.0/24",
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_whatever_else_is_let_in_is_shown_and_closed(standin: OpenStack, cloud: LibcloudCloud, name: str) -> None:
    cloud.firewall(SERVICE, SITE, (8080,))
    (group,) = [group for group in standin.groups.values() if group["name"] == "failover-nodes:guestbook:aurora"]
    rule, told = RULES[name]
    standin._add_rule({"security_group_id": group["id"], "direction": "ingress", **rule})
    assert drift(cloud.firewall_now(SERVICE, SITE), [8080]) == (told,)
    cloud.firewall(SERVICE, SITE, (8080,))
    assert drift(cloud.firewall_now(SERVICE, SITE), [8080]) == ()


def test_clearing_waits_for_servers_that_are_still_going(standin: OpenStack, cloud: LibcloudCloud) -> None:
    standin.pace = Pace(addressed=0, running=0, gone=5)
    cloud.firewall(SERVICE, SITE, (8080,))
    cloud.destroy(cloud.ensure(wish()))
    assert standin.node_ids() != ()
    cloud.clear(SERVICE, SITE)
    assert [group["name"] for group in standin.groups.values()] == ["default"]


def test_one_token_serves_all(standin: OpenStack, cloud: LibcloudCloud) -> None:
    cloud.firewall(SERVICE, SITE, (8080,))
    cloud.ensure(wish())
    cloud.images(), cloud.sizes(), cloud.state()
    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(lambda _: cloud.nodes(SERVICE, SITE), range(8)))) == 8
    assert standin.count("^POST /identity/v3/auth/tokens") == 1


def test_a_token_that_expired_is_renewed(standin: OpenStack, cloud: LibcloudCloud) -> None:
    cloud.ensure(wish())
    standin.expire()
    assert len(cloud.nodes(SERVICE, SITE)) == 1
    standin.expire()
    cloud.ensure(replace(wish(1)))
    assert len(standin.servers) == 2


def test_a_token_that_ends_soon_is_not_used(standin: OpenStack, cloud: LibcloudCloud) -> None:
    standin.token_s = 10.0
    cloud.nodes(SERVICE, SITE)
    cloud.nodes(SERVICE, SITE)
    assert standin.count("^POST /identity/v3/auth/tokens") > 1


def test_a_disabled_project_is_told_by_keystone_alone(standin: OpenStack, cloud: LibcloudCloud) -> None:
    cloud.nodes(SERVICE, SITE)
    standin.close("abuse")
    report = cloud.state()
    assert report.reading is Reading.CLOSED
    assert "is disabled" in report.message
    assert cloud_at(standin).state().reading is Reading.REFUSED, "who has no token from before cannot know"


def test_services_that_still_believe_their_caches_do_not_hide_it(standin: OpenStack, cloud: LibcloudCloud) -> None:
    cloud.nodes(SERVICE, SITE)
    standin.cached_ticks = {"compute": 10_000, "network": 10_000, "image": 10_000}
    standin.close("abuse")
    assert len(cloud.nodes(SERVICE, SITE)) == 0
    assert cloud.state().reading is Reading.CLOSED


def test_a_wrong_password_is_a_refusal(standin: OpenStack) -> None:
    cloud = made(replace(dialect_at(standin), password="wrong"), None, REGION)
    report = cloud.state()
    assert report.reading is Reading.REFUSED
    assert {signal.service for signal in report.signals} == {"identity"}
    with pytest.raises(AccessRefused):
        cloud.nodes(SERVICE, SITE)
    cloud.close()


def test_it_is_built_from_what_a_config_says(standin: OpenStack) -> None:
    cloud = factory("openstack")(
        name="o",
        region=REGION,
        auth_url=f"{standin.auth_url}/",
        project="p1",
        username="operator",
        password=PASSWORD,
        images=IMAGES,
    )
    assert cloud.state().reading is Reading.ACTIVE
