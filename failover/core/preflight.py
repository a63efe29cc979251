"""Facts → findings about DNS: what would make a cutover fail, or be seen too late, before there is need of one.

    area            what is looked at
    delegation      the parent's name servers and the zone's own, glue, how long the parent's answer is kept
    hosts           whether the world asks the hosts that failover changes, and no others
    servers         each name server by its own address: UDP, TCP, both families, with authority
    content         `preflight_content`
    timers          SOA: serial, refresh, expire, how long "no such name" is remembered
    dnssec, independence, registrar: `preflight_trust`

FATAL: a cutover would fail, or most of the world would not see it.
"""

from collections.abc import Iterable

from failover.core.findings import Finding, fatal, fine, note, warning
from failover.core.model import Service
from failover.core.preflight_content import content
from failover.core.preflight_trust import dnssec, independence, registrar
from failover.core.survey import Delegation, DnsFacts, HostFacts, ServerFacts, Soa, ZoneFacts
from failover.core.windows import span

NEGATIVE_S_MIN, NEGATIVE_S_MAX = 60, 300
EXPIRE_S_MIN = 7 * 86400
"""A secondary forgets the zone so long after its primary is gone; RFC 1912, section 2.2, advises two weeks or more."""
DELEGATION_TTL_S_LONG = 86400


def preflight(service: Service, facts: DnsFacts) -> tuple[Finding, ...]:
    """Every finding, also the good ones, zone by zone."""
    found = [
        warning("hosts", host.name, f"does not say which its name servers are: {host.problem}", "mend the host first")
        for host in facts.hosts
        if host.problem is not None
    ]
    found += _unlooked(facts.hosts)
    for zone in facts.zones:
        found += _delegation(zone)
        found += _hosts(zone, facts.hosts)
        found += _servers(zone)
        found += content(service, zone, facts.hosts)
        found += _timers(zone, facts.hosts)
        found += [*dnssec(zone), *independence(zone, facts), *registrar(zone, facts)]
    return tuple(found)


def _unlooked(hosts: Iterable[HostFacts]) -> list[Finding]:
    """A host that does not let us look takes no change either: with none left no cutover can be made."""
    known = tuple(hosts)
    blind = [(host.name, host.unlooked) for host in known if host.unlooked is not None]
    tell, means = warning, "a cutover would leave it behind as a debt, or wait for it"
    if len(blind) == len(known):
        tell, means = fatal, "no DNS host lets us look, and so no cutover could be made"
    remedy = f"mend it: {means}; `failover doctor` tries its credential"
    return [tell("hosts", name, f"cannot be asked what it holds: {why}", remedy) for name, why in blind]


# ---------------------------------------------------------------------------------------------- delegation


def _delegation(zone: ZoneFacts) -> list[Finding]:
    delegation = zone.delegation
    if delegation is None:
        return [note("delegation", zone.zone, "not asked: every host is a local one, which the world does not know")]
    if delegation.problem is not None:
        remedy = "let this machine ask name servers (UDP and TCP, port 53), or set dns.roots"
        return [warning("delegation", zone.zone, f"could not be read: {delegation.problem}", remedy)]
    if not delegation.name_servers:
        says = f"{_parent(delegation)} delegates no such zone: nobody finds its name servers"
        return [fatal("delegation", zone.zone, says, "enter the name servers at the registrar")]
    found = [*_parity(zone, delegation), *_glue(zone, delegation)]
    for name, places in delegation.name_servers.items():
        if not places:
            found.append(warning("delegation", name, "no address could be found for it", "mend it, or take it out"))
    if len(delegation.name_servers) < 2:
        says = "there is one name server only"
        found.append(warning("delegation", zone.zone, says, "at least two (RFC 1034, section 4.1), at two companies"))
    if not found:
        says = f"{_parent(delegation)} and the zone name the same servers: {_list(delegation.name_servers)}"
        found.append(fine("delegation", zone.zone, says))
    if delegation.ttl_s > DELEGATION_TTL_S_LONG:
        says = f"the parent's answer is kept for {delegation.ttl_s / 3600:.0f} h: no cutover by changing name servers"
        found.append(note("delegation", zone.zone, says, "have every host in the set before there is need"))
    return found


def _parent(delegation: Delegation) -> str:
    return f"the parent ({delegation.parent or 'the root'})"


def _parity(zone: ZoneFacts, delegation: Delegation) -> list[Finding]:
    """Parent equals child, and all servers of the parent are of one mind."""
    remedy = "make the NS set the same at the registrar and at every host"
    found = [
        warning("delegation", zone.zone, f"the parent's servers differ: {one}", remedy) for one in delegation.dissent
    ]
    above = set(delegation.name_servers)
    for server in zone.servers:
        if server.answers and server.name_servers != above:
            missing, more = sorted(above - server.name_servers), sorted(server.name_servers - above)
            told = [f"lacks {_list(missing)}"] * bool(missing) + [f"adds {_list(more)}"] * bool(more)
            says = f"its NS set {' and '.join(told)}, seen from {_parent(delegation)}"
            found.append(warning("delegation", _at(server), says, remedy))
    return found


def _glue(zone: ZoneFacts, delegation: Delegation) -> list[Finding]:
    found = []
    for name, given in sorted(delegation.glue.items()):
        for server in zone.servers:
            own = [server.sets.get((name, type)) for type in ("A", "AAAA")]
            held = frozenset(value for rrset in own if rrset is not None for value in rrset.values)
            if held and held != given:
                says = f"it says {_list(held)}, the parent's glue says {_list(given)} ({_at(server)})"
                found.append(warning("delegation", name, says, "change the glue at the registrar"))
                break
    return found


