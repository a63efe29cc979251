"""A decision or a person's word → a CutoverPlan with everything bound that can be bound now."""

from collections.abc import Mapping

from failover.core.cutover import CutoverPlan, PlanKind, our_keys, record_sets, seal, steps_for
from failover.core.judge import site_addresses
from failover.core.model import HostReading, Service, Site, Standby
from failover.core.quiet import wanted_ttl_s
from failover.core.rrsets import RRset, epoch_name
from failover.core.safety import highest_epoch
from failover.core.world import State
from failover.engine.context import Context


def make_plan(
    context: Context,
    state: State,
    hosts: Mapping[str, HostReading],
    kind: PlanKind,
    target: str,
    *,
    automatic: bool = False,
    forced: bool = False,
    verdict: str = "",
    reasons: tuple[str, ...] = (),
    rrsets: tuple[RRset, ...] | None = None,
) -> CutoverPlan:
    """The plan of the next epoch. `rrsets`: what it puts, where that does not follow from the site.

    A cutover publishes with the short TTL: it may not be the last one. Raises ValueError when a record would be empty.
    """
    service = context.service
    addresses, wanted = _bound(context, state, kind, service.site(target), forced=forced)
    return seal(
        CutoverPlan(
            id=f"{kind.value}-{state.epoch + 1}-{context.runtime.token()}",
            kind=kind,
            service=service.name,
            at=context.runtime.now(),
            parent_epoch=state.published.epoch if state.published else 0,
            epoch=state.epoch + 1,
            source=state.active_site,
            target=target,
            steps=steps_for(service, kind, target, automatic=automatic, hooks=context.hook is not None),
            zones=service.zones,
            hosts=service.hosts,
            rrsets=wanted if rrsets is None else rrsets,
            before=still_ours(service, state.published.rrsets) if state.published else standing(context, hosts),
            automatic=automatic,
            forced=forced,
            verdict=verdict,
            reasons=reasons,
            addresses=addresses,
        )
    )


def _bound(
    context: Context, state: State, kind: PlanKind, site: Site, *, forced: bool
) -> tuple[Mapping[str, tuple[str, ...]], tuple[RRset, ...]]:
    """By group where the target serves, and the sets that DNS shall hold; both empty where `scale` will bind them."""
    service = context.service
    if kind is PlanKind.WITHDRAW:
        return {}, state.adopted
    known = site_addresses(site, state)
    if kind is not PlanKind.CUTOVER:
        ttl_s, _ = wanted_ttl_s(service, state, context.runtime.now())
        return known, record_sets(service, site, known, ttl_s=ttl_s)
    if not site.given and site.standby is not Standby.HOT:
        return {}, ()
    addresses = known if forced else _passing(state, site.name, known)
    return addresses, record_sets(service, site, addresses, ttl_s=service.ttl_s)


def still_ours(service: Service, rrsets: tuple[RRset, ...]) -> tuple[RRset, ...]:
    """Without the records that left the config since they were published: nobody reads them any more."""
    names = our_keys(service)
    return tuple(r for r in rrsets if r.key in names)


def _passing(state: State, target: str, known: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Of the target's addresses those that passed every check in the last round; all of an IP version where none did.

    Where we have no way to one version, its addresses stand or fall with the node's others.
    """
    watch = state.watch.get(target)
    good = set(watch.addresses) if watch else set()
    return {group: _good(found, good, v6=False) + _good(found, good, v6=True) for group, found in known.items()}


def _good(found: tuple[str, ...], good: set[str], *, v6: bool) -> tuple[str, ...]:
    same = tuple(a for a in found if (":" in a) is v6)
    return tuple(a for a in same if a in good) or same


def standing(context: Context, hosts: Mapping[str, HostReading]) -> tuple[RRset, ...]:
    """What our records hold now: as the readable host with the highest epoch says, of equals one that holds any."""
    service = context.service
    readable = [h for h in hosts.values() if h.problem is None]
    fences = {epoch_name(service.name, zone) for zone in service.zones}
    best: tuple[int, tuple[RRset, ...]] = (-1, ())
    for reading in readable:
        epoch = highest_epoch(service, (reading,))
        number = epoch.number if epoch else 0
        found = tuple(r for r in reading.rrsets if r.name not in fences)
        if number > best[0] or (number == best[0] and not best[1]):
            best = (number, found)
    return best[1]
