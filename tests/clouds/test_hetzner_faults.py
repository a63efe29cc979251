"""Hetzner on bad days: nothing is duplicated, nothing foreign touched, no list is cut short; and what only it does."""

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from failover.clouds.hetzner_access import fingerprint
from failover.clouds.hetzner_project import Hetzner as HetznerCloud
from failover.core.firewall import drift
from failover.core.model import Node, NodeState, Reading
from failover.core.signals import Signal
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
from failover.testing.clouds import REASON, SERVICE, SITE
from tests.clouds.libcloud_support import wish
from tests.clouds.test_hetzner import TOKEN, cloud_at
from tests.standins.base import Fault, Pace
from tests.standins.hetzner import Hetzner
from tests.standins.hetzner.project import Machine
from tests.standins.wire import Call, Reply

LISTING, CREATING = "^GET /v1/servers$", "^POST /v1/servers$"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8mfEuqDPBhKmNJdBQ9hRqKEuzK5mVbGk3sPpZ0uvjQ somebody@example"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
EVERYWHERE = ["0.0.0.0/0", "::/0"]
Open = Callable[..., HetznerCloud]


@pytest.fixture
def standin() -> Iterator[Hetzner]:
    with Hetzner(token=TOKEN, page_max=2, pace=Pace(addressed=0, running=0)) as running:
        yield running


@pytest.fixture
def open(standin: Hetzner) -> Iterator[Open]:
    opened: list[HetznerCloud] = []

    def cloud(**more: object) -> HetznerCloud:
        opened.append(cloud_at(standin, **more))  # type: ignore[arg-type] # of many types
        return opened[-1]

    yield cloud
    for each in opened:
        each.close()


@pytest.fixture
def cloud(open: Open) -> HetznerCloud:
    return open()


def only(standin: Hetzner) -> Machine:
    (server,) = standin.servers.values()
    return server


def names(nodes: tuple[Node, ...]) -> list[str]:
    return sorted(node.name for node in nodes)


def stocked(cloud: HetznerCloud, count: int) -> HetznerCloud:
    """It has so many nodes now."""
    for ordinal in range(count):
        cloud.ensure(wish(ordinal))
    return cloud


# ------------------------------------------------------------------------------------ lists


@pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.BROKEN, Fault.GATEWAY, Fault.DROP])
def test_a_list_is_read_again_after_a_moment_of_trouble(cloud: HetznerCloud, standin: Hetzner, fault: Fault) -> None:
    stocked(cloud, 3)
    standin.fault(LISTING, fault, times=2, retry_after_s=0)
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
@pytest.mark.parametrize("page", [1, 2, 3])
def test_a_page_that_cannot_be_read_is_the_end_of_no_list(
    cloud: HetznerCloud, standin: Hetzner, fault: Fault, error: type[AdapterError], page: int
) -> None:
    stocked(cloud, 5)
    standin.fault(LISTING, fault, times=None, page=page, retry_after_s=0)
    with pytest.raises(error):
        cloud.nodes(SERVICE, SITE)


@pytest.mark.parametrize("page", [1, 2, 3])
def test_an_empty_page_is_not_taken_for_the_truth(cloud: HetznerCloud, standin: Hetzner, page: int) -> None:
    stocked(cloud, 5)
    standin.fault(LISTING, Fault.EMPTY, page=page)
    assert len(cloud.nodes(SERVICE, SITE)) == 5
    standin.fault(LISTING, Fault.EMPTY, times=None, page=page)
    with pytest.raises(Unreadable):
        cloud.nodes(SERVICE, SITE)


def test_lists_that_stay_empty_make_no_second_node(cloud: HetznerCloud, open: Open, standin: Hetzner) -> None:
    stocked(cloud, 1)
    standin.fault(LISTING, Fault.EMPTY, times=None)
    with pytest.raises(Unreadable):
        open().ensure(wish(0))
    assert standin.count(CREATING) == 1


