"""One plan's change of DNS at the hosts, written with the fence, in the order that the fence needs."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from failover.core.cutover import CutoverPlan, PlanKind, in_zone
from failover.core.hosting import held, held_back, turns
from failover.core.model import HostReading
from failover.core.rrsets import Changes, Epoch, RRset, by_key, difference, epoch_name, epoch_set, read_epoch
from failover.engine.context import Context
from failover.engine.observe import read_host, reading_of
from failover.engine.outcome import MARGIN_S, problem_of
from failover.errors import AdapterError, Conflict, Rejected, TimedOut
from failover.ports import Call, Done


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


def read_hosts(context: Context, names: Sequence[str], rrsets: Sequence[RRset] = ()) -> dict[str, HostReading]:
    """What each of these hosts holds now; a host that cannot be read carries its problem.

    `rrsets`: what is to be put there, which says whether it fits into one transaction.
    """
    deadline_s = context.service.call_s
    calls = [
        Call(what=f"read {name}", do=partial(read_host, context, name, rrsets), deadline_s=deadline_s + MARGIN_S)
        for name in names
    ]
    done = context.runtime.together(calls)
    return {n: reading_of(context.service, n, answer) for n, answer in zip(names, done, strict=True)}


def swap_everywhere(
    context: Context,
    plan: CutoverPlan,
    rrsets: Sequence[RRset],
    *,
    patience_over: bool = False,
    prove: Callable[[str], object] = lambda _: None,
) -> tuple[HostResult, ...]:
    """Bring the change to every host of the plan, the best fenced ones first, hosts of one grade in parallel.

    Lower grades follow as `core.hosting.held_back` says. When none of the best has accepted it, `prove` is called
    before, with a sentence for the audit log; it raises when this run does not hold the lease any more. A plan that
    comes too late for one host touches none.
    """
    readings = read_hosts(context, plan.hosts, rrsets)
    results = {
        n: HostResult(host=n, state=HostState.OVERTAKEN, reason=why) for n, why in _newer(context, plan, readings)
    }
    order = turns(readings) if not results else []
    for names in order:
        leaders = [readings[n] for n in order[0]]
        if names != order[0]:
            done = {n for n, r in results.items() if r.state is HostState.DONE}
            wait = held_back(leaders, done, patience_over=patience_over, forced=plan.forced)
            if wait is not None:
                results |= {n: HostResult(host=n, state=HostState.PENDING, reason=wait) for n in names}
                break
            if not done:
                prove(f"none of {', '.join(order[0])} took {plan.id}; changing {', '.join(names)} all the same")
        results |= _swap_some(context, plan, rrsets, names, readings)
        if any(r.state is HostState.OVERTAKEN for r in results.values()):
            break
    why = _left_alone(results.values())
    return tuple(results.get(n, HostResult(host=n, state=HostState.PENDING, reason=why)) for n in plan.hosts)


def _left_alone(results: Iterable[HostResult]) -> str:
    """Why the hosts that have no result were not touched."""
    newer = "; ".join(r.reason for r in results if r.state is HostState.OVERTAKEN)
    return f"left as it is, because a newer plan stands: {newer}" if newer else "waits for its turn"


def _newer(context: Context, plan: CutoverPlan, readings: Mapping[str, HostReading]) -> Iterator[tuple[str, str]]:
    """Hosts that hold a newer epoch in any zone, or another plan of the same."""
    fence = fence_of(plan)
    for reading in readings.values():
        for zone in context.service.zones if reading.problem is None else ():
            stands = read_epoch(reading.rrsets, context.service.name, zone)
            if stands is not None and stands != fence and stands.number >= fence.number:
                yield reading.host, f"{reading.host} holds epoch {stands.number} (site {stands.site})"


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
    traits = reading.traits or context.hosts[reading.host].traits()
    lacking = sorted({r.type for r in rrsets} - traits.types)
    if lacking:
        raise Rejected("change", reading.host, f"it cannot hold {', '.join(lacking)} records", "use another DNS host")
    for zone in context.service.zones:
        _swap_zone(context, plan, tuple(held(r, traits) for r in rrsets), reading, zone)
    return HostResult(host=reading.host, state=HostState.DONE)


def _swap_zone(context: Context, plan: CutoverPlan, rrsets: Sequence[RRset], reading: HostReading, zone: str) -> None:
    """The zone holds the plan afterwards. Raises Conflict when its epoch changed since it was read, or no room is."""
    service = context.service
    fence = fence_of(plan)
    stands = read_epoch(reading.rrsets, service.name, zone)
    withdraw = plan.kind is PlanKind.WITHDRAW
    if stands == fence or (stands is None and withdraw):
        return
    wanted, here = in_zone(service, rrsets, zone), in_zone(service, reading.rrsets, zone)
    changes = Changes(put=wanted, remove=difference(wanted, here, [r.key for r in here]).remove)
    expect = by_key(reading.rrsets).get((epoch_name(service.name, zone), "TXT"))
    new = None if withdraw else _fence_set(reading, service.name, zone, fence)
    try:
        context.hosts[reading.host].apply(zone, changes, expect=expect, fence=new)
    except Conflict as error:
        cause = f"what stands there is not what the change expects ({error.cause}); looking again"
        raise Conflict("change", f"{zone} at {reading.host}", cause) from error


def _fence_set(reading: HostReading, service: str, zone: str, fence: Epoch) -> RRset:
    found = epoch_set(service, zone, fence)
    return held(found, reading.traits) if reading.traits is not None else found
