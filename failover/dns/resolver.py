"""Where a host name is now: asked from the root down to its own authoritative servers, never of a cache.

A load balancer's name changes its addresses as the provider likes; what a resolver remembers of it is what was true
some minutes ago, which is just what must not decide whether a site is well.
"""

import random
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from failover.dns.records import to_name
from failover.dns.wire import Connection, Deadline, ask_udp, parse_server, show_server
from failover.errors import AdapterError, ConfigError, TimedOut, Unreadable

_WHAT = "look up"
_PAYLOAD = 1232
_TRIES = 2
_HOPS_MAX = 24
"""Referrals and aliases on the way to one answer."""
_ALIASES_MAX = 8
_NESTED_MAX = 3
"""How deep the looking up of name servers' own names may go."""
_KEPT_S = 300.0
"""Delegations (not addresses) may be remembered for so long."""
ROOTS = (
    "198.41.0.4:53",
    "170.247.170.2:53",
    "192.33.4.12:53",
    "199.7.91.13:53",
    "192.203.230.10:53",
    "192.5.5.241:53",
    "192.112.36.4:53",
    "198.97.190.53:53",
    "192.36.148.17:53",
    "192.58.128.30:53",
    "193.0.14.129:53",
    "199.7.83.42:53",
    "202.12.27.33:53",
    "[2001:503:ba3e::2:30]:53",
    "[2801:1b8:10::b]:53",
    "[2001:500:2::c]:53",
    "[2001:500:2d::d]:53",
    "[2001:500:a8::e]:53",
    "[2001:500:2f::f]:53",
    "[2001:500:12::d0d]:53",
    "[2001:500:1::53]:53",
    "[2001:7fe::53]:53",
    "[2001:503:c27::2:30]:53",
    "[2001:7fd::1]:53",
    "[2001:500:9f::42]:53",
    "[2001:dc3::35]:53",
)
"""The root name servers (root hints, https://www.internic.net/domain/named.root). A machine may have IPv6 only."""


class Reached(NamedTuple):
    """Where a question from the root down has ended."""

    zone: dns.name.Name
    servers: tuple[tuple[str, int], ...]
    answer: dns.message.Message


