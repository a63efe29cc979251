"""What holds a site or the whole service still besides the evidence: a person's word, the calendar, a site that flaps.

    held by        the site is no target   the site is not left by itself   pages             ended by
    ------------   ---------------------   ------------------------------   ---------------   ------------------
    drained        x                       –                                –                 a person, or its time
    forced down    x (it counts as DOWN)   –                                –                 a person, or its time
    forced up      – (it must still prove) x (it counts as UP)              –                 a person, or its time
    window (site)  x                       x                                of it are muted   its end
    window (all)   –                       x                                are muted         its end
    flapping       x                       x, unless closed explicitly      go out            quiet rounds

A person's own `failover cutover` is bound by the first two only, and `--force` goes past a drained site.
"""

from collections.abc import Iterable

from failover.core.cutover import CutoverPlan
from failover.core.health import HealthState
from failover.core.model import Instant, Policy, Service
from failover.core.verdict import Verdict, VerdictKind
from failover.core.windows import open_window, span
from failover.core.world import Forced, ForcedAs, Orders, Watch, World

DOWN_OR_DRAINED = (ForcedAs.DOWN, ForcedAs.DRAINED)


def says(site: str, forced: Forced, now: Instant) -> str:
    """For example: `aurora is drained by a person for another 35 min (disks are replaced)`."""
    left = "" if forced.until is None else f" for another {span(forced.until.since(now))}"
    word = "drained" if forced.word is ForcedAs.DRAINED else f"forced {forced.word}"
    return f"{site} is {word} by a person{left} ({forced.reason})"


def drained(orders: Orders, now: Instant, site: str) -> str | None:
    """A sentence when a person keeps the service away from this site, with the way out."""
    forced = orders.forced_at(now).get(site)
    if forced is None or forced.word not in DOWN_OR_DRAINED:
        return None
    return f"{says(site, forced, now)}; `failover force {site} --clear` ends it"


def maintenance(service: Service, now: Instant, site: str | None) -> str | None:
    """A sentence while a window of this site (None: of the whole service) is open."""
    found = open_window(service.maintenance, now.utc_s, site)
    if found is None:
        return None
    window, left_s = found
    why = f" ({window.reason})" if window.reason else ""
    return f"maintenance of {site or 'the service'} for another {span(left_s)}{why}"


def quiet(service: Service, now: Instant, active: str) -> str | None:
    """A sentence while maintenance of the service or of its active site mutes pages and automatic moves."""
    return maintenance(service, now, None) or maintenance(service, now, active)


# ------------------------------------------------------------------------------------ flapping


def flipped(before: Watch, plane: HealthState, at: Instant, policy: Policy) -> tuple[HealthState, tuple[Instant, ...]]:
    """What the site was last decided to be, and when it changed between UP and DOWN within the window."""
    recent = tuple(flip for flip in before.flips if at.since(flip) < policy.flap_window_s)
    if plane is HealthState.UNKNOWN or plane is before.decided:
        return before.decided, recent
    first = before.decided is HealthState.UNKNOWN
    return plane, recent if first else (*recent, at)[-2 * policy.flap_limit - 2 :]


def flapping(service: Service, now: Instant, site: str, watch: Watch) -> str | None:
    """A sentence when the site went up and down more often than the policy takes."""
    policy = service.policy
    recent = [flip for flip in watch.flips if now.since(flip) < policy.flap_window_s]
    if len(recent) <= policy.flap_limit:
        return None
    quiet_s = policy.flap_window_s - now.since(recent[-policy.flap_limit - 1])
    return (
        f"{site} is flapping: it went up and down {len(recent)} times within {span(policy.flap_window_s)} "
        f"(policy.flap_limit {policy.flap_limit}); held for another {span(quiet_s)} at least"
    )


# ------------------------------------------------------------------------------------ together


def against_target(service: Service, world: World, site: str) -> list[str]:
    """Why nothing may go to this site by itself; [] when nothing holds it."""
    watch = world.state.watch.get(site, Watch())
    found = (
        drained(world.orders, world.now, site),
        maintenance(service, world.now, site),
        flapping(service, world.now, site, watch),
    )
    return [sentence for sentence in found if sentence is not None]


def against_leaving(service: Service, world: World, active: str, verdict: Verdict) -> list[str]:
    """Why the service may not leave its active site by itself; [] when nothing holds it."""
    found = [quiet(service, world.now, active)]
    forced = world.orders.forced_at(world.now).get(active)
    if forced is not None and forced.word is ForcedAs.UP:
        found.append(f"{says(active, forced, world.now)}; `failover force {active} --clear` ends it")
    if not (verdict.kind is VerdictKind.ACCOUNT_CLOSED and verdict.explicit):
        found.append(flapping(service, world.now, active, world.state.watch.get(active, Watch())))
    return [sentence for sentence in found if sentence is not None]


def against_pivot(service: Service, plan: CutoverPlan, orders: Orders, now: Instant) -> str | None:
    """What a person or the calendar says against an automatic plan that is about to touch DNS."""
    if not plan.automatic:
        return None
    pause = orders.pause_at(now)
    if pause is not None:
        return f"paused ({pause.reason})"
    source = orders.forced_at(now).get(plan.source or "")
    if source is not None and source.word is ForcedAs.UP:
        return says(plan.source or "", source, now)
    held = (drained(orders, now, plan.target), maintenance(service, now, plan.target), maintenance(service, now, None))
    return next((sentence for sentence in held if sentence is not None), None)


def shown(service: Service, world: World) -> list[tuple[str, str]]:
    """Everything that holds now, for every screen: (`PAUSED`, `MAINTENANCE`, `FORCED` or `FLAPPING`, a sentence)."""
    found: list[tuple[str, str]] = []
    pause = world.orders.pause_at(world.now)
    if pause is not None:
        left = "" if pause.until is None else f" for another {span(pause.until.since(world.now))}"
        found.append(("PAUSED", f"{pause.reason}{left}; `failover unpause` ends it"))
    sites = [site.name for site in service.sites]
    found += _each("MAINTENANCE", (maintenance(service, world.now, site) for site in (None, *sites)))
    for site, forced in sorted(world.orders.forced_at(world.now).items()):
        found.append(("FORCED", f"{says(site, forced, world.now)}; `failover force {site} --clear` ends it"))
    watches = [(site, world.state.watch.get(site, Watch())) for site in sites]
    found += _each("FLAPPING", (flapping(service, world.now, site, watch) for site, watch in watches))
    return found


def _each(word: str, sentences: Iterable[str | None]) -> list[tuple[str, str]]:
    return [(word, sentence) for sentence in sentences if sentence is not None]
