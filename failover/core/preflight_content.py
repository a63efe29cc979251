"""The part of the preflight that is about what stands in a zone.

Our names must be the same at every server, with short TTLs, and be what they seem: no CNAME at the zone's own name, no
chain of CNAMEs, no record of a vendor's own kind, from which one host alone makes up answers.
"""

from collections.abc import Iterable

from failover.core.findings import Finding, fatal, fine, note, warning
from failover.core.model import Service
from failover.core.rrsets import BESIDE_NO_ALIAS, RRset, epoch_name
from failover.core.survey import Chain, HostFacts, MadeUp, ServerFacts, ZoneFacts

TTL_S_MAX = 300
"""Of names that move."""
HOPS_MAX = 1

Key = tuple[str, str]


def keys_of(service: Service, zone: str) -> tuple[Key, ...]:
    """The names and types of ours in a zone, the epoch among them."""
    ours = ((record.name, record.type) for record in service.records if record.zone == zone)
    return (*dict.fromkeys(ours), (epoch_name(service.name, zone), "TXT"))


def names_asked(service: Service, zone: str) -> tuple[str, ...]:
    """Where a CNAME or a vendor's alias would matter: our names in a zone, and the zone's own."""
    return tuple(dict.fromkeys((*(name for name, _ in keys_of(service, zone)), zone)))


def beside_asked(service: Service, zone: str) -> tuple[Key, ...]:
    """What must not stand at our names that are an alias at some site."""
    ours = {record.name for record in service.records if record.zone == zone}
    aliased = sorted(ours & {name for site in service.sites for name in site.targets or {}})
    return tuple((name, type) for name in aliased for type in BESIDE_NO_ALIAS)


def content(service: Service, zone: ZoneFacts, hosts: Iterable[HostFacts]) -> list[Finding]:
    """Every finding about what one zone holds."""
    found = []
    answering = [server for server in zone.servers if server.answers]
    for key in keys_of(service, zone.zone):
        held = [(server, server.sets[key]) for server in answering if key in server.sets]
        unread = [server for server in answering if key not in server.sets]
        found += [warning("content", _at(s), f"{_show(key)} could not be read", "ask it by hand") for s in unread]
        found += [*_same(key, held), *_ttl(service, key, [rrset for _, rrset in held if rrset is not None])]
    found += [*_crowded(service, zone.zone, answering), *_apex(service, zone, answering)]
    found += _made_up(service, zone.zone, hosts)
    if answering and not found:
        found.append(fine("content", zone.zone, f"our names are the same at {len(answering)} servers"))
    return [*found, *(finding for chain in zone.chains for finding in _chain(service, chain))]


def _same(key: Key, held: list[tuple[ServerFacts, RRset | None]]) -> list[Finding]:
    """Whoever differs from most of them is named."""
    answers = [_values(rrset) for _, rrset in held]
    if len(set(answers)) < 2:
        return []
    most = max(answers, key=answers.count)
    remedy = "`failover status` shows debts, which the next check settles; else somebody else writes there"
    return [
        warning("content", _at(server), f"{_show(key)} is {_values(rrset)} there, {most} elsewhere", remedy)
        for server, rrset in held
        if _values(rrset) != most
    ]


def _values(rrset: RRset | None) -> str:
    if rrset is None:
        return "absent"
    alias = "CNAME " if rrset.type == "CNAME" else ""
    return alias + " ".join(sorted(rrset.values))


def _ttl(service: Service, key: Key, rrsets: list[RRset]) -> list[Finding]:
    longest = max((rrset.ttl_s for rrset in rrsets), default=0)
    if longest <= TTL_S_MAX:
        return []
    says = f"its TTL is {longest} s: for so long resolvers keep the old address"
    if longest <= service.ttl_steady_s:
        return [note("content", _show(key), says, "that is dns.ttl_steady; `failover prepare` lowers it ahead")]
    remedy = f"set dns.ttl to 60 (it is {service.ttl_s}) one old TTL before a cutover is needed: steadily"
    return [warning("content", _show(key), says, remedy)]


