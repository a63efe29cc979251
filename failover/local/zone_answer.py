"""What a zone answers to a question (RFC 1034 section 4.3.2, wildcards of RFC 4592, negative answers of RFC 2308)."""

import dns.flags
import dns.message
import dns.name
import dns.node
import dns.rcode
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rrset

from failover.local.zone_data import ZoneVersion

_IN = dns.rdataclass.IN
_GLUE = (dns.rdatatype.A, dns.rdatatype.AAAA)
_WILDCARD = dns.name.Name([b"*"])


def answer(
    response: dns.message.Message, version: ZoneVersion, name: dns.name.Name, rdtype: dns.rdatatype.RdataType
) -> None:
    """Fill the response. `name` lies in the zone. A CNAME is followed within the zone; a loop is SERVFAIL."""
    response.flags |= dns.flags.AA
    seen: set[dns.name.Name] = set()
    while name.is_subdomain(version.origin):
        if name in seen:
            response.set_rcode(dns.rcode.SERVFAIL)
            return
        seen.add(name)
        cut = next((cut for cut in version.cuts if name.is_subdomain(cut)), None)
        if cut is not None:
            _refer(response, version, cut)
            return
        node = version.node(name) or _wildcard(version, name)
        found = None if node is None else _choose(node, rdtype)
        if found is not None:
            response.answer.append(_rrset(name, found))
            return
        alias = None if node is None else node.get_rdataset(_IN, dns.rdatatype.CNAME)
        if alias is None:
            _say_no(response, version, exists=node is not None or name in version.names)
            return
        response.answer.append(_rrset(name, alias))
        name = alias[0].target


def _choose(node: dns.node.Node, rdtype: dns.rdatatype.RdataType) -> dns.rdataset.Rdataset | None:
    if rdtype == dns.rdatatype.ANY:  # one set is enough (RFC 8482)
        return min(node.rdatasets, key=lambda rdataset: rdataset.rdtype, default=None)
    return node.get_rdataset(_IN, rdtype)


def _wildcard(version: ZoneVersion, name: dns.name.Name) -> dns.node.Node | None:
    if name in version.names:
        return None
    encloser = name.parent()
    while encloser not in version.names:
        encloser = encloser.parent()
    return version.node(_WILDCARD.concatenate(encloser))


def _say_no(response: dns.message.Message, version: ZoneVersion, *, exists: bool) -> None:
    if not exists:
        response.set_rcode(dns.rcode.NXDOMAIN)
    soa = version.soa()
    negative = _rrset(version.origin, soa)
    negative.ttl = min(soa.ttl, soa[0].minimum)
    response.authority.append(negative)


def _refer(response: dns.message.Message, version: ZoneVersion, cut: dns.name.Name) -> None:
    if not response.answer:
        response.flags &= ~dns.flags.AA
    servers = version.find(cut, dns.rdatatype.NS)
    if servers is None:
        return
    response.authority.append(_rrset(cut, servers))
    for server in servers:
        for rdtype in _GLUE:
            glue = version.find(server.target, rdtype)
            if glue is not None:
                response.additional.append(_rrset(server.target, glue))


def _rrset(name: dns.name.Name, rdataset: dns.rdataset.Rdataset) -> dns.rrset.RRset:
    return dns.rrset.from_rdata_list(name, rdataset.ttl, list(rdataset))
