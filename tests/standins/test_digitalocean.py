"""The stand-in for DigitalOcean, tried with DigitalOcean's own client, and held against its own document."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.core.pipeline.policies import AzureKeyCredentialPolicy
from pydo import Client

from tests.standins.base import Fault, Operator, Pace
from tests.standins.digitalocean import DigitalOcean

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIYaZ2r5qYFzZJvDbGyrjDZGYXQ0Yb2cQGmZpZ8rJr0P someone"
WISH = {"name": "web-0", "region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-12-x64"}
OPEN = {"addresses": ["0.0.0.0/0", "::/0"]}
UUID_OF_NONE = "bb4b2611-3d72-467b-8602-280330ecd65c"


@pytest.fixture
def standin() -> Iterator[DigitalOcean]:
    with DigitalOcean(token="t", nodes_max=4) as running:
        yield running


@pytest.fixture
def client(standin: DigitalOcean) -> Iterator[Any]:
    with made(standin, "t") as client:
        yield client


def made(standin: DigitalOcean, token: str) -> Any:
    """Its own policy for tokens wants TLS."""
    policy = AzureKeyCredentialPolicy(AzureKeyCredential(token), "Authorization", prefix="Bearer")
    return Client(token=token, endpoint=standin.url, authentication_policy=policy, retry_total=0)


def everything(call: Any, key: str, **query: Any) -> list[Any]:
    """All pages, by the links. (A 404 that the document describes is an answer to this client, not an error.)"""
    page, found = 1, []
    while True:
        answer = call(page=page, **query)
        found += answer[key]
        if "next" not in answer["links"].get("pages", {}):
            assert len(found) == answer["meta"]["total"]
            return found
        page = int(re.findall(r"[?&]page=(\d+)", answer["links"]["pages"]["next"])[0])


def settled(client: Any, id: int) -> Any:
    while (droplet := client.droplets.get(id)["droplet"])["locked"]:
        pass
    return droplet


# -------------------------------------------------------------------------------------------- what hardly changes


def test_the_account_is_active(client: Any) -> None:
    account = client.account.get()["account"]
    assert (account["status"], account["droplet_limit"]) == ("active", 4)


def test_regions_sizes_and_images(client: Any) -> None:
    sizes = {size["slug"]: size for size in everything(client.sizes.list, "sizes", per_page=3)}
    assert sizes["s-1vcpu-1gb"]["memory"] == 1024
    assert any(not size["available"] for size in sizes.values())
    regions = {region["slug"]: region for region in client.regions.list()["regions"]}
    assert "s-1vcpu-1gb" in regions["fra1"]["sizes"]
    assert "s-2vcpu-4gb-far" not in regions["fra1"]["sizes"]
    images = [image["slug"] for image in client.images.list(type="distribution", per_page=200)["images"]]
    assert "debian-12-x64" in images
    assert client.images.list(private=True)["images"] == []
    assert client.images.get("debian-12-x64")["image"]["distribution"] == "Debian"


def test_keys(client: Any) -> None:
    key = client.ssh_keys.create({"name": "someone", "public_key": KEY})["ssh_key"]
    assert re.fullmatch(r"([0-9a-f]{2}:){15}[0-9a-f]{2}", key["fingerprint"])
    with pytest.raises(HttpResponseError, match="already in use"):
        client.ssh_keys.create({"name": "again", "public_key": KEY})
    assert client.ssh_keys.get(key["fingerprint"])["ssh_key"] == key
    assert client.ssh_keys.list()["ssh_keys"] == [key]
    client.ssh_keys.delete(key["id"])
    assert client.ssh_keys.list()["ssh_keys"] == []


# -------------------------------------------------------------------------------------------- droplets


def test_a_droplet_is_made_with_everything(standin: DigitalOcean, client: Any) -> None:
    key = client.ssh_keys.create({"name": "someone", "public_key": KEY})["ssh_key"]
    more = {"tags": ["a:b", "c"], "user_data": "#cloud-config\n", "ipv6": True, "ssh_keys": [key["id"]]}
    answer = client.droplets.create({**WISH, **more})
    first = answer["droplet"]
    assert (first["status"], first["locked"], first["networks"]) == ("new", True, {"v4": [], "v6": []})
    action = answer["links"]["actions"][0]["id"]
    assert client.actions.get(action)["action"]["status"] == "in-progress"
    droplet = settled(client, first["id"])
    assert client.actions.get(action)["action"]["status"] == "completed"
    assert (droplet["status"], droplet["tags"], droplet["size_slug"]) == ("active", ["a:b", "c"], "s-1vcpu-1gb")
    assert [address["type"] for address in droplet["networks"]["v4"]] == ["private", "public"]
    assert len(droplet["networks"]["v6"]) == 1
    kept = standin.droplets[first["id"]]
    assert (kept.user_data, kept.keys) == ("#cloud-config\n", [key["id"]])


def test_addresses_may_come_before_a_droplet_runs(standin: DigitalOcean, client: Any) -> None:
    standin.pace = Pace(addressed=2, running=4)
    id = client.droplets.create(WISH)["droplet"]["id"]
    seen = [client.droplets.get(id)["droplet"] for _ in range(4)]
    assert [len(droplet["networks"]["v4"]) for droplet in seen] == [0, 2, 2, 2]
    assert [droplet["status"] for droplet in seen] == ["new", "new", "new", "active"]


def test_lists_have_pages_and_filters(standin: DigitalOcean, client: Any) -> None:
    answer = client.droplets.create({**{k: v for k, v in WISH.items() if k != "name"}, "names": ["a", "b", "c"]})
    ids = [droplet["id"] for droplet in answer["droplets"]]
    client.droplets.create({**WISH, "tags": ["ours"]})
    assert [d["id"] for d in everything(client.droplets.list, "droplets", per_page=2)][:3] == ids
    assert [d["name"] for d in everything(client.droplets.list, "droplets", tag_name="ours")] == ["web-0"]
    assert [d["name"] for d in everything(client.droplets.list, "droplets", name="b")] == ["b"]
    standin.page_max = 1
    assert len(everything(client.droplets.list, "droplets", per_page=200)) == 4


def test_lists_may_lag(standin: DigitalOcean, client: Any) -> None:
    standin.pace = Pace(listed=3, addressed=0, running=0, gone=2)
    id = client.droplets.create(WISH)["droplet"]["id"]
    assert client.droplets.get(id)["droplet"]["id"] == id
    assert [client.droplets.list()["meta"]["total"] for _ in range(2)] == [0, 1]
    client.droplets.destroy(id)
    assert client.droplets.get(id)["droplet"]["status"] == "active"
    assert client.droplets.get(id)["id"] == "not_found"
    assert client.droplets.list()["meta"]["total"] == 0


def test_one_event_at_a_time(client: Any) -> None:
    id = client.droplets.create(WISH)["droplet"]["id"]
    with pytest.raises(HttpResponseError, match="pending event"):
        client.droplets.destroy(id)
    settled(client, id)
    client.droplets.destroy(id)
    assert client.droplets.destroy(id)["id"] == "not_found"


def test_a_droplet_is_stopped_and_started(standin: DigitalOcean, client: Any) -> None:
    id = client.droplets.create(WISH)["droplet"]["id"]
    before = settled(client, id)
    Operator(standin).stop(type("Stopped", (), {"id": str(id)})())
    assert client.droplets.get(id)["droplet"]["status"] == "off"
    action = client.droplet_actions.post(id, {"type": "power_on"})["action"]
    assert (action["type"], action["status"], action["resource_id"]) == ("power_on", "in-progress", id)
    after = settled(client, id)
    assert (after["status"], after["networks"]) == ("active", before["networks"])
    assert [a["type"] for a in client.droplet_actions.list(id)["actions"]] == ["power_on", "create"]


def test_droplets_are_deleted_by_tag(client: Any) -> None:
    ids = [client.droplets.create({**WISH, "tags": tags})["droplet"]["id"] for tags in (["x"], ["y"], ["x"])]
    for id in ids:
        settled(client, id)
    client.droplets.destroy_by_tag(tag_name="x")
    client.account.get()
    assert [droplet["id"] for droplet in client.droplets.list()["droplets"]] == [ids[1]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": "s-none"}, "invalid size"),
        ({"size": "s-1vcpu-4gb-sold-out"}, "invalid size"),
        ({"size": "s-2vcpu-4gb-far"}, "not available in this region"),
        ({"image": "debian-99"}, "invalid image"),
        ({"region": "sgp1"}, "invalid region"),
        ({"ssh_keys": [1]}, "invalid key identifiers"),
        ({"tags": ["key=value"]}, "invalid characters"),
        ({"user_data": "x" * 65537}, "64 KiB"),
        ({"name": "under_score"}, "does not match|not valid"),
        ({"name": 7}, "is not of type|not valid"),
        ({"tags": "not-a-list"}, "is not of type|not valid"),
        ({"ipv6": "yes"}, "is not of type|not valid"),
        ({"size": None}, "is not of type|not valid"),
    ],
)
def test_what_cannot_be_made_is_refused(client: Any, change: dict[str, Any], message: str) -> None:
    with pytest.raises(HttpResponseError, match=message) as raised:
        client.droplets.create({**WISH, **change})
    assert raised.value.status_code == 422
    assert client.droplets.list()["meta"]["total"] == 0


def test_the_limit_of_the_account(client: Any) -> None:
    for _ in range(4):
        client.droplets.create(WISH)
    with pytest.raises(HttpResponseError, match="will exceed your droplet limit"):
        client.droplets.create(WISH)


# -------------------------------------------------------------------------------------------- tags and firewalls


def test_tags(client: Any) -> None:
    client.tags.create({"name": "made"})
    id = client.droplets.create({**WISH, "tags": ["by-use"]})["droplet"]["id"]
    assert [tag["name"] for tag in client.tags.list()["tags"]] == ["by-use", "made"]
    resource = {"resources": [{"resource_id": str(id), "resource_type": "droplet"}]}
    client.tags.assign_resources("made", resource)
    assert client.tags.get("made")["tag"]["resources"]["droplets"]["count"] == 1
    assert client.droplets.get(id)["droplet"]["tags"] == ["by-use", "made"]
    client.tags.unassign_resources("made", resource)
    client.tags.delete("by-use")
    assert client.droplets.get(id)["droplet"]["tags"] == []
    assert client.tags.get("by-use")["id"] == "not_found"


def test_a_firewall_follows_a_tag(client: Any) -> None:
    rule = {"protocol": "tcp", "ports": "8080", "sources": OPEN}
    wish = {"name": "ours", "tags": ["ours"], "inbound_rules": [rule]}
    with pytest.raises(HttpResponseError, match="does not exist"):
        client.firewalls.create(wish)
    client.tags.create({"name": "ours"})
    wall = client.firewalls.create(wish)["firewall"]
    assert (wall["status"], wall["inbound_rules"], wall["outbound_rules"]) == ("waiting", [rule], [])
    with pytest.raises(HttpResponseError, match="duplicate name") as raised:
        client.firewalls.create(wish)
    assert raised.value.status_code == 409
    id = client.droplets.create({**WISH, "tags": ["ours"]})["droplet"]["id"]
    other = client.droplets.create(WISH)["droplet"]["id"]
    assert [w["id"] for w in client.droplets.list_firewalls(id)["firewalls"]] == [wall["id"]]
    assert client.droplets.list_firewalls(other)["firewalls"] == []
    assert client.firewalls.get(wall["id"])["firewall"]["status"] == "succeeded"


def test_a_firewall_is_changed_and_deleted(client: Any) -> None:
    rules = [{"protocol": "tcp", "ports": ports, "sources": OPEN} for ports in ("22", "8000-9000")]
    outbound = {"protocol": "tcp", "ports": "all", "destinations": OPEN}
    wall = client.firewalls.create({"name": "ours", "inbound_rules": rules[:1]})["firewall"]
    client.firewalls.add_rules(wall["id"], {"inbound_rules": rules[1:], "outbound_rules": [outbound]})
    assert client.firewalls.get(wall["id"])["firewall"]["inbound_rules"] == rules
    client.firewalls.delete_rules(wall["id"], {"inbound_rules": rules[:1]})
    assert client.firewalls.list()["firewalls"][0]["inbound_rules"] == rules[1:]
    changed = client.firewalls.update(wall["id"], {"name": "theirs", "inbound_rules": rules[:1]})["firewall"]
    assert (changed["name"], changed["inbound_rules"], changed["outbound_rules"]) == ("theirs", rules[:1], [])
    id = client.droplets.create(WISH)["droplet"]["id"]
    client.firewalls.assign_droplets(wall["id"], {"droplet_ids": [id]})
    assert client.firewalls.get(wall["id"])["firewall"]["droplet_ids"] == [id]
    client.firewalls.delete(wall["id"])
    assert client.firewalls.list()["meta"]["total"] == 0
    assert client.firewalls.get(wall["id"])["id"] == "not_found"


@pytest.mark.parametrize(
    "wish",
    [
        {"name": "no-rules"},
        {"name": "under_score", "inbound_rules": []},
        {"name": "ours", "inbound_rules": [{"protocol": "tcp", "sources": OPEN}]},
        {"name": "ours", "inbound_rules": [{"protocol": "tcp", "ports": 80, "sources": OPEN}]},
        {"name": "ours", "inbound_rules": [{"protocol": "any", "ports": "80", "sources": OPEN}]},
        {"name": "ours", "inbound_rules": [{"protocol": "tcp", "ports": "80"}]},
        {"name": "ours", "inbound_rules": [], "id": UUID_OF_NONE},
        {"name": "ours", "inbound_rules": [{"protocol": "tcp", "ports": "80,443", "sources": OPEN}]},
    ],
)
def test_a_firewall_that_the_document_does_not_allow_is_refused(client: Any, wish: dict[str, Any]) -> None:
    with pytest.raises(HttpResponseError) as raised:
        client.firewalls.create(wish)
    assert raised.value.status_code == 422
    assert client.firewalls.list()["meta"]["total"] == 0


# -------------------------------------------------------------------------------------------- the account's moods


def test_a_locked_account_says_so(standin: DigitalOcean, client: Any) -> None:
    id = client.droplets.create(WISH)["droplet"]["id"]
    standin.close("terms of service")
    account = client.account.get()["account"]
    assert (account["status"], account["status_message"]) == ("locked", "terms of service")
    for call in (client.droplets.list, client.sizes.list, lambda: client.droplets.destroy(id)):
        with pytest.raises(HttpResponseError) as raised:
            call()
        assert raised.value.status_code == 403
    standin.reopen()
    assert client.droplets.list()["meta"]["total"] == 0


def test_a_warned_account_goes_on(standin: DigitalOcean, client: Any) -> None:
    standin.warn("an invoice is open")
    assert client.account.get()["account"]["status"] == "warning"
    client.droplets.create(WISH)


def test_a_wrong_token(standin: DigitalOcean, client: Any) -> None:
    with made(standin, "wrong") as other, pytest.raises(HttpResponseError, match="Unable to authenticate you"):
        other.account.get()
    assert client.account.get()["account"]["status"] == "active"


# -------------------------------------------------------------------------------------------- faults


def test_faults_reach_the_client(standin: DigitalOcean, client: Any) -> None:
    standin.fault("GET /v2/droplets", "429", retry_after_s=7)
    with pytest.raises(HttpResponseError) as raised:
        client.droplets.list()
    answer: Any = raised.value.response
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    standin.fault("list_droplets", "502")
    with pytest.raises(HttpResponseError) as raised:
        client.droplets.list()
    assert raised.value.status_code == 502
    standin.fault("POST /v2/droplets", Fault.LOST)
    with pytest.raises((ServiceResponseError, ServiceRequestError)):
        client.droplets.create(WISH)
    assert [droplet["name"] for droplet in client.droplets.list()["droplets"]] == ["web-0"]
    standin.fault("list_droplets", Fault.EMPTY)
    empty = client.droplets.list()
    assert (empty["droplets"], empty["meta"]["total"]) == ([], 1)


# -------------------------------------------------------------------------------------------- the document


@pytest.fixture
def raw(standin: DigitalOcean) -> Iterator[Any]:
    headers = {"Authorization": "Bearer t", "Content-Type": "application/json"}
    with urllib3.PoolManager(retries=False, headers=headers) as pool:
        yield lambda method, path, **more: pool.request(method, standin.url + path, **more)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/servers", 404),
        ("GET", "/droplets", 404),
        ("PUT", "/v2/droplets", 405),
        ("PATCH", "/v2/account", 405),
        ("GET", "/v2/droplets?per_page=201", 422),
        ("GET", "/v2/droplets?per_page=0", 422),
        ("GET", "/v2/droplets?page=first", 422),
        ("GET", "/v2/images?type=server", 422),
        ("GET", "/v2/images?private=perhaps", 422),
        ("GET", "/v2/droplets/web-0", 422),
        ("GET", "/v2/droplets/0", 422),
        ("GET", "/v2/firewalls/ours", 422),
        ("DELETE", "/v2/droplets", 422),
        ("POST", "/v2/account/keys", 422),
    ],
)
def test_what_the_document_does_not_allow_is_refused(
    standin: DigitalOcean, raw: Any, method: str, path: str, status: int
) -> None:
    answer = raw(method, path)
    assert answer.status == status
    assert {"id", "message"} <= answer.json().keys()
    assert len(standin.refusals) == 1


def test_bodies_are_json_and_say_so(raw: Any) -> None:
    assert raw("POST", "/v2/tags", body=b'{"name": ').status == 400
    assert raw("POST", "/v2/tags", body=b'{"name": "x"}', headers={"Authorization": "Bearer t"}).status == 415
    assert raw("GET", "/v2/account", body=b"{}").status == 422


def test_what_the_document_does_not_speak_of_is_noted(standin: DigitalOcean, raw: Any) -> None:
    assert raw("GET", "/v2/account?per_page=200").status == 200
    assert raw("POST", "/v2/droplets", json={**WISH, "colour": "red"}).status == 202
    assert standin.undeclared == {"GET /v2/account ?per_page", "POST /v2/droplets colour"}


def test_an_answer_that_the_document_does_not_describe_is_a_fault_of_the_stand_in() -> None:
    standin = DigitalOcean(token="t").start()
    standin.nodes_max = "many"  # type: ignore[assignment]
    with urllib3.PoolManager(retries=False, headers={"Authorization": "Bearer t"}) as pool:
        assert pool.request("GET", f"{standin.url}/v2/account").status == 500
    with pytest.raises(AssertionError, match=r"droplet_limit: 'many' is not of type 'integer'"):
        standin.stop()


def test_what_is_documented_but_not_played_is_a_fault_of_the_stand_in() -> None:
    standin = DigitalOcean(token="t").start()
    with urllib3.PoolManager(retries=False, headers={"Authorization": "Bearer t"}) as pool:
        assert pool.request("GET", f"{standin.url}/v2/volumes").status == 500
    with pytest.raises(AssertionError, match="has no answer"):
        standin.stop()


def test_a_token_with_scopes_of_its_own(standin: DigitalOcean) -> None:
    with made(standin, standin.grant("reads", "droplet:read")) as reader:
        assert reader.droplets.list()["droplets"] == []
        with pytest.raises(HttpResponseError, match="missing the required permission"):
            reader.droplets.create(WISH)
        with pytest.raises(HttpResponseError, match="account:read"):
            reader.account.get()
    assert standin.droplets == {}
