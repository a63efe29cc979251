"""Whether a plan is served: every authoritative server is asked by its own address, and the resolvers of the config.

For names behind a host's own edge servers answer the edge's addresses. There the host's API is asked what it holds, the
servers for the epoch, and the edge for the site itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from failover.core.cutover import CutoverPlan, PlanKind, in_zone
from failover.core.facts import ServerAnswer
from failover.core.rrsets import Epoch, RRset, epoch_set
from failover.engine.context import Context
from failover.engine.edge import FAMILIES, Hidden, hidden, through
from failover.engine.outcome import MARGIN_S, problem_of
from failover.engine.publish import fence_of
from failover.errors import AdapterError, Unreadable
from failover.ports import Call, Done

Wanted = Mapping[tuple[str, str], frozenset[str]]
"""By (name, type) the values that shall be answered; none: no epoch, whatever a wildcard may say in its place."""
RECALLED_MAX = 8
"""So many records are asked of each resolver: enough to see a change, too few to be a nuisance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was found out about a plan. `edges`: by name that stands behind an edge the edge's addresses."""

    answers: tuple[ServerAnswer, ...]
    edges: Mapping[str, frozenset[str]]


def prove(context: Context, plan: CutoverPlan, rrsets: Sequence[RRset], hosts: Sequence[str]) -> Proof:
    """Ask every authoritative server of these hosts, in each address family that we have a way to, by UDP and by TCP,
    for every record and the epoch of its zones; and what stands behind an edge, through it. A host whose servers are
    not known is one answer under its own name."""
    behind = hidden(context, plan, rrsets, hosts)
    servers = _servers(context, wanted_of(context, plan, rrsets), behind, hosts)
    found = [ServerAnswer(host=h, server=h, address=f"the API of {h}", late=said.late) for h, said in behind.items()]
    found += [ServerAnswer(host=h, server=h, address=h, late=why) for h, why in servers.items() if isinstance(why, str)]
    places: dict[str, dict[str, set[str]]] = {h: {name: set() for name in said.names} for h, said in behind.items()}
    known = [server for there in servers.values() if not isinstance(there, str) for server in there]
    for server, tcp, done in _asked(context, known):
        late, stale = _late(server, done)
        by = _by(server.address, tcp=tcp) if late else ""
        found.append(
            ServerAnswer(host=server.host, server=server.name, address=server.address, late=f"{late}{by}", stale=stale)
        )
        for name, address in _edge_addresses(server, done):
            places[server.host][name].add(address)
    found += [answer for host, there in places.items() for answer in through(context, plan, host, there)]
    edges = {name: frozenset(there) for at in places.values() for name, there in at.items()}
    return Proof(answers=tuple(found), edges=edges)


def _by(address: str, *, tcp: bool) -> str:
    """The way on which a server was asked, where it is not the plain one."""
    return f"{' over IPv6' if address.startswith('[') else ''}{' by TCP' if tcp else ''}"


def _asked(context: Context, servers: Sequence["_Server"]) -> Iterator[tuple["_Server", bool, Done]]:
    """Each server by UDP and by TCP, all at the same time."""
    ways = [(server, tcp) for server in servers for tcp in (False, True)]
    calls = [
        Call(
            what=f"ask {server.address} by {'TCP' if tcp else 'UDP'}",
            do=partial(_ask, context, server, tcp=tcp),
            deadline_s=context.service.call_s + MARGIN_S,
        )
        for server, tcp in ways
    ]
    for (server, tcp), done in zip(ways, context.runtime.together(calls), strict=True):
        yield server, tcp, done


def _ask(context: Context, server: "_Server", *, tcp: bool) -> tuple[RRset | None, ...]:
    """An answer to each of its questions, in their order. Raises AdapterError."""
    answers = context.authority.ask_all(server.address, server.questions, tcp=tcp)
    if len(answers) != len(server.questions):
        raise Unreadable("ask", server.address, f"{len(answers)} answers to {len(server.questions)} questions")
    return answers


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    """One address of an authoritative server, and what it shall answer."""

    host: str
    name: str
    address: str
    wanted: Wanted
    hidden: frozenset[str] = frozenset()
    """Names of which it knows the edge's addresses only."""

    @property
    def questions(self) -> tuple[tuple[str, str], ...]:
        return (*self.wanted, *((name, type) for name in sorted(self.hidden) for type in FAMILIES))


