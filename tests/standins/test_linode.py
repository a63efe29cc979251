"""The stand-in for Linode, tried with Linode's own client."""

from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
from linode_api4 import Firewall, Image, Instance, LinodeClient, Region, Tag, Type  # type: ignore[import-untyped]
from linode_api4.errors import ApiError  # type: ignore[import-untyped]
from linode_api4.objects.linode import InterfaceGeneration  # type: ignore[import-untyped]
from linode_api4.objects.linode_interfaces import (  # type: ignore[import-untyped]
    LinodeInterfaceOptions,
    LinodeInterfacePublicIPv4AddressOptions,
    LinodeInterfacePublicIPv4Options,
    LinodeInterfacePublicOptions,
)
from requests.exceptions import ConnectionError as ConnectionFailed

from tests.standins.base import Fault, Operator, Pace
from tests.standins.linode import LinodeStandIn

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIYaZ2r5qYFzZJvDbGyrjDZGYXQ0Yb2cQGmZpZ8rJr0P someone"
WISH = {"ltype": "g6-nanode-1", "region": "eu-central", "image": "linode/debian12", "root_pass": "aComplex@Pass123"}
OPEN = {"ipv4": ["0.0.0.0/0"], "ipv6": ["::/0"]}
RULE = {"protocol": "TCP", "ports": "22, 8080", "addresses": OPEN, "action": "ACCEPT", "label": "web"}
RULES = {"inbound": [RULE], "inbound_policy": "DROP", "outbound": [], "outbound_policy": "ACCEPT"}


@pytest.fixture
def standin() -> Iterator[LinodeStandIn]:
    with LinodeStandIn(token="t", nodes_max=4) as running:
        yield running


@pytest.fixture
def client(standin: LinodeStandIn) -> Iterator[Any]:
    made = LinodeClient("t", base_url=f"{standin.url}/v4", retry=False)
    yield made
    made.session.close()


def settled(client: Any, id: int) -> Any:
    while (linode := client.load(Instance, id)).status in ("provisioning", "booting"):
        pass
    return linode


# -------------------------------------------------------------------------------------------- what hardly changes


def test_the_account(standin: LinodeStandIn, client: Any) -> None:
    assert client.account().email == "owner@example.org"
    assert (client.profile().username, client.profile().restricted) == ("an-owner", False)
    assert list(client.account.notifications()) == []
    standin.warn("an invoice is open")
    (notification,) = client.account.notifications()
    assert (notification.message, notification.type) == ("an invoice is open", "payment_due")


def test_regions_types_and_images(client: Any) -> None:
    assert {"eu-central", "us-east"} <= {region.id for region in client.regions()}
    assert "Metadata" not in client.load(Region, "ap-west").capabilities
    nanode = client.load(Type, "g6-nanode-1")
    assert (nanode.memory, nanode.disk, nanode.price.hourly) == (1024, 25600, 0.0075)
    assert {type.id for type in client.linode.types(Type.vcpus == 2)} == {"g6-standard-2", "g7-premium-2"}
    premium = [a for a in client.load(Region, "eu-central").availability if a.plan == "g7-premium-2"]
    assert [a.available for a in premium] == [False]
    assert client.load(Image, "linode/debian12").vendor == "Debian"
    assert {image.id for image in client.images(Image.deprecated == True)} == {"linode/debian10"}  # noqa: E712
    assert "cloud-init" not in client.load(Image, "linode/alpine3.19").capabilities


def test_keys(client: Any) -> None:
    key = client.profile.ssh_key_upload(KEY, "someone")
    assert [known.ssh_key for known in client.profile.ssh_keys()] == [KEY]
    with pytest.raises(ApiError, match="SSH Key 1 is invalid"):
        client.post("/profile/sshkeys", data={"label": "bad", "ssh_key": "no key"})
    assert key.delete()
    assert list(client.profile.ssh_keys()) == []


# -------------------------------------------------------------------------------------------- instances


