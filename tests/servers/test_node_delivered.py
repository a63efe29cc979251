"""From the config to a node that serves: the user-data that AWS is sent boots, and fetches by the bucket's links."""

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from failover.cli.wiring import context_of
from failover.config.load import load
from failover.core.mirror import chosen_sizes, specs
from failover.engine.context import Context
from failover.engine.nodes import ensure, open_ports
from failover.net.resources import resource
from tests.servers.clean_room import NOBODY, Room, eventually, lay_out, room
from tests.servers.test_node_boot import ask, serving
from tests.standins.moto import REGION, Moto, MotoProcess

pytestmark = [pytest.mark.server("node"), pytest.mark.timeout(1200)]
SECRET = "only for its holder"
CONFIG = """\
version: 1
service: guestbook
providers:
  aws:
    kind: aws
    endpoint: {url}
    credentials: {{access_key: {{env: TEST_AWS_KEY}}, secret_key: {{env: TEST_AWS_SECRET}}}}
    depot: {{bucket: {bucket}}}
sites:
  virginia: {{provider: aws, region: {region}}}
release: {{path: app, run: python3 server.py, env: {{MODE: live}}, secrets: {{GUESTBOOK_KEY: {{env: TEST_KEY}}}}}}
nodes:
  web: {{count: 1, ports: [8080]}}
dns:
  zones: [example.org]
  hosts: {{one: {{kind: local}}}}
  records: {{www.example.org: {{type: [A, AAAA], nodes: web}}}}
checks:
  http: {{url: "http://{{address}}:8080/healthz"}}
"""


@pytest.fixture
def aws(moto_process: MotoProcess) -> Iterator[Moto]:
    with Moto(moto_process) as standin:
        yield standin


@pytest.fixture
def context(aws: Moto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    monkeypatch.setenv("TEST_AWS_KEY", "AKIATESTEDTESTED1234")
    monkeypatch.setenv("TEST_AWS_SECRET", "a-secret-of-tests")
    monkeypatch.setenv("TEST_KEY", SECRET)
    shutil.copytree(resource("examples/guestbook"), tmp_path / "app")
    path = tmp_path / "failover.yaml"
    path.write_text(CONFIG.format(url=aws.url, bucket=aws.bucket, region=REGION))
    return context_of(load(path), mirror=True)


@pytest.fixture
def clean(tmp_path: Path) -> Iterator[Room]:
    with room(tmp_path / "room") as made:
        yield made


def test_what_a_provider_is_sent_makes_a_node_that_serves(aws: Moto, context: Context, clean: Room) -> None:
    package = context.package()
    release = context.release(package.digest)
    site = context.service.site("virginia")
    cloud = context.compute["virginia"]
    context.depots["virginia"].put(package.digest, package.archive)
    open_ports(context, site.name)
    (spec,) = specs(context.service, site, release, chosen_sizes(context.service, cloud.sizes()), active=True)
    ensure(context, spec)
    (launch,) = aws.launches()
    user_data = base64.b64decode(launch["UserData"]).decode()
    assert SECRET not in user_data

    unit = lay_out(user_data, clean.root)
    with clean.reaching(aws.port):
        clean.must(*unit.before)
    clean.must(*unit.before)
    with serving(clean, unit):
        eventually(lambda: ask(clean, "/healthz") == f"200 virginia {package.digest}\nok\n")
        assert ask(clean, "/remove", "POST", f"id=x&key={SECRET.replace(' ', '+')}").startswith("404")
    assert unit.environment(clean.root)["FAILOVER_ADDRESS"] == "::"
    assert "Permission denied" in clean.run("cat", "/etc/failover/guestbook/environment", user=NOBODY).stderr
