"""The part of the preflight that is about whom one depends on: signatures, companies, the registrar."""

from collections.abc import Iterable, Mapping

from failover.core.findings import Finding, fatal, fine, note, warning
from failover.core.operators import Operators, company_of, domain_of, operators_of
from failover.core.survey import DnsFacts, Ds, Registration, ServerFacts, Signing, ZoneFacts

DAY_S = 86400.0
SIGNATURE_DAYS_MIN = 3
EXPIRY_DAYS_MIN = 30

# ---------------------------------------------------------------------------------------------- dnssec


def dnssec(zone: ZoneFacts) -> list[Finding]:
    """The parent's DS against the keys of each server, and each server's signatures against the keys of all others.

    A resolver may take keys from one server and signatures from another (RFC 8901, section 2).
    """
    answering = [server for server in zone.servers if server.answers]
    if zone.delegation is None or zone.delegation.problem is not None or not answering:
        return []
    signed = {server.server: server.signing for server in answering if server.signing is not None}
    if not zone.delegation.ds:
        if any(signing.tags for signing in signed.values()):
            says = "signed, but the parent has no DS: nobody validates it"
            return [note("dnssec", zone.zone, says, "enter the DS at the registrar once every host signs alike")]
        return [fine("dnssec", zone.zone, "not signed, and the parent says so too")]
    found = [finding for server in answering for finding in _signed(server, zone.delegation.ds)]
    found += [finding for place, signing in signed.items() for finding in _crossed(zone.zone, place, signing, signed)]
    if not found:
        found.append(fine("dnssec", zone.zone, f"the parent's DS fits the keys of {len(answering)} servers"))
    if not all(signing.verified for signing in signed.values()):
        says = "signatures were not verified: the library for it is not installed"
        found.append(note("dnssec", zone.zone, says, "pip install 'failover[dnssec]'"))
    return found


def _signed(server: ServerFacts, ds: frozenset[Ds]) -> list[Finding]:
    subject, signing = f"{server.server} ({server.zone})", server.signing
    bad = "validating resolvers refuse its answers"
    remedy = "sign alike at every host (RFC 8901), or take the DS out at the registrar and wait for its TTL"
    if signing is None:
        return [warning("dnssec", subject, "its keys could not be read", "ask it by hand: dig +dnssec DNSKEY")]
    if not signing.tags:
        return [fatal("dnssec", subject, f"the parent has a DS, but it gives no keys: {bad}", remedy)]
    if not signing.digests & ds:
        tags = ", ".join(str(one.tag) for one in sorted(ds, key=lambda one: one.tag))
        return [fatal("dnssec", subject, f"none of its keys fits the parent's DS ({tags}): {bad}", remedy)]
    if signing.problem is not None:
        return [fatal("dnssec", subject, f"{signing.problem}: {bad}", "let it sign the zone again")]
    days = (signing.expires_s or 0.0) / DAY_S
    if days < SIGNATURE_DAYS_MIN:
        says = f"its signatures are over in {days:.1f} days"
        return [warning("dnssec", subject, says, "is the signer alive? They are renewed days ahead")]
    return []


def _crossed(zone: str, place: str, signing: Signing, others: Mapping[str, Signing]) -> list[Finding]:
    """Every key that signs here is known there."""
    found = []
    for other, there in others.items():
        unknown = sorted(signing.signers - there.tags) if there.tags else []
        if other != place and unknown:
            keys = ", ".join(map(str, unknown))
            says = f"it signs by key {keys}, which {other} does not publish: validation fails by chance"
            remedy = "import each host's zone-signing keys at the others (RFC 8901, section 2)"
            found.append(fatal("dnssec", f"{place} ({zone})", says, remedy))
    return found


# ---------------------------------------------------------------------------------------------- companies


_SECOND = "a second DNS host at another company, in the NS set beforehand"


def independence(zone: ZoneFacts, facts: DnsFacts) -> list[Finding]:
    """The zone does not go down with an account that is guarded against, nor with one company."""
    found, guarded = operators_of(zone, facts.owners), facts.guarded
    sure = sorted(set(found.known.values()))
    if not found.known and not found.likely and not found.unknown:
        return []
    notes = [
        note(
            "independence",
            zone.zone,
            f"{name} hosts site {guarded[name]} too; if the account goes, its name servers may keep the old addresses",
            "then take them out of the NS set at the registrar",
        )
        for name in sure
        if name in guarded
    ]
    unsure = sorted({*found.likely, *found.unknown})
    rest = f"; not known whose: {_names(unsure)}" if unsure else ""
    if len(sure) > 1:
        return notes or [fine("independence", zone.zone, f"{len(sure)} operators: {', '.join(sure)}{rest}")]
    return [_alone(zone.zone, found, guarded)]


