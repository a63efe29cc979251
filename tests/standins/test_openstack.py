"""The OpenStack stand-in satisfies openstacksdk, OpenStack's own client."""

import base64
from collections.abc import Iterator
from typing import Any

import openstack
import pytest
import requests
from keystoneauth1.exceptions import http
from openstack import exceptions

from tests.standins.base import Pace
from tests.standins.openstack import OpenStack
from tests.standins.openstack.compute import NO_HOST

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8mfEuqDPBhKmNJdBQ9hRqKEuzK5mVbGk3sPpZ0uvjQ somebody@example"
Sdk = openstack.connection.Connection
pytestmark = [
    pytest.mark.filterwarnings("ignore::openstack.warnings.OpenStackDeprecationWarning"),
    pytest.mark.filterwarnings("ignore::openstack.warnings._RemovedInSDKWarning"),
]


@pytest.fixture
def cloud() -> Iterator[OpenStack]:
    with OpenStack(token="open sesame", page_max=2, nodes_max=4) as running:
        yield running


def connected(cloud: OpenStack, **more: Any) -> Sdk:
    return openstack.connect(
        load_yaml_config=False,
        load_envvars=False,
        auth={
            "auth_url": cloud.auth_url,
            "username": "operator",
            "password": "open sesame",
            "project_name": "p1",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
            **more,
        },
        region_name="GRA11",
    )


@pytest.fixture
def sdk(cloud: OpenStack) -> Iterator[Sdk]:
    with connected(cloud) as connection:
        yield connection
        connection.session.session.close()


def make(sdk: Sdk, name: str = "web", **more: Any) -> Any:
    flavor = sdk.compute.find_flavor("d2-2", ignore_missing=False)
    image = next(i for i in sdk.image.images(name="Debian 12") if i.status == "active")
    network = sdk.network.find_network("Ext-Net", ignore_missing=False)
    wish = {"flavor_id": flavor.id, "image_id": image.id, "networks": [{"uuid": network.id}], **more}
    return sdk.compute.create_server(name=name, **wish)


def wait(sdk: Sdk, server: Any, status: str = "ACTIVE") -> Any:
    return sdk.compute.wait_for_server(server, status=status, interval=0.01, wait=20)


def test_what_is_for_sale(sdk: Sdk) -> None:
    assert {f.name: (f.vcpus, f.ram, f.disk) for f in sdk.compute.flavors()} == {
        "b2-7": (2, 7000, 50),
        "d2-2": (1, 2000, 25),
        "d2-4": (2, 4000, 50),
        "b2-15": (4, 15000, 100),
    }
    names = [image.name for image in sdk.image.images()]
    assert (len(names), names.count("Debian 12")) == (8, 2)
    networks = {n.name: n.is_router_external for n in sdk.network.networks()}
    assert networks == {"Ext-Net": True, "private": False}
    assert sdk.compute.get_limits().absolute.instances == 4


def test_a_server_is_built_and_gets_its_addresses_late(cloud: OpenStack, sdk: Sdk) -> None:
    cloud.pace = Pace(addressed=6, running=3)
    data = base64.b64encode(b"#cloud-config\n").decode()
    made = make(sdk, metadata={"role": "web"}, user_data=data)
    assert sdk.compute.get_server(made.id).status == "BUILD"
    active = wait(sdk, made)
    assert active.addresses == {}
    for _ in range(4):
        active = sdk.compute.get_server(made.id)
    assert [a["version"] for a in active.addresses["Ext-Net"]] == [6, 4]
    assert active.metadata == {"role": "web"}
    assert active.flavor.name == "d2-2"
    assert cloud.servers[made.id].user_data == "#cloud-config\n"


def test_lists_are_in_pages_and_the_newest_comes_first(sdk: Sdk) -> None:
    made = [make(sdk, f"web-{n}") for n in range(4)]
    assert [server.id for server in sdk.compute.servers()] == [server.id for server in reversed(made)]
    assert [server.name for server in sdk.compute.servers(name="web-[12]$")] == ["web-2", "web-1"]
    assert {port.device_id for port in sdk.network.ports()} == {server.id for server in made}


def test_two_servers_may_have_one_name_but_no_more_than_the_quota(sdk: Sdk) -> None:
    assert len({make(sdk).id for _ in range(4)}) == 4
    with pytest.raises(exceptions.ForbiddenException, match="Quota exceeded for instances"):
        make(sdk)


