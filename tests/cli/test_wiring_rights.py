"""How findings call a credential: by where the config says that it stands, never by what it is."""

from pathlib import Path

import pytest

from failover.cli.wiring_rights import credentials_of
from failover.config.load import load
from failover.core.rights import Credential

CONFIG = """\
version: 1
service: shop
providers:
  home: {kind: local}
  aws: {kind: aws, depot: {bucket: b},
        credentials: {watch: {profile: shop-read}, mirror: {profile: x, assume_role: "arn:aws:iam::1:role/m"}}}
  bare: {kind: aws, depot: {bucket: b}}
  do: {kind: digitalocean, credentials: {token: {env: DO_TOKEN}},
       depot: {bucket: b, endpoint: "https://s3.example.net", access_key: {env: SPACES_KEY}, secret_key: {file: s}}}
  hz: {kind: hetzner, credentials: {watch: {token: {env: A}}, mirror: {token: {file: b}}, second: {token: {env: C}}}}
  os: {kind: openstack, auth_url: "https://keystone.example.net/v3", project: p,
       credentials: {username: {env: OS_USER}, password: {command: [pass, os]}}}
sites:
  here: {provider: home}
  us: {provider: aws, region: us-east-1, standby: cold}
  eu: {provider: bare, region: eu-west-1, standby: cold}
  fra: {provider: do, region: fra1, standby: cold}
  nbg: {provider: hz, region: nbg1, standby: cold}
  gra: {provider: os, region: GRA11, standby: cold}
  given: {provider: other, addresses: {web: [192.0.2.1]}}
release: {path: app, run: "true", url: "https://example.net/{release}.tar.gz"}
nodes: {web: {count: 1, cpus: 1, memory: 1GiB, disk: 10GiB, image: debian-12, ports: [8080]}}
dns:
  zones: [example.org]
  hosts:
    ns1: {kind: local}
    bind: {kind: rfc2136, server: "192.0.2.53:53", tsig: {name: cut-over, secret: {file: tsig}}}
    open: {kind: rfc2136, server: "192.0.2.54:53"}
    cf: {kind: cloudflare, credentials: {token: {command: [pass, cf]}}}
    r53: {kind: route53, credentials: {profile: dns}}
  records: {www.example.org: {type: A, nodes: web}}
checks: {main: {tcp: "{address}:8080"}}
"""


@pytest.fixture
def known(tmp_path: Path) -> dict[tuple[str, str], Credential]:
    (tmp_path / "app").mkdir()
    for name in ("s", "b", "tsig"):
        (tmp_path / name).write_text("c2VjcmV0")
        (tmp_path / name).chmod(0o600)
    path = tmp_path / "failover.yaml"
    path.write_text(CONFIG)
    return dict(credentials_of(load(path)).known)


def test_every_credential_has_a_name_and_the_policy_of_its_role(known: dict[tuple[str, str], Credential]) -> None:
    here = str(Path(known["nbg", "mirror"].reference.removeprefix("file ")).parent)
    told = {key: found for key, found in known.items() if key[1] != "second"}
    assert {key: (c.place, c.reference.replace(here, "…"), c.policy) for key, c in told.items()} == {
        ("here", "watch"): ("home", "the token to watch", ""),
        ("here", "mirror"): ("home", "the token to mirror", ""),
        ("here", "depot"): ("home", "the token to mirror", ""),
        ("us", "watch"): ("aws", "profile shop-read", "aws/watch.json"),
        ("us", "mirror"): ("aws", "role arn:aws:iam::1:role/m", "aws/mirror.json"),
        ("us", "depot"): ("aws", "role arn:aws:iam::1:role/m", "aws/mirror.json"),
        ("eu", "watch"): ("bare", "the default credential of AWS's tools", "aws/watch.json"),
        ("eu", "mirror"): ("bare", "the default credential of AWS's tools", "aws/mirror.json"),
        ("eu", "depot"): ("bare", "the default credential of AWS's tools", "aws/mirror.json"),
        ("fra", "watch"): ("do", "env DO_TOKEN", "digitalocean.yaml"),
        ("fra", "mirror"): ("do", "env DO_TOKEN", "digitalocean.yaml"),
        ("fra", "depot"): ("do", "env SPACES_KEY", "digitalocean.yaml"),
        ("nbg", "watch"): ("hz", "env A", "hetzner.yaml"),
        ("nbg", "mirror"): ("hz", "file …/b", "hetzner.yaml"),
        ("nbg", "depot"): ("hz", "file …/b", "hetzner.yaml"),
        ("gra", "watch"): ("os", "env OS_USER", "openstack.yaml"),
        ("gra", "mirror"): ("os", "env OS_USER", "openstack.yaml"),
        ("gra", "depot"): ("os", "env OS_USER", "openstack.yaml"),
        ("ns1", "cut_over"): ("ns1", "its key", ""),
        ("bind", "cut_over"): ("bind", "key cut-over", "bind.conf"),
        ("open", "cut_over"): ("open", "its key", "bind.conf"),
        ("cf", "cut_over"): ("cf", "command pass", "cloudflare.yaml"),
        ("r53", "cut_over"): ("r53", "profile dns", "aws/cut-over.json"),
    }


def test_a_second_credential_is_named_where_there_is_one(known: dict[tuple[str, str], Credential]) -> None:
    seconds = {key[0]: found for key, found in known.items() if key[1] == "second"}
    assert (seconds["nbg"].reference, seconds["nbg"].role, seconds["nbg"].policy) == ("env C", "watch", "hetzner.yaml")