def _alone(zone: str, found: Operators, guarded: Mapping[str, str]) -> Finding:
    """Not two operators for certain."""
    maybe = sorted({*found.known.values(), *found.likely.values()})
    if len(maybe) == 1 and not found.unknown:
        (name,) = maybe
        seems = " by what their SOA records say" if found.likely else ""
        if name in guarded:
            says = f"all name servers are {name}'s{seems}, which hosts site {guarded[name]}: both go together"
            return fatal("independence", zone, says, _SECOND)
        return warning("independence", zone, f"all name servers are {name}'s{seems}", _SECOND)
    unsure = sorted({*found.likely, *found.unknown})
    domains = {domain_of(name) for name in unsure}
    if not found.known and len(domains) == 1 and not all(_within(name, zone) for name in unsure):
        return warning("independence", zone, f"all name servers stand under {domains.pop()}: one company's", _SECOND)
    hints = "".join(
        f"; the SOA record at {name} speaks of {operator}" for name, operator in sorted(found.likely.items())
    )
    besides = [name for name in sorted(set(found.known.values())) if name in guarded]
    remedy = "find out in whose network they stand: a name of one's own may point into any company's"
    if besides:
        hosts = f"{besides[0]} hosts site {guarded[besides[0]]}"
        says = f"{hosts}, and whose the others are is not known: {_names(unsure)}{hints}"
        return warning("independence", zone, says, remedy)
    says = f"whose name servers these are is not known, so nor is whether they are independent: {_names(unsure)}{hints}"
    return note("independence", zone, says, remedy)


def _within(name: str, zone: str) -> bool:
    return name == zone or name.endswith(f".{zone}")


def _names(names: Iterable[str]) -> str:
    return ", ".join(names)


# ---------------------------------------------------------------------------------------------- registrar

_OUT = {
    "clienthold": "the registrar has taken the domain out of DNS",
    "serverhold": "the registry has taken the domain out of DNS",
    "inactive": "the domain has no name servers at the registry",
    "pendingdelete": "the domain is about to be deleted",
    "redemptionperiod": "the domain has been deleted, and can still be redeemed",
}
"""EPP's words (RFC 5731, section 2.3; RFC 3915), each with what it means."""
_LOCKS = {
    "clientupdateprohibited": "the registrar refuses changes of name servers until this lock is taken off",
    "serverupdateprohibited": "the registry refuses changes of name servers until this lock is taken off",
    "pendingtransfer": "the domain is moving to another registrar",
    "pendingupdate": "a change is under way at the registry",
}


def registrar(zone: ZoneFacts, facts: DnsFacts) -> list[Finding]:
    """What the registry says: holds, locks, the date of expiry, and whose hands it is in."""
    told = zone.registration
    if told is None:
        return []
    if told.problem is not None:
        return [note("registrar", zone.zone, f"could not be asked: {told.problem}", "look at the registrar's console")]
    found = [
        fatal("registrar", told.domain, f"{status}: {_OUT[status]}", "call the registrar")
        for status in sorted(told.statuses & _OUT.keys())
    ]
    found += [
        warning("registrar", told.domain, f"{status}: {_LOCKS[status]}", "know how to lift it at night, or lift it now")
        for status in sorted(told.statuses & _LOCKS.keys())
    ]
    found += [*_expiry(told), *_hands(zone, told, facts)]
    return found or [fine("registrar", told.domain, f"registered with {told.registrar}: no hold, no lock")]


def _expiry(told: Registration) -> list[Finding]:
    if told.expires_s is None or told.expires_s >= EXPIRY_DAYS_MIN * DAY_S:
        return []
    days = told.expires_s / DAY_S
    if days < 0:
        return [fatal("registrar", told.domain, f"it expired {-days:.0f} days ago", "renew it")]
    return [warning("registrar", told.domain, f"it expires in {days:.0f} days", "renew it, and let it renew itself")]


def _hands(zone: ZoneFacts, told: Registration, facts: DnsFacts) -> list[Finding]:
    company, guarded = company_of(told.registrar), facts.guarded
    remedy = "a registrar that hosts neither the service nor all of its DNS"
    if company in guarded:
        says = f"{told.registrar} hosts site {guarded[company]} too: the domain can go with the account"
        return [warning("registrar", told.domain, says, remedy)]
    found = operators_of(zone, facts.owners)
    if set(found.known.values()) == {company} and not found.likely and not found.unknown:
        says = f"{told.registrar} is registrar and only DNS host: nobody is left to change either"
        return [warning("registrar", told.domain, says, remedy)]
    return []
