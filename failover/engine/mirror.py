"""plan, apply and destroy: every site gets its nodes and the same release, and nothing else is touched."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from failover.core.cutover import PlanKind
from failover.core.mirror import (
    ActionKind,
    SiteAction,
    SiteFound,
    SitePlan,
    plan_site,
    specs,
    wanted_count,
    wanted_ports,
)
from failover.core.model import Node, NodeState, Release, Site
from failover.core.places import moved
from failover.core.ready import short
from failover.core.saga import Event, EventKind
from failover.core.world import State
from failover.engine.context import TICK, Context, leased
from failover.engine.delivery import check as check_delivery
from failover.engine.nodes import (
    CREATE_S,
    destroy,
    ensure,
    failing,
    list_nodes,
    open_ports,
    patiently,
    wait_serving,
)
from failover.engine.publication import refresh
from failover.errors import Conflict, FailoverError, Throttled, TimedOut
from failover.ports import Call, Done

UPLOAD_S = 120.0
SITE_S = 3600.0
"""The net below one site's whole work, besides the time of its nodes; every call in it has its own deadline."""
LEASE_WAIT_S = 60.0
GOING = (Throttled, TimedOut)
"""What is said while a node is still going: some take minutes."""

Report = Callable[[str, str], None]
"""Progress: site, sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteResult:
    """How one site ended: what was `done` to its end, and a `problem` when something is still to do."""

    site: str
    done: tuple[str, ...] = ()
    problem: str | None = None


def survey(context: Context, state: State | None, release: Release) -> tuple[SitePlan, ...]:
    """What would change at every managed site; sites in parallel. A site that cannot be read carries its problem."""
    sites = [s for s in context.service.sites if not s.given]
    calls = [
        Call(what=f"look at {s.name}", do=partial(_survey_site, context, state, release, s), deadline_s=CREATE_S)
        for s in sites
    ]
    done = context.runtime.together(calls)
    return tuple(_plan_of(site, answer) for site, answer in zip(sites, done, strict=True))


def _plan_of(site: Site, done: Done) -> SitePlan:
    if isinstance(done.value, SitePlan):
        return done.value
    if done.error is not None and not isinstance(done.error, FailoverError):
        raise done.error
    return SitePlan(site=site.name, problem=said(done.error) if done.error else "no answer in time")


def said(error: Exception) -> str:
    """What went wrong, and what to do about it where the error knows."""
    hint = error.hint if isinstance(error, FailoverError) else ""
    return f"{error} ({hint})" if hint else str(error)


def _survey_site(context: Context, state: State | None, release: Release, site: Site) -> SitePlan:
    elsewhere = moved(site, state) if state is not None else None
    if elsewhere is not None:
        return SitePlan(site=site.name, problem=elsewhere)
    active = (state is not None and _needed(state, site.name)) or _first(context, state, site)
    compute, depot = context.compute[site.name], context.depots[site.name]
    quota = compute.quota()
    ours = set(state.archives.get(site.name, ())) if state else set()
    nodes = list_nodes(context, site.name)
    found = SiteFound(
        nodes=nodes,
        archive=depot.has(release.digest),
        images=compute.images(),
        sizes=compute.sizes(),
        nodes_max=quota.nodes_max,
        nodes_used=quota.nodes_used,
        old_archives=tuple(sorted((depot.list() & ours) - {release.digest})),
        broken=_broken(context, state, site, nodes, release),
        wishes=state.wishes if state else (),
        firewall=compute.firewall_now(context.service.name, site.name) if _shall_run(context, site, active) else None,
    )
    for spec in specs(context.service, site, release, {}, active=True):
        compute.vet(spec)
    check_delivery(context, site, release)
    return plan_site(context.service, site, release, found, active=active)


def _shall_run(context: Context, site: Site, active: bool) -> bool:
    """Whether any node is wanted there: without one, nobody needs a firewall."""
    return any(wanted_count(site, group, active=active) for group in context.service.groups)


def _broken(
    context: Context, state: State | None, site: Site, nodes: tuple[Node, ...], release: Release
) -> frozenset[str]:
    """Ids of nodes that a run left behind before they served, and that do not serve now, long after."""
    proven = {n.id for n in state.inventory.get(site.name, ())} if state else set()
    oldest_s = context.runtime.now().utc_s - context.service.node_deadline_s
    doubtful = [n for n in nodes if n.state is NodeState.RUNNING and n.id not in proven and n.created_at_s < oldest_s]
    return frozenset(n.id for n in failing(context, doubtful, release)) if doubtful else frozenset()


def _first(context: Context, state: State | None, site: Site) -> bool:
    """Before anything is published, the most preferred site counts as active: it is the one to be published."""
    return (state is None or state.active_site is None) and site == context.service.sites[0]


# ------------------------------------------------------------------------------------ apply


@dataclass(slots=True, kw_only=True)
class Mirror:
    """One apply under way. `term` is the mirror lease's; the state itself is changed under the tick's lease only."""

    context: Context
    release: Release
    archive: bytes
    term: int
    report: Report
    lock: threading.Lock = field(default_factory=threading.Lock)

    def update(self, change: Callable[[State], State]) -> State:
        """Change the stored state, one site at a time, while checks go on in between."""
        with self.lock, leased(self.context, TICK, wait_s=LEASE_WAIT_S, urgent=True) as term:
            return self.context.store.swap(change(self.context.store.load()), term=term)

    def intend(self, site: str, action: str, reason: str = "") -> None:
        """S18: every outside change has a prior entry in the audit log."""
        event = Event(
            plan="",
            step=f"mirror {site}",
            kind=EventKind.NOTE,
            at=self.context.runtime.now(),
            reason=f"{action} {reason}",
        )
        self.context.store.append(event, term=self.term)


def apply(mirror: Mirror, plans: tuple[SitePlan, ...]) -> tuple[SiteResult, ...]:
    """Carry out the plans, sites in parallel. A site that fails does not stop the others and is reported."""
    runtime = mirror.context.runtime
    calls = [
        Call(what=f"mirror to {plan.site}", do=partial(_apply_site, mirror, plan), deadline_s=_site_s(mirror, plan))
        for plan in plans
    ]
    return tuple(result_of(plan.site, done) for plan, done in zip(plans, runtime.together(calls), strict=True))


def _site_s(mirror: Mirror, plan: SitePlan) -> float:
    """Nodes are replaced one by one."""
    return SITE_S + len(plan.actions) * mirror.context.service.node_deadline_s


def result_of(site: str, done: Done) -> SiteResult:
    """What became of a site's work. Raises what it raised."""
    if isinstance(done.value, SiteResult):
        return done.value
    if done.error is not None:
        raise done.error
    return SiteResult(site=site, problem="no answer in time")


