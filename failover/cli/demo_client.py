"""The demo's client: a program of its own that knows only a name and its name servers, and asks at a steady rate.

    python -m failover.cli.demo_client --name www.guestbook.test --server 127.0.0.1:5301 --server 127.0.0.1:5302 \
        --port 8080 --rate 20 --out requests.jsonl

The load is open: a request starts when its time has come, whether or not earlier ones have ended. There are no retries:
what fails is a failure. A name server that does not answer is passed over for the next, as every resolver does.
One JSON object per request is appended to the file, when the request has ended:

    {"sent_s", "at_s", "ok", "address", "site", "status", "error"}

`sent_s` and `at_s` are seconds of this machine's monotonic clock, which its other processes share. On SIGTERM, or when
its parent has gone, the client waits for the requests under way and prints a summary as one JSON object.
"""

import argparse
import http.client
import itertools
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TextIO

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

TIMEOUT_S = 0.5
"""How long each single wait may take: for a name server, for a connection, for the next bytes."""
BODY_BYTES_MAX = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How one request ended."""

    sent_s: float
    at_s: float
    ok: bool
    address: str | None = None
    site: str | None = None
    status: int | None = None
    error: str | None = None


class NameFailure(Exception):
    """The name has no address that the client could use."""


class Resolver:
    """Resolves one name at its authoritative servers, and keeps the answer as long as its TTL says."""

    def __init__(self, name: str, servers: Sequence[tuple[str, int]], timeout_s: float = TIMEOUT_S) -> None:
        self._name = name
        self._servers = tuple(servers)
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._turn = 0
        self._addresses: tuple[str, ...] = ()
        self._good_until_s = 0.0

    def address(self) -> str:
        """One of the addresses, each in its turn. Raises NameFailure."""
        with self._lock:
            self._turn += 1
            turn, addresses = self._turn, self._addresses
            fresh = time.monotonic() < self._good_until_s
        if not fresh:
            addresses = self._look_up(turn)
        return addresses[turn % len(addresses)]

    def _look_up(self, turn: int) -> tuple[str, ...]:
        order = [self._servers[(turn + step) % len(self._servers)] for step in range(len(self._servers))]
        problems = []
        for server in order:
            try:
                addresses, ttl_s = self._ask(server)
            except (dns.exception.DNSException, OSError) as error:
                problems.append(f"{server[0]}:{server[1]} {type(error).__name__}")
                continue
            with self._lock:
                self._addresses, self._good_until_s = addresses, time.monotonic() + ttl_s
            return addresses
        raise NameFailure("no name server answered: " + ", ".join(problems))

    def _ask(self, server: tuple[str, int]) -> tuple[tuple[str, ...], int]:
        query = dns.message.make_query(self._name, dns.rdatatype.A, flags=0)
        reply, _ = dns.query.udp_with_fallback(query, server[0], timeout=self._timeout_s, port=server[1])
        if reply.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN) or not reply.flags & dns.flags.AA:
            raise ConnectionError(f"no authority: {dns.rcode.to_text(reply.rcode())}")
        found = [rrset for rrset in reply.answer if rrset.rdtype == dns.rdatatype.A]
        if not found:
            raise NameFailure(f"{dns.rcode.to_text(reply.rcode())} without an address")
        return tuple(rdata.address for rdata in found[0]), found[0].ttl


class Log:
    """Counts the answers and appends them to a file, one line each."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._sites: Counter[str] = Counter()

    def add(self, answer: Answer) -> None:
        line = json.dumps(asdict(answer)) + "\n"
        with self._lock:
            self._counts["ok" if answer.ok else "failed"] += 1
            if answer.ok and answer.site:
                self._sites[answer.site] += 1
            self._out.write(line)
            self._out.flush()

    def summary(self) -> dict[str, object]:
        with self._lock:
            return {
                "requests": self._counts.total(),
                "failures": self._counts["failed"],
                "sites": dict(sorted(self._sites.items())),
            }


def request(resolver: Resolver, name: str, port: int) -> Answer:
    """Resolve the name and get its page, once. Whatever happens is an answer."""
    sent_s = time.monotonic()
    address: str | None = None
    try:
        address = resolver.address()
        status, site = _get(address, name, port)
    except (NameFailure, OSError, http.client.HTTPException) as error:
        why = f"{type(error).__name__}: {error}".removesuffix(": ")
        return Answer(sent_s=sent_s, at_s=time.monotonic(), ok=False, address=address, error=why)
    reason = None if status == http.client.OK and site is not None else f"status {status} from {site or 'a stranger'}"
    return Answer(
        sent_s=sent_s, at_s=time.monotonic(), ok=not reason, address=address, site=site, status=status, error=reason
    )


def _get(address: str, name: str, port: int) -> tuple[int, str | None]:
    connection = http.client.HTTPConnection(address, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/", headers={"Host": f"{name}:{port}", "Connection": "close"})
        response = connection.getresponse()
        response.read(BODY_BYTES_MAX)
        return response.status, response.getheader("X-Failover-Site")
    finally:
        connection.close()


def load(arguments: argparse.Namespace, log: Log, stop: threading.Event) -> None:
    """Start a request every 1/rate seconds, by the clock and not by the answers, until `stop`."""
    resolver = Resolver(arguments.name, arguments.server)
    running: list[threading.Thread] = []
    parent, start_s = os.getppid(), time.monotonic()
    for number in itertools.count():
        if stop.wait(max(0.0, start_s + number / arguments.rate - time.monotonic())) or os.getppid() != parent:
            break
        one = threading.Thread(target=lambda: log.add(request(resolver, arguments.name, arguments.port)), daemon=True)
        one.start()
        running = [thread for thread in running if thread.is_alive()] + [one]
    for thread in running:
        thread.join(timeout=10 * TIMEOUT_S)


def _server(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="demo_client", description="Steady requests to one name, every failure counted."
    )
    parser.add_argument("--name", required=True, help="the only thing the client knows of the service")
    parser.add_argument("--server", required=True, action="append", type=_server, help="a name server, address:port")
    parser.add_argument("--port", type=int, default=80)
    parser.add_argument("--rate", type=float, default=20.0, help="requests per second")
    parser.add_argument("--out", required=True, help="where a line per request is appended")
    arguments = parser.parse_args(argv)
    if arguments.rate <= 0:
        parser.error("--rate must be above 0")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT. Returns 0."""
    arguments = _parse(argv)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with open(arguments.out, "a", encoding="utf-8") as out:
        log = Log(out)
        load(arguments, log, stop)
    sys.stdout.write(json.dumps(log.summary()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
