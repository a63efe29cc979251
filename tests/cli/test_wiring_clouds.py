"""Every kind is built from what its config says; of the secrets only those of the role; and no library too early."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from failover.cli.init import write_local
from failover.cli.wiring import context_of
from failover.cli.wiring_clouds import MIRROR, OPTIONS, WATCH, Order, build, check_files, cloud_of, with_user_data
from failover.clouds.table import KINDS
from failover.config.load import load
from failover.config.model import Config
from failover.core.mirror import node_spec
from failover.core.model import Release, Site
from failover.errors import ConfigError, SecretError

CLOUDS = Path(__file__).parent.parent / "config" / "clouds.yaml"
DIGEST = "sha256:" + "a" * 64
SECRETS = {
    "AWS_KEY": "AKIAEXAMPLE",
    "DIGITALOCEAN_TOKEN": "do-token",
    "SPACES_KEY": "spaces-key",
    "SPACES_SECRET": "spaces-secret",
    "LINODE_READ": "linode-read",
    "LINODE": "linode-write",
    "VULTR": "vultr-token",
    "HCLOUD": "hcloud-token",
    "OS_USERNAME": "me",
    "OS_PASSWORD": "os-password",
}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    text = CLOUDS.read_text(encoding="utf-8")
    text = text.replace("{command: [pass, spaces]}", "{env: SPACES_SECRET}")
    text = text.replace("{file: /etc/failover/ovh}", "{env: OS_PASSWORD}").replace("    images: images.toml\n", "")
    (tmp_path / "failover.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "cloud-init").mkdir()
    (tmp_path / "cloud-init" / "web.yaml.j2").write_text("#cloud-config\n# {{ name }} {{ address }} {{ archive }}\n")
    (tmp_path / "aws-secret").write_text("aws-secret\n")
    (tmp_path / "aws-secret").chmod(0o600)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))
    (tmp_path / "aws-config").write_text("[profile gb-read]\nregion = us-east-1\n")
    return load(tmp_path / "failover.yaml")


def order(config: Config, site: str, role: str = MIRROR) -> Order:
    return Order(config=config, site=config.service.site(site), role=role, deadline_s=7.0)


def test_every_shipped_kind_has_its_words() -> None:
    assert set(KINDS) <= set(OPTIONS)


@pytest.mark.parametrize("role", [WATCH, MIRROR])
@pytest.mark.parametrize("site", ["virginia", "frankfurt", "newark", "tokyo", "falkenstein", "gravelines"])
def test_every_kind_can_be_built_from_its_config(config: Config, site: str, role: str) -> None:
    cloud = build(order(config, site, role))
    assert cloud.name == config.service.site(site).provider  # type: ignore[attr-defined]


def test_only_the_secrets_of_the_role_are_read(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LINODE")
    build(order(config, "newark", WATCH))
    with pytest.raises(SecretError, match="env LINODE"):
        build(order(config, "newark", MIRROR))


def test_a_context_reads_no_secret_and_no_answer(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        monkeypatch.delenv(name)
    for mirror in (False, True):
        assert set(context_of(config, mirror=mirror).accounts) == {s.name for s in config.service.sites}


def test_each_site_has_a_folder_of_its_own_in_the_bucket(config: Config) -> None:
    words = OPTIONS["aws"](order(config, "virginia"))
    assert words["depot"].prefix == "failover/guestbook/virginia"
    assert words["subnets"] == ("subnet-1",)
    assert words["node_cpus"] == 1
    assert "aws-secret" not in repr(words)


def test_openstack_gets_all_that_it_needs(config: Config) -> None:
    words = OPTIONS["openstack"](order(config, "gravelines"))
    assert {key: words[key] for key in ("username", "project", "domain", "network", "region", "auth_url")} == {
        "username": "me",
        "project": "p1",
        "domain": "Default",
        "network": "Ext-Net",
        "region": "GRA11",
        "auth_url": "https://auth.example.net/v3",
    }


def test_without_a_depot_nodes_fetch_the_release_from_its_address(config: Config) -> None:
    cloud = cloud_of(config, config.service.site("tokyo"), mirror=True)
    assert cloud.link(DIGEST, 60.0) == f"https://files.example.net/guestbook-{'a' * 64}.tar.gz"


# ---------------------------------------------------------------------------------------------- other packages


PLUGIN = """\
class Cloud:
    def __init__(self, *, name, region, role, deadline_s, timeout_s, tenant, credentials):
        self.said = (name, region, role, deadline_s, tenant, credentials)