def _late(server: _Server, done: Done) -> tuple[str, bool]:
    """What the server says instead of the plan ("" when it serves it), and whether that is an answer at all."""
    if not isinstance(done.value, tuple):
        return problem_of(done) or "no answer", False
    answers = dict(zip(server.questions, done.value, strict=True))
    for (name, type), values in server.wanted.items():
        answer = answers[name, type]
        there = answer.values if isinstance(answer, RRset) else frozenset()
        good = there == values and answer.key == (name, type) if values else not any(map(_is_epoch, there))
        if not good:
            says = ", ".join(sorted(there)) or "nothing"
            return f"it answers {says} for {name} {type}", True
    for name in sorted(server.hidden - {name for name, _ in _edge_addresses(server, done)}):
        return f"it answers no address for {name}, which is proxied", False
    return "", False


def _is_epoch(text: str) -> bool:
    try:
        Epoch.parse(text)
    except ValueError:
        return False
    return True


def _edge_addresses(server: _Server, done: Done) -> Iterator[tuple[str, str]]:
    """What it answers for the names that are hidden from it."""
    for (name, type), answer in zip(server.questions, done.value, strict=True) if isinstance(done.value, tuple) else ():
        if name in server.hidden and isinstance(answer, RRset) and answer.key == (name, type):
            for address in sorted(answer.values):
                yield name, address


def wanted_of(context: Context, plan: CutoverPlan, rrsets: Sequence[RRset]) -> Mapping[str, Wanted]:
    """By zone what its servers shall answer."""
    service = context.service
    found: dict[str, Wanted] = {}
    for zone in service.zones:
        fence = epoch_set(service.name, zone, fence_of(plan))
        epoch = frozenset[str]() if plan.kind is PlanKind.WITHDRAW else fence.values
        found[zone] = {**{r.key: r.values for r in in_zone(service, rrsets, zone)}, fence.key: epoch}
    return found


def _servers(
    context: Context, wanted: Mapping[str, Wanted], behind: Mapping[str, Hidden], hosts: Sequence[str]
) -> dict[str, tuple[_Server, ...] | str]:
    """By host its authoritative servers, or why they are not known."""
    calls = [
        Call(
            what=f"servers of {h}",
            do=partial(_servers_of, context, wanted, h, behind[h].names if h in behind else frozenset()),
            deadline_s=context.service.call_s + MARGIN_S,
        )
        for h in hosts
    ]
    found: dict[str, tuple[_Server, ...] | str] = {}
    for host, done in zip(hosts, context.runtime.together(calls), strict=True):
        servers = done.value if isinstance(done.value, tuple) else ()
        found[host] = servers or problem_of(done) or "it names no server"
    return found


def _servers_of(
    context: Context, wanted: Mapping[str, Wanted], host: str, hidden: frozenset[str]
) -> tuple[_Server, ...]:
    """A server whose name cannot be resolved stays in the list by its name, and will not answer."""
    traits = context.hosts[host].traits()
    theirs: dict[str, dict[tuple[str, str], frozenset[str]]] = {}
    for zone, sets in wanted.items():
        for name in traits.servers_of(zone):
            theirs.setdefault(name, {}).update(sets)
    found: list[_Server] = []
    for name, sets in theirs.items():
        try:
            addresses = context.authority.addresses(name)
        except AdapterError:
            addresses = (name,)
        shown = {key: values for key, values in sets.items() if key[0] not in hidden}
        behind = frozenset(key[0] for key in sets if key[0] in hidden)
        found += [_Server(host=host, name=name, address=a, wanted=shown, hidden=behind) for a in addresses]
    return tuple(found)


def unseen(context: Context, rrsets: Sequence[RRset], edges: Mapping[str, frozenset[str]]) -> dict[str, str]:
    """By caching resolver what it answers instead of these sets; {} when all see them, or none is configured.

    Records only: an epoch that a cache holds for a while misleads nobody. Of a name behind an edge (`edges`) it must
    know some address of the edge: which ones may change at any time.
    """
    asked = [(resolver, rrset) for resolver in context.service.resolvers for rrset in rrsets[:RECALLED_MAX]]
    calls = [
        Call(
            what=f"ask resolver {resolver}",
            do=partial(context.authority.recall, resolver, rrset.name, rrset.type),
            deadline_s=context.service.call_s + MARGIN_S,
        )
        for resolver, rrset in asked
    ]
    late: dict[str, str] = {}
    for (resolver, rrset), done in zip(asked, context.runtime.together(calls), strict=True):
        answer, problem = done.value, problem_of(done)
        there = answer.values if isinstance(answer, RRset) and answer.key == rrset.key else frozenset()
        if problem is not None:
            late.setdefault(resolver, problem)
        elif there != rrset.values and not (there & edges.get(rrset.name, frozenset())):
            says = ", ".join(sorted(answer.values)) if isinstance(answer, RRset) else "nothing"
            late.setdefault(resolver, f"it answers {says} for {rrset.name} {rrset.type}")
    return late
