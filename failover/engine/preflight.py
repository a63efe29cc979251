"""Asks everything that `core.preflight` judges, in parallel and to deadlines. Changes nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from failover.core.operators import operator_of
from failover.core.preflight_content import beside_asked, keys_of, names_asked
from failover.core.survey import Chain, Delegation, DnsFacts, HostFacts, MadeUp, Registration, ServerFacts, ZoneFacts
from failover.engine.context import Context
from failover.engine.outcome import problem_of
from failover.ports import Call, Dns, Done, Registry, Survey

ABOVE_S = 20.0
"""For hosts, parents and registries, all at once."""
SERVER_S = 10.0
CHAIN_S = 15.0

_FAMILIES = ("A", "AAAA")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Who is asked besides the hosts.

    `in_tree`: whether the world knows these zones; those of the local cloud it does not. `registry`: None where no
    registry is to be asked.
    """

    survey: Survey
    in_tree: bool = True
    registry: Registry | None = None


def examine(context: Context, outside: Outside, *, kinds: Mapping[str, str], guarded: Mapping[str, str]) -> DnsFacts:
    """`kinds`: of each DNS host. `guarded`: kind of provider → the site that it hosts. Never raises for an answer.

    Four rounds, each to its own deadline: above the zones and what the hosts make up, whose networks the name servers
    stand in, what they answer, where CNAMEs lead.
    """
    names, hosts = context.service.zones, [(name, kind) for name, kind in kinds.items()]
    calls = {("host", name): _host_call(context.hosts[name], outside.survey, name) for name, _ in hosts}
    calls |= {("made up", name): _made_up_call(context, name) for name, _ in hosts}
    for zone in names:
        calls |= {(what, zone): call for what, call in _above(context, outside, zone)}
    done = _together(context, calls)
    found = tuple(_host_facts(name, kind, done["host", name], done["made up", name]) for name, kind in hosts)
    zones = [_zone(zone, done.get(("delegation", zone)), done.get(("registration", zone))) for zone in names]
    owners = _owners(context, outside.registry, zones)
    zones = _with_chains(context, outside, _with_servers(context, outside.survey, zones, found))
    return DnsFacts(zones=tuple(zones), hosts=found, guarded=guarded, owners=owners)


def _together(context: Context, calls: Mapping[tuple[str, str], Call]) -> dict[tuple[str, str], Done]:
    return dict(zip(calls, context.runtime.together(list(calls.values())), strict=True))


# ---------------------------------------------------------------------------------------------- above the zones


def _host_call(host: Dns, survey: Survey, name: str) -> Call:
    def servers() -> tuple[str, ...]:
        return tuple(place for server in host.traits().servers for place in survey.places(server))

    return Call(what=f"find the name servers of {name}", do=servers, deadline_s=ABOVE_S)


def _made_up_call(context: Context, name: str) -> Call:
    def made_up() -> tuple[MadeUp, ...]:
        asked = ((zone, names_asked(context.service, zone)) for zone in context.service.zones)
        return tuple(odd for zone, names in asked for odd in context.hosts[name].made_up(zone, names))

    return Call(what=f"look for aliases at {name}", do=made_up, deadline_s=ABOVE_S)


def _host_facts(name: str, kind: str, done: Done, looked: Done) -> HostFacts:
    servers = tuple(map(str, done.value)) if isinstance(done.value, tuple) else ()
    made_up = tuple(odd for odd in looked.value if isinstance(odd, MadeUp)) if isinstance(looked.value, tuple) else ()
    unlooked = problem_of(looked)
    return HostFacts(
        name=name, kind=kind, servers=servers, problem=problem_of(done), made_up=made_up, unlooked=unlooked
    )


def _above(context: Context, outside: Outside, zone: str) -> Iterable[tuple[str, Call]]:
    if outside.in_tree:
        ask = partial(outside.survey.delegation, zone)
        yield "delegation", Call(what=f"find the delegation of {zone}", do=ask, deadline_s=ABOVE_S)
    if outside.registry is not None:
        look = partial(outside.registry.registration, zone, now_utc_s=context.runtime.now().utc_s)
        yield "registration", Call(what=f"ask the registry of {zone}", do=look, deadline_s=ABOVE_S)