def _crowded(service: Service, zone: str, servers: Iterable[ServerFacts]) -> list[Finding]:
    """Data beside which no alias can come, at a name that has been published (else a wildcard may speak there)."""
    here = {(r.name, r.type) for s in servers for r in s.sets.values() if r is not None}
    says = "stands at a name that is an alias at some site, and beside it no CNAME can: a cutover there is refused"
    remedy = "take it out, or give addresses there in place of `targets`"
    return [
        fatal("content", _show(key), says, remedy)
        for key in beside_asked(service, zone)
        if key in here and {(key[0], "A"), (key[0], "AAAA")} & here
    ]


def _apex(service: Service, zone: ZoneFacts, servers: Iterable[ServerFacts]) -> list[Finding]:
    """A CNAME there, whoever serves it."""
    sets = {s.server: [r for r in s.sets.values() if r is not None and r.name == zone.zone] for s in servers}
    bad = [server for server, rrsets in sets.items() if any(rrset.type == "CNAME" for rrset in rrsets)]
    if not bad:
        return []
    tell = fatal if any(record.name == zone.zone for record in service.records) else warning
    says = f"a CNAME stands at the zone's own name ({_list(bad)}), which RFC 1034 forbids: SOA and NS stand there too"
    return [tell("content", zone.zone, says, "A and AAAA there; take the CNAME out by hand")]


def _made_up(service: Service, zone: str, hosts: Iterable[HostFacts]) -> list[Finding]:
    """What a host's vendor answers from records of its own kind: no other host can, and some are never changed."""
    ours, asked = {record.name for record in service.records}, set(names_asked(service, zone))
    here = ((host.name, odd) for host in hosts for odd in host.made_up if odd.name in asked)
    return [_odd(host, odd, mine=odd.name in ours) for host, odd in here]


def _odd(host: str, odd: MadeUp, *, mine: bool) -> Finding:
    subject, what = f"{odd.name} at {host}", f"{odd.kind} to {odd.target}" if odd.target else odd.kind
    if not mine:
        remedy = "where the service shall be reached by it too, enter it in dns.records, with addresses"
        return note("content", subject, f"answered from its vendor's {what}, which no cutover moves", remedy)
    remedy = "replace it by A and AAAA records, and point these to the site by `failover apply --adopt`"
    if odd.refused:
        says = f"answered from its vendor's {what}, which failover never touches: a cutover there is refused"
        return fatal("content", subject, says, remedy)
    says = f"answered from its vendor's {what}: other hosts cannot do so, and nobody sees what stands there"
    return warning("content", subject, says, remedy)


def _chain(service: Service, chain: Chain) -> list[Finding]:
    remedy = "let the name hold addresses, or be one CNAME to a name with a short TTL in these zones"
    way = " → ".join([chain.name, *(hop.target for hop in chain.hops)])
    if chain.problem is not None:
        return [warning("content", chain.name, f"{way} leads nowhere: {chain.problem}", remedy)]
    found = []
    if len(chain.hops) > HOPS_MAX:
        found.append(warning("content", chain.name, f"{len(chain.hops)} CNAMEs on the way: {way}", remedy))
    slow = [hop for hop in chain.hops if hop.ttl_s > TTL_S_MAX]
    for hop in slow:
        says = f"on the way, {hop.name} is kept for {hop.ttl_s} s"
        found.append(warning("content", chain.name, says, remedy))
    outside = [hop.target for hop in chain.hops if not _inside(hop.target, service.zones)]
    if outside:
        found.append(note("content", chain.name, f"depends on the name servers of {outside[-1]} as well"))
    return found or [fine("content", chain.name, way)]


def _inside(name: str, zones: Iterable[str]) -> bool:
    return any(name == zone or name.endswith(f".{zone}") for zone in zones)


def _at(server: ServerFacts) -> str:
    return f"{server.server} ({server.zone})"


def _show(key: Key) -> str:
    return " ".join(key)


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
