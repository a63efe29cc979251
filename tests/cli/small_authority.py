"""A name server of a few lines that says exactly what a test wants: also what no good server would say."""

import socket
import threading
from collections.abc import Sequence

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

NAME = "www.guestbook.test"


class Authority:
    """Answers `answers` by type with `ttl`, or `rcode`, or nothing at all."""

    def __init__(self, *addresses: str, ttl: int = 0) -> None:
        self.answers: dict[str, Sequence[str]] = {"A": addresses}
        self.ttl = ttl
        self.rcode = dns.rcode.NOERROR
        self.authoritative = True
        self.silent = False
        self.asked = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.05)
        self.place: tuple[str, int] = self.socket.getsockname()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                wire, sender = self.socket.recvfrom(4096)
            except TimeoutError:
                continue
            self.asked += 1
            if not self.silent:
                self.socket.sendto(self._reply(wire), sender)

    def _reply(self, wire: bytes) -> bytes:
        query = dns.message.from_wire(wire)
        reply = dns.message.make_response(query)
        if self.authoritative:
            reply.flags |= dns.flags.AA
        reply.set_rcode(self.rcode)
        name, type = query.question[0].name, dns.rdatatype.to_text(query.question[0].rdtype)
        values = self.answers.get(type, ())
        if values and self.rcode == dns.rcode.NOERROR:
            reply.answer.append(dns.rrset.from_text(name, self.ttl, "IN", type, *values))
        return reply.to_wire()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self.socket.close()
