"""One plan's change of DNS at the hosts: write it with the fence, ask the servers whether they serve it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from failover.core.cutover import CutoverPlan, PlanKind, in_zone
from failover.core.model import HostReading
from failover.core.rrsets import Changes, Epoch, RRset, by_key, difference, epoch_name, epoch_set, read_epoch
from failover.engine.context import Context
from failover.engine.observe import read_host
from failover.engine.outcome import MARGIN_S, problem_of
from failover.errors import AdapterError, Conflict, TimedOut
from failover.ports import Call, Done, HostTraits


class HostState(StrEnum):
    DONE = "done"
    PENDING = "pending"
    """Not yet; may be tried again."""
    UNKNOWN = "unknown"
    """The call hung: the host may hold the change. It may be tried again."""
    OVERTAKEN = "overtaken"
    """It holds a newer epoch than this plan's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostResult:
    host: str
    state: HostState
    reason: str = ""


def fence_of(plan: CutoverPlan) -> Epoch:
    return Epoch(number=plan.epoch, site=plan.target, plan=plan.digest)


def read_hosts(context: Context, names: Sequence[str]) -> dict[str, HostReading]:
    """What each of these hosts holds now; a host that cannot be read carries its problem."""
    deadline_s = context.service.call_s
    calls = [
        Call(what=f"read {name}", do=partial(read_host, context, name), deadline_s=deadline_s + MARGIN_S)
        for name in names
    ]
    found = {}
    for name, done in zip(names, context.runtime.together(calls), strict=True):
        value = done.value
        found[name] = value if isinstance(value, HostReading) else HostReading(host=name, problem=problem_of(done))
    return found


def swap_everywhere(context: Context, plan: CutoverPlan, rrsets: Sequence[RRset]) -> tuple[HostResult, ...]:
    """Bring the change to every host of the plan, the best fenced ones first, hosts of one grade in parallel.

    Lower grades follow once a better host holds the plan, or when every better one has failed.
    """
    readings = read_hosts(context, plan.hosts)
    grades = sorted({readings[name].grade for name in plan.hosts})
    results: dict[str, HostResult] = {}
    for grade in grades:
        if any(r.state is HostState.OVERTAKEN for r in results.values()):
            break
        names = [n for n in plan.hosts if readings[n].grade == grade]
        results |= _swap_some(context, plan, rrsets, names, readings)
    left = HostState.PENDING
    return tuple(results.get(n, HostResult(host=n, state=left, reason="waits for its turn")) for n in plan.hosts)


def _swap_some(
    context: Context,
    plan: CutoverPlan,
    rrsets: Sequence[RRset],
    names: Sequence[str],
    readings: dict[str, HostReading],
) -> dict[str, HostResult]:
    results = {n: _unreadable(readings[n]) for n in names if readings[n].problem is not None}
    able = [n for n in names if n not in results]
    calls = [
        Call(
            what=f"change {name}",
            do=partial(_swap_host, context, plan, rrsets, readings[name]),
            deadline_s=context.service.call_s + MARGIN_S,
        )
        for name in able
    ]
    for name, done in zip(able, context.runtime.together(calls), strict=True):
        results[name] = _result(name, done)
    return results


def _unreadable(reading: HostReading) -> HostResult:
    return HostResult(host=reading.host, state=HostState.PENDING, reason=reading.problem or "")


def _result(name: str, done: Done) -> HostResult:
    if isinstance(done.value, HostResult):
        return done.value
    if done.error is not None and not isinstance(done.error, AdapterError):
        raise done.error
    unknown = done.unknown or isinstance(done.error, TimedOut)
    reason = problem_of(done) or ""
    return HostResult(host=name, state=HostState.UNKNOWN if unknown else HostState.PENDING, reason=reason)