class Numberless(Hetzner):
    """Its pages do not say which they are."""

    def conforming(self, call: Call, reply: Reply) -> Reply:
        if isinstance(reply.document, dict):
            reply.document.pop("meta", None)
        return super().conforming(call, reply)


class Portal(Hetzner):
    """Something in between answers with a page of its own."""

    def conforming(self, call: Call, reply: Reply) -> Reply:
        return Reply(raw=b"<html><body>Please log in to the network.</body></html>", type="text/html")


class Elsewhere(Hetzner):
    """Its clients are sent to another address."""

    def conforming(self, call: Call, reply: Reply) -> Reply:
        return Reply(status=307, headers={"Location": f"{self.url}/v1/locations"})


@pytest.mark.parametrize("kind", [Numberless, Portal, Elsewhere])
def test_what_the_api_does_not_document_is_unreadable_and_says_nothing(kind: type[Hetzner]) -> None:
    with kind(token=TOKEN) as standin:
        cloud = cloud_at(standin)
        for ask in (cloud.quota, cloud.images, cloud.sizes, lambda: cloud.nodes(SERVICE, SITE)):
            with pytest.raises(Unreadable):
                ask()
        assert cloud.state().reading is (Reading.ACTIVE if kind is Numberless else Reading.UNCLEAR)
        assert standin.count("/v1/locations") == 0
        cloud.close()


def test_how_long_to_wait_is_handed_on(open: Open, standin: Hetzner) -> None:
    standin.fault(LISTING, Fault.THROTTLED, times=None, retry_after_s=77)
    with pytest.raises(Throttled) as caught:
        open(deadline_s=2.0).nodes(SERVICE, SITE)
    assert caught.value.retry_after_s == 77.0


class Hourly(Hetzner):
    """It tells its rate, not how long to wait."""

    def throttled(self, retry_after_s: int) -> Reply:
        return replace(super().throttled(retry_after_s), headers={"RateLimit-Limit": "1800"})


def test_how_long_to_wait_follows_from_the_rate() -> None:
    with Hourly(token=TOKEN) as standin:
        cloud = cloud_at(standin, deadline_s=1.0)
        standin.fault(LISTING, Fault.THROTTLED, times=None)
        with pytest.raises(Throttled) as caught:
            cloud.quota()
        assert caught.value.retry_after_s == 2.0
        cloud.close()


def test_a_list_without_an_answer_ends_in_time(cloud: HetznerCloud, open: Open, standin: Hetzner) -> None:
    stocked(cloud, 1)
    standin.fault(LISTING, Fault.HANG, times=None)
    with pytest.raises(TimedOut):
        open(timeout_s=0.3, deadline_s=1.0).nodes(SERVICE, SITE)
    assert standin.count(LISTING) == 2, "hcloud would have asked again"
    standin.mend()
    assert len(cloud.nodes(SERVICE, SITE)) == 1


def test_an_answer_that_comes_drop_by_drop_ends_in_time() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
    over = threading.Event()

    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(head)
            while not over.wait(0.02):
                try:
                    connection.sendall(b" ")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        with Hetzner(token=TOKEN) as standin:
            cloud = cloud_at(standin, endpoint=f"http://127.0.0.1:{server.getsockname()[1]}", deadline_s=0.5)
            with pytest.raises(TimedOut):
                cloud.quota()
            cloud.close()
        over.set()
        thread.join()


# ------------------------------------------------------------------------------------ creating


@pytest.mark.parametrize("listed", [0, 4])
@pytest.mark.parametrize(("fault", "error"), [(Fault.LOST, Unreachable), (Fault.LATE, TimedOut)])
def test_a_node_whose_reply_was_lost_is_found_again(
    open: Open, standin: Hetzner, fault: Fault, error: type[AdapterError], listed: int
) -> None:
    standin.pace = Pace(listed=listed, addressed=0, running=0)
    cloud = open(timeout_s=1.5)
    standin.fault(CREATING, fault)
    with pytest.raises(error):
        cloud.ensure(wish())
    assert standin.count(CREATING) == 1, "hcloud would have asked again"
    standin.mend()
    found = open().ensure(wish())
    assert standin.node_ids() == (found.id,)
    assert [node.id for node in cloud.nodes(SERVICE, SITE)] == [found.id]


