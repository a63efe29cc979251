"""The stand-in for Vultr, tried with pyvultr, a client that others have written from Vultr's API reference."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
import pyvultr.base_api  # type: ignore[import-untyped]
import pyvultr.v2.base  # type: ignore[import-untyped]
import requests
import urllib3
from pyvultr.exception import APIException  # type: ignore[import-untyped]
from pyvultr.v2 import (
    AccountAPI,
    FirewallAPI,
    InstanceAPI,
    OperatingSystemAPI,
    PlanAPI,
    RegionAPI,
    SSHKeyAPI,
)
from pyvultr.v2.enums import FirewallProtocol, IPType  # type: ignore[import-untyped]
from pyvultr.v2.instance import ReqInstance  # type: ignore[import-untyped]

from tests.standins.base import Fault, Operator, Pace
from tests.standins.vultr import Vultr

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIYaZ2r5qYFzZJvDbGyrjDZGYXQ0Yb2cQGmZpZ8rJr0P someone"
WISH = {"region": "fra", "plan": "vc2-1c-1gb", "os_id": 2136}


class Client:
    """Every part of pyvultr that is used, at another address."""

    def __init__(self, url: str, token: str) -> None:
        class Here(pyvultr.v2.base.BaseVultrV2):  # type: ignore[misc]
            @property
            def base_url(self) -> str:
                return f"{url}/v2/"

        def part(api: Any) -> Any:
            return type(api.__name__, (api, Here), {})(token)

        self.account, self.firewall, self.instance = part(AccountAPI), part(FirewallAPI), part(InstanceAPI)
        self.system, self.plan, self.region = part(OperatingSystemAPI), part(PlanAPI), part(RegionAPI)
        self.key = part(SSHKeyAPI)


@pytest.fixture
def standin() -> Iterator[Vultr]:
    with Vultr(token="t", nodes_max=4) as running:
        yield running


@pytest.fixture
def client(standin: Vultr, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.delenv("VULTR_API_KEY", raising=False)
    monkeypatch.setattr(pyvultr.v2.base, "MIN_REQ_INTERVAL_SEC", 0.0)  # its own brake: 20 calls a second
    yield Client(standin.url, "t")
    pyvultr.base_api._session.close()


@pytest.fixture
def raw(standin: Vultr) -> Iterator[Any]:
    """Plain requests, for what pyvultr does not know (tags) or has wrong."""
    headers = {"Authorization": "Bearer t"}
    with urllib3.PoolManager(retries=False, headers=headers) as pool:
        yield lambda method, path, **more: pool.request(method, f"{standin.url}/v2{path}", **more)


def settled(client: Client, id: str) -> Any:
    while (instance := client.instance.get(id)).server_status != "ok":
        pass
    return instance


# -------------------------------------------------------------------------------------------- what hardly changes


def test_the_account(client: Client) -> None:
    account = client.account.get()
    assert (account.email, account.balance) == ("owner@example.org", -100.55)


def test_regions_plans_and_systems(client: Client) -> None:
    assert [region.id for region in client.region.list(per_page=2)] == ["ams", "ewr", "fra"]
    plans = {plan.id: plan for plan in client.plan.list(per_page=2)}
    assert (plans["vc2-1c-1gb"].ram, plans["vc2-1c-1gb"].disk, plans["vc2-1c-1gb"].monthly_cost) == (1024, 25, 5.0)
    assert plans["vhf-2c-4gb"].locations == []
    assert "vc2-4c-8gb" not in client.region.list_in_region("fra")
    assert {system.id: system.family for system in client.system.list()}[2136] == "debian"
    assert list(client.plan.list_bare_metal()) == []


def test_lists_that_need_no_key(standin: Vultr) -> None:
    assert requests.get(f"{standin.url}/v2/os", timeout=5).status_code == 200
    assert requests.get(f"{standin.url}/v2/instances", timeout=5).status_code == 401


def test_keys(client: Client) -> None:
    key = client.key.create("someone", KEY)
    assert [known.ssh_key for known in client.key.list()] == [KEY]
    with pytest.raises(APIException, match="Invalid SSH key"):
        client.key.create("bad", "no key")
    client.key.delete(key.id)
    assert list(client.key.list()) == []


# -------------------------------------------------------------------------------------------- instances


def test_an_instance_is_made_with_everything(standin: Vultr, client: Client) -> None:
    key, group = client.key.create("someone", KEY), client.firewall.create_group("ours")
    user_data = base64.b64encode(b"#cloud-config\n").decode()
    wish = ReqInstance(
        **WISH,
        label="web-0",
        hostname="web-0",
        tag="ours",
        user_data=user_data,
        enable_ipv6=True,
        sshkey_id=[key.id],
        firewall_group_id=group.id,
    )
    first = client.instance.create(wish)
    assert (first.status, first.power_status, first.server_status) == ("pending", "stopped", "none")
    assert (first.main_ip, first.v6_main_ip, bool(first.default_password)) == ("0.0.0.0", "", True)
    instance = settled(client, first.id)
    assert (instance.status, instance.power_status, instance.label) == ("active", "running", "web-0")
    assert (instance.main_ip, instance.v6_main_ip) == (standin.instances[first.id].v4, standin.instances[first.id].v6)
    assert [address.ip for address in client.instance.list_ipv4s(first.id)] == [instance.main_ip]
    assert [address.ip for address in client.instance.list_ipv6s(first.id)] == [instance.v6_main_ip]
    assert client.instance.get_user_date(first.id).data == user_data
    assert standin.instances[first.id].keys == (key.id,)
    assert client.firewall.get_group(group.id).instance_count == 1


def test_tags_are_a_list_now(client: Client, raw: Any) -> None:
    made = raw("POST", "/instances", json={**WISH, "label": "web-0", "tags": ["a=b", "ours"]})
    assert made.status == 202
    assert made.json()["instance"]["tags"] == ["a=b", "ours"]
    client.instance.create(ReqInstance(**WISH, label="web-1"))
    listed = raw("GET", "/instances?tag=ours").json()
    assert ([i["label"] for i in listed["instances"]], listed["meta"]["total"]) == (["web-0"], 1)
    id = made.json()["instance"]["id"]
    assert raw("PATCH", f"/instances/{id}", json={"tags": ["c"]}).json()["instance"]["tags"] == ["c"]


def test_the_system_may_be_given_as_text(raw: Any) -> None:
    assert raw("POST", "/instances", json={**WISH, "os_id": "2136"}).json()["instance"]["os_id"] == 2136


def test_an_address_may_come_late(standin: Vultr, client: Client) -> None:
    standin.pace = Pace(addressed=2, running=4)
    id = client.instance.create(ReqInstance(**WISH, label="web-0")).id
    seen = [client.instance.get(id) for _ in range(4)]
    assert [instance.main_ip == "0.0.0.0" for instance in seen] == [True, False, False, False]
    assert [instance.server_status for instance in seen] == ["none", "installingbooting", "installingbooting", "ok"]


def test_lists_have_pages_and_filters(standin: Vultr, client: Client) -> None:
    made = [client.instance.create(ReqInstance(**WISH, label=label)) for label in ("a", "b", "a")]
    assert [i.id for i in client.instance.list(per_page=2)] == [i.id for i in made]
    assert standin.count("GET /v2/instances$") == 2
    assert [i.id for i in client.instance.list(label="a")] == [made[0].id, made[2].id]
    standin.page_max = 1
    assert len(list(client.instance.list(per_page=500))) == 3


@pytest.mark.parametrize("query", ["per_page=0", "per_page=501", "per_page=x", "cursor=x", "cursor=eA=="])
def test_pages_that_do_not_exist_are_refused(raw: Any, query: str) -> None:
    assert raw("GET", f"/instances?{query}").status == 400


def test_lists_may_lag(standin: Vultr, client: Client) -> None:
    standin.pace = Pace(listed=2, addressed=0, running=0, gone=2)
    id = client.instance.create(ReqInstance(**WISH, label="web-0")).id
    assert [len(list(client.instance.list())) for _ in range(2)] == [0, 1]
    client.instance.delete(id)
    assert len(list(client.instance.list())) == 1
    with pytest.raises(APIException, match="Invalid instance-id"):
        client.instance.get(id)
    assert len(list(client.instance.list())) == 0


def test_an_instance_is_stopped_started_and_deleted(standin: Vultr, client: Client, raw: Any) -> None:
    id = client.instance.create(ReqInstance(**WISH, label="web-0")).id
    assert raw("POST", f"/instances/{id}/halt").status == 500
    before = settled(client, id)
    Operator(standin).stop(type("Stopped", (), {"id": id})())
    assert (client.instance.get(id).power_status, client.instance.get(id).status) == ("stopped", "active")
    client.instance.start(id)
    after = client.instance.get(id)
    assert (after.power_status, after.main_ip) == ("running", before.main_ip)
    client.instance.batch_halt([id])
    assert client.instance.get(id).power_status == "stopped"
    client.instance.delete(id)
    with pytest.raises(APIException) as raised:
        client.instance.delete(id)
    assert raised.value.code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"plan": "vc2-none"},
        {"plan": "vc2-1c-0.5gb-v6"},
        {"plan": "vhf-2c-4gb"},
        {"region": "moon"},
        {"os_id": 1},
        {"os_id": None},
        {"snapshot_id": "one"},
        {"sshkey_id": ["none"]},
        {"user_data": "#cloud-config"},
        {"user_data": base64.b64encode(b"x" * 65537).decode()},
        {"tags": "ours"},
        {"firewall_group_id": "none"},
    ],
)
def test_what_cannot_be_made_is_refused(raw: Any, change: dict[str, Any]) -> None:
    answer = raw("POST", "/instances", json={**WISH, "label": "web-0", **change})
    assert (answer.status, answer.json()["status"], bool(answer.json()["error"])) == (400, 400, True)
    assert raw("GET", "/instances").json()["meta"]["total"] == 0


def test_the_limit_of_the_account(client: Client) -> None:
    for _ in range(4):
        client.instance.create(ReqInstance(**WISH, label="web"))
    with pytest.raises(APIException, match="maximum number"):
        client.instance.create(ReqInstance(**WISH, label="web"))


# -------------------------------------------------------------------------------------------- firewalls


def test_a_group_and_its_rules(client: Client, raw: Any) -> None:
    group = client.firewall.create_group("ours")
    rules = [
        client.firewall.create_rule(group.id, IPType.V4, FirewallProtocol.TCP, "0.0.0.0", 0, port="8080"),
        client.firewall.create_rule(group.id, IPType.V6, FirewallProtocol.TCP, "::", 0, port="8080"),
        client.firewall.create_rule(group.id, IPType.V4, FirewallProtocol.ICMP, "192.0.2.0", 24),
    ]
    assert [rule.ip_type for rule in client.firewall.list_rules(group.id)] == ["v4", "v6", "v4"]
    with pytest.raises(APIException, match="already defined"):
        client.firewall.create_rule(group.id, IPType.V4, FirewallProtocol.TCP, "0.0.0.0", 0, port="8080")
    client.firewall.delete_rule(group.id, str(rules[2].id))
    assert client.firewall.get_rule(group.id, str(rules[0].id)).port == "8080"
    assert client.firewall.get_group(group.id).rule_count == 2
    assert raw("PUT", f"/firewalls/{group.id}", json={"description": "theirs"}).status == 204
    assert [known.description for known in client.firewall.list_groups()] == ["theirs"]


def test_a_group_that_is_deleted_guards_nothing(client: Client, raw: Any) -> None:
    group = client.firewall.create_group("ours")
    id = client.instance.create(ReqInstance(**WISH, label="web-0")).id
    raw("PATCH", f"/instances/{id}", json={"firewall_group_id": group.id})
    assert client.instance.get(id).firewall_group_id == group.id
    client.firewall.delete_group(group.id)
    assert client.instance.get(id).firewall_group_id == ""
    with pytest.raises(APIException) as raised:
        client.firewall.get_group(group.id)
    assert raised.value.code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"ip_type": "v5"},
        {"protocol": "http"},
        {"subnet": "::"},
        {"subnet_size": 33},
        {"subnet_size": "0"},
        {"subnet": None},
        {"port": ""},
        {"port": "080"},
        {"port": "65536"},
        {"protocol": "icmp"},
    ],
)
def test_a_rule_that_cannot_be_is_refused(client: Client, raw: Any, change: dict[str, Any]) -> None:
    group = client.firewall.create_group("ours")
    rule = {"ip_type": "v4", "protocol": "tcp", "subnet": "0.0.0.0", "subnet_size": 0, "port": "80"}
    assert raw("POST", f"/firewalls/{group.id}/rules", json={**rule, **change}).status == 400
    assert raw("POST", f"/firewalls/{group.id}/rules", json=rule).status == 201


# -------------------------------------------------------------------------------------------- the account's moods


def test_a_closed_account_refuses_without_a_word(standin: Vultr, client: Client) -> None:
    id = client.instance.create(ReqInstance(**WISH, label="web-0")).id
    standin.close("terms of service")
    for call in (client.account.get, lambda: client.instance.get(id), lambda: client.instance.delete(id)):
        with pytest.raises(APIException) as raised:
            call()
        assert (raised.value.code, raised.value.json) == (403, {"error": "Unauthorized", "status": 403})
    standin.open_when_closed = "^GET /v2/instances"
    assert client.instance.get(id).status == "suspended"
    standin.reopen()
    assert len(list(client.instance.list())) == 0


def test_a_wrong_key_and_a_wrong_address(standin: Vultr, client: Client) -> None:
    with pytest.raises(APIException, match="Invalid API token") as raised:
        Client(standin.url, "wrong").account.get()
    assert raised.value.code == 401
    standin.allowed_addresses = set()
    with pytest.raises(APIException, match="is not authorized to use this API key") as raised:
        client.account.get()
    assert raised.value.code == 403


def test_faults_reach_the_client(standin: Vultr, client: Client, raw: Any) -> None:
    standin.fault("list_instances", "429", retry_after_s=7)
    with pytest.raises(APIException) as raised:
        list(client.instance.list())
    assert raised.value.code == 429
    standin.fault("create_instance", Fault.LOST)
    with pytest.raises(requests.ConnectionError):
        client.instance.create(ReqInstance(**WISH, label="web-0"))
    client.instance.create(ReqInstance(**WISH, label="web-0"))
    assert [instance.label for instance in client.instance.list()] == ["web-0", "web-0"]
    standin.fault("list_instances", Fault.BROKEN, page=2)
    with pytest.raises(APIException) as raised:
        list(client.instance.list(per_page=1))
    assert raised.value.code == 500
    standin.fault("list_instances", Fault.EMPTY)
    empty = raw("GET", "/instances").json()
    assert (empty["instances"], empty["meta"]["total"]) == ([], 2)


def test_what_is_not_there(raw: Any) -> None:
    missing = raw("GET", "/servers")
    assert (missing.status, missing.json()["status"]) == (404, 404)
    assert raw("POST", "/instances", body=b"{").status == 400
    assert raw("POST", "/instances", body=b"[]").status == 400


def test_a_key_of_a_user_with_few_permissions(standin: Vultr, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyvultr.v2.base, "MIN_REQ_INTERVAL_SEC", 0.0)
    reader = Client(standin.url, standin.grant("reads", "subscriptions_view"))
    assert reader.account.get().acls == ["subscriptions_view"]
    assert list(reader.instance.list()) == []
    with pytest.raises(APIException):
        reader.instance.delete("cb676a46-66fd-4dfb-b839-443f2e6c0b60")
    pyvultr.base_api._session.close()
