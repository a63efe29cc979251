"""The demo's eyes: asks the name servers themselves, all the while, what they answer."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from failover.core.rrsets import Epoch

EVERY_S = 0.1
TIMEOUT_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What one host began to answer: the epoch and the addresses that go with it."""

    at_s: float
    host: str
    epoch: int
    site: str
    addresses: frozenset[str]


@dataclass(slots=True)
class Eyes:
    """Asks every host ten times a second on a thread of its own, and remembers each change and each wrong.

    `wrongs` are sentences about what must never be seen: an empty
    address set, an epoch that went back, one epoch with two address sets.
    """

    name: str
    epoch_name: str
    servers: dict[str, tuple[str, int]] = field(default_factory=dict)
    sights: list[Sight] = field(default_factory=list)
    wrongs: list[str] = field(default_factory=list)
    _last: dict[str, Sight] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self, servers: Mapping[str, tuple[str, int]]) -> None:
        """`servers`: address and port by the host's name."""
        self.servers.update(servers)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def epochs(self) -> list[int]:
        """Every epoch that was seen at any host, in the order of first sight."""
        return list(dict.fromkeys(sight.epoch for sight in self.sights))

    def hosts_at(self, epoch: int) -> list[str]:
        """The hosts that answer this epoch now."""
        return [host for host in self.servers if host in self._last and self._last[host].epoch == epoch]

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            for host in self.servers:
                try:
                    self._look(host)
                except (OSError, dns.exception.DNSException):
                    continue  # no answer is not a wrong answer
                except ValueError as error:
                    self.wrongs.append(f"{host}: {error}")

    def _look(self, host: str) -> None:
        before = self._ask(host, self.epoch_name, "TXT")
        addresses = self._ask(host, self.name, "A")
        after = self._ask(host, self.epoch_name, "TXT")
        if before is None or before != after or addresses is None:
            return  # nothing is published yet, or a change came in between: the next look sees it whole
        if not addresses:
            self.wrongs.append(f"{host} answered an empty address set for {self.name}")
            return
        epoch = Epoch.parse(min(before))
        seen = Sight(
            at_s=time.monotonic(), host=host, epoch=epoch.number, site=epoch.site, addresses=frozenset(addresses)
        )
        self._remember(seen)

    def _remember(self, seen: Sight) -> None:
        last = self._last.get(seen.host)
        if last is not None and seen.epoch < last.epoch:
            self.wrongs.append(f"{seen.host} went back from epoch {last.epoch} to {seen.epoch}")
        if last is not None and seen.epoch == last.epoch and seen.addresses != last.addresses:
            self.wrongs.append(f"{seen.host} changed its addresses within epoch {seen.epoch}")
        if last is None or (seen.epoch, seen.addresses) != (last.epoch, last.addresses):
            self._last[seen.host] = seen
            self.sights.append(seen)

    def _ask(self, host: str, name: str, type: str) -> set[str] | None:
        """The values with authority; empty where the server says that there are none; None for any other answer."""
        address, port = self.servers[host]
        query = dns.message.make_query(name, type, flags=0)
        reply, _ = dns.query.udp_with_fallback(query, address, timeout=TIMEOUT_S, port=port)
        if not reply.flags & dns.flags.AA or reply.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            return None
        wanted = dns.rdatatype.from_text(type)
        found = [rdata for rrset in reply.answer if rrset.rdtype == wanted for rdata in rrset]
        if type == "TXT":
            return {b"".join(rdata.strings).decode() for rdata in found} or None
        return {rdata.address for rdata in found}
