"""A name server of the stand-in: answers what its zones hold, with authority, by UDP and TCP on one loopback port."""

import socketserver
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from tests.ports import free_port
from tests.standins.route53 import Route53
from tests.standins.route53.zones import RecordSet, Zone, kept

_OCTETS = 65535


class NameServer:
    """While it is `stuck` it answers what it knew before: a change that the API took and that does not arrive.

    One that `resolves` passes for a resolver too, which remembers nothing.
    """

    def __init__(self, standin: Route53) -> None:
        self._standin = standin
        self._held: dict[str, dict[tuple[str, str, str], RecordSet]] | None = None
        self.resolves = False
        self.port = free_port()
        outer = self

        class Udp(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                data, socket = self.request
                with suppress(dns.exception.DNSException):
                    socket.sendto(outer.respond(data), self.client_address)

        class Tcp(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                while (head := self._exactly(2)) and (data := self._exactly(int.from_bytes(head, "big"))):
                    with suppress(dns.exception.DNSException):
                        wire = outer.respond(data)
                        self.request.sendall(len(wire).to_bytes(2, "big") + wire)

            def _exactly(self, count: int) -> bytes:
                data = b""
                while len(data) < count:
                    part = self.request.recv(count - len(data))
                    if not part:
                        return b""
                    data += part
                return data

        self._servers: list[Any] = [
            socketserver.ThreadingUDPServer(("127.0.0.1", self.port), Udp),
            socketserver.ThreadingTCPServer(("127.0.0.1", self.port), Tcp),
        ]
        self._threads = [threading.Thread(target=s.serve_forever, args=(0.02,), daemon=True) for s in self._servers]

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def stuck(self) -> bool:
        return self._held is not None

    @stuck.setter
    def stuck(self, stuck: bool) -> None:
        self._held = {zone.id: zone.sets for zone in self._standin.zones.values()} if stuck else None

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.shutdown()
            thread.join()
            server.daemon_threads = True
            server.block_on_close = False
            server.server_close()

    # ------------------------------------------------------------------------------------------ answering

    def respond(self, wire: bytes) -> bytes:
        query = dns.message.from_wire(wire)
        reply = dns.message.make_response(query)
        asked = query.question[0]
        zone = self._zone_of(asked.name)
        if zone is None:
            reply.set_rcode(dns.rcode.REFUSED)
            return reply.to_wire()
        reply.flags |= dns.flags.AA
        if self.resolves and query.flags & dns.flags.RD:
            reply.flags |= dns.flags.RA
        sets = zone.sets if self._held is None else self._held.get(zone.id, {})
        name = kept(asked.name.to_text())
        here = _standing_at(name, [*sets.values()])
        if not here:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        type = dns.rdatatype.to_text(asked.rdtype)
        for found in [each for each in here if each.type in (type, "CNAME")]:
            reply.answer.append(dns.rrset.from_text(asked.name, found.ttl or 60, "IN", found.type, *found.values))
        return reply.to_wire(max_size=_OCTETS)

    def _zone_of(self, name: dns.name.Name) -> Zone | None:
        text = kept(name.to_text())
        fitting = [z for z in self._standin.zones.values() if text == z.name or text.endswith(f".{z.name}")]
        return max((z for z in fitting if not z.private), key=lambda z: len(z.name), default=None)


def _standing_at(name: str, sets: Sequence[RecordSet]) -> list[RecordSet]:
    """What stands at a name, else what a wildcard right below the closest name that is there says (RFC 4592)."""
    closest = name
    while closest and not any(each.name == closest or each.name.endswith(f".{closest}") for each in sets):
        closest = closest.partition(".")[2]
    source = name if closest == name else kept(f"*.{closest}")
    return [each for each in sets if each.name == source]
