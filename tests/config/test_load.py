"""A good config becomes plain values; a file that cannot be read says what it is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from failover.config.load import FILE_NAME, SIZE_MAX, find, load
from failover.config.model import (
    Config,
    HooksConfig,
    HostConfig,
    NotifyConfig,
    ProviderConfig,
    ReleaseConfig,
)
from failover.core.decide import DAY_S
from failover.core.model import (
    Action,
    Check,
    CheckKind,
    Control,
    ControlKind,
    NodeGroup,
    Policy,
    Question,
    Reaction,
    Record,
    Site,
    Standby,
)
from failover.core.windows import MONDAY_S, Window
from failover.errors import ConfigError
from failover.net.secret import SecretRef
from tests.config.conftest import MANAGED, MINIMAL

EXAMPLE = Path(__file__).with_name("example.yaml")


@pytest.fixture(scope="module")
def example() -> Config:
    return load(EXAMPLE)


def loaded(tmp_path: Path, text: str) -> Config:
    path = tmp_path / FILE_NAME
    path.write_text(text)
    return load(path)


# ---------------------------------------------------------------------------------------------- the full example


def test_what_a_load_balancer_serves(tmp_path: Path) -> None:
    """Groups follow from the records, names are in normal form, a wildcard is a name."""
    text = MINIMAL.replace("{addresses: {web: [192.0.2.10]}}", '{targets: {"*.Example.org": LB.Example.net.}}')
    text = text.replace("{addresses: {web: [198.51.100.10]}}", '{targets: {"*.example.org": lb2.example.net}}')
    text = text.replace("www.example.org: {type: A", '"*.example.org": {type: [A, AAAA]').replace(
        "  zones:", "  ttl_steady: 600\n  resolvers: [192.0.2.53]\n  roots: ['192.0.2.54:5300']\n  zones:"
    )
    path = tmp_path / "failover.yaml"
    path.write_text(text)
    config = load(path)
    service = config.service
    assert [site.targets for site in service.sites] == [
        {"*.example.org": "lb.example.net"},
        {"*.example.org": "lb2.example.net"},
    ]
    assert [(r.name, r.type, r.group) for r in service.records] == [
        ("*.example.org", "A", "web"),
        ("*.example.org", "AAAA", "web"),
    ]
    assert [(g.name, g.count) for g in service.groups] == [("web", 1)]
    assert all(site.given and site.addresses is None for site in service.sites)
    assert (service.ttl_s, service.ttl_steady_s, service.resolvers) == (60, 600, ("192.0.2.53:53",))
    assert config.roots == ("192.0.2.54:5300",)


def test_sites_stand_in_order_of_preference(example: Config) -> None:
    assert example.service.sites == (
        Site(name="first", provider="aurora", region="north-1"),
        Site(name="second", provider="boreas", standby=Standby.WARM),
        Site(name="third", provider="cirrus", standby=Standby.COLD),
        Site(
            name="fourth",
            provider="elsewhere",
            addresses={"web": ("192.0.2.10", "192.0.2.11"), "db": ("192.0.2.20",)},
        ),
    )


def test_nodes_are_counted_in_mib_and_gib(example: Config) -> None:
    assert example.service.groups == (
        NodeGroup(name="web", count=2, cpus=2, memory_mib=4096, disk_gib=40, ports=(8080, 8443)),
        NodeGroup(name="db", count=1, memory_mib=512),
    )


def test_names_are_in_normal_form_and_records_lie_in_the_longest_zone(example: Config) -> None:
    assert example.service.zones == ("example.org", "shop.example.org")
    assert example.service.records == (
        Record(name="www.example.org", zone="example.org", type="A", group="web"),
        Record(name="example.org", zone="example.org", type="A", group="web"),
        Record(name="db.shop.example.org", zone="shop.example.org", type="A", group="db"),
    )
    assert (example.service.ttl_s, example.service.host_deadline_s) == (30, 60.0)


def test_hosts_stand_in_the_order_of_the_file(example: Config) -> None:
    assert example.service.hosts == tuple(example.hosts) == ("one", "two", "three")
    assert example.hosts["one"] == HostConfig(name="one", kind="local")
    assert example.hosts["two"].options == {
        "server": "192.0.2.53:53",
        "servers": ("192.0.2.53:53", "[2001:db8::53]:5353"),
        "tsig": {
            "name": "failover.key",
            "algorithm": "hmac-sha256",
            "secret": SecretRef(file=Path("/etc/failover/tsig")),
        },
    }
    assert example.hosts["three"].options == {"server": "192.0.2.54:53", "servers": None, "tsig": None}


def test_checks_are_complete(example: Config) -> None:
    http, https, port = example.service.checks[:3]
    assert http == Check(
        name="http",
        kind=CheckKind.HTTP,
        group="web",
        port=8080,
        path="/healthz?deep=1",
        host="www.example.org",
        statuses=((200, 200),),
        body="ok",
        headers={"X-Failover-Release": "{release}", "X-Site": "{site}"},
        interval_s=1.0,
        timeout_s=0.5,
        fall=2,
        rise=4,
    )
    assert https == Check(
        name="https",
        kind=CheckKind.HTTPS,
        group="web",
        port=443,
        host="www.example.org",
        method="HEAD",
        ca_file=str(EXAMPLE.with_name("ca.pem")),
        tls_days_left_min=14,
    )
    assert port == Check(name="port", kind=CheckKind.TCP, group="db", port=5432, interval_s=60.0)


def test_checks_of_the_other_kinds(example: Config) -> None:
    greeting, certificate, zone, plugin, deep = example.service.checks[3:]
    assert (greeting.kind, greeting.port, greeting.send, greeting.regex) == (
        CheckKind.TCP,
        25,
        "EHLO example.org\r\n",
        "^220 ",
    )
    assert (certificate.kind, certificate.port, certificate.host, certificate.tls_days_left_min) == (
        CheckKind.TLS,
        8443,
        "www.example.org",
        7,
    )
    assert (zone.kind, zone.port) == (CheckKind.DNS, 53)
    assert zone.question == Question(name="www.example.org", type="AAAA", answer=frozenset({"2001:db8::1"}))
    assert (plugin.kind, plugin.port) == (CheckKind.COMMAND, 22)
    assert plugin.command == ("/usr/lib/nagios/plugins/check_ssh", "-p", "{port}", "{address}")
    assert deep.statuses == ((200, 200), (300, 302))
    assert deep.request_headers == {"X-Asked-By": "failover"}
    assert deep.json == {"/db/ok": True, "/version": 3, "/name": "guest", "/lag": 0.5, "/error": None}


def test_controls_know_where_they_are(example: Config) -> None:
    assert example.service.controls == (
        Control(kind=ControlKind.TCP, target="198.51.100.7:443", provider="other"),
        Control(kind=ControlKind.HTTP, target="http://control.example/", provider="another", timeout_s=1.0),
        Control(kind=ControlKind.DNS, target="203.0.113.53:53", provider="third-party", name="example.net"),
        Control(kind=ControlKind.DNS, target="[2001:db8::1]:5300", provider="fourth-party", name="example.net"),
        Control(kind=ControlKind.TCP, target="local:beacon", provider="fifth-party"),
    )
    assert example.local_controls == ("beacon",)


def test_a_reaction_keeps_the_usual_value_of_what_it_does_not_say(example: Config) -> None:
    assert example.service.policy == Policy(
        flap_limit=4,
        flap_window_s=1800.0,
        account_closed=Reaction(action=Action.CUTOVER, confirm_s=3.0),
        provider_down=Reaction(action=Action.ASK, confirm_s=300.0),
        app_down=Reaction(action=Action.CUTOVER, confirm_s=120.0),
        cooldown_s=0.0,
        daily_limit=5,
        retry_after_s=10.0,
        ask_expires_s=1800.0,
        unknown_page_after_s=300.0,
        tilt_s=1.0,
        min_grade=2,
    )
    assert example.service.single_accept


def test_paths_stand_against_the_directory_of_the_file(example: Config) -> None:
    here = EXAMPLE.parent
    assert example.release == ReleaseConfig(
        path=here / "app",
        command='python3 server.py --title "my guests"',
        environment={"MODE": "live"},
        secrets={
            "DB_URL": SecretRef(env="GB_DB_URL"),
            "KEY": SecretRef(file=here / "secrets/key"),
            "TOKEN": SecretRef(command=("pass", "show", "guestbook")),
        },
    )
    assert example.state_path == Path("/var/lib/failover/state.db")
    assert example.local_root == here / "cloud"


def test_the_rest(example: Config) -> None:
    assert example.providers["aurora"] == ProviderConfig(name="aurora", kind="local", options={"nodes_max": 6})
    assert example.providers["boreas"].options == {"nodes_max": 20}
    assert example.notify == (
        NotifyConfig(command=("/usr/local/bin/page", "--loud")),
        NotifyConfig(webhook="https://hooks.example.net/abc", secret=SecretRef(env="HOOK_KEY")),
    )
    assert example.hooks == HooksConfig(
        before=(("/bin/true",),), after=(("/bin/echo", "done"),), abort=(("/bin/echo", "undone"),), timeout_s=10.0
    )
    assert (example.service.name, example.service.every_s, example.service.runner_provider) == (
        "guestbook",
        30.0,
        "home",
    )
    assert example.service.release is None


# ---------------------------------------------------------------------------------------------- defaults


def test_a_config_of_given_sites_only_needs_neither_nodes_nor_release(tmp_path: Path) -> None:
    config = loaded(tmp_path, MINIMAL.replace("[192.0.2.10]", "[192.0.2.10, 192.0.2.11]"))
    assert config.service.groups == (NodeGroup(name="web", count=1),)
    assert config.release is None
    assert config.service.policy == Policy()
    assert config.service.checks[0].group == "web"
    assert not config.service.single_accept
    assert config.service.every_s == 60.0
    assert config.hooks == HooksConfig()


def test_state_and_cloud_lie_beside_the_file_wherever_the_work_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / FILE_NAME).write_text(MANAGED)
    monkeypatch.chdir(tmp_path)
    config = load(Path("home") / FILE_NAME)
    assert config.path == Path("home") / FILE_NAME
    assert config.state_path == home / ".failover/state.db"
    assert config.local_root == home / ".failover/local"
    assert config.release is not None
    assert config.release.path == home / "app"


def test_one_node_is_warm_with_one(tmp_path: Path) -> None:
    config = loaded(tmp_path, MANAGED.replace("count: 2", "count: 1"))
    assert config.service.group("web").warm_count == 1


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes(b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())
    assert load(path).service.name == "guestbook"


def test_anchors_can_be_used(tmp_path: Path) -> None:
    text = MINIMAL.replace("{type: A, nodes: web}", "&r {type: A, nodes: web}\n    example.org: *r")
    assert [record.name for record in loaded(tmp_path, text).service.records] == ["www.example.org", "example.org"]


# ---------------------------------------------------------------------------------------------- which file


def test_the_option_wins_then_the_variable_then_the_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(FILE_NAME).write_text(MINIMAL)
    assert find(Path("a.yaml"), {"FAILOVER_CONFIG": "b.yaml"}) == Path("a.yaml")
    assert find(None, {"FAILOVER_CONFIG": "b.yaml"}) == Path("b.yaml")
    assert find(None, {"FAILOVER_CONFIG": ""}) == Path(FILE_NAME)
    assert find(None, {}) == Path(FILE_NAME)


def test_without_any_file_init_is_the_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        find(None, {})
    assert str(caught.value) == "find config failover.yaml: there is none in this directory"
    assert caught.value.hint.startswith("failover init")


def refused(path: Path) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.exit_code == 78
    return caught.value


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    error = refused(tmp_path / "gone.yaml")
    assert (error.cause, error.hint) == ("there is no such file", "failover init makes one")


def test_a_directory_says_so(tmp_path: Path) -> None:
    error = refused(tmp_path)
    assert (error.cause, error.hint) == ("it is a directory", f"name the file: {tmp_path / FILE_NAME}")


@pytest.mark.parametrize("name", ["a" * 5000, "nul\0", "file/below"])
def test_a_name_that_cannot_be_a_file_says_so(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    assert refused(tmp_path / name).cause


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
def test_an_unreadable_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.write_text(MINIMAL)
    path.chmod(0)
    assert refused(path).cause == "Permission denied"


def test_a_huge_file_is_not_parsed(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.write_text(MINIMAL + "#" * SIZE_MAX)
    assert refused(path).cause == "it is larger than 1 MiB"


def test_the_error_counts_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.write_text(MINIMAL.replace("version: 1", "version: 2") + "x: 1\n")
    assert str(refused(path)) == f"read config {path}: 2 problems"


# ---------------------------------------------------------------------------------------------- start-up


def test_only_loading_imports_the_heavy_libraries() -> None:
    code = (
        "import sys; import failover.config.load, failover.config.model;"
        "print([name for name in ('pydantic', 'ruamel.yaml', 'difflib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_good_config_needs_no_help_in_guessing() -> None:
    code = f"""import sys; from pathlib import Path; from failover.config.load import load
