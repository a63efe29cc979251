"""Two providers, each in a network of its own, and a controller in a third one that reaches both by cable.

Nothing but these addresses exists there, so what an address cannot reach, it cannot reach: no fallback, no mistake.
"""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from failover.net.resources import resource
from failover.net.tsig import TsigKey, write_key
from tests.e2e.clouds import CONFIG, KINDS, TOKEN, provider
from tests.e2e.eyes import Server, answer
from tests.e2e.forks import Forks
from tests.e2e.hall import Hall
from tests.e2e.play import Play, until
from tests.servers.network import Network
from tests.servers.tools import need
from tests.standins.base import StandIn, addresses
from tests.standins.digitalocean import DigitalOcean
from tests.standins.moto import Moto, MotoProcess

AWS, DO = "198.51.100.0/24", "203.0.113.0/24"
CONTROLS = "192.0.2.128/25"
PORT = 8080
DNS_PORT = 5353
ZONE = "guestbook.test"
SECRET = "YSBzZWNyZXQgb2YgdGhlIHRlc3RzLCAzMiBieXRlcyE="
_BIND = """\
include "{directory}/key";
options {{
    directory "{directory}"; pid-file "{directory}/pid"; session-keyfile "{directory}/session.key";
    listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
    recursion no; dnssec-validation no; notify no; allow-transfer {{ none; }}; minimal-responses yes;
}};
controls {{ }};
zone "{zone}" {{ type primary; file "{directory}/zone"; update-policy {{ grant failover zonesub ANY; }}; }};
"""
_ZONE = "$TTL 60\n@ IN SOA ns1 hostmaster 1 60 30 3600 5\n@ IN NS ns1\nns1 IN A 127.0.0.1\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Abroad:
    """`home` is where the commands run. `aws` and `do` are the providers' APIs, `there` the network of the first."""

    home: Network
    there: Network
    aws: Moto
    do: DigitalOcean
    play: Play

    def servers(self) -> dict[str, Server]:
        """Address and port of both DNS hosts."""
        return {**self.play.servers(), "bind": ("127.0.0.1", DNS_PORT)}

    def published(self) -> list[set[str] | None]:
        """What both of them answer, to a client of another make."""
        with self.home.inside():
            return [answer(server, f"www.{ZONE}", "A") for server in self.servers().values()]

    def silence(self) -> None:
        """Nothing that AWS's network sends arrives any more: no API, no depot, no node."""
        self.there.ip("route", "flush", "table", "main")


def at(standin: StandIn) -> set[str]:
    """The addresses of the nodes that this provider has switched on."""
    return {machine.address for machine in standin.machines()}


@contextmanager
def abroad(moto: MotoProcess, directory: Path, more: str) -> Iterator[Abroad]:
    """`more` is added to the config. Nothing is applied yet."""
    with ExitStack() as stack:
        home, there, elsewhere = (stack.enter_context(Network()) for _ in range(3))
        _join(home, there, "aws", AWS, "192.0.2.1", "192.0.2.2")
        _join(home, elsewhere, "do", DO, "192.0.2.5", "192.0.2.6")
        with there.inside():
            aws = Moto(moto, host="198.51.100.1", free_v4=_nodes(AWS))
        with elsewhere.inside():
            do = DigitalOcean(token=TOKEN, host="203.0.113.1", free_v4=_nodes(DO))
            spaces = Moto(moto, host="203.0.113.2", free_v4=_nodes(DO))
        for standin in (aws, do, spaces):
            stack.enter_context(standin)  # their threads are of this network: the front reaches moto
        for name, network, standin in (("virginia", there, aws), ("frankfurt", elsewhere, do)):
            stack.enter_context(Hall(directory / name, PORT, standin, within=network.inside))
        _controls(stack, home)
        stack.enter_context(_bind(home, directory / "bind"))
        forks = Forks(home.entering())
        stack.callback(forks.close)
        play = Play(directory / "play", forks=forks)
        stack.callback(play.close)
        _configure(play, (aws, do, spaces), more)
        yield Abroad(home=home, there=there, aws=aws, do=do, play=play)


def _join(home: Network, other: Network, name: str, block: str, here: str, there: str) -> None:
    home.cable(other, name, here, there)
    home.ip("route", "add", block, "via", there)
    other.ip("route", "add", "default", "via", here)
    other.serve(block)


def _nodes(block: str) -> Iterator[str]:
    return (address for address in addresses(block) if int(address.rpartition(".")[2]) >= 10)


def _controls(stack: ExitStack, home: Network) -> None:
    """Two that have nothing to do with either provider, and answer all the while."""
    home.serve(CONTROLS)
    with home.inside():
        for address in ("192.0.2.129", "192.0.2.130"):
            stack.enter_context(socket.create_server((address, 443), backlog=1024))


@contextmanager
def _bind(home: Network, directory: Path) -> Iterator[None]:
    """BIND with our zone, at home."""
    directory.mkdir()
    write_key(directory / "key", TsigKey(name="failover", secret=SECRET))
    (directory / "zone").write_text(_ZONE)
    (directory / "config").write_text(_BIND.format(directory=directory, port=DNS_PORT, zone=ZONE))
    command = home.entering(need("named", "bind9"), "-g", "-n", "1", "-c", str(directory / "config"))
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        with home.inside():
            until(lambda: answer(("127.0.0.1", DNS_PORT), ZONE, "SOA") or process.poll() is not None)
        assert process.poll() is None, (directory / "log").read_text()
        yield
    finally:
        process.terminate()
        process.wait()


def _configure(play: Play, standins: tuple[Moto, DigitalOcean, Moto], more: str) -> None:
    aws, do, spaces = standins
    kinds = {kind.name: kind for kind in KINDS}
    play.directory.mkdir()
    shutil.copytree(resource("examples/guestbook"), play.directory / "app")
    key = play.directory / "bind.key"
    key.touch(0o600)
    key.write_text(SECRET + "\n")
    config = CONFIG.format(
        providers="\n".join(
            (provider(kinds["aws"], aws, aws, "aws"), provider(kinds["digitalocean"], do, spaces, "do"))
        ),
        sites="  virginia: {provider: aws, region: us-east-1}\n  frankfurt: {provider: do, region: fra1, standby: hot}",
        count=2,
        port=PORT,
    )
    bind = f"{{kind: rfc2136, server: '127.0.0.1:{DNS_PORT}', tsig: {{name: failover, secret: {{file: bind.key}}}}}}"
    play.config.write_text(config + more)
    play.edit({r"ns1: \{kind: local\}": f"ns1: {{kind: local}}, bind: {bind}", "call_timeout: 30s": "call_timeout: 6s"})
