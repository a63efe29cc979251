"""Names behind a DNS host's own edge: what the host's API says of them, and which site answers through the edge."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial

from failover.core.budget import STARTS_PER_S
from failover.core.cutover import CutoverPlan, PlanKind
from failover.core.edge import behind, late, objections, targets
from failover.core.facts import ServerAnswer
from failover.core.model import Edge, HostReading, Sample, Target
from failover.core.rrsets import RRset, normal_name, read_epoch, same_values
from failover.engine.context import Context
from failover.engine.outcome import MARGIN_S, problem_of
from failover.engine.planning import still_ours
from failover.engine.publish import fence_of, read_hosts
from failover.engine.rounds import ask_targets, unasked
from failover.errors import AdapterError, Unreachable
from failover.ports import Call

FAMILIES = ("A", "AAAA")
"""What name servers answer for a name behind an edge, whatever type its record has."""
DELEGATION_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """What a host's API says now. `late` is "" when it holds the plan."""

    names: frozenset[str]
    """Of the plan's names those that stand behind its edge, and can be asked for there."""
    late: str = ""


def hidden(context: Context, plan: CutoverPlan, rrsets: Sequence[RRset], hosts: Sequence[str]) -> dict[str, Hidden]:
    """Of those of the hosts that have an edge. A host that cannot be read hides what the config says."""
    edges = context.service.edges
    readings = read_hosts(context, [host for host in hosts if host in edges])
    return {host: _hidden(context, plan, rrsets, edges[host], reading) for host, reading in readings.items()}


def _hidden(context: Context, plan: CutoverPlan, rrsets: Sequence[RRset], edge: Edge, reading: HostReading) -> Hidden:
    if reading.problem is not None:
        return Hidden(names=edge.names & {r.name for r in rrsets}, late=reading.problem)
    names = behind(edge, reading.rrsets)
    wanted = None if plan.kind is PlanKind.WITHDRAW else fence_of(plan)
    epochs = {read_epoch(reading.rrsets, context.service.name, zone) for zone in context.service.zones}
    ours = [r for r in reading.rrsets if r.type != "TXT"]
    if not same_values(ours, still_ours(context.service, tuple(rrsets))):
        return Hidden(names=names, late=f"it holds {'; '.join(str(r) for r in ours) or 'nothing'}")
    if epochs != {wanted}:
        return Hidden(names=names, late="it does not hold the epoch")
    return Hidden(names=names)


def through(context: Context, plan: CutoverPlan, host: str, places: Mapping[str, Set[str]]) -> list[ServerAnswer]:
    """Ask for each name at each address that name servers give for it (`places`), whether the plan's site answers.

    What a withdrawal puts back is somebody else's, and need not say who it is: there nobody is asked.
    """
    if plan.kind is PlanKind.WITHDRAW or not any(places.values()):
        return []
    asked = targets(context.service.edges[host], places, plan.target, context.runtime.token())
    port = context.service.edges[host].check.port
    return [
        ServerAnswer(host=host, server=f"the edge of {host}", address=f"edge {_place(address, port)}", late=why)
        for address, why in late(asked, _ask(context, asked)).items()
    ]


def _place(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _ask(context: Context, asked: tuple[Target, ...]) -> tuple[Sample, ...]:
    """A sample for each; what could not be asked is unknown."""
    deadline_s = max((t.check.timeout_s for t in asked), default=0.0) + len(asked) / STARTS_PER_S + MARGIN_S
    call = Call(
        what="ask through the edge",
        do=partial(ask_targets, context, asked, deadline_s),
        deadline_s=deadline_s + MARGIN_S,
    )
    (done,) = context.runtime.together([call])
    if isinstance(done.value, tuple):
        return done.value
    return unasked(asked, problem_of(done) or "", context.runtime.now())


# ------------------------------------------------------------------------------------ before anything is changed


def against(context: Context, readings: Mapping[str, HostReading]) -> tuple[str, ...]:
    """Why the service's names cannot be published as they stand behind an edge, with what to do; () when they can.

    Names behind an edge need zones that no other vendor answers for, also none that only the parent knows of.
    """
    service, delegation = context.service, context.delegation
    strangers: dict[str, tuple[str, ...]] = {}
    problems: list[str] = []
    known = [readings[host] for host in service.edges if host in readings and readings[host].traits is not None]
    for reading in known if delegation is not None else ():
        calls = [
            Call(
                what=f"find the delegation of {zone}",
                do=partial(_others, context, reading, zone),
                deadline_s=DELEGATION_S,
            )
            for zone in service.zones
        ]
        for zone, done in zip(service.zones, context.runtime.together(calls), strict=True):
            why = problem_of(done)
            if isinstance(done.value, tuple) and done.value:
                strangers[zone] = done.value
            elif why is not None:
                todo = "let this machine look names up and ask name servers (port 53), or set dns.roots"
                problems.append(f"whether others answer for {zone} too, where names are proxied: {why} ({todo})")
    return (*objections(service, readings.values(), strangers), *problems)


def _others(context: Context, reading: HostReading, zone: str) -> tuple[str, ...]:
    """The name servers that the parent names and that are not the host's. Raises AdapterError, also where they may be
    the host's under other names, for an address of its own cannot be found."""
    if context.delegation is None or reading.traits is None:
        return ()
    servers = reading.traits.servers_of(zone)
    ours = {normal_name(server.rpartition(":")[0].strip("[]")) for server in servers}
    places, unfound = _places(context, servers)
    named = context.delegation(zone).name_servers
    others = tuple(n for n, there in named.items() if normal_name(n) not in ours and not places & set(there))
    if others and unfound:
        cause = f"it may be one of {reading.host}, of which an address cannot be found: {'; '.join(unfound)}"
        raise Unreachable("tell whose name server it is", ", ".join(others), cause)
    return others


def _places(context: Context, servers: Sequence[str]) -> tuple[set[str], list[str]]:
    """Every `address:port` of these servers, and why those of some cannot be found."""
    places: set[str] = set()
    unfound: list[str] = []
    for server in servers:
        try:
            places.update(context.authority.addresses(server))
        except AdapterError as error:
            unfound.append(str(error))
    return places, unfound
