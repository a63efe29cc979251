"""Each kind of cloud at its stand-in, as a config names it, with machines behind it that really serve."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from failover.net.resources import resource
from tests.e2e.hall import Hall, loopback
from tests.e2e.play import Play
from tests.ports import free_port
from tests.standins.base import StandIn
from tests.standins.digitalocean import DigitalOcean
from tests.standins.hetzner import Hetzner
from tests.standins.linode import LinodeStandIn
from tests.standins.moto import REGION, Moto, MotoProcess
from tests.standins.openstack import OpenStack
from tests.standins.vultr import Vultr

TOKEN = "a-token-of-tests"
ENVIRONMENT = {"TEST_KEY": "AKIATESTEDTESTED1234", "TEST_TOKEN": TOKEN, "TEST_USER": "operator"}
KEYS = "access_key: {env: TEST_KEY}, secret_key: {env: TEST_TOKEN}"
CONFIG = """\
version: 1
service: guestbook
runner: {{every: 1s, provider: home, call_timeout: 30s}}
providers:
{providers}
sites:
{sites}
release: {{path: app, run: python3 server.py, secrets: {{GUESTBOOK_KEY: {{env: TEST_TOKEN}}}}}}
nodes:
  web: {{count: {count}, cpus: 1, memory: 1GiB, disk: 10GiB, image: debian-12, ports: [{port}]}}
dns:
  zones: [guestbook.test]
  ttl: 1
  hosts: {{ns1: {{kind: local}}}}
  records: {{www.guestbook.test: {{type: A, nodes: web}}}}
checks:
  http: {{url: "http://{{address}}:{port}/healthz", expect: {{body: ok, header: {{X-Failover-Release: "{{release}}"}}}},
         interval: 4s, timeout: 4s, fall: 2, rise: 1}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind. `creating` and `destroying` are patterns of requests; `walls` counts what `clear` is to take away."""

    name: str
    region: str
    standin: Callable[..., StandIn]
    creating: str
    destroying: str
    walls: Callable[..., int]

    def __str__(self) -> str:
        return self.name


def _moto_walls(standin: Moto) -> int:
    return sum(1 for item in standin.ec2("DescribeSecurityGroups").iter() if (item.text or "").startswith("failover-"))


KINDS = (
    Kind(
        name="aws",
        region=REGION,
        standin=Moto,
        creating="RunInstances",
        destroying="TerminateInstances",
        walls=_moto_walls,
    ),
    Kind(
        name="digitalocean",
        region="fra1",
        standin=DigitalOcean,
        creating="^POST /v2/droplets$",
        destroying="^DELETE /v2/droplets/",
        walls=lambda standin: len(standin.firewalls) + len(standin.tags),
    ),
    Kind(
        name="linode",
        region="eu-central",
        standin=LinodeStandIn,
        creating="^POST /v4/linode/instances$",
        destroying="^DELETE /v4/linode/instances/",
        walls=lambda standin: len(standin.firewalls),
    ),
    Kind(
        name="vultr",
        region="fra",
        standin=Vultr,
        creating="^POST /v2/instances$",
        destroying="^DELETE /v2/instances/",
        walls=lambda standin: len(standin.groups),
    ),
    Kind(
        name="hetzner",
        region="nbg1",
        standin=Hetzner,
        creating="^POST /v1/servers$",
        destroying="^DELETE /v1/servers/",
        walls=lambda standin: len(standin.firewalls),
    ),
    Kind(
        name="openstack",
        region="GRA11",
        standin=OpenStack,
        creating="^POST /compute/v2.1/servers$",
        destroying="^DELETE /compute/v2.1/servers/",
        walls=lambda standin: len(standin.groups) - 1,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One site at one provider. `bucket` is where its nodes fetch the release: AWS's own, or one beside another."""

    kind: Kind
    play: Play
    standin: StandIn
    bucket: Moto
    hall: Hall

    def ours(self) -> set[str]:
        """Ids of the nodes there are, but for those of somebody else."""
        return {m.id for m in self.standin.machines() if m.user_data}

    def addresses(self, *ids: str) -> set[str]:
        """Of these nodes, or of all."""
        return {m.address for m in self.standin.machines() if m.user_data and (not ids or m.id in ids)}

    def images(self) -> set[str]:
        return {m.image for m in self.standin.machines() if m.user_data}


@contextmanager
def stage(kind: Kind, moto: MotoProcess, directory: Path, count: int = 2) -> Iterator[Stage]:
    """A config of one site at this provider, and everything that it needs. Nothing is applied yet."""
    port = free_port("127.0.0.1")
    with Moto(moto, free_v4=loopback(port)) as bucket:
        other = kind.standin is not Moto
        made = kind.standin(token=TOKEN, free_v4=loopback(port)) if other else bucket
        with made if other else Hall(directory / "none", port):
            play = Play(directory / "play")
            play.directory.mkdir()
            shutil.copytree(resource("examples/guestbook"), play.directory / "app")
            config = CONFIG.format(
                providers=provider(kind, made, bucket),
                sites=f"  there: {{provider: there, region: {kind.region}}}",
                count=count,
                port=port,
            )
            play.config.write_text(config)
            with Hall(directory / "disks", port, made) as hall:
                try:
                    yield Stage(kind=kind, play=play, standin=made, bucket=bucket, hall=hall)
                finally:
                    made.mend()
                    play.close()


def provider(kind: Kind, standin: StandIn, bucket: Moto, name: str = "there") -> str:
    """The provider's entry of a config."""
    if isinstance(standin, Moto):
        where, credentials, depot = f'endpoint: "{standin.url}"', KEYS, f"bucket: {bucket.bucket}"
    else:
        where, credentials = f'endpoint: "{standin.url}"', "token: {env: TEST_TOKEN}"
        depot = f'bucket: {bucket.bucket}, endpoint: "{bucket.url}", region: {REGION}, {KEYS}'
    if isinstance(standin, Hetzner):
        where = f'endpoint: "{standin.url}/v1"'
    if isinstance(standin, OpenStack):
        where = f'auth_url: "{standin.auth_url}", project: p1'
        credentials = "username: {env: TEST_USER}, password: {env: TEST_TOKEN}"
    return f"  {name}: {{kind: {kind.name}, {where}, credentials: {{{credentials}}}, depot: {{{depot}}}}}"