class AuthoritativeResolver:
    """Follows referrals (RFC 1034, section 5.3.3) and aliases itself. `timeout_s` bounds a question, `deadline_s` all.

    Name servers that a referral names are asked at the port of the root they were found from: 53 in the world, another
    one in tests. Raises ConfigError for a root that cannot be one.
    """

    def __init__(self, *, roots: Sequence[str] = (), timeout_s: float = 1.5, deadline_s: float = 5.0) -> None:
        self._roots = tuple(parse_server(root) for root in roots or ROOTS)
        self._port = self._roots[0][1]
        self._timeout_s = timeout_s
        self._deadline_s = deadline_s
        self._known: dict[dns.name.Name, tuple[float, tuple[tuple[str, int], ...]]] = {}

    def addresses(self, name: str) -> tuple[str, ...]:
        """As the port says."""
        asked, deadline = to_name(name), Deadline(self._deadline_s)
        try:
            found = {a for type in ("A", "AAAA") for a in self._addresses(asked, type, deadline, 0)}
        except TimeoutError as error:
            raise TimedOut(_WHAT, name, f"no answer within {self._deadline_s:g} s") from error
        return tuple(sorted(found, key=lambda a: (":" in a, a)))

    def reach(self, name: dns.name.Name, type: str) -> "Reached":
        """The zone that a name lies in, where that is served, and what one of its servers says. Raises AdapterError."""
        try:
            return self._reach(name, type, Deadline(self._deadline_s), 0)
        except TimeoutError as error:
            raise TimedOut(_WHAT, str(name), f"no answer within {self._deadline_s:g} s") from error

    def _addresses(self, name: dns.name.Name, type: str, deadline: Deadline, depth: int) -> tuple[str, ...]:
        for _ in range(_ALIASES_MAX):
            answer = self._reach(name, type, deadline, depth).answer
            followed, found = _follow(name, dns.rdatatype.from_text(type), answer)
            if found is not None or followed == name:
                return tuple(sorted(rdata.to_text() for rdata in found or ()))
            name = followed
        raise Unreadable(_WHAT, str(name), f"more than {_ALIASES_MAX} aliases in a row")

    def _reach(self, name: dns.name.Name, type: str, deadline: Deadline, depth: int) -> "Reached":
        """The answer with authority of a server that is responsible for the name."""
        zone, servers = self._closest(name)
        for _ in range(_HOPS_MAX):
            answer = self._any_of(servers, name, type, deadline)
            if answer.flags & dns.flags.AA and (answer.answer or not _referral(answer, zone, name)):
                return Reached(zone, servers, answer)
            below = _referral(answer, zone, name)
            if below is None:
                raise Unreadable(_WHAT, str(name), f"the servers of {zone} neither answer nor refer to others")
            zone, servers = below.name, self._servers(below, answer, deadline, depth)
            self._known[zone] = (time.monotonic() + _KEPT_S, servers)
        raise Unreadable(_WHAT, str(name), f"more than {_HOPS_MAX} referrals")

    def _closest(self, name: dns.name.Name) -> tuple[dns.name.Name, tuple[tuple[str, int], ...]]:
        """The nearest zone above the name whose servers are still known, else the root."""
        while name != dns.name.root:
            until, servers = self._known.get(name, (0.0, ()))
            if until > time.monotonic():
                return name, servers
            name = name.parent()
        return name, self._roots

    def _servers(
        self, below: dns.rrset.RRset, answer: dns.message.Message, deadline: Deadline, depth: int
    ) -> tuple[tuple[str, int], ...]:
        """Where the servers of a delegation are: by glue, else by looking their names up."""
        names = {rdata.target for rdata in below}
        glue = [
            rdata.address
            for rrset in answer.additional
            if rrset.name in names and rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA)
            for rdata in rrset
        ]
        if not glue and depth < _NESTED_MAX:
            glue = self._looked_up(sorted(names), deadline, depth)
        if not glue:
            raise Unreadable(_WHAT, str(below.name), "no address of any of its name servers could be found")
        return tuple((address, self._port) for address in sorted(glue, key=lambda a: ":" in a))

    def _looked_up(self, names: Iterable[dns.name.Name], deadline: Deadline, depth: int) -> list[str]:
        """Of the first that has any, in both families: this machine may have a way to one only."""
        for name in names:
            found: list[str] = []
            for type in ("A", "AAAA"):
                with suppress(AdapterError):
                    found += self._addresses(name, type, deadline, depth + 1)
            if found:
                return found
        return []

    def _any_of(
        self, servers: Sequence[tuple[str, int]], name: dns.name.Name, type: str, deadline: Deadline
    ) -> dns.message.Message:
        """The first usable answer; servers of one family in random order, IPv4 first (it is there more often)."""
        tried: AdapterError | None = None
        for server in sorted(servers, key=lambda s: (":" in s[0], random.random())):  # noqa: S311  (spreads load only)
            try:
                return self._exchange(server, name, type, deadline)
            except AdapterError as error:
                tried = error
        raise tried or ConfigError(_WHAT, str(name), "there is no name server to ask")

    def _exchange(
        self, server: tuple[str, int], name: dns.name.Name, type: str, deadline: Deadline
    ) -> dns.message.Message:
        query = dns.message.make_query(name, type, flags=0, payload=_PAYLOAD)
        share_s = min(self._timeout_s, deadline.left_s())
        answer = ask_udp(server, query, tries=_TRIES, timeout_s=share_s, what=_WHAT)
        if answer.flags & dns.flags.TC:
            with Connection(server, timeout_s=min(self._timeout_s, deadline.left_s()), what=_WHAT) as connection:
                (answer,) = connection.ask([query], deadline, timeout_s=self._timeout_s)
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            said = dns.rcode.to_text(answer.rcode())
            raise Unreadable(_WHAT, f"{name} at {show_server(server)}", f"it answers {said}")
        return answer


def _follow(
    name: dns.name.Name, rdtype: dns.rdatatype.RdataType, answer: dns.message.Message
) -> tuple[dns.name.Name, dns.rrset.RRset | None]:
    """Along the aliases within one answer: the name at their end, and its set if the answer holds it."""
    sets = {(rrset.name, rrset.rdtype): rrset for rrset in answer.answer}
    for _ in range(_ALIASES_MAX):
        found = sets.get((name, rdtype))
        alias = sets.get((name, dns.rdatatype.CNAME))
        if found is not None or alias is None:
            return name, found
        name = alias[0].target
    raise Unreadable(_WHAT, str(name), f"more than {_ALIASES_MAX} aliases in a row")


def _referral(answer: dns.message.Message, zone: dns.name.Name, name: dns.name.Name) -> dns.rrset.RRset | None:
    """The delegation to a zone below this one on the way to the name; a referral upwards or sideways is none."""
    for rrset in answer.authority:
        if rrset.rdtype == dns.rdatatype.NS and rrset.name != zone and rrset.name.is_subdomain(zone):
            return rrset if name.is_subdomain(rrset.name) else None
    return None