def test_a_linode_is_made_with_everything(standin: LinodeStandIn, client: Any) -> None:
    metadata = client.linode.build_instance_metadata(user_data="#cloud-config\n")
    firewall = client.networking.firewall_create("ours", RULES)
    first = client.linode.instance_create(
        **WISH, label="web-0", tags=["a=b", "ours"], metadata=metadata, authorized_keys=[KEY], firewall=firewall
    )
    assert (first.status, first.ipv4, first.ipv6) == ("provisioning", [], None)
    linode = settled(client, first.id)
    assert (linode.label, linode.tags, linode.status) == ("web-0", ["a=b", "ours"], "running")
    assert (len(linode.ipv4), linode.ipv6.endswith("/128"), linode.specs.disk) == (1, True, 25600)
    assert linode.ips.ipv4.public[0].address == linode.ipv4[0]
    assert linode.ips.ipv6.slaac.address == linode.ipv6.removesuffix("/128")
    kept = standin.linodes[first.id]
    assert (kept.user_data, kept.keys) == (b"#cloud-config\n", (KEY,))
    assert [wall.label for wall in linode.firewalls()] == ["ours"]
    assert {tag.label for tag in client.tags()} == {"a=b", "ours"}


def test_an_address_may_come_late(standin: LinodeStandIn, client: Any) -> None:
    standin.pace = Pace(addressed=2, running=4)
    id = client.linode.instance_create(**WISH, label="web-0").id
    seen = [client.load(Instance, id) for _ in range(4)]
    assert [len(linode.ipv4) for linode in seen] == [0, 1, 1, 1]
    assert [linode.status for linode in seen] == ["provisioning", "booting", "booting", "running"]


def test_lists_have_pages_and_filters(standin: LinodeStandIn, client: Any) -> None:
    standin.page_max = 2
    for ordinal in range(3):
        client.linode.instance_create(**WISH, label=f"web-{ordinal}", tags=[f"tag-{ordinal % 2}"])
    linodes = client.linode.instances()
    assert (linodes.max_pages, linodes.total_items) == (2, 3)
    assert [linode.label for linode in linodes] == ["web-0", "web-1", "web-2"]
    assert [linode.label for linode in client.linode.instances(Instance.label == "web-1")] == ["web-1"]
    ours = client.linode.instances(Instance.tags.contains("tag-0"))
    assert [linode.label for linode in ours] == ["web-0", "web-2"]
    either = (Instance.label == "web-0") | (Instance.label == "web-1")
    assert len(client.linode.instances(either)) == 2
    with pytest.raises(ApiError, match="Cannot filter on status"):
        client.get("/linode/instances", filters={"status": "running"})


@pytest.mark.parametrize("query", ["page_size=24", "page_size=501", "page=0", "page=x", "page=9"])
def test_pages_that_do_not_exist_are_refused(client: Any, query: str) -> None:
    with pytest.raises(ApiError):
        client.get(f"/linode/instances?{query}")


def test_lists_may_lag(standin: LinodeStandIn, client: Any) -> None:
    standin.pace = Pace(listed=2, addressed=0, running=0, gone=2)
    linode = client.linode.instance_create(**WISH, label="web-0")
    assert [len(client.linode.instances()) for _ in range(2)] == [0, 1]
    linode.delete()
    assert [len(client.linode.instances()) for _ in range(2)] == [1, 0]
    with pytest.raises(ApiError, match="Not found"):
        client.load(Instance, linode.id)


def test_a_linode_is_stopped_started_and_deleted(standin: LinodeStandIn, client: Any) -> None:
    linode = client.linode.instance_create(**WISH, label="web-0")
    with pytest.raises(ApiError, match="Linode busy"):
        linode.shutdown()
    before = settled(client, linode.id)
    Operator(standin).stop(type("Stopped", (), {"id": str(linode.id)})())
    assert client.load(Instance, linode.id).status == "offline"
    assert linode.boot()
    after = client.load(Instance, linode.id)
    assert (after.status, after.ipv4) == ("running", before.ipv4)
    assert linode.delete()
    with pytest.raises(ApiError, match="Not found"):
        client.delete(f"/linode/instances/{after.id}")


