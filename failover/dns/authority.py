"""What a name server really answers, asked as a resolver would ask it."""

import dns.flags
import dns.message
import dns.rcode

from failover.core.rrsets import RRset
from failover.dns.records import standing_at, to_name, to_type
from failover.dns.wire import Connection, Deadline, ask_udp, parse_server
from failover.errors import Unreadable

_WHAT = "ask name server"
_UDP_TRIES = 3
_PAYLOAD = 1232


class DnsAuthority:
    """Asks by UDP, again by TCP when the answer is truncated. `timeout_s` bounds each of the two."""

    def __init__(self, *, timeout_s: float = 3.0) -> None:
        self._timeout_s = timeout_s

    def ask(self, server: str, name: str, type: str) -> RRset | None:
        """As the port says. Where a CNAME stands at the name, that CNAME is the answer, and it is not followed."""
        query = dns.message.make_query(to_name(name), to_type(type), flags=0, payload=_PAYLOAD)
        place = parse_server(server)
        answer = ask_udp(place, query, tries=_UDP_TRIES, timeout_s=self._timeout_s, what=_WHAT)
        if answer.flags & dns.flags.TC:
            with Connection(place, timeout_s=self._timeout_s, what=_WHAT) as connection:
                (answer,) = connection.ask([query], Deadline(self._timeout_s), timeout_s=self._timeout_s)
        object = f"{server} for {name} {type}"
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            raise Unreadable(_WHAT, object, f"it answers {dns.rcode.to_text(answer.rcode())}")
        if not answer.flags & dns.flags.AA or answer.flags & dns.flags.TC:
            raise Unreadable(_WHAT, object, "it does not answer whole and with authority")
        return standing_at(query.question[0].name, type.upper(), answer.answer)
