"""Dynamic update (RFC 2136): prerequisites, then all changes or none, as a function from version to version."""

from collections import defaultdict

import dns.name
import dns.node
import dns.rcode
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rrset
import dns.serial
import dns.update
import dns.zone

from failover.local.zone_data import ZoneVersion

_IN = dns.rdataclass.IN
_ANY = dns.rdataclass.ANY
_NONE = dns.rdataclass.NONE
_SOA = dns.rdatatype.SOA
_NS = dns.rdatatype.NS
_CNAME = dns.rdatatype.CNAME
_QUERY_TYPES = frozenset(range(128, 256))
"""Types that only a question can have (RFC 6895, section 3.1)."""


class UpdateRefused(Exception):
    """The update is not carried out; `rcode` is the answer."""

    def __init__(self, rcode: dns.rcode.Rcode) -> None:
        super().__init__(dns.rcode.to_text(rcode))
        self.rcode = rcode


def updated(version: ZoneVersion, message: dns.update.UpdateMessage) -> ZoneVersion:
    """The version that follows; the same one, with its serial, when nothing has changed. Raises UpdateRefused.

    The caller has checked that the message is for this zone and who sent it.
    """
    _check_prerequisites(version, message.prerequisite)
    for change in message.update:
        _scan(version, change)
    if not message.update:
        return version
    zone = version.writable()
    with zone.writer() as transaction:
        for change in message.update:
            _change(transaction, version.origin, change)
        touched = {change.name for change in message.update}
        if all(_contents(version.node(name)) == _contents(transaction.get_node(name)) for name in touched):
            transaction.rollback()
            return version
        _bump_serial(transaction, version)
    return ZoneVersion(zone)


def _contents(node: dns.node.Node | None) -> set[tuple[object, ...]]:
    """What stands at a name, TTLs among it, which dnspython leaves out when it compares."""
    rdatasets = () if node is None else tuple(node)
    return {(found.rdtype, found.covers, found.ttl, frozenset(found)) for found in rdatasets}


# ---------------------------------------------------------------------------------------------- section 3.2


def _check_prerequisites(version: ZoneVersion, prerequisites: list[dns.rrset.RRset]) -> None:
    exact: dict[tuple[dns.name.Name, int, int], list[dns.rrset.RRset]] = defaultdict(list)
    for rrset in prerequisites:
        if rrset.ttl != 0:
            raise UpdateRefused(dns.rcode.FORMERR)
        if not rrset.name.is_subdomain(version.origin):
            raise UpdateRefused(dns.rcode.NOTZONE)
        if rrset.deleting == _ANY:
            _require_present(version, rrset)
        elif rrset.deleting == _NONE:
            _require_absent(version, rrset)
        elif rrset.rdclass == _IN and rrset.rdtype not in _QUERY_TYPES:
            exact[rrset.name, rrset.rdtype, rrset.covers].append(rrset)
        else:
            raise UpdateRefused(dns.rcode.FORMERR)
    for (name, rdtype, _), wanted in exact.items():
        found = version.find(name, dns.rdatatype.RdataType.make(rdtype))
        if found is None or set(found) != {rdata for rrset in wanted for rdata in rrset}:
            raise UpdateRefused(dns.rcode.NXRRSET)


def _require_present(version: ZoneVersion, rrset: dns.rrset.RRset) -> None:
    if rrset.rdtype == dns.rdatatype.ANY:
        if version.node(rrset.name) is None:
            raise UpdateRefused(dns.rcode.NXDOMAIN)
    elif version.find(rrset.name, rrset.rdtype) is None:
        raise UpdateRefused(dns.rcode.NXRRSET)


def _require_absent(version: ZoneVersion, rrset: dns.rrset.RRset) -> None:
    if rrset.rdtype == dns.rdatatype.ANY:
        if version.node(rrset.name) is not None:
            raise UpdateRefused(dns.rcode.YXDOMAIN)
    elif version.find(rrset.name, rrset.rdtype) is not None:
        raise UpdateRefused(dns.rcode.YXRRSET)


# ---------------------------------------------------------------------------------------------- section 3.4


def _scan(version: ZoneVersion, change: dns.rrset.RRset) -> None:
    """Section 3.4.1: everything is looked at before anything is changed."""
    if not change.name.is_subdomain(version.origin):
        raise UpdateRefused(dns.rcode.NOTZONE)
    whole_name = change.deleting == _ANY and change.rdtype == dns.rdatatype.ANY
    if change.rdtype in _QUERY_TYPES and not whole_name:
        raise UpdateRefused(dns.rcode.FORMERR)
    if change.deleting is None and change.rdclass != _IN:
        raise UpdateRefused(dns.rcode.FORMERR)
    if change.deleting is not None and change.ttl != 0:
        raise UpdateRefused(dns.rcode.FORMERR)


def _change(transaction: dns.zone.Transaction, origin: dns.name.Name, change: dns.rrset.RRset) -> None:
    """Section 3.4.2."""
    if change.deleting == _ANY:
        _delete_sets(transaction, origin, change)
    elif change.deleting == _NONE:
        _delete_value(transaction, origin, change)
    else:
        _add(transaction, change)


def _delete_sets(transaction: dns.zone.Transaction, origin: dns.name.Name, change: dns.rrset.RRset) -> None:
    kept = (_SOA, _NS) if change.name == origin else ()
    if change.rdtype != dns.rdatatype.ANY:
        if change.rdtype not in kept:
            transaction.delete(change.name, change.rdtype)
        return
    node = transaction.get_node(change.name)
    for rdataset in () if node is None else tuple(node):
        if rdataset.rdtype not in kept:
            transaction.delete(change.name, rdataset.rdtype, rdataset.covers)


def _delete_value(transaction: dns.zone.Transaction, origin: dns.name.Name, change: dns.rrset.RRset) -> None:
    found = transaction.get(change.name, change.rdtype, change.covers)
    last_server = change.name == origin and change.rdtype == _NS and found is not None and len(found) == 1
    if change.rdtype == _SOA or last_server:
        return
    transaction.delete(change.name, *change)


def _add(transaction: dns.zone.Transaction, change: dns.rrset.RRset) -> None:
    """A CNAME beside other data, or other data beside a CNAME, is passed over in silence: so says the RFC."""
    node = transaction.get_node(change.name)
    types = set() if node is None else {rdataset.rdtype for rdataset in node}
    if change.rdtype == _CNAME:
        if types - {_CNAME}:
            return
    elif _CNAME in types:
        return
    found = transaction.get(change.name, change.rdtype, change.covers)
    if change.rdtype == _SOA and not _is_newer_soa(change, found):
        return
    others = [] if found is None or change.rdtype in (_CNAME, _SOA) else list(found)
    merged = dns.rdataset.from_rdata_list(change.ttl, [*others, *change])
    transaction.replace(change.name, merged)


def _is_newer_soa(change: dns.rrset.RRset, found: dns.rdataset.Rdataset | None) -> bool:
    """An SOA is taken only where one stands, and not when it would turn the serial back."""
    return found is not None and dns.serial.Serial(change[0].serial) >= dns.serial.Serial(found[0].serial)


def _bump_serial(transaction: dns.zone.Transaction, version: ZoneVersion) -> None:
    found = transaction.get(version.origin, _SOA)
    if found is not None and found[0].serial == version.soa()[0].serial:
        transaction.update_serial(1, True, version.origin)