def test_a_linode_is_renamed_and_tagged(client: Any) -> None:
    linode = client.linode.instance_create(**WISH, label="web-0")
    linode.label, linode.tags = "web-1", ["ours"]
    assert linode.save()
    again = client.load(Instance, linode.id)
    assert (again.label, again.tags) == ("web-1", ["ours"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ltype": "g6-none"}, "plan type"),
        ({"ltype": "g7-premium-2"}, "plan type"),
        ({"region": "moon"}, "region is not valid"),
        ({"image": "linode/debian99"}, "image is not valid"),
        ({"root_pass": "short"}, "strength"),
        ({"tags": ["no"]}, "Tag 'no' must be between 3 and 50 characters"),
        ({"tags": ["x" * 51]}, "must be between 3 and 50 characters"),
        ({"label": "ab"}, "3-64"),
        ({"label": "web--0"}, "Must only use"),
        ({"label": "web 0"}, "Must only use"),
        ({"label": "taken"}, "Label must be unique among your linodes"),
        ({"metadata": {"user_data": "#cloud-config"}}, "Base64"),
        ({"metadata": {"user_data": "YWFh" * 5462}}, "16 KB"),
        ({"metadata": {"user_data": "YWFh"}, "image": "linode/alpine3.19"}, "cloud-init"),
        ({"metadata": {"user_data": "YWFh"}, "region": "ap-west"}, "Metadata"),
        ({"firewall": 7}, "firewall_id is not valid"),
    ],
)
def test_what_cannot_be_made_is_refused(
    standin: LinodeStandIn, client: Any, change: dict[str, Any], message: str
) -> None:
    standin.foreign("taken")
    with pytest.raises(ApiError, match=message) as raised:
        client.linode.instance_create(**{**WISH, "label": "web-0", **change})
    assert raised.value.status == 400
    assert len(client.linode.instances()) == 1


def test_a_linode_needs_a_way_in(client: Any) -> None:
    wish = {"type": "g6-nanode-1", "region": "eu-central", "image": "linode/debian12", "label": "web-0"}
    with pytest.raises(ApiError, match="root_pass is required"):
        client.post("/linode/instances", data=wish)
    assert client.post("/linode/instances", data={**wish, "authorized_keys": [KEY]})["label"] == "web-0"


def test_the_limit_of_the_account(client: Any) -> None:
    for ordinal in range(4):
        client.linode.instance_create(**WISH, label=f"web-{ordinal}")
    with pytest.raises(ApiError, match="Account Limit reached"):
        client.linode.instance_create(**WISH, label="web-4")


# -------------------------------------------------------------------------------------------- firewalls and tags


def test_a_firewall_guards_what_it_is_given(client: Any) -> None:
    linodes = [client.linode.instance_create(**WISH, label=f"web-{ordinal}") for ordinal in range(2)]
    firewall = client.networking.firewall_create("ours", RULES, tags=["ours"])
    device = firewall.device_create(linodes[0].id)
    assert device.entity.label == "web-0"
    assert [d.entity.id for d in client.load(Firewall, firewall.id).devices] == [linodes[0].id]
    assert [len(linode.firewalls()) for linode in linodes] == [1, 0]
    other = client.networking.firewall_create("theirs", RULES)
    with pytest.raises(ApiError, match="already assigned"):
        other.device_create(linodes[0].id)
    device.delete()
    assert other.device_create(linodes[0].id).entity.id == linodes[0].id
    linodes[0].delete()
    assert list(client.load(Firewall, other.id).devices) == []


