"""`failover doctor` by the real command: what each credential may write, at every cloud and at three DNS hosts.

The credentials are those of the shipped policies, so it also shows that these suffice.
"""

import copy
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from failover.net.resources import resource
from tests.dns.host_cases import CLOUDFLARE
from tests.e2e.clouds import KINDS
from tests.e2e.given import ZONE, Web, webs
from tests.e2e.play import Play
from tests.e2e.shown import WWW, Shown, name_server
from tests.policies import granted, scopes
from tests.ports import free_port
from tests.standins.base import StandIn
from tests.standins.cloudflare import Cloudflare
from tests.standins.hetzner import Hetzner
from tests.standins.moto import REGION, Moto, MotoProcess
from tests.standins.openstack import OpenStack
from tests.standins.route53 import Route53
from tests.standins.route53.nameserver import NameServer

NEAR = "127.63.7.1"
WRITES, READS, ROOT = "may-do-what-mirror-does", "may-do-what-watch-does", "may-do-everything"
AWS = {WRITES: "AKIAMIRRORMIRROR1234", READS: "AKIAWATCHWATCHWA1234", ROOT: "AKIAROOTROOTROOT1234"}
SECRET = "a-secret-of-tests"
CHANGES, LOOKS = "AKIACUTOVERCUTOV1234", "AKIALOOKLOOKLOOK1234"
CONTENTS = (
    "actions", "domains", "droplets", "firewalls", "floating", "groups", "instances", "keypairs", "keys", "linodes",
    "ports", "rules", "servers", "ssh_keys", "tags", "zones",
)  # fmt: skip
POLICY = {"aws": "aws/mirror.json"}
pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True, slots=True)
class Stage:
    play: Play
    clouds: Mapping[str, StandIn]
    hosts: Mapping[str, StandIn]

    def census(self) -> dict[str, Any]:
        """Everything that anybody could have changed."""
        everywhere = {**self.clouds, **self.hosts}
        return {
            name: [copy.deepcopy(getattr(standin, each, None)) for each in CONTENTS]
            + ([sorted(standin.node_ids()), standin.objects(), standin.walls()] if isinstance(standin, Moto) else [])
            for name, standin in everywhere.items()
        }

    def doctor(self, code: int, **environment: str) -> list[dict[str, str]]:
        """Its findings about rights; nothing has changed anywhere."""
        before = self.census()
        for name, value in environment.items():
            os.environ[name] = value  # as the fixture's monkeypatch puts it back
        document = self.play.ask("doctor", code=code)
        assert self.census() == before
        assert document["cutover_would_fail"] is (code == 1)
        return [finding for finding in document["findings"] if finding["area"] == "rights"]