@pytest.mark.parametrize("fault", [Fault.BROKEN, Fault.GATEWAY, Fault.DROP, Fault.THROTTLED])
def test_a_creation_is_never_repeated_by_itself(cloud: HetznerCloud, standin: Hetzner, fault: Fault) -> None:
    standin.fault(CREATING, fault, retry_after_s=0)
    with pytest.raises((Unreadable, Unreachable, Throttled)):
        cloud.ensure(wish())
    assert standin.count(CREATING) == 1
    assert cloud.nodes(SERVICE, SITE) == ()
    cloud.ensure(wish())
    assert len(cloud.nodes(SERVICE, SITE)) == 1


def test_an_account_that_closes_half_way_through(cloud: HetznerCloud, standin: Hetzner) -> None:
    standin.fault(CREATING, Fault.CLOSE, skip=2)
    stocked(cloud, 2)
    for ordinal in (2, 3):
        with pytest.raises(AccessRefused):
            cloud.ensure(wish(ordinal))
    assert len(standin.node_ids()) == 2
    assert cloud.state().reading is Reading.REFUSED


def test_a_node_is_what_the_wish_says(open: Open, standin: Hetzner) -> None:
    cloud = open(region="fsn1")
    cloud.ensure(wish(size="cx32", image="ubuntu-24.04"))
    server = only(standin)
    assert (server.type["name"], server.image["name"], server.location["name"]) == ("cx32", "ubuntu-24.04", "fsn1")
    assert (server.labels, server.user_data) == (wish().labels, wish().user_data)
    (node,) = cloud.nodes(SERVICE, SITE)
    assert node.addresses == (server.v4, str(server.v6).replace("::/64", "::1"))


def test_without_a_size_the_cheapest_that_fits_is_taken(cloud: HetznerCloud, standin: Hetzner) -> None:
    cloud.ensure(wish(cpus=2, memory_mib=3000))
    assert only(standin).type["name"] == "cx22"
    with pytest.raises(Rejected, match="no size"):
        cloud.ensure(wish(1, cpus=64))


@pytest.mark.parametrize(
    "more",
    [{"size": "cx11"}, {"size": "cax11x"}, {"size": "cx32"}, {"image": "debian-9"}, {"user_data": "x" * 33000}],
)
def test_what_cannot_be_had_is_refused(cloud: HetznerCloud, standin: Hetzner, more: dict[str, Any]) -> None:
    with pytest.raises((Rejected, QuotaExceeded)):
        cloud.ensure(wish(**more))
    assert standin.node_ids() == ()


def test_a_name_that_is_being_given_up_is_waited_for(cloud: HetznerCloud, standin: Hetzner) -> None:
    standin.delete_ticks = 8
    assert len(stocked(cloud, 1).nodes(SERVICE, SITE)) == 1
    standin.delete_server(Call(method="DELETE", path="", target=""), standin.node_ids()[0])
    assert cloud.nodes(SERVICE, SITE) == ()
    again = cloud.ensure(wish())
    assert standin.node_ids() == (again.id,)


# ------------------------------------------------------------------------------------ locked servers


def test_a_server_that_is_still_made_is_destroyed_once_it_can_be(cloud: HetznerCloud, standin: Hetzner) -> None:
    standin.pace = Pace(addressed=0, running=6)
    cloud.destroy(cloud.ensure(wish()))
    assert standin.node_ids() == ()
    assert standin.count("^DELETE ") > 1


def test_a_server_under_another_action_is_started_after_it(cloud: HetznerCloud, standin: Hetzner) -> None:
    node = stocked(cloud, 1).nodes(SERVICE, SITE)[0]
    standin.halt(node.id)
    standin.create_action("change_dns_ptr", node.id, lasts=5)
    cloud.ensure(wish())
    assert cloud.nodes(SERVICE, SITE)[0].state is NodeState.RUNNING
    assert standin.count("/actions/poweron$") > 1


