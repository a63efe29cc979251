"""`plan`, `apply` and `destroy` as whole commands: the mirror at every site, then DNS."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from failover.core.cutover import CutoverPlan, PlanKind
from failover.core.mirror import SitePlan, wish_of
from failover.core.model import HostReading, Release
from failover.core.places import LeftBehind, left_behind, places
from failover.core.rrsets import RRset
from failover.core.wish import remembered
from failover.core.world import State
from failover.engine.context import MIRROR, Context, Package, leased, load
from failover.engine.edge import against
from failover.engine.mirror import Mirror, Report, SiteResult, apply, survey
from failover.engine.operate import Outcome
from failover.engine.planning import standing
from failover.engine.publication import publish, refresh, wanted_sets
from failover.engine.publish import read_hosts
from failover.errors import FailoverError, RefusedError, StateMissing


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsPlan:
    """What `apply` would do to DNS."""

    kind: PlanKind | None
    """None: the records are as wanted, or are not known yet."""
    site: str | None = None
    put: tuple[RRset, ...] = ()
    standing: tuple[RRset, ...] = ()
    """What our names hold now."""
    strangers: tuple[RRset, ...] = ()
    """Records of somebody else at our names: taken over only with --adopt."""
    problems: tuple[str, ...] = ()
    waits: str = ""
    """Why the addresses are not known yet."""
    hosts: tuple[HostReading, ...] = ()
    """What each DNS host holds and can promise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployPlan:
    """What `apply` would change."""

    sites: tuple[SitePlan, ...]
    dns: DnsPlan
    release: str | None
    open_plan: CutoverPlan | None = None
    left: tuple[LeftBehind, ...] = ()

    @property
    def changes(self) -> bool:
        return any(s.changes for s in self.sites) or self.dns.kind is not None

    @property
    def problems(self) -> tuple[str, ...]:
        return (*(f"{s.site}: {s.problem}" for s in self.sites if s.problem is not None), *self.dns.problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """What `apply` did. `problems` is empty when everything is as wanted."""

    sites: tuple[SiteResult, ...]
    dns: Outcome | None
    problems: tuple[str, ...]
    left: tuple[LeftBehind, ...] = ()

    @property
    def changed(self) -> bool:
        return self.dns is not None or any(s.done for s in self.sites)


def load_state(context: Context) -> State | None:
    """The state, or None when there is none yet. Any other trouble with it raises."""
    try:
        return load(context)
    except StateMissing:
        return None


def look_ahead(context: Context) -> DeployPlan:
    """What `apply` would change, without changing anything and without a lease."""
    state = load_state(context)
    package = _package(context)
    sites: tuple[SitePlan, ...] = ()
    if package is not None:
        sites = survey(context, state, context.release(package.digest))
    open_still = any(s.changes or s.problem is not None for s in sites)
    dns = _dns_plan(context, state or State(service=context.service.name), nodes_change=open_still)
    return DeployPlan(
        sites=sites,
        dns=dns,
        release=package.digest if package else None,
        open_plan=state.open_plan if state else None,
        left=left_behind(context.service, state) if state else (),
    )


def _package(context: Context) -> Package | None:
    """The release; None when every site is given, so that nothing is provisioned."""
    return context.package() if any(not s.given for s in context.service.sites) else None


def _dns_plan(context: Context, state: State, *, nodes_change: bool) -> DnsPlan:
    site = state.active_site or context.service.sites[0].name
    first = state.active_site is None
    wanted, waits = _wanted_now(context, state, site)
    readings = read_hosts(context, context.service.hosts, wanted)
    problems = tuple(f"{r.host}: {r.problem}" for r in readings.values() if r.problem is not None)
    problems += against(context, readings)
    now, hosts = standing(context, readings), tuple(readings.values())
    found = dict.fromkeys(r for reading in readings.values() for r in reading.rrsets if r.type != "TXT")
    if first:
        strangers = tuple(r for r in found if r not in set(wanted))
        waits = "" if nodes_change else waits
        return DnsPlan(
            hosts=hosts,
            kind=PlanKind.PUBLISH,
            site=site,
            put=wanted,
            standing=now,
            strangers=strangers,
            problems=problems,
            waits=waits,
        )
    if waits:
        waits = "" if nodes_change else waits
        return DnsPlan(hosts=hosts, kind=None, site=site, standing=now, problems=problems, waits=waits)
    same = state.published is not None and set(wanted) == set(state.published.rrsets)
    kind = None if same else PlanKind.REFRESH
    return DnsPlan(hosts=hosts, kind=kind, site=site, put=() if same else wanted, standing=now, problems=problems)


def _wanted_now(context: Context, state: State, site: str) -> tuple[tuple[RRset, ...], str]:
    """What the records shall hold, or why that is not known yet."""
    try:
        return wanted_sets(context, state, site), ""
    except ValueError as error:
        return (), str(error)


# ------------------------------------------------------------------------------------ apply


def deploy(context: Context, report: Report, *, adopt: bool, lease_wait_s: float = 0.0) -> Deployed:
    """Mirror to every site, then publish or refresh DNS. Never changes the active site.

    Raises RefusedError, LockedError, StateError; what goes wrong at one site is reported in the result.
    """
    with leased(context, MIRROR, wait_s=lease_wait_s) as term:
        package = _package(context)
        state = load_state(context) or _create(context)
        results: tuple[SiteResult, ...] = ()
        if package is not None:
            mirror = Mirror(
                context=context,
                release=context.release(package.digest),
                archive=package.archive,
                term=term,
                report=report,
            )
            state = mirror.update(lambda s: _begin(context, s, mirror.release))
            results = apply(mirror, survey(context, state, mirror.release))
            state = mirror.update(lambda s: _end(s, package.digest, results))
        problems = [f"{r.site}: {r.problem}" for r in results if r.problem is not None]
        dns, problem = _publish(context, state, results, report, adopt=adopt)
        left = left_behind(context.service, state)
        return Deployed(sites=results, dns=dns, problems=(*problems, *([problem] if problem else [])), left=left)


def _create(context: Context) -> State:
    """The first state: only when every DNS host can be read (`publication.strangers` looks for other controllers)."""
    readings = read_hosts(context, context.service.hosts)
    bad = [f"{r.host}: {r.problem}" for r in readings.values() if r.problem is not None]
    if bad:
        raise RefusedError("create the state", "", "; ".join(bad), "every DNS host must be readable the first time")
    fences = [f"{r.host}: {s}" for r in readings.values() for s in r.rrsets if s.type == "TXT"]
    if fences:
        cause = f"DNS already holds an epoch of this service ({'; '.join(fences)})"
        hint = "use the controller that published it; if it is gone for good, remove that TXT set first"
        raise RefusedError("create the state", "", cause, hint)
    return context.store.create(State(service=context.service.name))


def _begin(context: Context, state: State, release: Release) -> State:
    """Before anything outside is touched: what may be serving and lying in depots from now on."""
    digest = release.digest
    sites = [s.name for s in context.service.sites if not s.given]

    def first(found: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        return {**found, **{s: tuple(dict.fromkeys((digest, *found.get(s, ())))) for s in sites}}

    where = places(context.service, state)
    wishes = remembered(state.wishes, (wish_of(group, release) for group in context.service.groups))
    accepted, archives = first(state.accepted), first(state.archives)
    return replace(state, release=digest, accepted=accepted, archives=archives, wishes=wishes, places=where)


def _end(state: State, digest: str, results: tuple[SiteResult, ...]) -> State:
    """From now on only the new release counts; at an active site that failed, the one before it does too."""
    settled = {r.site for r in results if r.problem is None}
    accepted = {
        site: (digest,) if site in settled or site != state.active_site else found
        for site, found in state.accepted.items()
    }
    archives = {site: (digest,) if site in settled else found for site, found in state.archives.items()}
    return replace(state, accepted=accepted, archives=archives)


def _publish(
    context: Context, state: State, results: tuple[SiteResult, ...], report: Report, *, adopt: bool
) -> tuple[Outcome | None, str | None]:
    """DNS after the mirror: the first publication, or a change of records in the config."""
    try:
        if state.active_site is not None:
            before = state.published
            refresh(context)
            after = context.store.load().published
            changed = before is not None and after is not None and after.epoch != before.epoch
            if changed and after is not None:
                report("dns", f"refreshed (epoch {after.epoch})")
            return None, _unprovable(context)
        site = context.service.sites[0].name
        if any(r.site == site and r.problem is not None for r in results):
            return None, f"dns: not published, because {site} is not as wanted"
        report("dns", f"publish {site}")
        outcome = publish(context, site, adopt=adopt)
        problem = None if outcome.committed else f"dns: {outcome.plan.id} is {outcome.result}: {outcome.reason}"
        report("dns", f"published (epoch {outcome.plan.epoch})" if outcome.committed else problem or "")
        return outcome, problem
    except FailoverError as error:
        hint = f" ({error.hint})" if error.hint else ""
        return None, f"dns: {error}{hint}"


def _unprovable(context: Context) -> str | None:
    """What stands against names behind an edge, once they are published: told, but it keeps nothing from being put
    right, for addresses of nodes that are gone help nobody."""
    barred = against(context, read_hosts(context, context.service.hosts))
    return f"dns: {'; '.join(barred)}" if barred else None
