"""Asks everything that `core.doctor` judges, in parallel and to deadlines. Changes nothing."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TypeVar

from failover.core.budget import observe_s
from failover.core.doctor import DoctorFacts, SiteFacts
from failover.core.doctor_rights import CUT_OVER
from failover.core.facts import ServerAnswer
from failover.core.model import ControlSample, Sample, Site
from failover.core.world import State
from failover.engine.context import Context
from failover.engine.doctor_rights import UNNAMED, Credentials, right_calls, rights_found
from failover.engine.edge import against
from failover.engine.observe import targets_of
from failover.engine.outcome import MARGIN_S, problem_of
from failover.engine.publish import read_hosts
from failover.engine.rounds import ask_controls, ask_targets, unasked, unasked_controls
from failover.engine.served import prove
from failover.errors import FailoverError, StateMissing
from failover.ports import Account, Call, Done

T = TypeVar("T")

ASK_S = 20.0
"""Lists of sizes and images are long at some providers."""

Clock = Callable[[], float]
"""A provider's own clock, in seconds of UTC; raises AdapterError when it does not tell."""


def examine(
    context: Context,
    mirror: Context,
    *,
    clocks: Mapping[str, Clock],
    seconds: Mapping[str, Account] = MappingProxyType({}),
    credentials: Credentials = UNNAMED,
) -> DoctorFacts:
    """`context` asks with the credentials that watch, `mirror` with those that create, `seconds` (by site) with the
    second ones where the config names any. `credentials`: how findings call them. Never raises for an answer.
    """
    now = context.runtime.now()  # with the state: a provider that hangs must not make the last check look late
    state, state_problem = _state(context)
    chain_problem = _chain(context) if state is not None else None
    sites = [s for s in context.service.sites if not s.given]
    calls = {
        s.name: Call(
            what=f"ask {s.name}",
            do=partial(_site, context, mirror, state, s, clocks.get(s.name), seconds.get(s.name)),
            deadline_s=3 * ASK_S,
        )
        for s in sites
    }
    tries = right_calls(context, mirror, seconds, state)
    ends = context.runtime.together([*calls.values(), *tries.values()])
    done = dict(zip(calls, ends[: len(calls)], strict=True))
    rights = rights_found(credentials, dict(zip(tries, ends[len(calls) :], strict=True)))
    hosts = read_hosts(context, context.service.hosts)
    return DoctorFacts(
        now=now,
        state=state,
        state_problem=state_problem,
        chain_problem=chain_problem,
        sites={
            name: replace(_facts(answer), rights={role: r for (site, role), r in rights.items() if site == name})
            for name, answer in done.items()
        },
        samples=_samples(context, state),
        hosts=hosts,
        rights={host: granted for (host, role), granted in rights.items() if role == CUT_OVER},
        controls=_controls(context),
        edges=_edges(context, state) if state is not None else {},
        edge_problems=against(context, hosts),
    )


def _edges(context: Context, state: State) -> dict[str, tuple[ServerAnswer, ...]]:
    """Whether the active site answers through the edges, while nothing moves."""
    plan, edges = state.published, context.service.edges
    if plan is None or state.open_plan is not None or not edges:
        return {}
    answers = prove(context, plan, plan.rrsets, tuple(edges)).answers
    return {host: tuple(a for a in answers if a.host == host) for host in edges}


def _state(context: Context) -> tuple[State | None, str | None]:
    try:
        return context.store.load(), None
    except StateMissing:
        return None, "there is none yet"
    except FailoverError as error:
        return None, str(error)


def _chain(context: Context) -> str | None:
    try:
        context.store.verify()
    except FailoverError as error:
        return str(error)
    return None


def _facts(done: Done) -> SiteFacts:
    if isinstance(done.value, SiteFacts):
        return done.value
    problem = problem_of(done) or ""
    return SiteFacts(problems={"watch": problem, "mirror": problem, "stock": problem})


def _site(
    context: Context, mirror: Context, state: State | None, site: Site, clock: Clock | None, second: Account | None
) -> SiteFacts:
    """All questions of one site. What could not be answered is None, with its problem."""
    problems: dict[str, str] = {}

    def ask(what: str, do: Callable[[], T]) -> T | None:
        try:
            return context.runtime.call(f"{what} of {site.name}", do, deadline_s=ASK_S)
        except FailoverError as error:
            problems[what] = str(error)
            return None

    watcher, compute, depot = context.accounts[site.name], mirror.compute[site.name], mirror.depots[site.name]
    release = state.release if state is not None else None
    started = context.runtime.now().utc_s
    clock_utc_s = ask("clock", clock) if clock is not None else None
    problems.pop("clock", None)  # a provider that does not tell the time is no finding
    return SiteFacts(
        clock_utc_s=clock_utc_s,
        asked_utc_s=started,
        watch=ask("watch", watcher.state),
        mirror=ask("mirror", compute.state),
        second=ask("second", second.state) if second is not None else None,
        quota=ask("quota", compute.quota),
        images=ask("images", compute.images),
        sizes=ask("sizes", compute.sizes),
        nodes=ask("nodes", partial(watcher.nodes, context.service.name, site.name)),
        archive=ask("archive", partial(depot.has, release)) if release is not None else None,
        problems=problems,
    )


def _samples(context: Context, state: State | None) -> tuple[Sample, ...]:
    """One round of every check at every address of every site."""
    empty = State(service=context.service.name)
    targets = targets_of(context, state or empty, context.service.sites)
    deadline_s = observe_s(context.service)
    try:
        return context.runtime.call(
            "probe", partial(ask_targets, context, targets, deadline_s), deadline_s=deadline_s + MARGIN_S
        )
    except FailoverError as error:
        return unasked(targets, str(error), context.runtime.now())


def _controls(context: Context) -> tuple[ControlSample, ...]:
    deadline_s = observe_s(context.service)
    try:
        return context.runtime.call(
            "controls",
            partial(ask_controls, context, deadline_s),
            deadline_s=deadline_s + MARGIN_S,
        )
    except FailoverError as error:
        return unasked_controls(context.service.controls, str(error))