def test_a_lock_that_stays_ends_in_time(open: Open, standin: Hetzner) -> None:
    node = open().ensure(wish())
    standin.create_action("rebuild_server", node.id, lasts=10**6)
    with pytest.raises(TimedOut):
        open(deadline_s=0.5).destroy(node)
    assert standin.node_ids() == (node.id,)


def test_a_deletion_that_is_protected_or_fails_is_told(cloud: HetznerCloud, standin: Hetzner) -> None:
    node = cloud.ensure(wish())
    only(standin).protected = True
    with pytest.raises(Rejected, match="protected"):
        cloud.destroy(node)
    only(standin).protected = False
    standin.actions_failing.add("delete_server")
    with pytest.raises(Rejected, match="delete_server failed: action_failed"):
        cloud.destroy(node)
    assert standin.node_ids() == (node.id,)


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.DROP, Fault.GATEWAY])
def test_a_deletion_is_repeated(cloud: HetznerCloud, standin: Hetzner, fault: Fault) -> None:
    stocked(cloud, 1)
    theirs = standin.foreign("database")
    (node,) = cloud.nodes(SERVICE, SITE)
    standin.fault("^DELETE ", fault)
    cloud.destroy(node)
    assert cloud.nodes(SERVICE, SITE) == ()
    assert standin.node_ids() == (theirs,)


# ------------------------------------------------------------------------------------ firewalls


def opened(standin: Hetzner) -> dict[str, list[str]]:
    """By the name of a firewall, the ports that it lets in."""
    for wall in standin.firewalls.values():
        assert all(rule["direction"] == "in" and rule["source_ips"] == EVERYWHERE for rule in wall.rules)
    return {w.name: [rule["port"] for rule in w.rules if rule["port"]] for w in standin.firewalls.values()}


def test_a_firewall_has_exactly_the_ports_and_follows_the_nodes(cloud: HetznerCloud, standin: Hetzner) -> None:
    name = f"failover-nodes:{SERVICE}:{SITE}"
    cloud.firewall(SERVICE, SITE, (8080, 22))
    assert opened(standin) == {name: ["22", "8080"]}
    before = standin.count("^(POST|PUT|DELETE) ")
    cloud.firewall(SERVICE, SITE, (22, 8080))
    assert standin.count("^(POST|PUT|DELETE) ") == before
    cloud.firewall(SERVICE, SITE, (443,))
    cloud.firewall(SERVICE, "boreas", (80,))
    assert opened(standin) == {name: ["443"], f"failover-nodes:{SERVICE}:boreas": ["80"]}
    cloud.ensure(wish())
    standin.foreign("database")
    ours, theirs = (standin._shown(server)["public_net"]["firewalls"] for server in standin.servers.values())
    assert ([wall["id"] for wall in ours], theirs) == ([next(iter(standin.firewalls))], [])


def test_a_firewall_that_lost_its_nodes_follows_them_again(cloud: HetznerCloud, standin: Hetzner) -> None:
    cloud.firewall(SERVICE, SITE, (8080,))
    (wall,) = standin.firewalls.values()
    node = cloud.ensure(wish())
    applied, wall.applied = wall.applied, []
    assert drift(cloud.firewall_now(SERVICE, SITE), [8080]) == (f"{node.name} stands outside of it",)
    cloud.firewall(SERVICE, SITE, (8080,))
    assert drift(cloud.firewall_now(SERVICE, SITE), [8080]) == ()
    assert wall.applied == applied


@pytest.mark.parametrize("listing", ["", "^GET /v1/firewalls$"])
def test_a_firewall_whose_reply_was_lost_is_found_again(cloud: HetznerCloud, standin: Hetzner, listing: str) -> None:
    standin.fault("^POST /v1/firewalls$", Fault.LOST)
    with pytest.raises(Unreachable):
        cloud.firewall(SERVICE, SITE, (8080,))
    cloud.firewall(SERVICE, SITE, (443,))
    assert list(opened(standin).values()) == [["443"]]


