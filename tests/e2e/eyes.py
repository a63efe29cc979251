"""An independent client of the name servers: dnspython alone, on a thread of its own, all the while."""

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

TIMEOUT_S = 2.0
EVERY_S = 0.02

Server = tuple[str, int]


def answer(server: Server, name: str, kind: str) -> set[str] | None:
    """What the server says with authority; empty: it says that there is nothing; None: no answer."""
    query = dns.message.make_query(name, kind, flags=0)
    try:
        reply, _ = dns.query.udp_with_fallback(query, server[0], timeout=TIMEOUT_S, port=server[1])
    except (OSError, dns.exception.DNSException):
        return None
    if reply.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN) or not reply.flags & dns.flags.AA:
        return None
    wanted = dns.rdatatype.from_text(kind)
    return {rdata.to_text().strip('"') for rrset in reply.answer if rrset.rdtype == wanted for rdata in rrset}


def epoch(server: Server, name: str) -> int | None:
    """The number in the epoch TXT; None when there is none, or no answer."""
    found = answer(server, name, "TXT")
    return int(min(found).split("epoch=")[1].split()[0]) if found else None


class Eyes:
    """Once a set was seen at a host it must never be empty there, and the epoch must never go back.

    `within`: where the client stands, such as in another network.
    """

    def __init__(
        self,
        servers: Mapping[str, Server],
        name: str = "www.guestbook.test",
        fence: str = "_failover.guestbook.guestbook.test",
        within: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._servers = dict(servers)
        self._name, self._fence, self._within = name, fence, within
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.wrongs: list[str] = []
        self.looks = 0
        self.epochs: dict[str, list[int]] = {host: [] for host in self._servers}
        self.addresses: dict[str, set[str]] = {host: set() for host in self._servers}
        """Every address that a host ever answered."""

    def __enter__(self) -> "Eyes":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def check(self) -> None:
        """Nothing wrong was seen, and something was seen at all."""
        assert not self.wrongs, self.wrongs[:5]
        assert self.looks > 0

    def _run(self) -> None:
        with self._within():
            while not self._stop.wait(EVERY_S):
                for host, server in self._servers.items():
                    self._look(host, server)

    def _look(self, host: str, server: Server) -> None:
        found = answer(server, self._name, "A")
        if found is not None:
            self.looks += 1
            if not found and self.addresses[host]:
                self.wrongs.append(f"{host} answered an empty set")
            self.addresses[host] |= found
        number = epoch(server, self._fence)
        seen = self.epochs[host]
        if number is None or (seen and seen[-1] == number):
            return
        if seen and number < seen[-1]:
            self.wrongs.append(f"{host} went back from epoch {seen[-1]} to {number}")
        seen.append(number)