def _apply_site(mirror: Mirror, plan: SitePlan) -> SiteResult:
    if plan.problem is not None:
        mirror.report(plan.site, f"cannot: {plan.problem}")
        return SiteResult(site=plan.site, problem=plan.problem)
    done: list[str] = []
    try:
        if plan.wanted:  # also where the plan saw nothing wrong: it stands before the first node, and at every apply
            _open(mirror, plan, done)
        _starts(mirror, plan, done)
        _replacements(mirror, plan, done)
        _endings(mirror, plan, done)
        if plan.wanted:
            _close(mirror, plan.site)
    except FailoverError as error:
        mirror.report(plan.site, f"failed: {error}")
        return SiteResult(site=plan.site, done=tuple(done), problem=said(error))
    mirror.report(plan.site, "as wanted" if not done else f"done: {len(done)} changes")
    return SiteResult(site=plan.site, done=tuple(done))


def _open(mirror: Mirror, plan: SitePlan, done: list[str]) -> None:
    """The wanted ports, and those of nodes that are still to be replaced: nothing that serves is shut off."""
    site = plan.site
    before = mirror.context.store.load().ports.get(site, ())
    ports = tuple(sorted(wanted_ports(mirror.context.service).union(before)))
    if ports != before:
        mirror.update(lambda state: replace(state, ports={**state.ports, site: ports}))
    actions = _of(plan, ActionKind.FIREWALL)
    if not actions:
        mirror.intend(site, "firewall")
        patiently(mirror.context, partial(open_ports, mirror.context, site, besides=before))
    for action in actions:
        with _doing(mirror, plan, action, done):
            patiently(mirror.context, partial(open_ports, mirror.context, site, besides=before))


def _close(mirror: Mirror, site: str) -> None:
    """Ports that no node serves at any more."""
    wanted = tuple(sorted(wanted_ports(mirror.context.service)))
    if mirror.context.store.load().ports.get(site, ()) != wanted:
        mirror.intend(site, "firewall", "closes ports that are not wanted any more")
        patiently(mirror.context, partial(open_ports, mirror.context, site))
        mirror.update(lambda state: replace(state, ports={**state.ports, site: wanted}))


def _of(plan: SitePlan, *kinds: ActionKind) -> list[SiteAction]:
    return [a for a in plan.actions if a.kind in kinds]


@contextmanager
def _doing(mirror: Mirror, plan: SitePlan, action: SiteAction, done: list[str]) -> Iterator[None]:
    """The action is said and journaled before it begins; only one that came to its end counts as done."""
    text = f"{action.kind} {action.what}"
    mirror.report(plan.site, f"{text} ({action.why})")
    mirror.intend(plan.site, text, f"({action.why})")
    yield
    done.append(text)


def _starts(mirror: Mirror, plan: SitePlan, done: list[str]) -> None:
    """Archive first, then every node that is missing or stands still; all of them are waited for together."""
    for action in _of(plan, ActionKind.UPLOAD):
        with _doing(mirror, plan, action, done):
            _upload(mirror, plan.site)
    starting = _of(plan, ActionKind.CREATE, ActionKind.START)
    for action in starting:
        if action.spec is not None:
            with _doing(mirror, plan, action, done):
                patiently(mirror.context, partial(ensure, mirror.context, action.spec))
    names = {a.spec.name for a in starting if a.spec is not None} | _unproven(mirror, plan)
    names |= {node.name for node in _leaving(plan)} & set(plan.wanted)  # who stays of duplicates serves before they go
    if names:
        mirror.report(plan.site, f"waits for {len(names)} nodes to serve")
        besides = {node.id for node in _leaving(plan)}
        wait_serving(mirror.context, plan.site, sorted(names), mirror.release, besides=besides)
        _record(mirror, plan, without=())