load(Path({str(EXAMPLE)!r})); print('difflib' in sys.modules)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# ------------------------------------------------------------------------------------ maintenance


def test_maintenance_in_seconds(example: Config) -> None:
    """1 December 2026, 22:00 UTC; and three nights from Saturday on, over the end of the week."""
    once, *weekly = example.service.maintenance
    assert once == Window(start_s=1_796_162_400.0, length_s=14_400.0, reason="network works")
    nights = [5 * DAY_S, 6 * DAY_S, 0.0]
    assert [w.start_s - MONDAY_S for w in weekly] == [night + 23.5 * 3600 for night in nights]
    assert {(w.length_s, w.every_s, w.site, w.reason) for w in weekly} == {(3600.0, 7 * DAY_S, "fourth", "patches")}


def test_rounds_and_the_dead_man_s_switch(example: Config) -> None:
    assert (example.service.every_s, example.service.rounds, example.service.round_s) == (30.0, 3, 10.0)
    assert example.ping == "https://ping.example.net/abc"
    assert "ping.example" not in repr(example)


# ---------------------------------------------------------------------------------------------- several vantages


def test_vantages_with_agents_vote(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        MINIMAL + "quorum: {need: 2, vantages: {home: {provider: h}, "
        "paris: {provider: p, agent: 'https://p.example:8443/', key: {env: K}, ca_file: ca.pem}, "
        "oregon: {provider: o, agent: 'http://127.0.0.1:9001', key: {file: k}}}}\n",
    )
    service = config.service
    assert (service.vantage, service.need) == ("home", 2)
    assert [(v.name, v.provider) for v in service.others] == [("paris", "p"), ("oregon", "o")]
    assert config.agents["paris"].ca_file == str(tmp_path / "ca.pem")
    assert config.agents["oregon"].key == SecretRef(file=tmp_path / "k")


def test_vantages_without_agents_are_names_only(tmp_path: Path) -> None:
    service = loaded(tmp_path, MINIMAL + "quorum: {vantages: {home: {provider: h}, paris: {provider: p}}}\n").service
    assert (service.vantages, service.others, service.need) == ((), (), 1)