@pytest.fixture
def stage(moto_process: MotoProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    known = {
        "MIRROR": WRITES,
        "WATCH": READS,
        "CF": WRITES,
        "R53": CHANGES,
        "SECRET": "a-secret-of-tests",
        "USER": "operator",
    }
    for name, value in known.items():
        monkeypatch.setenv(f"TEST_{name}", value)
    for role in ("MIRROR", "WATCH"):
        monkeypatch.setenv(f"TEST_AWS_{role}", AWS[known[role]])
    with ExitStack() as stack:
        moto = stack.enter_context(Moto(moto_process))
        clouds = {
            kind.name: moto if kind.standin is Moto else stack.enter_context(kind.standin(token=ROOT)) for kind in KINDS
        }
        for name, standin in clouds.items():
            _give_out(name, standin)
        cloudflare = stack.enter_context(Cloudflare(token=ROOT, plan="enterprise"))
        CLOUDFLARE.zone(cloudflare, ZONE)
        cloudflare.grant(WRITES, "Zone:Read", "DNS:Edit")
        cloudflare.grant(READS, "Zone:Read", "DNS:Read")
        route53 = stack.enter_context(Route53(token=ROOT))
        route53.add_zone(ZONE)
        route53.grant(CHANGES, WWW, f"_failover.shop.{ZONE}")
        route53.grant(LOOKS, f"_failover.shop.{ZONE}")
        servers = {
            "cf": stack.enter_context(name_server(Shown(cloudflare))).place,
            "r53": stack.enter_context(NameServer(route53)).place,
        }
        play = Play(tmp_path / "play")
        stack.callback(play.close)
        play.directory.mkdir()
        shutil.copytree(resource("examples/guestbook"), play.directory / "app")
        port = free_port(NEAR)
        hosts = {"cf": cloudflare, "r53": route53}
        play.config.write_text(config(clouds, hosts, servers, port))
        stack.enter_context(webs(Web(NEAR, port)))
        yield Stage(play, clouds, hosts)


def _give_out(name: str, standin: StandIn) -> None:
    """The credentials of the shipped policies."""
    if isinstance(standin, Moto):
        standin.grant(AWS[WRITES], *granted("mirror"))
        standin.grant(AWS[READS], *granted("watch"))
    elif isinstance(standin, Hetzner):
        standin.tokens.add(WRITES)
        standin.token_readonly.add(READS)
    else:
        standin.grant(WRITES, *scopes(name)["mirror"])
        standin.grant(READS, *scopes(name)["watch"])


def _provider(name: str, standin: StandIn, bucket: Moto) -> str:
    where = f'endpoint: "{standin.url}"'
    keys = "access_key: {{env: TEST_AWS_{role}}}, secret_key: {{env: TEST_SECRET}}"
    credentials, depot = "token: {{env: TEST_{role}}}", f"bucket: {bucket.bucket}"
    if isinstance(standin, Moto):
        credentials = keys
    else:
        depot += f', endpoint: "{bucket.url}", region: {REGION}, {keys.format(role="MIRROR")}'
    if isinstance(standin, Hetzner):
        where = f'endpoint: "{standin.url}/v1"'
    if isinstance(standin, OpenStack):
        where = f'auth_url: "{standin.auth_url}", project: p1'
        credentials = "username: {{env: TEST_USER}}, password: {{env: TEST_{role}}}"
    roles = ", ".join(f"{role.lower()}: {{{credentials.format(role=role)}}}" for role in ("WATCH", "MIRROR"))
    return f"  {name}: {{kind: {name}, {where}, credentials: {{{roles}}}, depot: {{{depot}}}}}"


def config(clouds: Mapping[str, StandIn], hosts: Mapping[str, StandIn], servers: Mapping[str, str], port: int) -> str:
    moto = clouds["aws"]
    assert isinstance(moto, Moto)
    providers = "\n".join(_provider(name, standin, moto) for name, standin in clouds.items())
    regions = {kind.name: kind.region for kind in KINDS}
    cold = "\n".join(f"  at-{n}: {{provider: {n}, region: {regions[n]}, standby: cold}}" for n in clouds)
    return f"""\
version: 1
service: shop
runner: {{every: 60s, provider: home, call_timeout: 30s}}
providers:
{providers}
sites:
  near: {{provider: near, addresses: {{web: [{NEAR}]}}}}
{cold}
release: {{path: app, run: python3 server.py}}
nodes:
  web: {{count: 1, cpus: 1, memory: 1GiB, disk: 10GiB, image: debian-12, ports: [{port}]}}
dns:
  zones: [{ZONE}]
  ttl: 60
  hosts:
    ns1: {{kind: local}}
    cf: {{kind: cloudflare, plan: enterprise, endpoint: "{hosts["cf"].url}/client/v4", servers: ["{servers["cf"]}"],
         credentials: {{token: {{env: TEST_CF}}}}}}
    r53: {{kind: route53, endpoint: "{hosts["r53"].url}", servers: ["{servers["r53"]}"],
          credentials: {{access_key: {{env: TEST_R53}}, secret_key: {{env: TEST_SECRET}}}}}}
  records: {{{WWW}: {{type: A, nodes: web}}}}
checks:
  main: {{url: "http://{{address}}:{port}/", expect: {{body: ok}}, interval: 60s, timeout: 30s, fall: 2, rise: 1}}
"""


def test_each_role_at_each_place(stage: Stage) -> None:
    stage.play.run("apply", "--yes")
    stage.play.run("check")
    _all_is_well(stage.doctor(0))
    _no_standby_may_create(stage.doctor(1, TEST_MIRROR=READS, TEST_AWS_MIRROR=AWS[READS]))
    _watching_may_write(stage.doctor(0, TEST_MIRROR=WRITES, TEST_AWS_MIRROR=AWS[WRITES], TEST_WATCH=WRITES))
    _hosts_that_may_not_be_changed(stage.doctor(1, TEST_WATCH=READS, TEST_CF=READS, TEST_R53=LOOKS))
    shown = stage.play.run("doctor", code=1).out
    assert "→ grant it the right: templates/policies/cloudflare.yaml has what `cut_over` needs" in shown
    assert shown.endswith("a cutover would FAIL\n")
    secrets = (WRITES, READS, SECRET, *AWS.values())
    assert not [said for said in stage.play.said for secret in secrets if secret in said]


def _by(findings: list[dict[str, str]], severity: str) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for finding in findings:
        if finding["severity"] == severity:
            found.setdefault(finding["subject"], []).append(finding)
    return found


def _all_is_well(findings: list[dict[str, str]]) -> None:
    assert {f["severity"] for f in findings} <= {"fine", "note"}
    fine = _by(findings, "fine")
    for kind in KINDS:
        (watch,) = fine[f"at-{kind.name} (watch)"]
        assert re.search("may (only read|not create nodes)", watch["says"])
        mirror = " ".join(finding["says"] for finding in fine[f"at-{kind.name} (mirror)"])
        assert "create nodes" in mirror
        assert "store releases" in mirror
    assert all("may change records" in fine[host][0]["says"] for host in ("ns1", "cf", "r53"))
    notes = _by(findings, "note")
    doubtful = {f"at-{name} ({role})" for name in ("aws", "openstack") for role in ("watch", "mirror")}
    assert set(notes) == doubtful, "nothing to try it on, and no way to ask"


def _no_standby_may_create(findings: list[dict[str, str]]) -> None:
    fatal = _by(findings, "fatal")
    assert set(fatal) == {f"at-{kind.name} (mirror)" for kind in KINDS}
    for kind in KINDS:
        said = fatal[f"at-{kind.name} (mirror)"]
        reference = {"aws": "AWS_MIRROR", "openstack": "USER"}.get(kind.name, "MIRROR")
        starts = [f"env TEST_{reference} may not create nodes", "env TEST_AWS_MIRROR may not store releases"]
        assert all(any(f["says"].startswith(start) for f in said) for start in starts)
        assert all(f" at {kind.name}: " in f["says"] for f in said)
        policy = POLICY.get(kind.name, f"{kind.name}.yaml")
        assert {f["remedy"] for f in said} == {
            f"grant it the right: templates/policies/{policy} has what `mirror` needs"
        }


def _watching_may_write(findings: list[dict[str, str]]) -> None:
    warned = _by(findings, "warning")
    assert set(warned) == {f"at-{kind.name} (watch)" for kind in KINDS if kind.name != "aws"}
    for said in warned.values():
        assert "should only read, and may also create nodes" in said[0]["says"]


def _hosts_that_may_not_be_changed(findings: list[dict[str, str]]) -> None:
    fatal = _by(findings, "fatal")
    assert set(fatal) == {"cf", "r53"}
    assert fatal["cf"][0]["says"].startswith("env TEST_CF may not change records")
    assert "cloudflare.yaml" in fatal["cf"][0]["remedy"]
    (finding,) = fatal["r53"]
    assert f"env TEST_R53 may not change records ({WWW} A) at r53" in finding["says"]
    assert "aws/cut-over.json" in finding["remedy"]