def _leaving(plan: SitePlan) -> tuple[Node, ...]:
    """Nodes that nothing takes the place of."""
    return tuple(node for action in _of(plan, ActionKind.DESTROY) for node in action.nodes)


def _unproven(mirror: Mirror, plan: SitePlan) -> set[str]:
    """Nodes that are there already but never served for all we know: an earlier run ended too soon."""
    later = {a.spec.name for a in _of(plan, ActionKind.REBUILD, ActionKind.REPLACE) if a.spec is not None}
    known = {n.name for n in mirror.context.store.load().inventory.get(plan.site, ())}
    return set(plan.wanted) - later - known


def _upload(mirror: Mirror, site: str) -> None:
    context, digest = mirror.context, mirror.release.digest
    depot = context.depots[site]
    what = f"upload {short(digest)}"
    context.runtime.call(what, lambda: depot.put(digest, mirror.archive), deadline_s=UPLOAD_S)


def _replacements(mirror: Mirror, plan: SitePlan, done: list[str]) -> None:
    """One by one: the new node serves and DNS knows it before the old one goes."""
    for action in _of(plan, ActionKind.REBUILD, ActionKind.REPLACE):
        if action.spec is None:
            continue
        with _doing(mirror, plan, action, done):
            if action.kind is ActionKind.REBUILD:
                _record(mirror, plan, without=action.nodes)
                gone(mirror, plan.site, action.nodes, rebuilt=all(n.spec == action.spec.spec for n in action.nodes))
            patiently(mirror.context, partial(ensure, mirror.context, action.spec))
            besides = {node.id for node in _leaving(plan)}
            wait_serving(mirror.context, plan.site, [action.spec.name], mirror.release, besides=besides)
            _record(mirror, plan, without=action.nodes if action.kind is ActionKind.REPLACE else ())
            if action.kind is ActionKind.REPLACE:
                gone(mirror, plan.site, action.nodes)


def _endings(mirror: Mirror, plan: SitePlan, done: list[str]) -> None:
    """What is not wanted any more goes last, after DNS has forgotten it."""
    leaving = _leaving(plan)
    if leaving:
        _record(mirror, plan, without=leaving)
    for action in _of(plan, ActionKind.DESTROY):
        with _doing(mirror, plan, action, done):
            gone(mirror, plan.site, action.nodes)
    for action in _of(plan, ActionKind.REMOVE):
        depot, digest = mirror.context.depots[plan.site], action.what
        with _doing(mirror, plan, action, done):
            mirror.context.runtime.call(f"remove {short(digest)}", partial(depot.remove, digest), deadline_s=CREATE_S)
    _record(mirror, plan, without=())


def gone(mirror: Mirror, site: str, nodes: tuple[Node, ...], *, rebuilt: bool = False) -> None:
    """Destroy these nodes, unless a plan moved to their site since the survey: then DNS points to them, or soon will.

    A node that is `rebuilt` is destroyed although DNS names it: it serves something wrong, and has no replacement yet.
    """
    state = mirror.context.store.load()
    published = state.published.rrsets if state.published is not None else ()
    in_dns = {value for rrset in published for value in rrset.values}
    for node in nodes:
        if _moving_to(state, site) or (in_dns & set(node.addresses) and not rebuilt):
            raise Conflict("destroy node", node.name, "DNS points to it, or soon will", "failover apply again")
        if state.debts and not rebuilt:
            hosts = ", ".join(d.host for d in state.debts)
            cause = f"{hosts} did not take the last change and may still point to it"
            raise Conflict("destroy node", node.name, cause, "failover apply again when no debt is left")
        patiently(mirror.context, partial(destroy, mirror.context, node), GOING)


def _moving_to(state: State, site: str) -> bool:
    plan = state.open_plan
    return plan is not None and plan.kind is PlanKind.CUTOVER and plan.target == site


def _needed(state: State, site: str) -> bool:
    """Whether the site serves, or shall in a moment."""
    return state.active_site == site or _moving_to(state, site)


def _record(mirror: Mirror, plan: SitePlan, *, without: tuple[Node, ...]) -> None:
    """The inventory of the site is what its provider lists now, less `without`; DNS follows if the site is active."""
    leaving = {n.id for n in without}
    listed = list_nodes(mirror.context, plan.site)
    nodes = tuple(n for n in listed if n.id not in leaving and n.state is NodeState.RUNNING)

    def change(state: State) -> State:
        if not nodes and _needed(state, plan.site):
            return state  # its last known addresses stay: they are what checks ask, and DNS is never emptied
        return replace(state, inventory={**state.inventory, plan.site: nodes})

    state = mirror.update(change)
    if _needed(state, plan.site) and state.inventory.get(plan.site):
        refresh(mirror.context)
