"""The Hetzner stand-in satisfies Hetzner's own clients: its command line, and plain requests."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.servers.tools import need
from tests.standins.base import Pace
from tests.standins.hetzner import Hetzner

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8mfEuqDPBhKmNJdBQ9hRqKEuzK5mVbGk3sPpZ0uvjQ somebody@example"
Cli = Callable[..., Any]


@pytest.fixture
def hetzner() -> Iterator[Hetzner]:
    with Hetzner(token="t" * 64, page_max=2, nodes_max=4) as running:
        yield running


def run(hetzner: Hetzner, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = need("hcloud", "hcloud-cli")
    environment = {"HCLOUD_TOKEN": "t" * 64, "HCLOUD_ENDPOINT": f"{hetzner.url}/v1", "HOME": str(home)}
    return subprocess.run(
        [program, "--poll-interval", "10ms", *arguments],
        env=environment | {"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def cli(hetzner: Hetzner, tmp_path: Path) -> Cli:
    """The command line; gives its JSON where asked for with `-o json`, its text otherwise."""

    def call(*arguments: str) -> Any:
        done = run(hetzner, tmp_path, *arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if "json" in arguments else done.stdout

    return call


def test_the_command_line_makes_lists_and_deletes_servers(hetzner: Hetzner, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "user-data").write_text("#cloud-config\n")
    (tmp_path / "key.pub").write_text(KEY)
    cli("ssh-key", "create", "--name", "mine", "--public-key-from-file", str(tmp_path / "key.pub"))
    for n in range(3):
        text = cli(
            *("server", "create", "--name", f"web-{n}", "--type", "cx22", "--image", "debian-12"),
            *("--location", "nbg1", "--ssh-key", "mine", "--label", "role=web", "--label", f"n={n}"),
            *("--user-data-from-file", str(tmp_path / "user-data")),
        )
        assert "IPv4: 198.18." in text
    listed = cli("server", "list", "--selector", "role=web", "-o", "json")
    assert [(s["name"], s["status"], s["labels"]["n"]) for s in listed] == [
        (f"web-{n}", "running", str(n)) for n in range(3)
    ]
    assert all(s["public_net"]["ipv6"]["ip"].endswith("::") for s in listed)
    assert {server.user_data for server in hetzner.servers.values()} == {"#cloud-config\n"}
    cli("server", "delete", "web-1")
    assert [s["name"] for s in cli("server", "list", "-o", "json")] == ["web-0", "web-2"]


def test_the_command_line_turns_servers_off_and_on(cli: Cli) -> None:
    cli("server", "create", "--name", "web", "--type", "cx22", "--image", "debian-12")
    for command, status in (("poweroff", "off"), ("poweron", "running"), ("shutdown", "off")):
        cli("server", command, "web")
        assert cli("server", "describe", "web", "-o", "json")["status"] == status


def test_the_command_line_keeps_firewalls(cli: Cli, tmp_path: Path) -> None:
    everywhere = ["0.0.0.0/0", "::/0"]
    rules = [{"direction": "in", "protocol": "tcp", "port": "8080", "source_ips": everywhere}]
    (tmp_path / "rules.json").write_text(json.dumps(rules))
    cli("firewall", "create", "--name", "wall", "--rules-file", str(tmp_path / "rules.json"), "--label", "a=b")
    cli("firewall", "apply-to-resource", "wall", "--type", "label_selector", "--label-selector", "role=web")
    cli("server", "create", "--name", "web", "--type", "cx22", "--image", "debian-12", "--label", "role=web")
    wall = cli("firewall", "describe", "wall", "-o", "json")
    assert wall["rules"][0]["port"] == "8080"
    assert wall["applied_to"][0]["label_selector"] == {"selector": "role=web"}
    web = cli("server", "describe", "web", "-o", "json")
    assert [f["id"] for f in web["public_net"]["firewalls"]] == [wall["id"]]
    cli("firewall", "add-rule", "wall", "--direction", "in", "--protocol", "icmp", "--source-ips", "::/0")
    assert len(cli("firewall", "describe", "wall", "-o", "json")["rules"]) == 2
    cli("firewall", "remove-from-resource", "wall", "--type", "label_selector", "--label-selector", "role=web")
    cli("firewall", "delete", "wall")
    assert cli("firewall", "list", "-o", "json") in ([], None)


def test_the_command_line_sees_what_is_for_sale(hetzner: Hetzner, cli: Cli) -> None:
    hetzner.page_max = None  # of these lists it reads the first page only
    types = cli("server-type", "list", "-o", "json")
    assert {t["name"] for t in types} >= {"cx22", "cax11"}
    assert all(float(p["price_hourly"]["net"]) > 0 for t in types for p in t["prices"])
    images = cli("image", "list", "--type", "system", "-o", "json")
    assert {i["name"] for i in images} == {"debian-10", "debian-12", "debian-13", "ubuntu-22.04", "ubuntu-24.04"}
    assert {place["name"] for place in cli("location", "list", "-o", "json")} == {"fsn1", "nbg1", "ash"}
    cli("server", "create", "--name", "web", "--type", "cx22", "--image", "debian-12")
    ips = cli("primary-ip", "list", "-o", "json")
    assert [ip["type"] for ip in ips] == ["ipv4", "ipv6"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--name", "web", "--type", "cx22", "--image", "debian-12"), "uniqueness_error"),
        (("--name", "not a name", "--type", "cx22", "--image", "debian-12"), "invalid_input"),
        (("--name", "other", "--type", "cx22", "--image", "debian-12", "--location", "ash"), "invalid_input"),
        (("--name", "other", "--type", "cx32", "--image", "debian-12", "--location", "nbg1"), "resource_unavailable"),
    ],
)
def test_the_command_line_is_refused(hetzner: Hetzner, cli: Cli, tmp_path: Path, arguments: Any, told: str) -> None:
    cli("server", "create", "--name", "web", "--type", "cx22", "--image", "debian-12")
    done = run(hetzner, tmp_path, "server", "create", *arguments)
    assert (done.returncode, told in done.stderr) == (1, True)


# ------------------------------------------------------------------------------------------ plain requests


@pytest.fixture
def pool() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False, timeout=5.0, headers={"Authorization": f"Bearer {'t' * 64}"}) as made:
        yield made


def make(hetzner: Hetzner, pool: urllib3.PoolManager, **more: Any) -> tuple[int, Any]:
    wish = {"name": "web", "server_type": "cx22", "image": "debian-12", **more}
    answer = pool.request("POST", f"{hetzner.url}/v1/servers", json=wish)
    return answer.status, answer.json()


def test_a_server_is_locked_until_its_actions_are_done(hetzner: Hetzner, pool: urllib3.PoolManager) -> None:
    hetzner.pace = Pace(addressed=2, running=4)
    status, made = make(hetzner, pool)
    server = f"{hetzner.url}/v1/servers/{made['server']['id']}"
    assert (status, made["server"]["status"], made["server"]["locked"]) == (201, "initializing", True)
    assert made["server"]["public_net"]["ipv4"] is None
    refused = pool.request("DELETE", server)
    assert (refused.status, refused.json()["error"]["code"]) == (423, "locked")
    states = [pool.request("GET", server).json()["server"] for _ in range(4)]
    assert [s["status"] for s in states] == ["starting", "starting", "running", "running"]
    assert [s["locked"] for s in states] == [True, True, False, False]
    assert pool.request("DELETE", server).json()["action"]["command"] == "delete_server"
    assert pool.request("GET", server).status == 404


def test_an_image_name_means_the_architecture_of_the_server_type(hetzner: Hetzner, pool: urllib3.PoolManager) -> None:
    status, made = make(hetzner, pool, server_type="cax11")
    assert (status, made["server"]["image"]["architecture"]) == (201, "arm")


def test_a_project_has_a_limit_a_read_only_token_and_a_rate(hetzner: Hetzner, pool: urllib3.PoolManager) -> None:
    hetzner.nodes_max = 0
    status, document = make(hetzner, pool)
    assert (status, document["error"]["code"]) == (403, "resource_limit_exceeded")
    hetzner.token_readonly, hetzner.tokens = hetzner.tokens, set()
    status, document = make(hetzner, pool)
    assert (status, document["error"]["code"]) == (401, "token_readonly")
    hetzner.limit_rate(1, 60.0)
    answers = [pool.request("GET", f"{hetzner.url}/v1/locations") for _ in range(2)]
    assert [(a.status, a.headers["RateLimit-Limit"]) for a in answers] == [(200, "3600"), (429, "3600")]
    assert answers[1].json()["error"]["code"] == "rate_limit_exceeded"


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("role=web", ["a", "b"]),
        ("role==web,n!=1", ["b"]),
        ("n", ["a", "b", "c"]),
        ("!role", ["d"]),
        ("role in (db, cache)", ["c"]),
        ("role notin (web),n", ["c"]),
    ],
)
def test_labels_select(hetzner: Hetzner, pool: urllib3.PoolManager, selector: str, names: list[str]) -> None:
    kinds: tuple[dict[str, str], ...] = ({"role": "web", "n": "1"}, {"role": "web", "n": "2"}, {"role": "db", "n": "1"})
    for name, labels in zip("abcd", (*kinds, {}), strict=True):
        assert make(hetzner, pool, name=name, labels=labels)[0] == 201
    found, page = [], 1
    while page:
        answer = pool.request(
            "GET", f"{hetzner.url}/v1/servers", fields={"label_selector": selector, "page": str(page)}
        ).json()
        found += [server["name"] for server in answer["servers"]]
        page = answer["meta"]["pagination"]["next_page"]
    assert found == names


@pytest.mark.parametrize(
    "more",
    [
        {"labels": {"-bad": "x"}},
        {"labels": {"a": "x" * 64}},
        {"user_data": "x" * 32769},
        {"image": "debian-11"},
        {"image": "debian-10"},
        {"server_type": "cx11"},
        {"location": "mars"},
        {"firewalls": [{"firewall": 1}]},
        {"ssh_keys": ["nobody"]},
    ],
)
def test_what_the_reference_forbids_is_refused(hetzner: Hetzner, pool: urllib3.PoolManager, more: Any) -> None:
    assert make(hetzner, pool, **more)[0] in (412, 422)
    assert hetzner.node_ids() == ()
