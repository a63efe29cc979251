"""How a server signs a zone: its keys, what its parent would have to say of them, whether its signatures hold."""

import contextlib
import importlib.util

import dns.dnssec
import dns.exception
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.dnssectypes import DSDigest

from failover.core.survey import Ds, Signing

_DIGESTS = (DSDigest.SHA1, DSDigest.SHA256, DSDigest.SHA384)


def signing_of(
    zone: dns.name.Name, keys: dns.message.Message, soa: dns.message.Message, *, now_utc_s: float
) -> Signing:
    """From the answers to DNSKEY and SOA, both asked with DO. Never raises for what they say."""
    keyset = _find(keys, zone, dns.rdatatype.DNSKEY)
    if keyset is None:
        return Signing()
    start = _find(soa, zone, dns.rdatatype.SOA)
    key_signatures, soa_signatures = _signatures(keys, zone, keyset.rdtype), _signatures(soa, zone, dns.rdatatype.SOA)
    expiries = [signature.expiration for signature in (*(key_signatures or ()), *(soa_signatures or ()))]
    checks = (("its keys", keyset, key_signatures), ("its SOA record", start, soa_signatures))
    problems = [_problem(what, rrset, signed, keyset, now_utc_s) for what, rrset, signed in checks]
    return Signing(
        tags=frozenset(dns.dnssec.key_id(key) for key in keyset),
        digests=_digests(zone, keyset, frozenset(signature.key_tag for signature in key_signatures or ())),
        signers=frozenset(signature.key_tag for signature in soa_signatures or ()),
        expires_s=min(expiries) - now_utc_s if expiries else None,
        problem=next(filter(None, problems), None),
        verified=_can_verify(),
    )


def _can_verify() -> bool:
    return importlib.util.find_spec("cryptography") is not None


def _problem(
    what: str,
    rrset: dns.rrset.RRset | None,
    signatures: dns.rrset.RRset | None,
    keyset: dns.rrset.RRset,
    now_utc_s: float,
) -> str | None:
    if rrset is None or signatures is None:
        return f"there is no signature of {what}"
    if all(not signature.inception <= now_utc_s < signature.expiration for signature in signatures):
        return f"the signature of {what} is over, or of the future"
    if not _can_verify():
        return None
    try:
        dns.dnssec.validate(rrset, signatures, {keyset.name: keyset}, now=now_utc_s)
    except dns.exception.ValidationFailure as error:
        return f"the signature of {what} does not hold: {error}"
    return None


def _digests(zone: dns.name.Name, keyset: dns.rrset.RRset, signers: frozenset[int]) -> frozenset[Ds]:
    """Only keys that have signed the set of keys can carry the trust of a DS (RFC 4035, section 5.2)."""
    found = set()
    for key in keyset:
        if dns.dnssec.key_id(key) not in signers:
            continue
        for kind in _DIGESTS:
            with contextlib.suppress(dns.exception.DNSException):  # an algorithm that the library does not know
                ds = dns.dnssec.make_ds(zone, key, kind, policy=dns.dnssec.allow_all_policy)
                found.add(
                    Ds(tag=ds.key_tag, algorithm=int(ds.algorithm), digest_type=int(kind), digest=ds.digest.hex())
                )
    return frozenset(found)


def _find(answer: dns.message.Message, zone: dns.name.Name, type: dns.rdatatype.RdataType) -> dns.rrset.RRset | None:
    return answer.get_rrset(answer.answer, zone, dns.rdataclass.IN, type)


def _signatures(
    answer: dns.message.Message, zone: dns.name.Name, covers: dns.rdatatype.RdataType
) -> dns.rrset.RRset | None:
    return answer.get_rrset(answer.answer, zone, dns.rdataclass.IN, dns.rdatatype.RRSIG, covers)