def test_two_calls_at_the_same_time_make_one_firewall(cloud: HetznerCloud, open: Open, standin: Hetzner) -> None:
    threads = [threading.Thread(target=open().firewall, args=(SERVICE, SITE, (8080,))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(opened(standin).values()) == [["8080"]]


def test_a_firewall_of_somebody_else_with_our_name_is_a_conflict(cloud: HetznerCloud, standin: Hetzner) -> None:
    cloud.firewall(SERVICE, SITE, (8080,))
    (wall,) = standin.firewalls.values()
    wall.labels = {"owner": "somebody-else"}
    with pytest.raises(Conflict):
        cloud.firewall(SERVICE, SITE, (443,))
    cloud.clear(SERVICE, SITE)
    assert list(opened(standin).values()) == [["8080"]]


def test_a_firewall_that_somebody_uses_for_more_stays(open: Open, standin: Hetzner) -> None:
    open().firewall(SERVICE, SITE, (8080,))
    standin.foreign("database")
    only(standin).firewalls = set(standin.firewalls)
    with pytest.raises(TimedOut):
        open(deadline_s=0.5).clear(SERVICE, SITE)
    assert len(standin.firewalls) == 1


def test_an_action_of_a_firewall_that_fails_is_told(cloud: HetznerCloud, standin: Hetzner) -> None:
    standin.actions_failing.add("apply_firewall")
    with pytest.raises(Rejected, match="apply_firewall failed"):
        cloud.firewall(SERVICE, SITE, (8080,))


@pytest.mark.parametrize("fault", [None, Fault.LOST, Fault.GATEWAY])
@pytest.mark.parametrize("what", ["remove_from_resources$", "^DELETE /v1/firewalls", "^DELETE /v1/ssh_keys"])
def test_clearing_takes_what_is_ours_only(
    cloud: HetznerCloud, standin: Hetzner, fault: Fault | None, what: str
) -> None:
    for site in (SITE, "boreas"):
        cloud.firewall(SERVICE, site, (8080,))
    cloud.destroy(cloud.ensure(wish(ssh_keys=(KEY,))))
    cloud.ensure(wish(site="boreas", ssh_keys=(KEY, OTHER_KEY)))
    if fault is not None:
        standin.fault(what, fault)
    for _ in range(2):
        cloud.clear(SERVICE, SITE)
    assert list(opened(standin)) == [f"failover-nodes:{SERVICE}:boreas"]
    assert [key["public_key"] for key in standin.ssh_keys.values()] == [OTHER_KEY]
    assert len(standin.node_ids()) == 1


class Racing(Hetzner):
    """Another run asks for the same thing, and a moment sooner."""

    def create_server(self, call: Call) -> Reply:
        super().create_server(call)
        return super().create_server(call)

    def create_firewall(self, call: Call) -> Reply:
        super().create_firewall(call)
        return super().create_firewall(call)

    def create_ssh_key(self, call: Call) -> Reply:
        super().create_ssh_key(call)
        return super().create_ssh_key(call)


def test_what_another_run_made_a_moment_sooner_is_taken() -> None:
    with Racing(token=TOKEN, pace=Pace(addressed=0, running=0)) as standin:
        cloud = cloud_at(standin)
        cloud.firewall(SERVICE, SITE, (8080,))
        made = cloud.ensure(wish(ssh_keys=(KEY,)))
        assert standin.node_ids() == (made.id,)
        assert only(standin).ssh_keys == list(standin.ssh_keys)
        assert (len(standin.firewalls), len(standin.ssh_keys)) == (1, 1)
        cloud.close()


def test_a_key_name_of_somebody_else_is_a_conflict(cloud: HetznerCloud, standin: Hetzner) -> None:
    name = f"failover-{SERVICE}-{SITE}-{fingerprint(KEY).replace(':', '')}"
    standin.create_ssh_key(Call(method="POST", path="", target="", body=_json({"name": name, "public_key": OTHER_KEY})))
    with pytest.raises(Conflict):
        cloud.ensure(wish(ssh_keys=(KEY,)))
    assert standin.node_ids() == ()


def test_a_server_that_was_made_here_and_is_gone_is_forgotten(cloud: HetznerCloud, standin: Hetzner) -> None:
    standin.pace = Pace(listed=100, addressed=0, running=0)
    cloud.ensure(wish())
    assert cloud.quota().nodes_used == 1
    standin.servers.clear()
    assert cloud.quota().nodes_used == 0
    assert cloud.nodes(SERVICE, SITE) == ()


def test_a_deletion_by_somebody_else_is_waited_for(cloud: HetznerCloud, standin: Hetzner) -> None:
    standin.delete_ticks = 6
    (node,) = stocked(cloud, 1).nodes(SERVICE, SITE)
    standin.delete_server(Call(method="DELETE", path="", target=""), node.id)
    cloud.destroy(node)
    assert (standin.node_ids(), standin.count("^DELETE ")) == ((), 0)


# ------------------------------------------------------------------------------------ SSH keys


def test_a_key_is_added_once_and_given_to_every_node(cloud: HetznerCloud, standin: Hetzner) -> None:
    for ordinal in range(2):
        cloud.ensure(wish(ordinal, ssh_keys=(KEY, OTHER_KEY, KEY)))
    assert [key["public_key"] for key in standin.ssh_keys.values()] == [KEY, OTHER_KEY]
    assert [server.ssh_keys for server in standin.servers.values()] == [list(standin.ssh_keys)] * 2


def test_a_key_that_the_project_has_already_is_used_and_stays(cloud: HetznerCloud, standin: Hetzner) -> None:
    theirs = {"name": "theirs", "public_key": KEY.replace("somebody@example", "me")}
    call = Call(method="POST", path="/v1/ssh_keys", target="", body=_json(theirs))
    standin.create_ssh_key(call)
    cloud.ensure(wish(ssh_keys=(KEY,)))
    cloud.clear(SERVICE, SITE)
    assert [key["name"] for key in standin.ssh_keys.values()] == ["theirs"]
    assert only(standin).ssh_keys == list(standin.ssh_keys)


def test_a_key_whose_reply_was_lost_is_found_again(cloud: HetznerCloud, standin: Hetzner) -> None:
    standin.fault("^POST /v1/ssh_keys$", Fault.LOST)
    with pytest.raises(Unreachable):
        cloud.ensure(wish(ssh_keys=(KEY,)))
    cloud.ensure(wish(ssh_keys=(KEY,)))
    assert len(standin.ssh_keys) == 1


@pytest.mark.parametrize("key", ["", "ssh-ed25519", "ssh-ed25519 not-base64!"])
def test_what_is_no_key_is_refused_before_anything_is_made(cloud: HetznerCloud, standin: Hetzner, key: str) -> None:
    with pytest.raises(Rejected, match="public key"):
        cloud.ensure(wish(ssh_keys=(KEY, key)))
    assert (standin.ssh_keys, standin.servers) == ({}, {})


def _json(document: object) -> bytes:
    import json

    return json.dumps(document).encode()


# ------------------------------------------------------------------------------------ what can be had


def test_only_what_can_be_had_here_now_is_offered(open: Open) -> None:
    by_place = {place: {s.name: s.price_per_hour for s in open(region=place).sizes()} for place in ("nbg1", "fsn1")}
    assert by_place["nbg1"] == {"cx22": 0.006, "cpx11": 0.007, "ccx13": 0.02}
    assert by_place["fsn1"].keys() == {"cx22", "cpx11", "cx32", "ccx13"}
    with pytest.raises(Rejected, match="there are ash, fsn1, nbg1"):
        open(region="mars").sizes()


def test_servers_are_counted_without_reading_them(open: Open, standin: Hetzner) -> None:
    stocked(open(), 3)
    before = len(standin.requests)
    assert open().quota().nodes_used == 3
    (asked,) = standin.requests[before:]
    assert asked.asked("per_page") == "1"


def test_where_the_api_does_not_count_we_do(open: Open, standin: Hetzner, monkeypatch: pytest.MonkeyPatch) -> None:
    """`total_entries` may be null, by the document."""
    stocked(open(), 3)
    page = standin._page

    def uncounted(*arguments: Any) -> Reply:
        reply = page(*arguments)
        reply.document["meta"]["pagination"]["total_entries"] = None
        return reply

    monkeypatch.setattr(standin, "_page", uncounted)
    assert open().quota().nodes_used == 3
    assert len(open().nodes(SERVICE, SITE)) == 3


def test_arm_is_used_where_it_is_asked_for(open: Open, standin: Hetzner) -> None:
    cloud = open(architecture="arm")
    assert [size.name for size in cloud.sizes()] == ["cax11"]
    assert "debian-12" in cloud.images()
    cloud.ensure(wish())
    assert only(standin).image["architecture"] == "arm"


def test_a_deprecated_image_is_not_offered(cloud: HetznerCloud) -> None:
    assert cloud.images() == {"debian-12", "debian-13", "ubuntu-22.04", "ubuntu-24.04"}


# ------------------------------------------------------------------------------------ the account


@pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.BROKEN, Fault.GATEWAY, Fault.DROP, Fault.HANG])
def test_trouble_says_nothing_about_the_account(open: Open, standin: Hetzner, fault: Fault) -> None:
    cloud = open(timeout_s=1.5)
    standin.fault(".", fault, times=None, retry_after_s=0)
    assert cloud.state().reading is Reading.UNCLEAR
    standin.mend()
    assert cloud.state().reading is Reading.ACTIVE