def _swap_host(context: Context, plan: CutoverPlan, rrsets: Sequence[RRset], reading: HostReading) -> HostResult:
    """All zones at one host. A zone that holds the plan's epoch already is left alone."""
    for zone in context.service.zones:
        overtaken = _swap_zone(context, plan, rrsets, reading, zone)
        if overtaken is not None:
            return HostResult(host=reading.host, state=HostState.OVERTAKEN, reason=overtaken)
    return HostResult(host=reading.host, state=HostState.DONE)


def _swap_zone(
    context: Context, plan: CutoverPlan, rrsets: Sequence[RRset], reading: HostReading, zone: str
) -> str | None:
    """Returns why this plan comes too late, or None when the zone holds it now."""
    service = context.service
    fence = fence_of(plan)
    stands = read_epoch(reading.rrsets, service.name, zone)
    name = epoch_name(service.name, zone)
    if stands == fence or (stands is None and plan.kind is PlanKind.WITHDRAW):
        return None
    if stands is not None and stands.number >= fence.number:
        return f"{reading.host} holds epoch {stands.number} (site {stands.site})"
    withdraw = plan.kind is PlanKind.WITHDRAW
    wanted, here = in_zone(service, rrsets, zone), in_zone(service, reading.rrsets, zone)
    changes = Changes(put=wanted, remove=difference(wanted, here, [r.key for r in here]).remove)
    expect = by_key(reading.rrsets).get((name, "TXT"))
    new = None if withdraw else epoch_set(service.name, zone, fence)
    try:
        context.hosts[reading.host].apply(zone, changes, expect=expect, fence=new)
    except Conflict as error:
        raise Conflict("change", f"{zone} at {reading.host}", "its epoch changed meanwhile; looking again") from error
    return None


# ---------------------------------------------------------------------------------------------- verification


def unserved(context: Context, plan: CutoverPlan, rrsets: Sequence[RRset], hosts: Sequence[str]) -> dict[str, str]:
    """Ask every authoritative server of these hosts for every record and the epoch.

    Returns by server (`address:port`) what it still answers instead; {} when all serve the plan.
    """
    late: dict[str, str] = {}
    asked: list[tuple[str, tuple[str, str, frozenset[str]]]] = []
    for host in hosts:
        try:
            traits = traits_of(context, host)
        except AdapterError as error:
            late[host] = str(error)
            continue
        for zone in context.service.zones:
            wanted = _wanted(context, plan, rrsets, zone)
            asked += [(server, each) for server in traits.servers_of(zone) for each in wanted]
    calls = [
        Call(
            what=f"ask {server} for {name} {kind}",
            do=partial(context.authority.ask, server, name, kind),
            deadline_s=context.service.call_s + MARGIN_S,
        )
        for server, (name, kind, _) in asked
    ]
    for (server, (name, kind, values)), done in zip(asked, context.runtime.together(calls), strict=True):
        problem = problem_of(done)
        answer = done.value.values if isinstance(done.value, RRset) else frozenset()
        if problem is not None:
            late.setdefault(server, problem)
        elif answer != values:
            says = ", ".join(sorted(answer)) or "nothing"
            late.setdefault(server, f"it answers {says} for {name} {kind}")
    return late


def _wanted(
    context: Context, plan: CutoverPlan, rrsets: Sequence[RRset], zone: str
) -> list[tuple[str, str, frozenset[str]]]:
    service = context.service
    ours = {r.name for r in service.records if r.zone == zone}
    fence = epoch_set(service.name, zone, fence_of(plan))
    values = frozenset() if plan.kind is PlanKind.WITHDRAW else fence.values
    return [*((r.name, r.type, r.values) for r in rrsets if r.name in ours), (fence.name, "TXT", values)]


def traits_of(context: Context, host: str) -> HostTraits:
    """Raises AdapterError."""
    what = f"servers of {host}"
    return context.runtime.call(what, context.hosts[host].traits, deadline_s=context.service.call_s)


def servers_of(context: Context, host: str) -> tuple[str, ...]:
    """The authoritative servers of a host. Raises AdapterError."""
    return traits_of(context, host).servers