# ---------------------------------------------------------------------------------------------- hosts and servers


def _delegated(delegation: Delegation | None) -> dict[str, str]:
    """Place → name, of every name server that the world asks; empty where that could not be read."""
    names = delegation.name_servers if delegation is not None else {}
    return {place: name for name, places in names.items() for place in places}


def _hosts(zone: ZoneFacts, hosts: Iterable[HostFacts]) -> list[Finding]:
    """The servers that the world asks are those that failover changes."""
    delegated, known = _delegated(zone.delegation), [host for host in hosts if host.problem is None]
    if not delegated or not known:
        return []
    asked = [host for host in known if delegated.keys() & set(host.servers)]
    tell = warning if asked else fatal
    found = [
        tell(
            "hosts", host.name, f"the world does not ask it for {zone.zone}", "enter its name servers at the registrar"
        )
        for host in known
        if host not in asked
    ]
    ours = {place for host in known for place in host.servers}
    for place, name in delegated.items():
        if place not in ours:
            says = f"no host of the config answers for it: it may keep the old addresses ({zone.zone})"
            remedy = "name it in `servers` of the host that feeds it, or take it out at the registrar"
            found.append(warning("hosts", f"{name} ({place})", says, remedy))
    return found or [fine("hosts", zone.zone, f"the world asks {_list(host.name for host in asked)}, and no others")]


def _servers(zone: ZoneFacts) -> list[Finding]:
    here = [server for server in zone.servers if server.routed]
    found = [finding for server in here for finding in _server(server)]
    if here and not any(server.answers for server in here):
        says = "no name server answers for it"
        found.append(fatal("servers", zone.zone, says, "mend them; look at the delegation and at our own network"))
    elif not found:
        found.append(fine("servers", zone.zone, f"{len(here)} name servers answer with authority, by UDP and TCP"))
    away = [server.server for server in zone.servers if not server.routed]
    if away:
        found.append(note("servers", zone.zone, f"no way from this machine to {_list(away)}: not asked"))
    delegated = _delegated(zone.delegation)
    if delegated and not any(place.startswith("[") for place in delegated):
        says = "no name server has an IPv6 address"
        found.append(note("servers", zone.zone, says, "resolvers with IPv6 only cannot ask; most DNS hosts offer both"))
    return found


def _server(server: ServerFacts) -> list[Finding]:
    if server.udp is not None and server.tcp is not None:
        return [warning("servers", _at(server), f"does not answer: {server.udp}", "mend it, or take it out")]
    if server.lame is not None:
        remedy = "make it serve the zone, or take it out of the NS set"
        return [warning("servers", _at(server), f"is lame: {server.lame}", remedy)]
    return [
        warning("servers", _at(server), f"does not answer by {how}: {why}", f"open port 53 for {how}")
        for how, why in (("UDP", server.udp), ("TCP", server.tcp))
        if why is not None
    ]


# ---------------------------------------------------------------------------------------------- timers


def _timers(zone: ZoneFacts, hosts: Iterable[HostFacts]) -> list[Finding]:
    soas = {server.server: server.soa for server in zone.servers if server.soa is not None}
    if not soas:
        return []
    found = []
    for host in hosts:
        serials = {place: soas[place].serial for place in host.servers if place in soas}
        if len(set(serials.values())) > 1:
            told = ", ".join(f"{place} {serial}" for place, serial in serials.items())
            remedy = "wait for the transfer; else look at NOTIFY and allow-transfer"
            found.append(
                warning("timers", host.name, f"its servers hold different versions of the zone: {told}", remedy)
            )
    timers = {(s.refresh_s, s.retry_s, s.expire_s, s.negative_s) for s in soas.values()}
    if len(timers) > 1:
        says = "SOA timers differ between servers: " + "; ".join(f"{p} {_shown(s)}" for p, s in soas.items())
        found.append(warning("timers", zone.zone, says, "make them the same at every host"))
    found += _soa(zone.zone, next(iter(soas.values())))
    return found or [fine("timers", zone.zone, _shown(next(iter(soas.values()))))]


def _shown(soa: Soa) -> str:
    return f"refresh {soa.refresh_s}, retry {soa.retry_s}, expire {soa.expire_s}, negative {soa.negative_s}"


def _soa(zone: str, soa: Soa) -> list[Finding]:
    found = []
    if soa.negative_s > NEGATIVE_S_MAX:
        says = f"that a name is not there is remembered for {soa.negative_s} s"
        remedy = f"set the last field of the SOA record to {NEGATIVE_S_MIN}–{NEGATIVE_S_MAX}"
        found.append(warning("timers", zone, says, remedy))
    elif soa.negative_s < NEGATIVE_S_MIN:
        found.append(note("timers", zone, f"negative answers are kept for {soa.negative_s} s only: more questions"))
    if soa.expire_s < EXPIRE_S_MIN:
        says = f"secondaries drop the zone {span(soa.expire_s)} after their primary is gone"
        found.append(warning("timers", zone, says, "set expire to two weeks or more (RFC 1912, section 2.2)"))
    if soa.retry_s >= soa.refresh_s:
        says = f"retry ({soa.retry_s} s) is not shorter than refresh ({soa.refresh_s} s)"
        found.append(warning("timers", zone, says, "a fraction of refresh"))
    return found


def _at(server: ServerFacts) -> str:
    return f"{server.server} ({server.zone})"


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
