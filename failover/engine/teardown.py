"""`destroy`: DNS is withdrawn, then what `apply` made at every site, or at one that serves nobody, is taken down."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TypeVar

from failover.core.model import Release, Site
from failover.core.places import left_behind, moved, remedy, told
from failover.core.ready import short
from failover.core.saga import Event, EventKind
from failover.core.world import State
from failover.engine.context import MIRROR, TICK, Context, leased, load
from failover.engine.mirror import LEASE_WAIT_S, SITE_S, Mirror, Report, SiteResult, gone, result_of, said
from failover.engine.nodes import CREATE_S, clear, list_nodes
from failover.engine.operate import nothing_open
from failover.engine.publication import withdraw
from failover.errors import AdapterError, RefusedError, UsageError
from failover.ports import Call

T = TypeVar("T")


def tear_down(context: Context, report: Report, *, lease_wait_s: float = 0.0) -> tuple[SiteResult, ...]:
    """First DNS, then every node and archive that `apply` made. State and audit log stay.

    Raises RefusedError when DNS could not be withdrawn everywhere: then nothing is destroyed.
    """
    with leased(context, MIRROR, wait_s=lease_wait_s) as term:
        state = load(context)
        report("dns", "withdraw")
        outcome = withdraw(context)
        if outcome is not None and not outcome.committed:
            cause = f"{outcome.plan.id} is {outcome.result}: {outcome.reason}"
            raise RefusedError("withdraw", "DNS", cause, "failover destroy again when the hosts answer")
        results = destroy_all(context, state, report, term=term)
        results += tuple(
            SiteResult(site=one.site, problem=f"{told(one)} ({remedy(one)})")
            for one in left_behind(context.service, state)
        )
        _close_books(context, results)
        return results


def tear_down_site(
    context: Context, site: str, report: Report, *, forget: bool = False, lease_wait_s: float = 0.0
) -> SiteResult:
    """All that `apply` made at one site that serves nobody. `forget`: only that it is on record; nobody is asked.

    Raises RefusedError for a site that serves, or while a plan is under way; UsageError where nothing of ours can be.
    """
    with leased(context, MIRROR, wait_s=lease_wait_s) as term:
        state = load(context)
        nothing_open(state)
        _may_go(context, state, site, forget=forget)
        if forget:
            says = f"{site}: forgotten; a person says that nothing stands there"
            _note(context, says, partial(forgotten, site))
            return SiteResult(site=site)
        (result,) = destroy_all(context, state, report, term=term, only=site)
        _note(context, f"{site}: {result.problem or 'destroyed'}")
        return result


def _may_go(context: Context, state: State, site: str, *, forget: bool) -> None:
    managed = {s.name for s in context.service.sites if not s.given}
    if state.active_site == site:
        hint = "failover cutover to another site first; `failover destroy` takes down everything"
        raise RefusedError("destroy", site, "the service runs there", hint)
    if site not in managed and site not in state.archives:
        hint = "failover plan names the sites"
        raise UsageError("destroy", site, "neither the config nor the state knows anything of ours there", hint)
    if site not in managed and not forget:
        hint = "put it back as it was; if nothing stands there any more, add --forget"
        raise UsageError("destroy", site, "the config does not say where it is", hint)


def _close_books(context: Context, results: tuple[SiteResult, ...]) -> None:
    left = [r.site for r in results if r.problem is not None]

    def closed(state: State) -> State:
        return replace(state, release=None if not left else state.release, health={}, watch={}, notice="")

    _note(context, f"destroyed; left at {', '.join(left)}" if left else "destroyed", closed)


def _note(context: Context, says: str, change: Callable[[State], State] = lambda state: state) -> None:
    """Write down what was destroyed, and change the state."""
    with leased(context, TICK, wait_s=LEASE_WAIT_S, urgent=True) as term:
        event = Event(plan="", step="destroy", kind=EventKind.NOTE, at=context.runtime.now(), reason=says)
        context.store.swap(change(context.store.load()), term=term, events=[event])


# ------------------------------------------------------------------------------------ one site


def destroy_all(
    context: Context, state: State, report: Report, *, term: int, only: str | None = None
) -> tuple[SiteResult, ...]:
    """Every node and archive that `apply` made is gone, at all sites in parallel. Nothing else is touched.

    DNS names none of them any more. `only`: at this site alone, which serves nobody; where that changes meanwhile, the
    nodes stay.
    """
    sites = [s for s in context.service.sites if not s.given and only in (None, s.name)]
    mirror = Mirror(context=context, release=Release(digest="", command=""), archive=b"", term=term, report=report)
    calls = [
        Call(
            what=f"destroy at {s.name}",
            do=partial(_destroy_site, mirror, state, s, withdrawn=only is None),
            deadline_s=SITE_S + len(state.inventory.get(s.name, ())) * context.service.node_deadline_s,
        )
        for s in sites
    ]
    done = context.runtime.together(calls)
    return tuple(result_of(s.name, d) for s, d in zip(sites, done, strict=True))


def _destroy_site(mirror: Mirror, state: State, site: Site, *, withdrawn: bool) -> SiteResult:
    elsewhere = moved(site, state)
    if elsewhere is not None:
        return SiteResult(site=site.name, problem=elsewhere)
    done: list[str] = []
    context = mirror.context
    if not withdrawn:  # nothing moves there any more
        mirror.update(lambda now: replace(now, inventory={**now.inventory, site.name: ()}))
    try:
        _destroy_nodes(mirror, site.name, done, withdrawn=withdrawn)
        mirror.intend(site.name, "clear")
        clear(context, site.name)
        if _destroy_nodes(mirror, site.name, done, withdrawn=withdrawn):
            clear(context, site.name)  # those were listed late: an apply was killed a moment ago
        depot = context.depots[site.name]
        for digest in state.archives.get(site.name, ()):
            mirror.intend(site.name, f"remove {short(digest)}")
            context.runtime.call(f"remove {short(digest)}", partial(depot.remove, digest), deadline_s=CREATE_S)
            done.append(digest)
    except AdapterError as error:
        mirror.report(site.name, f"failed: {error}")
        return SiteResult(site=site.name, done=tuple(done), problem=said(error))
    mirror.update(partial(forgotten, site.name))
    return SiteResult(site=site.name, done=tuple(done))


def _destroy_nodes(mirror: Mirror, site: str, done: list[str], *, withdrawn: bool) -> bool:
    """Every node that is listed now is gone. Whether there was any. `withdrawn`: DNS names nothing of ours any more."""
    nodes = list_nodes(mirror.context, site)
    for node in nodes:
        mirror.report(site, f"destroy {node.name}")
        mirror.intend(site, f"destroy {node.name}")
        gone(mirror, site, (node,), rebuilt=withdrawn)
        done.append(node.name)
    return bool(nodes)


def forgotten(site: str, state: State) -> State:
    """Nothing of ours stands at the site any more."""
    return replace(
        state,
        inventory=_without(site, state.inventory),
        archives=_without(site, state.archives),
        ports=_without(site, state.ports),
        places=_without(site, state.places),
        accepted=_without(site, state.accepted),
    )


def _without(site: str, found: Mapping[str, T]) -> dict[str, T]:
    return {name: known for name, known in found.items() if name != site}