def test_a_server_is_stopped_started_and_deleted_in_time(cloud: OpenStack, sdk: Sdk) -> None:
    cloud.pace = Pace(addressed=0, running=1, gone=2)
    made = wait(sdk, make(sdk))
    sdk.compute.stop_server(made)
    wait(sdk, made, "SHUTOFF")
    with pytest.raises(exceptions.ConflictException):
        sdk.compute.stop_server(made)
    sdk.compute.start_server(made)
    wait(sdk, made)
    sdk.compute.delete_server(made)
    assert sdk.compute.get_server(made.id).task_state == "deleting"
    sdk.compute.wait_for_delete(made, interval=0.01, wait=20)
    assert list(sdk.compute.servers()) == []
    assert list(sdk.network.ports()) == []


def test_a_server_without_a_host_says_why(cloud: OpenStack, sdk: Sdk) -> None:
    cloud.builds_failing = 1
    made = make(sdk)
    with pytest.raises(exceptions.ResourceFailure):
        wait(sdk, made)
    assert sdk.compute.get_server(made.id).fault["message"] == NO_HOST


def test_metadata_is_replaced_or_extended(sdk: Sdk) -> None:
    made = make(sdk, metadata={"a": "1"})
    sdk.compute.set_server_metadata(made, b="2")
    assert sdk.compute.get_server(made.id).metadata == {"a": "1", "b": "2"}


def test_security_groups_and_their_rules(cloud: OpenStack, sdk: Sdk) -> None:
    group = sdk.network.create_security_group(name="web", description="ours")
    for version, prefix in (("IPv4", "0.0.0.0/0"), ("IPv6", "::/0")):
        wish = {
            "security_group_id": group.id,
            "direction": "ingress",
            "ethertype": version,
            "protocol": "tcp",
            "port_range_min": 8080,
            "port_range_max": 8080,
            "remote_ip_prefix": prefix,
        }
        sdk.network.create_security_group_rule(**wish)
        with pytest.raises(exceptions.ConflictException, match="already exists"):
            sdk.network.create_security_group_rule(**wish)
    found = sdk.network.find_security_group("web", ignore_missing=False)
    assert sorted(r["direction"] for r in found.security_group_rules) == ["egress", "egress", "ingress", "ingress"]
    server = wait(sdk, make(sdk, security_groups=[{"name": group.id}]))
    assert server.security_groups == [{"name": "web"}]
    with pytest.raises(exceptions.ConflictException, match="in use"):
        sdk.network.delete_security_group(group)
    other = sdk.network.create_security_group(name="ssh", description="")
    for _ in range(2):
        sdk.compute.add_security_group_to_server(server, other)
    assert sdk.compute.get_server(server.id).security_groups == [{"name": "web"}, {"name": "ssh"}]
    assert {tuple(port.security_group_ids) for port in sdk.network.ports(device_id=server.id)} == {(group.id, other.id)}
    sdk.compute.remove_security_group_from_server(server, other)
    with pytest.raises(exceptions.NotFoundException, match="not associated"):
        sdk.compute.remove_security_group_from_server(server, other)
    sdk.network.delete_security_group(other)
    sdk.compute.delete_server(server)
    sdk.compute.wait_for_delete(server, interval=0.01, wait=20)
    sdk.network.delete_security_group(group)
    assert [g.name for g in sdk.network.security_groups()] == ["default"]


def test_key_pairs(sdk: Sdk) -> None:
    made = sdk.compute.create_keypair(name="mine", public_key=KEY)
    assert [k.fingerprint for k in sdk.compute.keypairs()] == [made.fingerprint]
    assert wait(sdk, make(sdk, key_name="mine")).key_name == "mine"
    sdk.compute.delete_keypair("mine", ignore_missing=False)
    assert list(sdk.compute.keypairs()) == []


def test_a_floating_address_reaches_a_private_server(sdk: Sdk) -> None:
    private = sdk.network.find_network("private", ignore_missing=False)
    public = sdk.network.find_network("Ext-Net", ignore_missing=False)
    server = wait(sdk, make(sdk, networks=[{"uuid": private.id}]))
    (port,) = sdk.network.ports(device_id=server.id)
    floating = sdk.network.create_ip(floating_network_id=public.id, port_id=port.id)
    addresses = sdk.compute.get_server(server.id).addresses["private"]
    assert [(a["addr"], a["OS-EXT-IPS:type"]) for a in addresses][1:] == [(floating.floating_ip_address, "floating")]


def test_the_whole_way_of_the_cloud_layer(sdk: Sdk) -> None:
    server = sdk.create_server(
        "web", image="Debian 13", flavor="d2-4", network="Ext-Net", wait=True, timeout=20, auto_ip=False
    )
    assert server.public_v4.startswith("198.18.")
    assert server.public_v6.startswith("2001:db8:")
    assert sdk.delete_server("web", wait=True, timeout=20)


