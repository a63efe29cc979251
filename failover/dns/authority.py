"""What name servers really answer: authoritative ones, asked as a resolver would, and resolvers, asked as anybody."""

import secrets
import socket
from collections.abc import Sequence

import dns.flags
import dns.message
import dns.name
import dns.rcode

from failover.core.rrsets import RRset
from failover.dns.records import standing_at, to_name, to_type
from failover.dns.wire import Connection, Deadline, addresses_of, ask_udp_many, parse_server, show_server
from failover.errors import Unreachable, Unreadable

_WHAT = "ask name server"
_UDP_TRIES = 3
_PAYLOAD = 1232
_IDS = 1 << 16


class DnsAuthority:
    """Asks by UDP, again by TCP when an answer is truncated. `timeout_s` bounds each of the two."""

    def __init__(self, *, timeout_s: float = 3.0) -> None:
        self._timeout_s = timeout_s

    def ask(self, server: str, name: str, type: str) -> RRset | None:
        """As the port says. Where a CNAME stands at the name, that CNAME is the answer, and it is not followed."""
        return self.ask_all(server, [(name, type)])[0]

    def ask_all(
        self, server: str, questions: Sequence[tuple[str, str]], *, tcp: bool = False
    ) -> tuple[RRset | None, ...]:
        """As the port says. Several questions are under way at once."""
        ids = secrets.SystemRandom().sample(range(_IDS), len(questions))  # nobody shall guess the next one
        queries = [self._query(id, name, type, 0) for id, (name, type) in zip(ids, questions, strict=True)]
        answers = self._exchange(server, queries, tcp=tcp)
        for answer, (name, type) in zip(answers, questions, strict=True):
            if not answer.flags & dns.flags.AA or answer.flags & dns.flags.TC:
                object = f"{server} for {name} {type}"
                raise Unreadable(_WHAT, object, "it does not answer whole and with authority")
        return tuple(_found(q, a, type) for q, a, (_, type) in zip(queries, answers, questions, strict=True))

    def recall(self, resolver: str, name: str, type: str) -> RRset | None:
        """As the port says."""
        query = self._query(secrets.randbelow(_IDS), name, type, dns.flags.RD)
        (answer,) = self._exchange(resolver, [query], tcp=False)
        if answer.flags & dns.flags.TC or not answer.flags & dns.flags.RA:
            raise Unreadable(_WHAT, f"{resolver} for {name} {type}", "it does not answer whole, or is no resolver")
        return _found(query, answer, type)

    def addresses(self, server: str) -> tuple[str, ...]:
        """As the port says, by the system's own resolver: it only has to find the server."""
        found = tuple(show_server(place) for place in addresses_of(parse_server(server)) if _has_way(place))
        if not found:
            raise Unreachable(_WHAT, server, "this machine has no way to any of its addresses")
        return found

    def _query(self, id: int, name: str, type: str, flags: int) -> dns.message.Message:
        return dns.message.make_query(to_name(name), to_type(type), flags=flags, payload=_PAYLOAD, id=id)

    def _exchange(self, server: str, queries: Sequence[dns.message.Message], *, tcp: bool) -> list[dns.message.Message]:
        """The answers in order. Raises Unreadable for one that says neither yes nor no."""
        place = parse_server(server)
        again = list(queries)
        answers: dict[int, dns.message.Message] = {}
        if not tcp:
            found = ask_udp_many(place, queries, tries=_UDP_TRIES, timeout_s=self._timeout_s, what=_WHAT)
            answers = {answer.id: answer for answer in found if not answer.flags & dns.flags.TC}
            again = [query for query in queries if query.id not in answers]
        if again:
            with Connection(place, timeout_s=self._timeout_s, what=_WHAT) as connection:
                found = connection.ask(again, Deadline(self._timeout_s), timeout_s=self._timeout_s)
                answers |= {answer.id: answer for answer in found}
        for query in queries:
            rcode = answers[query.id].rcode()
            if rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
                name = query.question[0].name.to_text(omit_final_dot=True)
                raise Unreadable(_WHAT, f"{server} for {name}", f"it answers {dns.rcode.to_text(rcode)}")
        return [answers[query.id] for query in queries]


def _found(query: dns.message.Message, answer: dns.message.Message, type: str) -> RRset | None:
    return standing_at(query.question[0].name, type.upper(), answer.answer)


def _has_way(place: tuple[str, int]) -> bool:
    """Whether this machine has a route to that address. Nothing is sent: UDP only looks the route up."""
    family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as udp:
            udp.connect(place)
    except OSError:
        return False
    return True