def test_a_linode_with_interfaces_of_its_own(standin: LinodeStandIn, client: Any) -> None:
    """As the reference has it under "Create a Linode" and "Create a firewall device"."""
    firewall, other = (client.networking.firewall_create(name, RULES) for name in ("ours", "theirs"))
    public = LinodeInterfacePublicOptions(
        ipv4=LinodeInterfacePublicIPv4Options(
            addresses=[LinodeInterfacePublicIPv4AddressOptions(address="auto", primary=True)]
        )
    )
    own = LinodeInterfaceOptions(firewall_id=firewall.id, public=public)
    linode = client.linode.instance_create(
        **WISH, label="web-0", interface_generation=InterfaceGeneration.LINODE, interfaces=[own]
    )
    assert client.load(Instance, linode.id).interface_generation == InterfaceGeneration.LINODE
    (interface,) = linode.linode_interfaces
    assert interface.public.ipv4.addresses[0].primary
    (device,) = client.load(Firewall, firewall.id).devices
    assert (device.entity.type, device.entity.id) == ("linode_interface", interface.id)
    device.delete()
    with pytest.raises(ApiError, match="assigned to the interfaces"):
        other.device_create(linode.id)
    assert other.device_create(interface.id, type="linode_interface").entity.id == interface.id
    standin.new_interfaces = "linode_only"
    assert client.account.settings().interfaces_for_new_linodes == "linode_only"
    with pytest.raises(ApiError, match="linode_only"):
        client.linode.instance_create(**WISH, label="web-1", interface_generation=InterfaceGeneration.LEGACY_CONFIG)
    with pytest.raises(ApiError, match="legacy config interfaces"):
        client.linode.instance_create(**WISH, label="web-1", firewall=firewall)


def test_rules_are_replaced(client: Any) -> None:
    firewall = client.networking.firewall_create("ours", RULES)
    assert firewall.get_rules()["inbound"][0]["ports"] == "22, 8080"
    firewall.update_rules({**RULES, "inbound": [{**RULE, "ports": "443"}]})
    assert [rule.ports for rule in client.load(Firewall, firewall.id).rules.inbound] == ["443"]
    assert [wall.label for wall in client.networking.firewalls(Firewall.label == "ours")] == ["ours"]
    firewall.delete()
    assert list(client.networking.firewalls()) == []


@pytest.mark.parametrize(
    ("label", "change", "message"),
    [
        ("taken", {}, "Label must be unique among your Cloud Firewalls"),
        ("x" * 33, {}, "3-32"),
        ("ours", {"inbound_policy": None}, "inbound_policy is required"),
        ("ours", {"inbound": [{**RULE, "ports": "080"}]}, "valid ports"),
        ("ours", {"inbound": [{**RULE, "ports": "24-22"}]}, "valid ports"),
        ("ours", {"inbound": [{**RULE, "ports": "1-2,3-4,5-6,7-8,9-10,11-12,13-14,15-16"}]}, "valid ports"),
        ("ours", {"inbound": [{**RULE, "protocol": "ICMP"}]}, "Ports are not allowed"),
        ("ours", {"inbound": [{**RULE, "protocol": "tcp"}]}, "Must be one of TCP"),
        ("ours", {"inbound": [{**RULE, "addresses": {}}]}, "Must contain ipv4"),
        ("ours", {"inbound": [{**RULE, "addresses": {"ipv4": ["192.0.2.1"]}}]}, "IP/mask"),
        ("ours", {"inbound": [{**RULE, "addresses": {"ipv6": ["0.0.0.0/0"]}}]}, "IP/mask"),
        ("ours", {"inbound": [RULE] * 26}, "up to 25 rules"),
    ],
)
def test_a_firewall_that_cannot_be_made_is_refused(
    client: Any, label: str, change: dict[str, Any], message: str
) -> None:
    client.networking.firewall_create("taken", RULES)
    with pytest.raises(ApiError, match=message) as raised:
        client.networking.firewall_create(label, {**RULES, **change})
    assert raised.value.status == 400


# -------------------------------------------------------------------------------------------- the account's moods


