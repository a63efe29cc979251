"""Looks at a zone from outside: the tree above it, and each of its servers by its own address."""

import errno
from collections.abc import Sequence
from dataclasses import replace

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from failover.core.rrsets import RRset
from failover.core.survey import ServerFacts, Signing, Soa
from failover.dns.records import standing_at, to_name
from failover.dns.signing import signing_of
from failover.dns.tree import Tree
from failover.dns.wire import Connection, Deadline, ask_udp, parse_server
from failover.errors import AdapterError

_WHAT = "ask name server"
_UDP_TRIES = 2
_PAYLOAD = 1232
_NO_WAY = (errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""This machine has no route there, or no address of that family."""

Answers = dict[tuple[str, str], dns.message.Message]


class DnsSurvey(Tree):
    """As the port `Survey` says. `timeout_s` bounds each question by UDP, and all of one server by TCP."""

    def server(self, server: str, zone: str, names: Sequence[tuple[str, str]], *, now_utc_s: float) -> ServerFacts:
        """By UDP whether it answers, by TCP all the rest; by UDP too where TCP does not work."""
        place, about = parse_server(server), [(zone, "SOA"), (zone, "NS"), (zone, "DNSKEY"), *names]
        found: Answers = {}
        udp = self._udp(place, [(zone, "SOA")], found)
        if udp is not None and _is_no_way(udp):
            return ServerFacts(zone=zone, server=server, routed=False)
        tcp = self._tcp(place, list(dict.fromkeys(about)), found)
        if tcp is not None and udp is None:
            self._udp(place, about, found)
        facts = ServerFacts(zone=zone, server=server, udp=udp.cause if udp else None, tcp=tcp.cause if tcp else None)
        answer = found.get((zone, "SOA"))
        if answer is None:
            return facts
        soa, lame = _soa(answer, to_name(zone))
        if soa is None:
            return replace(facts, lame=lame)
        return replace(
            facts,
            soa=soa,
            name_servers=_name_servers(found.get((zone, "NS")), to_name(zone)),
            sets=_sets(found, names),
            signing=_signing(found, zone, now_utc_s),
        )

    def _udp(self, place: tuple[str, int], questions: Sequence[tuple[str, str]], found: Answers) -> AdapterError | None:
        """Adds what is answered whole; returns the first problem."""
        for key in questions:
            try:
                answer = ask_udp(place, _query(key), tries=_UDP_TRIES, timeout_s=self._timeout_s, what=_WHAT)
            except AdapterError as error:
                return error
            if not answer.flags & dns.flags.TC:
                found[key] = answer
        return None

    def _tcp(self, place: tuple[str, int], questions: Sequence[tuple[str, str]], found: Answers) -> AdapterError | None:
        queries = [_query(key, number) for number, key in enumerate(questions)]
        try:
            with Connection(place, timeout_s=self._timeout_s, what=_WHAT) as connection:
                answers = connection.ask(queries, Deadline(self._timeout_s), timeout_s=self._timeout_s)
        except AdapterError as error:
            return error
        found.update(zip(questions, answers, strict=True))
        return None


def _query(key: tuple[str, str], id: int | None = None) -> dns.message.Message:
    return dns.message.make_query(to_name(key[0]), key[1], flags=0, payload=_PAYLOAD, want_dnssec=True, id=id)


def _is_no_way(error: AdapterError) -> bool:
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in _NO_WAY


def _is_whole(answer: dns.message.Message) -> bool:
    """With authority, and a yes or a no."""
    readable = answer.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)
    return readable and bool(answer.flags & dns.flags.AA) and not answer.flags & dns.flags.TC


def _soa(answer: dns.message.Message, zone: dns.name.Name) -> tuple[Soa | None, str | None]:
    """The record, or why the server is no authority."""
    if answer.rcode() != dns.rcode.NOERROR:
        return None, f"it answers {dns.rcode.to_text(answer.rcode())}"
    if not answer.flags & dns.flags.AA:
        return None, "it answers without authority"
    for rrset in answer.answer:
        if rrset.rdtype == dns.rdatatype.SOA and rrset.name == zone:
            soa = rrset[0]
            return (
                Soa(
                    primary=soa.mname.to_text(omit_final_dot=True),
                    serial=soa.serial,
                    refresh_s=soa.refresh,
                    retry_s=soa.retry,
                    expire_s=soa.expire,
                    minimum_s=soa.minimum,
                    ttl_s=rrset.ttl,
                    contact=soa.rname.to_text(omit_final_dot=True).lower(),
                ),
                None,
            )
    return None, "it gives no SOA record"


def _name_servers(answer: dns.message.Message | None, zone: dns.name.Name) -> frozenset[str]:
    for rrset in answer.answer if answer is not None and _is_whole(answer) else ():
        if rrset.rdtype == dns.rdatatype.NS and rrset.name == zone:
            return frozenset(rdata.target.to_text(omit_final_dot=True).lower() for rdata in rrset)
    return frozenset()


def _sets(found: Answers, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], RRset | None]:
    """What could not be read is left out."""
    sets: dict[tuple[str, str], RRset | None] = {}
    for key in names:
        answer = found.get(key)
        if answer is None or not _is_whole(answer):
            continue
        try:
            sets[key] = standing_at(to_name(key[0]), key[1], answer.answer)
        except AdapterError:
            continue
    return sets


def _signing(found: Answers, zone: str, now_utc_s: float) -> Signing | None:
    keys, soa = found.get((zone, "DNSKEY")), found.get((zone, "SOA"))
    if keys is None or soa is None or not _is_whole(keys):
        return None
    return signing_of(to_name(zone), keys, soa, now_utc_s=now_utc_s)
