"""A second credential of an account is asked in checks, and only where the config names one."""

from pathlib import Path

import pytest

from failover.cli.wiring import context_of
from failover.cli.wiring_clouds import SECOND, Order, account_of, build, cloud_of
from failover.clouds.aws import Aws
from failover.clouds.second import Seconded
from failover.config.load import load
from failover.config.model import Config

TEXT = """
version: 1
service: guestbook
providers:
  aws:
    kind: aws
    endpoint: http://127.0.0.1:9
    credentials:
      watch: {access_key: {env: WATCH_KEY}, secret_key: {env: WATCH_SECRET}}
      mirror: {access_key: {env: MIRROR_KEY}, secret_key: {env: MIRROR_SECRET}}
      second: {access_key: {env: SECOND_KEY}, secret_key: {env: SECOND_SECRET}}
    depot: {bucket: gb-release}
  do:
    kind: digitalocean
    credentials: {watch: {token: {env: DO_READ}}, mirror: {token: {env: DO_WRITE}}}
    depot: {bucket: b, endpoint: "https://b.example", access_key: {env: A}, secret_key: {env: B}}
sites:
  virginia: {provider: aws, region: us-east-1}
  frankfurt: {provider: do, region: fra1}
release: {path: app, run: python3 server.py}
nodes: {web: {count: 1, ports: [8080]}}
dns:
  zones: [example.org]
  hosts: {one: {kind: rfc2136, server: "127.0.0.1:53"}}
  records: {www.example.org: {type: A, nodes: web}}
checks: {http: {url: "http://{address}:8080/healthz"}}
quorum: {single: accept}
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "failover.yaml").write_text(TEXT, encoding="utf-8")
    return load(tmp_path / "failover.yaml")


def test_a_check_asks_by_both_and_apply_by_one(config: Config) -> None:
    checking, applying = context_of(config).accounts, context_of(config, mirror=True).accounts
    assert isinstance(checking["virginia"], Seconded)
    assert not isinstance(checking["frankfurt"], Seconded), "the one for mirroring is no second one"
    assert not any(isinstance(account, Seconded) for account in applying.values())


def test_the_second_one_only_reads(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECOND_KEY", "AKIASECONDSECOND1234")
    monkeypatch.setenv("SECOND_SECRET", "second-secret")
    cloud = build(Order(config=config, site=config.service.site("virginia"), role=SECOND, deadline_s=1.0))
    assert isinstance(cloud, Aws)
    cloud.close()


def test_without_its_secret_there_is_one_credential(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCH_KEY", "AKIAWATCHWATCHWA1234")
    monkeypatch.setenv("WATCH_SECRET", "watch-secret")
    site = config.service.site("virginia")
    report = account_of(config, site, cloud_of(config, site, mirror=False)).state()
    assert report.signals
    assert {signal.credential for signal in report.signals} == {""}
