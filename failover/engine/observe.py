"""observe: one round of questions to everything outside, all at the same time and to one deadline."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from failover.core.budget import observe_s, probe_s
from failover.core.cutover import names_of
from failover.core.health import reachable
from failover.core.hosting import fitting_grade, unread
from failover.core.judge import Observation, accepted_releases, served_addresses
from failover.core.model import (
    AccountReport,
    Ballot,
    ControlSample,
    HostReading,
    Node,
    Reading,
    Sample,
    Service,
    Site,
    Standby,
    Target,
)
from failover.core.ready import Stock
from failover.core.rrsets import RRset, epoch_name, read_epoch
from failover.core.world import State
from failover.engine.context import Context
from failover.engine.lookup import look_up
from failover.engine.outcome import MARGIN_S, problem_of
from failover.engine.rounds import ask_controls, ask_targets, unasked, unasked_controls
from failover.errors import AdapterError, TimedOut, Unreachable, Unreadable
from failover.ports import Call, Done


def observe(context: Context, state: State) -> Observation:
    """Ask everything once. Never raises for an answer: what could not be read carries its problem."""
    service, runtime = context.service, context.runtime
    deadline_s = observe_s(service)
    found_out = look_up(context, state, service.sites)
    state = replace(state, resolved=found_out.resolved)
    targets, ask_s = targets_of(context, state, service.sites), probe_s(service)
    asked: list[tuple[str, str, Call]] = [
        ("probe", "", _call("probe", partial(ask_targets, context, targets, ask_s), ask_s)),
        ("control", "", _call("controls", partial(ask_controls, context, ask_s), ask_s)),
    ]
    for site in service.sites:
        asked += _site_calls(context, state, site, deadline_s)
    sets = state.published.rrsets if state.published is not None else ()
    asked += [("host", n, _call(f"read {n}", partial(read_host, context, n, sets), deadline_s)) for n in context.hosts]
    asked += [("agent", v.name, _agent_call(context, v.name, targets)) for v in service.others]
    started = runtime.now()
    done = runtime.together([call for _, _, call in asked])
    found = {(kind, name): answer for (kind, name, _), answer in zip(asked, done, strict=True)}
    return Observation(
        at=started,
        samples=(*_samples(found["probe", ""], targets, context), *found_out.samples),
        controls=_controls(found["control", ""], context),
        reports={s.name: _report(found["state", s.name]) for s in service.sites if ("state", s.name) in found},
        nodes={s.name: nodes for s in service.sites if (nodes := _nodes(found.get(("nodes", s.name)))) is not None},
        stock={s.name: _stock(found["stock", s.name]) for s in service.sites if ("stock", s.name) in found},
        hosts={n: reading_of(service, n, found["host", n], state.hosts.get(n)) for n in context.hosts},
        resolved=found_out.resolved,
        ballots=tuple(_ballot(found["agent", v.name], v.name) for v in service.others),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One fresh look at some targets, from every vantage."""

    samples: tuple[Sample, ...]
    controls: tuple[ControlSample, ...]
    ballots: tuple[Ballot, ...]


def look_again(context: Context, targets: tuple[Target, ...]) -> Look:
    """Ask these targets and all controls at the same time. Never raises for an answer."""
    service = context.service
    deadline_s = probe_s(service)
    calls = [
        _call("probe", partial(ask_targets, context, targets, deadline_s), deadline_s),
        _call("controls", partial(ask_controls, context, deadline_s), deadline_s),
        *(_agent_call(context, v.name, targets) for v in service.others),
    ]
    probed, controls, *agents = context.runtime.together(calls)
    return Look(
        samples=_samples(probed, targets, context),
        controls=_controls(controls, context),
        ballots=tuple(_ballot(done, v.name) for done, v in zip(agents, service.others, strict=True)),
    )


def _agent_call(context: Context, name: str, targets: tuple[Target, ...]) -> Call:
    deadline_s, agent = probe_s(context.service), context.agents.get(name)

    def ask() -> Ballot:
        if agent is None:
            return Ballot(vantage=name, problem="it cannot be asked")
        return agent.look(targets, deadline_s)

    return _call(f"vantage {name}", ask, observe_s(context.service))


def _call(what: str, do: Callable[[], object], deadline_s: float) -> Call:
    return Call(what=what, do=do, deadline_s=deadline_s + MARGIN_S, looks=True)


