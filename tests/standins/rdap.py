"""A registry's RDAP service on loopback, and a list of registries that names it.

Written from RFC 9082 (section 3.1.3), RFC 9083 (sections 4, 5.1, 5.3), RFC 9224 (section 3) and RFC 7095.
"""

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


class RdapStandIn:
    """`domains` by name; `raw` answers a path with a status and any bytes; `asked` is every path, in order."""

    def __init__(self) -> None:
        self.domains: dict[str, dict[str, Any]] = {}
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
        if found is None:
            error = {"errorCode": 404, "title": "Not Found", "description": ["no such domain"]}
            return 404, json.dumps(error).encode(), {}
        return 200, json.dumps(found).encode(), {}

    def bootstrap(self, *suffixes: str) -> bytes:
        """IANA's list (RFC 9224, section 3), as if this service were the registry of these domains."""
        services = [[["elsewhere"], ["https://rdap.elsewhere.invalid/"]], [list(suffixes), [f"{self.url}/"]]]
        return json.dumps({"version": "1.0", "publication": "2026-01-01T00:00:00Z", "services": services}).encode()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