def test_three_services_are_asked_for_evidence(cloud: HetznerCloud, standin: Hetzner) -> None:
    standin.close(REASON)
    report = cloud.state()
    assert {(s.service, s.signal) for s in report.signals} == {
        (service, Signal.AUTH_AMBIGUOUS) for service in ("servers", "images", "firewalls")
    }
    assert (report.reading, report.code) == (Reading.REFUSED, "forbidden")


def test_a_token_that_may_only_read_watches_and_cannot_mirror(cloud: HetznerCloud, standin: Hetzner) -> None:
    standin.token_readonly, standin.tokens = standin.tokens, set()
    assert cloud.state().reading is Reading.ACTIVE
    assert cloud.nodes(SERVICE, SITE) == ()
    with pytest.raises(AccessRefused, match="token_readonly"):
        cloud.ensure(wish())


def test_an_api_that_refuses_connections(cloud: HetznerCloud, standin: Hetzner) -> None:
    stocked(cloud, 1)
    standin.stop()
    assert cloud.state().reading is Reading.UNCLEAR
    for call in (cloud.quota, lambda: cloud.ensure(wish(1))):
        with pytest.raises(Unreachable):
            call()


def test_secrets_stand_in_no_error(cloud: HetznerCloud, standin: Hetzner) -> None:
    standin.refusing = True
    with pytest.raises(AccessRefused) as caught:
        cloud.nodes(SERVICE, SITE)
    assert TOKEN not in f"{caught.value!r} {caught.value} {caught.value.__cause__!r} {cloud!r}"


def test_the_rate_of_a_project_is_kept_within_the_deadline(cloud: HetznerCloud, standin: Hetzner) -> None:
    standin.limit_rate(1, 0.5)
    for _ in range(2):
        assert cloud.quota().nodes_used == 0


def test_without_the_library_the_error_says_how_to_install_it() -> None:
    program = (
        "import sys; sys.modules['hcloud'] = None\n"
        "from failover.errors import ConfigError\n"
        "from failover.clouds.table import factory\n"
        "try:\n    factory('hetzner')(name='h', region='fsn1', token='t', images=None)\n"
        "except ConfigError as error:\n    print(error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "pip install 'failover[hetzner]'"