"""


def test_another_package_s_kind_gets_what_stands_there_with_secrets_resolved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = tmp_path / "packages"
    meta = packages / "mystack-1.0.dist-info"
    meta.mkdir(parents=True)
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: mystack\nVersion: 1.0\n")
    (meta / "entry_points.txt").write_text("[failover.clouds]\nmystack = mystack_of_a_test:Cloud\n")
    (packages / "mystack_of_a_test.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(packages)
    monkeypatch.setenv("MYSTACK_KEY", "opensesame")
    write_local(tmp_path / "play", False)
    path = tmp_path / "play" / "failover.yaml"
    mine = "{kind: mystack, tenant: 7, credentials: {keys: [{env: MYSTACK_KEY}]}}"
    path.write_text(path.read_text().replace("aurora: {kind: local, nodes_max: 20}", f"aurora: {mine}"))
    cloud = build(order(load(path), "aurora", WATCH))
    assert cloud.said == ("aurora", None, WATCH, 7.0, 7, {"keys": ["opensesame"]})  # type: ignore[attr-defined]


# ---------------------------------------------------------------------------------------------- user-data


def test_user_data_is_rendered_for_the_group_and_its_families(config: Config) -> None:
    service, user_data = with_user_data(config, config.service)
    assert user_data is not None
    release = Release(digest=DIGEST, command="python3 server.py")
    web, api = (node_spec(service, service.site("tokyo"), g, 0, release, "small") for g in service.groups)
    assert user_data(web, "A", "E") == f"#cloud-config\n# {web.name} :: A\n"
    assert "FAILOVER_ADDRESS=::" in user_data(api, "A", "E")


def test_a_changed_template_or_family_changes_the_wish(config: Config) -> None:
    before = with_user_data(config, config.service)[0].groups
    config.user_data["web"].write_text("#cloud-config\n")
    changed = with_user_data(config, config.service)[0].groups
    assert [a.boot_digest == b.boot_digest for a, b in zip(before, changed, strict=True)] == [False, True]
    records = tuple(replace(r, type="A") for r in config.service.records)
    other = with_user_data(config, replace(config.service, records=records))[0].groups
    assert all(a.boot_digest != b.boot_digest for a, b in zip(changed, other, strict=True))


def test_a_rotated_secret_is_another_wish_whose_name_tells_nothing_of_it(tmp_path: Path) -> None:
    write_local(tmp_path, force=False)
    key = tmp_path / "secrets" / "guestbook-key"
    wishes = []
    for value in ("letmein", "changeme", "letmein"):
        key.write_text(value)
        context = context_of(load(tmp_path / "failover.yaml"), mirror=True)
        release = context.release(DIGEST)
        assert release.environment["GUESTBOOK_KEY"] == value
        assert value not in repr(release)
        group = context.service.groups[0]
        wishes.append(node_spec(context.service, context.service.sites[0], group, 0, release, "small"))
        plain = replace(release, environment_digest="")
        assert node_spec(context.service, context.service.sites[0], group, 0, plain, "small").name != wishes[-1].name
    assert wishes[0].name == wishes[2].name != wishes[1].name


def test_a_playground_needs_no_user_data(tmp_path: Path) -> None:
    write_local(tmp_path / "play", False)
    config = load(tmp_path / "play" / "failover.yaml")
    service, user_data = with_user_data(config, config.service)
    assert (service, user_data) == (config.service, None)


def test_files_that_cannot_be_used_are_found_by_looking_at_them(config: Config) -> None:
    check_files(config)
    config.user_data["web"].unlink()
    with pytest.raises(ConfigError, match=r"web\.yaml\.j2"):
        check_files(config)
    with pytest.raises(ConfigError):
        context_of(config)


def test_a_file_of_images_that_is_none_is_found(config: Config, tmp_path: Path) -> None:
    provider = replace(config.providers["do"], images=tmp_path / "images.toml")
    with pytest.raises(ConfigError, match=r"images\.toml"):
        check_files(replace(config, providers={**config.providers, "do": provider}))


# ---------------------------------------------------------------------------------------------- what loads


@pytest.mark.parametrize("words", [["--help"], ["validate", "-c", "CONFIG"], ["schema"]])
def test_neither_help_nor_validate_loads_a_provider_s_library(config: Config, words: list[str]) -> None:
    words = [str(config.path) if word == "CONFIG" else word for word in words]
    heavy = ("boto3", "botocore", "libcloud", "hcloud", "jinja2", "urllib3", "dns")
    code = f"""import sys
from failover.__main__ import main
sys.argv = ["failover", *{words!r}]
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "[]"


def test_a_site_of_an_unknown_provider_is_a_mistake_of_the_config_already(config: Config) -> None:
    site = Site(name="x", provider="nobody")
    with pytest.raises(KeyError):
        cloud_of(config, site, mirror=False)
