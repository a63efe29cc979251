"""One config for all shipped kinds: each is asked by what the config says, and gets nodes with their user-data."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from failover.cli.wiring import context_of
from failover.config.load import load
from failover.config.model import Config
from failover.core.mirror import ActionKind
from failover.core.model import Reading
from failover.engine.context import Context
from failover.engine.mirror import survey
from failover.engine.nodes import clear, destroy, ensure, list_nodes, open_ports
from failover.net.resources import resource
from tests.standins.base import Pace, StandIn
from tests.standins.digitalocean import DigitalOcean
from tests.standins.hetzner import Hetzner
from tests.standins.linode import LinodeStandIn
from tests.standins.moto import Moto, MotoProcess
from tests.standins.openstack import OpenStack
from tests.standins.vultr import Vultr

CONFIG = """\
version: 1
service: guestbook
runner: {{every: 60s, provider: home, call_timeout: 30s}}
providers:
  aws:
    kind: aws
    endpoint: {aws}
    credentials: &keys {{access_key: {{env: TEST_KEY}}, secret_key: {{env: TEST_SECRET}}}}
    depot: {{bucket: {bucket}}}
  do: {{kind: digitalocean, endpoint: "{do}", credentials: {{token: {{env: TEST_TOKEN}}}}, depot: &depot {{bucket: {bucket}, endpoint: "{aws}", region: us-east-1, access_key: {{env: TEST_KEY}}, secret_key: {{env: TEST_SECRET}}}}}}
  linode: {{kind: linode, endpoint: "{linode}", credentials: {{token: {{env: TEST_TOKEN}}}}, depot: *depot}}
  vultr: {{kind: vultr, endpoint: "{vultr}", credentials: {{token: {{env: TEST_TOKEN}}}}, depot: *depot}}
  hetzner: {{kind: hetzner, endpoint: "{hetzner}", credentials: {{token: {{env: TEST_TOKEN}}}}, depot: *depot}}
  ovh: {{kind: openstack, auth_url: "{ovh}", project: p1, credentials: {{username: {{env: TEST_USER}}, password: {{env: TEST_TOKEN}}}}, depot: *depot}}
sites:
  virginia: {{provider: aws, region: us-east-1}}
  frankfurt: {{provider: do, region: fra1}}
  linodia: {{provider: linode, region: eu-central}}
  amsterdam: {{provider: vultr, region: fra}}
  falkenstein: {{provider: hetzner, region: nbg1}}
  gravelines: {{provider: ovh, region: GRA11}}
release: {{path: app, run: python3 server.py, secrets: {{GUESTBOOK_KEY: {{env: TEST_SECRET}}}}}}
nodes:
  web: {{count: 1, cpus: 1, memory: 1GiB, disk: 10GiB, ports: [8080]}}
dns:
  zones: [example.org]
  hosts: {{one: {{kind: local}}}}
  records: {{www.example.org: {{type: A, nodes: web}}}}
checks:
  http: {{url: "http://{{address}}:8080/healthz"}}
"""  # noqa: E501
TOKEN = "a-token-of-tests"


@dataclass(frozen=True, slots=True)
class World:
    config: Config
    standins: dict[str, StandIn]


@pytest.fixture
def world(moto_process: MotoProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    shutil.copytree(resource("examples/guestbook"), tmp_path / "app")
    for name, value in {"KEY": "AKIATESTEDTESTED1234", "SECRET": TOKEN, "TOKEN": TOKEN, "USER": "operator"}.items():
        monkeypatch.setenv(f"TEST_{name}", value)
    at_once = Pace(addressed=0, running=0, gone=0)
    with ExitStack() as stack:
        moto = stack.enter_context(Moto(moto_process))
        openstack = stack.enter_context(OpenStack(token=TOKEN, pace=at_once))
        others: dict[str, StandIn] = {
            "frankfurt": stack.enter_context(DigitalOcean(token=TOKEN, pace=at_once)),
            "linodia": stack.enter_context(LinodeStandIn(token=TOKEN, pace=at_once)),
            "amsterdam": stack.enter_context(Vultr(token=TOKEN, pace=at_once)),
            "falkenstein": stack.enter_context(Hetzner(token=TOKEN, pace=at_once)),
            "gravelines": openstack,
        }
        path = tmp_path / "failover.yaml"
        path.write_text(
            CONFIG.format(
                aws=moto.url,
                bucket=moto.bucket,
                do=others["frankfurt"].url,
                linode=others["linodia"].url,
                vultr=others["amsterdam"].url,
                hetzner=f"{others['falkenstein'].url}/v1",
                ovh=openstack.auth_url,
            )
        )
        yield World(load(path), {"virginia": moto, **others})


def test_every_kind_is_surveyed_supplied_and_emptied_by_what_the_config_says(world: World) -> None:
    context = context_of(world.config, mirror=True)
    package = context.package()
    release = context.release(package.digest)
    plans = survey(context, None, release)
    assert {plan.site: plan.problem for plan in plans} == dict.fromkeys(world.standins)
    for plan in plans:
        upload, create = plan.actions
        assert (upload.kind, create.kind) == (ActionKind.UPLOAD, ActionKind.CREATE)
        assert create.spec is not None
        assert create.spec.size
        context.depots[plan.site].put(package.digest, package.archive)
        open_ports(context, plan.site)
        ensure(context, create.spec)
        assert [n.name for n in list_nodes(context, plan.site)] == [create.spec.name]
    watch = context_of(world.config)
    for site, account in watch.accounts.items():
        assert account.state().reading is not Reading.CLOSED
        assert len(account.nodes("guestbook", site)) == 1
        assert watch.depots[site].has(package.digest)
    for site in world.standins:
        empty(context, site, package.digest)


def empty(context: Context, site: str, digest: str) -> None:
    for node in list_nodes(context, site):
        destroy(context, node)
    clear(context, site)
    context.depots[site].remove(digest)
    assert list_nodes(context, site) == ()
