"""The tree above a zone: who its parent delegates it to, and where names lead. Asked of servers with authority only."""

import ipaddress
from collections.abc import Iterable, Iterator, Sequence

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from failover.core.survey import Chain, Delegation, Ds, Hop
from failover.dns.records import to_name
from failover.dns.resolver import AuthoritativeResolver
from failover.dns.wire import Connection, Deadline, ask_udp, parse_server, show_server
from failover.errors import AdapterError, NotFound, Unreadable

_WHAT = "follow delegations"
_PARENTS_MAX = 6
"""Servers of one zone that are asked whether they agree."""
_HOPS_MAX = 8
_PAYLOAD = 1232

Place = tuple[str, int]


class Tree:
    """`roots` as the resolver's: every server below is asked at the port of the first one.

    `timeout_s` bounds a question, `deadline_s` each way down from the root, of which a call makes a few.
    """

    def __init__(self, *, roots: Sequence[str] = (), timeout_s: float = 2.0, deadline_s: float = 5.0) -> None:
        self._resolver = AuthoritativeResolver(roots=roots, timeout_s=timeout_s, deadline_s=deadline_s)
        self._port = parse_server(roots[0])[1] if roots else 53
        self._timeout_s = timeout_s

    # ------------------------------------------------------------------------------------------ what is asked

    def delegation(self, zone: str) -> Delegation:
        """As the port says. A server that holds parent and child at once answers for both: then that is taken."""
        name = to_name(zone)
        if name == dns.name.root:
            raise NotFound(_WHAT, ".", "the root has no parent")
        above = self._resolver.reach(name.parent(), "SOA")
        parent = _text(above.zone) if above.zone != dns.name.root else ""
        answer = self._ask_any(above.servers, name, "NS")
        given = _ns_of(name, answer)
        if given is None:
            return Delegation(zone=zone, parent=parent)
        glue = {target: _glue(answer, target) for target in _targets(given)}
        return Delegation(
            zone=zone,
            parent=parent,
            name_servers={_text(target): self._places_of(target, glue[target]) for target in sorted(glue)},
            glue={_text(t): frozenset(found) for t, found in glue.items() if found and t.is_subdomain(name)},
            ttl_s=given.ttl,
            ds=self._ds(above.servers, name),
            dissent=tuple(self._dissent(above.servers, name, frozenset(glue))),
        )

    def places(self, server: str) -> tuple[str, ...]:
        """As the port says."""
        host, port = parse_server(server)
        try:
            return (show_server((str(ipaddress.ip_address(host)), port)),)
        except ValueError:
            found = self._resolver.addresses(host)
        if not found:
            raise NotFound(_WHAT, host, "it has no address")
        return tuple(show_server((address, port)) for address in found)

    def chain(self, name: str) -> Chain:
        """As the port says."""
        hops: list[Hop] = []
        here = to_name(name)
        try:
            while len(hops) < _HOPS_MAX:
                alias = _set_at(here, "CNAME", self._resolver.reach(here, "CNAME").answer.answer)
                if alias is None:
                    found = self._resolver.addresses(_text(here))
                    problem = None if found else f"{_text(here)} has no address"
                    return Chain(name=name, hops=tuple(hops), problem=problem)
                (target,) = _targets(alias)
                hops.append(Hop(name=_text(here), target=_text(target), ttl_s=alias.ttl))
                here = target
        except AdapterError as error:
            return Chain(name=name, hops=tuple(hops), problem=str(error))
        return Chain(name=name, hops=tuple(hops), problem=f"it does not end after {_HOPS_MAX} CNAMEs")

    # ------------------------------------------------------------------------------------------ the parent's word

    def _places_of(self, target: dns.name.Name, glue: Sequence[str]) -> tuple[str, ...]:
        """() where no address can be found."""
        try:
            found = glue or self._resolver.addresses(_text(target))
        except AdapterError:
            return ()
        return tuple(show_server((address, self._port)) for address in found)

    def _ds(self, parents: Iterable[Place], name: dns.name.Name) -> frozenset[Ds]:
        found = _set_at(name, "DS", self._ask_any(parents, name, "DS").answer)
        return frozenset(
            Ds(tag=ds.key_tag, algorithm=int(ds.algorithm), digest_type=int(ds.digest_type), digest=ds.digest.hex())
            for ds in found or ()
        )

    def _dissent(
        self, parents: Sequence[Place], name: dns.name.Name, agreed: frozenset[dns.name.Name]
    ) -> Iterator[str]:
        """Servers of the parent that delegate to others. Those that do not answer are no concern of ours."""
        for place in parents[:_PARENTS_MAX]:
            try:
                given = _ns_of(name, self._ask(place, name, "NS"))
            except AdapterError:
                continue
            told = frozenset(_targets(given)) if given is not None else frozenset()
            if told != agreed:
                yield f"{show_server(place)} says {', '.join(sorted(map(_text, told))) or 'none'}"

    def _ask_any(self, places: Iterable[Place], name: dns.name.Name, type: str) -> dns.message.Message:
        """The first server that answers. Raises the last one's error."""
        problem: AdapterError = NotFound(_WHAT, _text(name), "there is nobody to ask")
        for place in places:
            try:
                return self._ask(place, name, type)
            except AdapterError as error:
                problem = error
        raise problem

    def _ask(self, place: Place, name: dns.name.Name, type: str) -> dns.message.Message:
        query = dns.message.make_query(name, type, flags=0, payload=_PAYLOAD)
        answer = ask_udp(place, query, tries=2, timeout_s=self._timeout_s, what=_WHAT)
        if answer.flags & dns.flags.TC:
            with Connection(place, timeout_s=self._timeout_s, what=_WHAT) as connection:
                (answer,) = connection.ask([query], Deadline(self._timeout_s), timeout_s=self._timeout_s)
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            said = f"it answers {dns.rcode.to_text(answer.rcode())}"
            raise Unreadable(_WHAT, f"{show_server(place)} for {_text(name)} {type}", said)
        return answer


def _ns_of(name: dns.name.Name, answer: dns.message.Message) -> dns.rrset.RRset | None:
    """A delegation stands in the authority section; a server that holds the zone too puts it into its answer."""
    return _set_at(name, "NS", [*answer.answer, *answer.authority])


def _set_at(name: dns.name.Name, type: str, section: Sequence[dns.rrset.RRset]) -> dns.rrset.RRset | None:
    rdtype = dns.rdatatype.from_text(type)
    return next((rrset for rrset in section if rrset.name == name and rrset.rdtype == rdtype), None)


def _targets(rrset: dns.rrset.RRset) -> list[dns.name.Name]:
    return [rdata.target.canonicalize() for rdata in rrset]


def _glue(answer: dns.message.Message, target: dns.name.Name) -> list[str]:
    sets = [_set_at(target, type, answer.additional) for type in ("A", "AAAA")]
    return [rdata.to_text() for rrset in sets if rrset is not None for rdata in rrset]


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()
