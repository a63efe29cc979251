"""A stand-in for Cloudflare's edge: passes HTTP on, by the Host header, to what a proxied record holds at the API.

Written from Cloudflare's documents (Proxy status, Network ports, HTTP request headers, Default cache behavior,
Cloudflare cache responses, Cache levels; error pages: Troubleshooting Cloudflare 1xxx and 5xx errors):

    ports       a request goes on to the same port at the site; in SSL mode Flexible from HTTPS to the port of its HTTP
    to the site CF-Connecting-IP, CF-Ray, X-Forwarded-For, X-Forwarded-Proto, CDN-Loop; the Host stays
    back        CF-Ray, CF-Cache-Status; Age of what the cache gives
    cache       by the file's extension, or everything where a rule says so; by host, path and query, or without the
                query (cache level "Ignore Query String"); what the site forbids to keep is not kept; what the client
                says of caching does not count
    errors      521 the site refuses, 522 it does not answer, 403 and 1003 an address as the host, 409 and 1001 a host
                that is not proxied here

While it is `stuck` it knows the records of before: a change that the API took and that has not come to this place.
"""

import copy
import http.client
import ipaddress
import itertools
import ssl
from typing import Any, Self

from tests.standins.cloudflare import PROXIABLE, Cloudflare
from tests.standins.wire import Call, Reply, Server

CACHED = ("css", "gif", "ico", "jpg", "js", "pdf", "png", "svg", "woff2", "zip")
"""Some of the extensions that are cached by default; HTML and JSON are not."""
AGE_S = 7
"""Of whatever the cache gives: time does not pass here."""
_SITE_S = 5.0
_HOP_BY_HOP = ("connection", "content-length", "transfer-encoding", "keep-alive")
_OWN = (*_HOP_BY_HOP, "server", "date")


class Edge:
    """At one address of the edge, which every proxied name of the stand-in has."""

    def __init__(
        self,
        api: Cloudflare,
        address: str,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        site_port: int | None = None,
    ) -> None:
        self.address = address
        self.port = port
        self.cache_everything = False
        self.ignore_query = False
        self.requests: list[Call] = []
        self._api = api
        self._held: dict[str, list[str]] | None = None
        self._cache: dict[str, Reply] = {}
        self._rays = itertools.count(1)
        self._site_port = site_port or port
        self._server = Server(self._respond, (address, port))
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def stuck(self) -> bool:
        return self._held is not None

    @stuck.setter
    def stuck(self, stuck: bool) -> None:
        self._held = self._sites() if stuck else None

    def purge(self) -> None:
        """As the dashboard's "Purge Everything"."""
        self._cache.clear()

    def __enter__(self) -> Self:
        self._server.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.end()

    # ------------------------------------------------------------------------------------------ passing on

    def _sites(self) -> dict[str, list[str]]:
        """By proxied name what its records hold; with one of them proxied, all A and AAAA of a name are."""
        found: dict[str, list[str]] = {}
        records = [record for zone in list(self._api.zones.values()) for record in list(zone.records.values())]
        proxied = {record["name"] for record in records if record["proxied"]}
        for record in records:
            if record["name"] in proxied and record["type"] in PROXIABLE:
                found.setdefault(record["name"], []).append(record["content"])
        return copy.deepcopy(found)

    def _respond(self, call: Call) -> Reply:
        self.requests.append(call)
        host = call.header("Host").rpartition(":")[0] or call.header("Host")
        if _is_address(host):
            return self._own(403, "error code: 1003")
        sites = (self._sites() if self._held is None else self._held).get(host)
        if not sites:
            return self._own(409, "error code: 1001")
        key = f"{host}{call.path if self.ignore_query else call.target}"
        if call.method == "GET" and key in self._cache:
            kept = self._cache[key]
            return _with(kept, {"Age": str(AGE_S), "CF-Cache-Status": "HIT"})
        reply = self._asked(call, sites[0])
        cacheable = self.cache_everything or call.path.rpartition(".")[2] in CACHED
        if not cacheable or call.method != "GET":
            return _with(reply, {"CF-Cache-Status": "DYNAMIC"})
        control = reply.headers.get("Cache-Control", "")
        if reply.status != 200 or any(word in control for word in ("private", "no-store", "no-cache", "max-age=0")):
            return _with(reply, {"CF-Cache-Status": "BYPASS"})
        self._cache[key] = reply
        return _with(reply, {"CF-Cache-Status": "MISS"})

    def _asked(self, call: Call, site: str) -> Reply:
        more = {
            "CF-Connecting-IP": "127.0.0.1",
            "CF-Ray": self._ray(),
            "X-Forwarded-For": "127.0.0.1",
            "X-Forwarded-Proto": "http",
            "CDN-Loop": "cloudflare; loops=1",
        }
        sent = {name: said for name, said in call.headers.items() if name not in _HOP_BY_HOP}
        connection = http.client.HTTPConnection(site, self._site_port, timeout=_SITE_S)
        try:
            connection.request(call.method, call.target, body=call.body or None, headers={**sent, **more})
            answer = connection.getresponse()
            body = answer.read()
        except ConnectionRefusedError:
            return self._own(521, "error code: 521")
        except OSError:
            return self._own(522, "error code: 522")
        finally:
            connection.close()
        headers = {name: said for name, said in answer.getheaders() if name.lower() not in _OWN}
        type = headers.pop("Content-Type", "text/plain")
        return Reply(status=answer.status, raw=body, type=type, headers={**headers, "CF-Ray": self._ray()})

    def _own(self, status: int, text: str) -> Reply:
        return Reply(status=status, raw=text.encode(), type="text/plain", headers={"CF-Ray": self._ray()})

    def _ray(self) -> str:
        return f"{next(self._rays):016x}-XXX"


def _with(reply: Reply, more: dict[str, Any]) -> Reply:
    return Reply(status=reply.status, raw=reply.raw, type=reply.type, headers={**reply.headers, **more})


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
