"""Record sets in the words of dnspython, and back."""

from collections.abc import Iterable
from functools import lru_cache

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TXT
import dns.rrset

from failover.core.rrsets import RRset
from failover.dns.texts import Escapes, quoted, strings_of
from failover.errors import Rejected, Unreadable

_IN = dns.rdataclass.IN


def to_name(text: str) -> dns.name.Name:
    """Raises Rejected for what cannot be a name."""
    try:
        return dns.name.from_text(text, dns.name.root)
    except (dns.exception.DNSException, UnicodeError) as error:
        raise Rejected("read name", text[:255], str(error)) from error


@lru_cache(maxsize=256)
def to_type(text: str) -> dns.rdatatype.RdataType:
    """Raises Rejected for an unknown type."""
    try:
        return dns.rdatatype.from_text(text)
    except (dns.exception.DNSException, ValueError) as error:
        raise Rejected("read record type", text[:40], "no such type") from error


def to_rdatas(rrset: RRset) -> list[dns.rdata.Rdata]:
    """The values, in a stable order. Raises Rejected for a value that cannot be one."""
    rdtype = to_type(rrset.type)
    return [_to_rdata(rrset, rdtype, value) for value in sorted(rrset.values)]


def to_texts(rrset: RRset, escapes: Escapes = Escapes.DECIMAL) -> list[str]:
    """The values as they stand in a zone file, in a stable order. Raises Rejected for a value that cannot be one."""
    if rrset.type in ("A", "AAAA"):
        return sorted(rrset.values)  # an RRset has looked at them, and there may be thousands
    if rrset.type == "TXT":
        return [quoted(value, escapes) for value in sorted(rrset.values)]
    return [rdata.to_text() for rdata in to_rdatas(rrset)]


def _to_rdata(rrset: RRset, rdtype: dns.rdatatype.RdataType, value: str) -> dns.rdata.Rdata:
    if rdtype == dns.rdatatype.TXT:
        return dns.rdtypes.ANY.TXT.TXT(_IN, rdtype, strings_of(value))
    try:
        return dns.rdata.from_text(_IN, rdtype, value, origin=dns.name.root, relativize=False)
    except (dns.exception.DNSException, ValueError) as error:
        raise Rejected("read record value", f"{rrset.name} {rrset.type}", f"{value[:255]}: {error}") from error


def from_rrset(found: dns.rrset.RRset) -> RRset:
    """Raises Unreadable for values that cannot be shown as text."""
    name = found.name.to_text(omit_final_dot=True)
    type = dns.rdatatype.to_text(found.rdtype)
    try:
        values = frozenset(_from_rdata(rdata) for rdata in found)
        return RRset(name=name, type=type, ttl_s=found.ttl, values=values)
    except ValueError as error:
        raise Unreadable("read records", f"{name} {type}", str(error)) from error


def _from_rdata(rdata: dns.rdata.Rdata) -> str:
    if isinstance(rdata, dns.rdtypes.ANY.TXT.TXT):
        return b"".join(rdata.strings).decode()
    return rdata.to_text()


def standing_at(name: dns.name.Name, type: str, answer: Iterable[dns.rrset.RRset]) -> RRset | None:
    """The set of that type, or else the CNAME, that an answer shows at exactly this name. A CNAME is not followed."""
    here = {dns.rdatatype.to_text(rrset.rdtype): rrset for rrset in answer if rrset.name == name}
    found = here.get(type) or here.get("CNAME")
    return None if found is None else from_rrset(found)
