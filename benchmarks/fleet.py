"""Five providers on this machine, for benchmarks: stand-ins that answer as their documents say, and what nodes need.

The stand-ins are those of the tests (`tests/standins`), in this process; what is measured runs in another one.
"""

import http.server
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from failover.clouds.images import ImageTable  # noqa: E402
from failover.local import control  # noqa: E402
from tests.standins.base import Pace, StandIn, addresses  # noqa: E402
from tests.standins.digitalocean import DigitalOcean  # noqa: E402
from tests.standins.hetzner import Hetzner  # noqa: E402
from tests.standins.linode import LinodeStandIn  # noqa: E402
from tests.standins.openstack import OpenStack  # noqa: E402
from tests.standins.vultr import Vultr  # noqa: E402

IMAGES = ImageTable.load()
TOKEN = "a-token-of-tests"
SITES = {
    "frankfurt": (DigitalOcean, "fra1"),
    "linodia": (LinodeStandIn, "eu-central"),
    "amsterdam": (Vultr, "fra"),
    "falkenstein": (Hetzner, "nbg1"),
    "gravelines": (OpenStack, "GRA11"),
}
AT_ONCE = Pace(addressed=0, running=0, gone=0)
NETWORKS = {site: f"127.{80 + number}.0.0/16" for number, site in enumerate(SITES)}


@dataclass(frozen=True, slots=True)
class Fleet:
    """`port`: where nodes fetch releases, and what answers at every node's address too. `compiled`: a directory."""

    standins: dict[str, StandIn]
    port: int
    compiled: str

    def environment(self) -> dict[str, str]:
        """Modules are compiled once, in the first run, as pip does when it installs."""
        left_out = ("FAILOVER_", "PYTHONDONTWRITEBYTECODE")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
        return {**kept, "BENCH_TOKEN": TOKEN, "BENCH_USER": "operator", "PYTHONPYCACHEPREFIX": self.compiled}

    def write(self, directory: Path, sites: Sequence[str], count: int) -> None:
        """A config for these sites, and a release, in a directory."""
        directory.mkdir(parents=True, exist_ok=True)
        if not (directory / "app").exists():
            shutil.copytree(ROOT / "examples" / "guestbook", directory / "app")
        text = _config(self, directory, sites, count)
        (directory / "failover.yaml").write_text(text, encoding="utf-8")


class _Web(http.server.BaseHTTPRequestHandler):
    delay = threading.Event()
    delay_s = 0.0

    def do_HEAD(self) -> None:
        self.delay.wait(self.delay_s)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def fleet(delay_s: float = 0.0) -> Iterator[Fleet]:
    """Every stand-in takes `delay_s` for each answer, as does the place where releases lie."""
    _Web.delay_s = delay_s
    with ExitStack() as stack:
        standins: dict[str, StandIn] = {
            site: stack.enter_context(
                kind(
                    token=TOKEN,
                    pace=AT_ONCE,
                    delay_s=delay_s,
                    nodes_max=1000,
                    free_v4=addresses(NETWORKS[site]),
                )
            )
            for site, (kind, _) in SITES.items()
        }
        web = http.server.ThreadingHTTPServer(("0.0.0.0", 0), _Web)
        web.daemon_threads = True
        stack.callback(web.server_close)
        stack.callback(web.shutdown)
        threading.Thread(target=web.serve_forever, args=(0.05,), daemon=True).start()
        compiled = stack.enter_context(tempfile.TemporaryDirectory(prefix="failover-bench-"))
        yield Fleet(standins, web.server_address[1], compiled)


@contextmanager
def name_server(directory: Path) -> Iterator[None]:
    """The DNS host `one` of the config, a real name server, for as long as this lasts."""
    root = directory / ".failover" / "local"
    control.create_dns(root, "one", ("example.org",))
    control.start(root, ["one"])
    try:
        yield
    finally:
        control.stop(root)


def _provider(site: str, standin: StandIn) -> str:
    token = "credentials: {token: {env: BENCH_TOKEN}}"
    match standin:
        case OpenStack():
            user = "credentials: {username: {env: BENCH_USER}, password: {env: BENCH_TOKEN}}"
            return f'{{kind: openstack, auth_url: "{standin.auth_url}", project: p1, {user}}}'
        case Hetzner():
            return f'{{kind: hetzner, endpoint: "{standin.url}/v1", {token}}}'
        case _:
            kind = {"frankfurt": "digitalocean", "linodia": "linode", "amsterdam": "vultr"}[site]
            return f'{{kind: {kind}, endpoint: "{standin.url}", {token}}}'


def _config(found: Fleet, directory: Path, sites: Sequence[str], count: int) -> str:
    providers = "\n".join(f"  {site}: {_provider(site, found.standins[site])}" for site in sites)
    places = "\n".join(f"  {site}: {{provider: {site}, region: {SITES[site][1]}}}" for site in sites)
    if len(sites) == 1:
        places += "\n  given: {addresses: {web: [127.79.0.1]}}"
    return f"""\
version: 1
service: bench
runner: {{every: 60s, call_timeout: 60s}}
providers:
{providers}
sites:
{places}
release: {{path: app, run: python3 server.py, url: "http://127.0.0.1:{found.port}/{{release}}.tar.gz"}}
nodes:
  web: {{count: {count}, cpus: 1, memory: 1GiB, disk: 10GiB, ports: [{found.port}]}}
dns:
  zones: [example.org]
  ttl: 1
  hosts: {{one: {{kind: local}}}}
  records: {{www.example.org: {{type: A, nodes: web}}}}
checks:
  main: {{tcp: "{{address}}:{found.port}", interval: 60s, timeout: 5s}}
local: {{root: {directory / ".failover" / "local"}}}
"""