def test_a_suspended_account_shows_in_its_linodes(standin: LinodeStandIn, client: Any) -> None:
    linode = client.linode.instance_create(**WISH, label="web-0")
    standin.close("terms of service")
    assert client.load(Instance, linode.id).status == "billing_suspension"
    assert [known.status for known in client.linode.instances()] == ["billing_suspension"]
    assert [n.message for n in client.account.notifications()] == ["terms of service"]
    for call in (client.regions, linode.delete, lambda: client.linode.instance_create(**WISH, label="web-1")):
        with pytest.raises(ApiError) as raised:
            call()
        assert raised.value.status == 403
    standin.reopen()
    assert list(client.linode.instances()) == []


def test_a_wrong_token(standin: LinodeStandIn, client: Any) -> None:
    other = LinodeClient("wrong", base_url=f"{standin.url}/v4", retry=False)
    with pytest.raises(ApiError, match="Invalid Token") as raised:
        other.account()
    assert raised.value.status == 401
    other.session.close()


def test_faults_reach_the_client(standin: LinodeStandIn, client: Any) -> None:
    standin.fault("GET /v4/linode/instances", "429", retry_after_s=7)
    with pytest.raises(ApiError, match="Too many requests") as raised:
        client.linode.instances()
    assert (raised.value.status, raised.value.response.headers["Retry-After"]) == (429, "7")
    standin.fault("create_linode", Fault.LOST)
    with pytest.raises(ConnectionFailed):
        client.linode.instance_create(**WISH, label="web-0")
    assert [linode.label for linode in client.linode.instances()] == ["web-0"]
    with pytest.raises(ApiError, match="must be unique"):
        client.linode.instance_create(**WISH, label="web-0")
    standin.fault("list_linodes", Fault.EMPTY)
    empty = client.get("/linode/instances")
    assert (empty["data"], empty["results"]) == ([], 1)


def test_the_client_waits_as_long_as_it_is_told(standin: LinodeStandIn) -> None:
    patient = LinodeClient("t", base_url=f"{standin.url}/v4", retry_rate_limit_interval=0.01)
    standin.fault("list_tags", "429", times=2, retry_after_s=0)
    assert list(patient.tags()) == []
    assert standin.count("GET /v4/tags") == 3
    patient.session.close()


def test_bodies_are_json_and_say_so(standin: LinodeStandIn) -> None:
    url, headers = f"{standin.url}/v4/linode/instances", {"Authorization": "Bearer t"}
    with urllib3.PoolManager(retries=False, headers=headers) as pool:
        assert pool.request("POST", url, body=b"{").status == 400
        assert (
            pool.request("POST", url, body=b"[]", headers={**headers, "Content-Type": "application/json"}).status == 400
        )
        missing = pool.request("GET", f"{standin.url}/v4/servers")
    assert (missing.status, missing.json()) == (404, {"errors": [{"reason": "Not found"}]})


def test_a_tag_is_there_once_it_is_used(client: Any) -> None:
    client.linode.instance_create(**WISH, label="web-0", tags=["ours"])
    assert [tag.label for tag in client.tags(Tag.label == "ours")] == ["ours"]


def test_a_token_with_scopes_of_its_own(standin: LinodeStandIn) -> None:
    """What it may stands in every answer; a refusal has the words that users report."""
    token = standin.grant("reads", "linodes:read_only")
    reader = LinodeClient(token, base_url=f"{standin.url}/v4", retry=False)
    assert list(reader.linode.instances()) == []
    assert reader.profile().restricted is False
    with pytest.raises(ApiError, match="not authorized to use this endpoint"):
        reader.linode.instance_create("g6-nanode-1", "eu-central")
    told = reader.session.get(f"{standin.url}/v4/profile", headers={"Authorization": f"Bearer {token}"})
    assert told.headers["X-OAuth-Scopes"] == "linodes:read_only"
    reader.session.close()


def test_a_restricted_user(standin: LinodeStandIn, client: Any) -> None:
    standin.grants = {"global": {"add_linodes": True}, "linode": [], "domain": []}
    profile = client.profile()
    assert profile.restricted is True
    assert profile.grants.global_grants.add_linodes is True
