"""Signing messages and proving answers (TSIG, RFC 8945), on bytes. The cryptography is dnspython's."""

import time

import dns.exception
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TSIG
import dns.tsig

from failover.dns.packets import ANY, TSIG, Malformed, Packet
from failover.errors import AccessRefused, Unreadable

_FUDGE_S = 300
_COUNT_AT = 10
"""Where a header counts its additional records."""
_UNSIGNED_MAX = 99
"""Messages of a stream between two signed ones (section 5.3.1)."""
ROOM = 512
"""What a signature takes at most: two names, and up to 64 bytes of a MAC."""


def _now_s() -> int:
    return int(time.time())  # noqa: TID251 - both sides have to agree on the time of day, nothing else is decided by it


class Signer:
    """A key that signs whole messages."""

    def __init__(self, key: dns.tsig.Key) -> None:
        self.key = key
        self._owner = key.name.to_digestable()
        self._form = dns.rdtypes.ANY.TSIG.TSIG(  # type: ignore[no-untyped-call]  # dnspython does not type its TSIG
            dns.rdataclass.ANY, dns.rdatatype.TSIG, key.algorithm, 0, _FUDGE_S, b"", 0, dns.rcode.NOERROR, b""
        )

    def sign(self, wire: bytes) -> tuple[bytes, bytes]:
        """The message with its signature behind it, and the MAC that the answer has to build on."""
        form = self._form.replace(original_id=int.from_bytes(wire[:2]))
        signed, _ = dns.tsig.sign(wire, self.key, form, _now_s(), b"")  # type: ignore[no-untyped-call]  # as above
        data = signed.to_digestable()
        head = dns.rdatatype.TSIG.to_bytes(2) + ANY.to_bytes(2) + bytes(4) + len(data).to_bytes(2)
        count = int.from_bytes(wire[_COUNT_AT : _COUNT_AT + 2]) + 1
        body = wire[:_COUNT_AT] + count.to_bytes(2) + wire[_COUNT_AT + 2 :]
        return body + self._owner + head + data, signed.mac


class Proof:
    """What the answer to one message must prove, a stream of messages too.

    `mac` is that of the message; without a key nothing may be signed.
    """

    def __init__(self, key: dns.tsig.Key | None, mac: bytes, *, stream: bool = False) -> None:
        self._key, self._mac, self._stream = key, mac, stream
        self._context: object = None
        self._unsigned = 0

    def check(self, packet: Packet, what: str, server: str) -> None:
        """Raises Unreadable where something is not proven, and AccessRefused where the server refuses the key."""
        try:
            self._check(packet)
        except dns.tsig.PeerBadTime as error:
            hint = "set the clocks of both sides"
            raise AccessRefused(what, server, "the server's clock differs from ours", hint) from error
        except dns.tsig.PeerError as error:
            hint = "name, algorithm and secret of the key must be the same at the server"
            raise AccessRefused(what, server, f"the key is refused: {error}", hint) from error
        except (dns.exception.DNSException, ValueError) as error:
            raise Unreadable(what, server, f"{type(error).__name__}: {error}") from error

    def finish(self, what: str, server: str) -> None:
        """The stream is over: raises Unreadable when its last message was not signed."""
        if self._unsigned:
            raise Unreadable(what, server, "the end of the answer is not signed")

    def _check(self, packet: Packet) -> None:
        signature = packet.signature
        if any(r.type == TSIG and r is not signature for r in packet.records):
            raise Malformed("something follows its signature")
        if self._key is None:
            if signature is not None:
                raise Malformed("it is signed by a key that nobody gave us")
            return
        if signature is None:
            self._pass(packet)
            return
        owner, _ = dns.name.from_wire(packet.wire, signature.start)
        rdata = dns.rdata.from_wire(dns.rdataclass.ANY, dns.rdatatype.TSIG, packet.wire, signature.at, signature.size)
        self._context = dns.tsig.validate(  # type: ignore[no-untyped-call]  # as above
            packet.wire, self._key, owner, rdata, _now_s(), self._mac, signature.start, self._context, self._stream
        )
        self._unsigned = 0

    def _pass(self, packet: Packet) -> None:
        """An unsigned message between two signed ones of a stream: the next signature counts for it too."""
        if self._stream and self._context is None and packet.rcode:
            return  # a stream that is refused: who forges that only makes us ask in another way
        if self._context is None or self._unsigned == _UNSIGNED_MAX:
            raise Malformed("it is not signed")
        self._context.update(packet.wire)  # type: ignore[attr-defined]  # an HMAC, which dnspython does not type
        self._unsigned += 1
