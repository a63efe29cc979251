"""Sites that somebody else provisions: small web servers in this process, on loopback addresses of their own."""

import http.server
import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from failover.local import control
from failover.local.registry import Kind, place, read_record
from failover.net.tsig import read_key
from tests.e2e.play import Play

ZONE = "shop.test"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: "_Server"

    def do_GET(self) -> None:
        body = b"ok"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        if self.server.site:
            self.send_header("X-Failover-Site", self.server.site)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    site = ""


class Web:
    """One site's server, which can be closed and opened again at the same address. `site`: what it calls itself."""

    def __init__(self, address: str, port: int, tls: ssl.SSLContext | None = None, site: str = "") -> None:
        self.address, self.port, self._tls, self.site = address, port, tls, site
        self._server: _Server | None = None

    def open(self) -> None:
        self._server = _Server((self.address, self.port), _Handler)
        self._server.site = self.site
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@contextmanager
def webs(*sites: Web) -> Iterator[None]:
    for site in sites:
        site.open()
    try:
        yield
    finally:
        for site in sites:
            site.close()


def name_servers(play: Play, *names: str) -> dict[str, str]:
    """Real name servers by name, each with its key's secret in a private file; returns their `address:port`."""
    found = {}
    for name in names:
        control.create_dns(play.local, name, (ZONE,))
    control.start(play.local, names)
    for name in names:
        record = read_record(place(play.local, Kind.DNS, name).directory)
        assert record is not None
        found[name] = f"{record.address}:{record.port}"
        play.hide(f"{name}.key", read_key(play.local / "dns" / name / "tsig.key").secret)
    return found


def config(servers: Mapping[str, str], addresses: Mapping[str, str], check: str) -> str:
    """A config of given sites, with the DNS hosts of `name_servers`. `check` is the body of the only check."""
    hosts = {
        name: f"kind: rfc2136, server: '{server}', tsig: {{name: failover-{name}, secret: {{file: {name}.key}}}}"
        for name, server in servers.items()
    }
    return config_of(hosts, addresses, check, call_timeout="3s", policy=RESTLESS)


RESTLESS = ", flap_limit: 1000, retry_after: 0s, ask_expires: 1h"
"""Of a policy: many moves in one story."""


def config_of(
    hosts: Mapping[str, str],
    addresses: Mapping[str, str],
    check: str,
    *,
    names: Sequence[str] = (f"www.{ZONE}",),
    dns: str = "ttl: 1, lost_after: 3s",
    policy: str = "",
    call_timeout: str = "5s",
) -> str:
    """Likewise, of any DNS hosts: by name the body of each. `dns` and `policy`: more words of theirs."""
    sites = [f"{name}: {{provider: {name}, addresses: {{web: [{a}]}}}}" for name, a in addresses.items()]
    there = [f"{name}: {{{body}}}" for name, body in hosts.items()]
    records = [f"{name}: {{type: A, nodes: web}}" for name in names]
    return f"""\
version: 1
service: shop
runner: {{every: 1s, call_timeout: {call_timeout}}}
sites:
{_lines(sites, 2)}
dns:
  zones: [{ZONE}]
{_lines(dns.split(", "), 2)}
  hosts:
{_lines(there, 4)}
  records:
{_lines(records, 4)}
checks:
  main: {{{check}, interval: 2s, timeout: 2s, fall: 2, rise: 1}}
policy: {{unexplained_down: {{action: ask, confirm: 0s}}, cooldown: 0s, tilt: 0s{policy}}}
"""


def answers_ok(port: int) -> str:
    """The check of `Web`."""
    return f"url: 'http://{{address}}:{port}/', expect: {{body: ok}}"


def _lines(texts: Iterable[str], indent: int) -> str:
    return "\n".join(f"{' ' * indent}{text}" for text in texts)


def directory(path: Path) -> Play:
    path.mkdir()
    return Play(path)