@pytest.mark.parametrize(
    "more",
    [
        {"image_id": "00000000-0000-0000-0000-000000000000"},
        {"flavor_id": "m1.tiny"},
        {"key_name": "nobody"},
        {"user_data": "not base64!"},
        {"metadata": {"key": "x" * 256}},
        {"security_groups": [{"name": "nobody"}]},
        {"networks": [{"uuid": "nowhere"}]},
    ],
)
def test_what_nova_forbids_is_refused(cloud: OpenStack, sdk: Sdk, more: Any) -> None:
    with pytest.raises(exceptions.BadRequestException):
        make(sdk, **more)
    assert cloud.node_ids() == ()


# ------------------------------------------------------------------------------------------ keystone


def test_a_token_that_expired_is_renewed(cloud: OpenStack, sdk: Sdk) -> None:
    make(sdk)
    cloud.expire()
    assert len(list(sdk.compute.servers())) == 1
    assert cloud.count("POST /identity/v3/auth/tokens") == 2


def test_a_wrong_password_and_a_disabled_project_look_alike(cloud: OpenStack, sdk: Sdk) -> None:
    def refused(**more: Any) -> str:
        connection = connected(cloud, **more)
        with pytest.raises(exceptions.SDKException) as caught:
            connection.authorize()
        connection.session.session.close()
        return str(caught.value)

    wrong = refused(password="wrong")
    make(sdk)
    cloud.close("terms of service")
    assert refused() == wrong == refused(username="nobody")
    with pytest.raises(http.Unauthorized):
        list(sdk.compute.servers())


def sign_in(cloud: OpenStack, scope: Any = None) -> requests.Response:
    user = {"name": "operator", "password": "open sesame", "domain": {"id": "default"}}
    auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
    if scope is not None:
        auth["scope"] = scope
    return requests.post(f"{cloud.auth_url}/auth/tokens", json={"auth": auth}, timeout=5)


def test_only_keystone_tells_a_disabled_project(cloud: OpenStack) -> None:
    project = {"project": {"name": "p1", "domain": {"id": "default"}}}
    scoped = sign_in(cloud, project).headers["X-Subject-Token"]
    unscoped = sign_in(cloud).headers["X-Subject-Token"]
    cloud.cached_ticks["network"] = 4
    cloud.close("terms of service")

    def ask(path: str, **headers: str) -> requests.Response:
        return requests.get(f"{cloud.url}/{path}", headers=headers, timeout=5)

    about = ask("identity/v3/auth/tokens", **{"X-Auth-Token": unscoped, "X-Subject-Token": scoped})
    assert about.status_code == 404
    assert "Unable to validate token because project" in about.json()["error"]["message"]
    assert ask("compute/v2.1/servers", **{"X-Auth-Token": scoped}).status_code == 401
    assert ask("network/v2.0/ports", **{"X-Auth-Token": scoped}).status_code == 200  # it believes its cache
    assert sign_in(cloud, project).status_code == 401
    assert ask("network/v2.0/ports", **{"X-Auth-Token": scoped}).status_code == 401
    assert sign_in(cloud).status_code == 201


def test_an_application_credential_signs_in(cloud: OpenStack) -> None:
    cloud.application_credentials["watcher"] = "opensesame"
    connection = openstack.connect(
        load_yaml_config=False,
        load_envvars=False,
        auth_type="v3applicationcredential",
        auth={
            "auth_url": cloud.auth_url,
            "application_credential_id": "watcher",
            "application_credential_secret": "opensesame",
        },
        region_name="GRA11",
    )
    assert list(connection.compute.servers()) == []
    connection.session.session.close()


def test_each_service_words_its_refusals(cloud: OpenStack) -> None:
    token = sign_in(cloud, {"project": {"name": "p1", "domain": {"id": "default"}}}).headers["X-Subject-Token"]

    def ask(path: str) -> requests.Response:
        return requests.get(f"{cloud.url}/{path}", headers={"X-Auth-Token": token}, timeout=5)

    assert ask("compute/v2.1/servers/none").json() == {
        "itemNotFound": {"code": 404, "message": "Instance none could not be found."}
    }
    assert ask("network/v2.0/ports/none").json()["NeutronError"]["type"] == "PortNotFound"
    assert "Failed to find image" in ask("image/v2/images/none").text
    assert requests.get(f"{cloud.url}/compute/v2.1/servers", timeout=5).status_code == 401


def test_a_user_who_only_reads(cloud: OpenStack) -> None:
    """nova asks its policy after the form and before the flavor."""
    with connected(cloud, password=cloud.grant("reads only", "reader")) as reader:
        assert list(reader.compute.servers()) == []
        for flavor in ("d2-2", "no-such-flavor"):
            with pytest.raises(exceptions.ForbiddenException, match="Policy doesn't allow"):
                reader.compute.create_server(name="web", flavor_id=flavor, image_id="none", networks="none")
        with pytest.raises(exceptions.BadRequestException):
            reader.compute.create_server(name="", flavor_id="d2-2", image_id="none", networks="none")
        reader.session.session.close()
