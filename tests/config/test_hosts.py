"""DNS hosts: what a config says of them reaches the wiring under the same names."""

from pathlib import Path

import pytest

from failover.config.load import load
from failover.config.model import Config, HostConfig
from failover.net.secret import SecretRef

HOSTS = Path(__file__).with_name("hosts.yaml")
NOBODY = dict.fromkeys(("profile", "access_key", "secret_key", "session_token", "assume_role", "external_id"))


@pytest.fixture(scope="module")
def config() -> Config:
    return load(HOSTS)


def test_route53(config: Config) -> None:
    keys = {"access_key": SecretRef(env="AWS_ID"), "secret_key": SecretRef(env="AWS_SECRET")}
    assert config.hosts["amazon"] == HostConfig(
        name="amazon",
        kind="route53",
        options={
            "zone_ids": {"example.org": "Z123"},
            "servers": None,
            "endpoint": None,
            "credentials": {**NOBODY, **keys, "assume_role": "arn:aws:iam::1:role/dns"},
        },
    )
    assert config.hosts["usual"].options["credentials"] == NOBODY


def test_powerdns(config: Config) -> None:
    assert config.hosts["power"].options == {
        "endpoint": "https://ns1.example.net:8081/",
        "servers": ("198.51.100.53:53",),
        "server_id": "primary",
        "ca_file": str(HOSTS.parent / "ca.pem"),
        "credentials": {"token": SecretRef(file=HOSTS.parent / "secrets" / "api-key")},
    }


def test_hosts_that_take_a_token(config: Config) -> None:
    usual = {
        "credentials": {"token": SecretRef(env="API_KEY")},
        "servers": None,
        "endpoint": None,
        "ca_file": None,
    }
    assert config.hosts["cf"] == HostConfig(
        name="cf", kind="cloudflare", options={**usual, "plan": "enterprise", "proxied": (), "edge": None}
    )
    assert config.hosts["ocean"].options == {**usual, "endpoint": "https://api.example.net"}
    assert config.hosts["lin"].options == {**usual, "servers": ("203.0.113.53:53",)}
    assert config.hosts["vul"].options == {**usual, "ca_file": str(HOSTS.parent / "vul.pem")}
    assert config.hosts["gan"] == HostConfig(name="gan", kind="gandi", options=usual)


def test_a_kind_of_another_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "theirs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[failover.dns]\ntheirs = theirs:Host\n")
    monkeypatch.syspath_prepend(tmp_path)
    text = HOSTS.read_text().replace("usual: {kind: route53}", "usual: {kind: theirs, depth: 3, key: {env: THEIRS}}")
    path = tmp_path / "failover.yaml"
    path.write_text(text)
    found = load(path).hosts["usual"]
    assert found == HostConfig(name="usual", kind="theirs", options={"depth": 3, "key": SecretRef(env="THEIRS")})