def _zone(zone: str, delegation: Done | None, registration: Done | None) -> ZoneFacts:
    """What was not answered is a fact with its problem; what was not asked is None."""
    facts = ZoneFacts(zone=zone)
    if delegation is not None:
        told = delegation.value
        given = told if isinstance(told, Delegation) else Delegation(zone=zone, problem=problem_of(delegation))
        facts = replace(facts, delegation=given)
    if registration is not None:
        said = registration.value
        known = said if isinstance(said, Registration) else Registration(domain=zone, problem=problem_of(registration))
        facts = replace(facts, registration=known)
    return facts


def _owners(context: Context, registry: Registry | None, zones: Iterable[ZoneFacts]) -> dict[str, str]:
    """Whose networks those name servers stand in whose names tell nothing."""
    delegations = [zone.delegation for zone in zones if zone.delegation is not None]
    unknown = [places for d in delegations for name, places in d.name_servers.items() if operator_of(name) is None]
    if registry is None:
        return {}
    calls = {
        ("owner", place): Call(
            what=f"ask whose {place} is", do=partial(registry.owner, _address(place)), deadline_s=ABOVE_S
        )
        for places in unknown
        for place in places
    }
    return {key[1]: done.value for key, done in _together(context, calls).items() if isinstance(done.value, str)}


def _address(place: str) -> str:
    """`[2001:db8::1]:53` → `2001:db8::1`."""
    return place.rpartition(":")[0].strip("[]")


# ---------------------------------------------------------------------------------------------- servers and aliases


def _with_servers(
    context: Context, survey: Survey, zones: Iterable[ZoneFacts], hosts: Iterable[HostFacts]
) -> list[ZoneFacts]:
    """Every server that is delegated to or belongs to a host, each once for each zone."""
    now_utc_s = context.runtime.now().utc_s
    ours = [place for host in hosts for place in host.servers]
    calls: dict[tuple[str, str], Call] = {}
    zones = list(zones)
    for zone in zones:
        ours_here = keys_of(context.service, zone.zone)
        # A server may refuse to answer a circle, but not for CNAME.
        aliases = [(name, "CNAME") for name in names_asked(context.service, zone.zone)]
        beside = beside_asked(context.service, zone.zone)
        names = [*ours_here, *aliases, *beside, *_own_names(zone)]
        for place in (*_places(zone), *ours):
            ask = partial(survey.server, place, zone.zone, names, now_utc_s=now_utc_s)
            calls[zone.zone, place] = Call(what=f"ask {place}", do=ask, deadline_s=SERVER_S)
    done = _together(context, calls)
    return [
        replace(zone, servers=tuple(_server(key, answer) for key, answer in done.items() if key[0] == zone.zone))
        for zone in zones
    ]


def _places(zone: ZoneFacts) -> Iterable[str]:
    names = zone.delegation.name_servers if zone.delegation is not None else {}
    return (place for places in names.values() for place in places)


def _own_names(zone: ZoneFacts) -> Iterable[tuple[str, str]]:
    """Name servers in the zone itself: their addresses must be those of the glue."""
    glue = zone.delegation.glue if zone.delegation is not None else {}
    return ((name, type) for name in glue for type in _FAMILIES)


def _server(key: tuple[str, str], done: Done) -> ServerFacts:
    if isinstance(done.value, ServerFacts):
        return done.value
    problem = problem_of(done)
    return ServerFacts(zone=key[0], server=key[1], udp=problem, tcp=problem)


def _with_chains(context: Context, outside: Outside, zones: Iterable[ZoneFacts]) -> list[ZoneFacts]:
    """Follows our names that are CNAMEs, where the world knows them."""
    zones = list(zones)
    calls = {
        (zone.zone, name): Call(what=f"follow {name}", do=partial(outside.survey.chain, name), deadline_s=CHAIN_S)
        for zone in zones
        if outside.in_tree
        for name in _aliases(context, zone)
    }
    done = _together(context, calls)
    return [
        replace(zone, chains=tuple(_chain(key[1], answer) for key, answer in done.items() if key[0] == zone.zone))
        for zone in zones
    ]


def _aliases(context: Context, zone: ZoneFacts) -> list[str]:
    ours = {name for name, _ in keys_of(context.service, zone.zone)}
    sets = (rrset for server in zone.servers for rrset in server.sets.values())
    return sorted({r.name for r in sets if r is not None and r.type == "CNAME" and r.name in ours})


def _chain(name: str, done: Done) -> Chain:
    return done.value if isinstance(done.value, Chain) else Chain(name=name, problem=problem_of(done))