def _site_calls(context: Context, state: State, site: Site, deadline_s: float) -> list[tuple[str, str, Call]]:
    account = context.accounts.get(site.name)
    if account is None:
        return []
    service = context.service.name
    calls = [
        ("state", site.name, _call(f"account of {site.name}", account.state, deadline_s)),
        ("nodes", site.name, _call(f"nodes of {site.name}", lambda: account.nodes(service, site.name), deadline_s)),
    ]
    if site.standby is not Standby.HOT:
        stock = _call(f"stock of {site.name}", lambda: read_stock(context, site.name, state.release), deadline_s)
        calls.append(("stock", site.name, stock))
    return calls


def targets_of(context: Context, state: State, sites: Iterable[Site]) -> tuple[Target, ...]:
    """Every check at every address of these sites.

    While a release is being rolled out, the one before it is accepted too.
    """
    found: list[Target] = []
    for site in sites:
        addresses = served_addresses(site, state)
        releases = accepted_releases(state, site.name)
        found += [
            Target(site=site.name, address=address, check=check, releases=releases)
            for check in context.service.checks
            for address in addresses.get(check.group, ())
        ]
    return tuple(found)


def read_host(context: Context, name: str, rrsets: Sequence[RRset] = ()) -> HostReading:
    """What one DNS host holds of our names, and what it can promise; with its problem where it could not be read.

    `rrsets`: the change that is to be made there, if it is known. Raises AdapterError where not even its traits are.
    """
    host = context.hosts[name]
    traits = host.traits()
    grade, remark = fitting_grade(context.service, traits, rrsets)
    reading = HostReading(host=name, grade=grade, traits=traits, remark=remark)
    found: list[RRset] = []
    try:
        for zone in context.service.zones:
            here = host.read(zone, names_of(context.service, zone))
            _epoch_or_raise(context.service.name, zone, here, name)
            found += here
    except AdapterError as error:
        return replace(reading, problem=str(error), unreachable=_silent(error))
    grade, remark = fitting_grade(context.service, traits, rrsets, found)
    return replace(reading, grade=grade, remark=remark, rrsets=tuple(found))


def _silent(error: Exception | None) -> bool:
    return isinstance(error, Unreachable | TimedOut)


def _epoch_or_raise(service: str, zone: str, rrsets: tuple[RRset, ...], host: str) -> None:
    """Something else than one epoch where the epoch should stand: unreadable, never absent."""
    name, hint = epoch_name(service, zone), "look at that record by hand"
    for other in (r for r in rrsets if r.name == name and r.type != "TXT"):
        raise Unreadable("read", f"epoch at {host}", f"{other} stands where the epoch belongs", hint)
    try:
        read_epoch(rrsets, service, zone)
    except ValueError as error:
        raise Unreadable("read", f"epoch at {host}", str(error), hint) from error


def read_stock(context: Context, site: str, release: str | None) -> Stock:
    """What a warm or cold standby needs of its provider. Raises AdapterError."""
    compute, depot = context.compute[site], context.depots[site]
    return Stock(quota=compute.quota(), images=compute.images(), archive=depot.has(release) if release else None)


# ------------------------------------------------------------------------------------ answers into values


def _samples(done: Done, targets: tuple[Target, ...], context: Context) -> tuple[Sample, ...]:
    if isinstance(done.value, tuple):
        return reachable(done.value)
    return unasked(targets, problem_of(done) or "the probe brought nothing", context.runtime.now())


def _controls(done: Done, context: Context) -> tuple[ControlSample, ...]:
    if isinstance(done.value, tuple):
        return done.value
    return unasked_controls(context.service.controls, problem_of(done) or "")


def _report(done: Done) -> AccountReport:
    if isinstance(done.value, AccountReport):
        return done.value
    return AccountReport(reading=Reading.UNCLEAR, message=problem_of(done) or "")


def _nodes(done: Done | None) -> tuple[Node, ...] | None:
    return done.value if done is not None and isinstance(done.value, tuple) else None


def _stock(done: Done) -> Stock:
    return done.value if isinstance(done.value, Stock) else Stock(problem=problem_of(done))


def _ballot(done: Done, name: str) -> Ballot:
    if isinstance(done.value, Ballot):
        return replace(done.value, samples=reachable(done.value.samples))
    return Ballot(vantage=name, problem=problem_of(done) or "it brought nothing")


def reading_of(service: Service, name: str, done: Done, before: HostReading | None = None) -> HostReading:
    """The reading that a call brought. What is not known of a silent host now is what was known of it `before`."""
    if isinstance(done.value, HostReading):
        return done.value
    silent = done.unknown or _silent(done.error)
    return replace(unread(service, name, before), problem=problem_of(done), unreachable=silent)
