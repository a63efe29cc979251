"""A registry's RDAP service on loopback, and a list of registries that names it.

Written from RFC 9082 (sections 3.1.1, 3.1.3), RFC 9083 (sections 4, 5.1, 5.3, 5.4), RFC 9224 (sections 3 to 5)
and RFC 7095.
"""

import ipaddress
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


def domain(name: str, *statuses: str, registrar: str = "Example Registrar, Inc.", expires: str = "") -> dict[str, Any]:
    """The answer to `/domain/NAME` (RFC 9083, section 5.3)."""
    events = [{"eventAction": "registration", "eventDate": "2001-02-03T04:05:06Z"}]
    events += [{"eventAction": "expiration", "eventDate": expires}] if expires else []
    card = [["version", {}, "text", "4.0"], ["fn", {}, "text", registrar], ["adr", {}, "text", ["", "", "", ""]]]
    return {
        "objectClassName": "domain",
        "rdapConformance": ["rdap_level_0"],
        "handle": "D1-TEST",
        "ldhName": name.upper(),
        "status": list(statuses),
        "events": events,
        "entities": [
            {"objectClassName": "entity", "handle": "9", "roles": ["technical"]},
            {"objectClassName": "entity", "handle": "292", "roles": ["registrar"], "vcardArray": ["vcard", card]},
        ],
        "nameservers": [{"objectClassName": "nameserver", "ldhName": "ns1.north.test"}],
    }


def network(cidr: str, *, registrant: str = "", name: str = "TEST-NET") -> dict[str, Any]:
    """The answer to `/ip/ADDRESS` (RFC 9083, section 5.4)."""
    held = ipaddress.ip_network(cidr)
    card = [["version", {}, "text", "4.0"], ["fn", {}, "text", registrant], ["kind", {}, "text", "org"]]
    holder = {"objectClassName": "entity", "handle": "ORG-1", "roles": ["registrant"], "vcardArray": ["vcard", card]}
    return {
        "objectClassName": "ip network",
        "rdapConformance": ["rdap_level_0"],
        "handle": f"NET-{held.network_address}",
        "startAddress": str(held[0]),
        "endAddress": str(held[-1]),
        "ipVersion": f"v{held.version}",
        "name": name,
        "type": "DIRECT ALLOCATION",
        "entities": [
            {"objectClassName": "entity", "handle": "ABUSE-1", "roles": ["abuse"]},
            *([holder] if registrant else []),
        ],
    }


class RdapStandIn:
    """`domains` by name, `networks` by prefix; `raw` answers a path with any status and bytes; `asked`: every path."""

    def __init__(self) -> None:
        self.domains: dict[str, dict[str, Any]] = {}
        self.networks: dict[str, dict[str, Any]] = {}
        self.raw: dict[str, tuple[int, bytes, dict[str, str]]] = {}
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body, headers = outer.answer(self.path)
                self.send_response(status)
                for name, value in {"Content-Type": "application/rdap+json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def answer(self, path: str) -> tuple[int, bytes, dict[str, str]]:
        self.asked.append(path)
        if path in self.raw:
            return self.raw[path]
        found = self.domains.get(path.removeprefix("/domain/"))
        if path.startswith("/ip/"):
            found = self._network(ipaddress.ip_address(path.removeprefix("/ip/")))
        if found is None:
            error = {"errorCode": 404, "title": "Not Found", "description": ["no such domain"]}
            return 404, json.dumps(error).encode(), {}
        return 200, json.dumps(found).encode(), {}

    def _network(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> dict[str, Any] | None:
        """The smallest that holds it."""
        holding = [held for cidr in self.networks if address in (held := ipaddress.ip_network(cidr))]
        return self.networks[str(max(holding, key=lambda held: held.prefixlen))] if holding else None

    def bootstrap(self, *suffixes: str, elsewhere: str = "elsewhere") -> bytes:
        """IANA's list (RFC 9224, sections 3 to 5), as if this were the registry of these domains, or networks."""
        services = [[[elsewhere], ["https://rdap.elsewhere.invalid/"]], [list(suffixes), [f"{self.url}/"]]]
        return json.dumps({"version": "1.0", "publication": "2026-01-01T00:00:00Z", "services": services}).encode()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
