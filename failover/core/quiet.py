"""Which TTL the records shall have now: a long one in quiet times, the short one when a cutover may be near."""

from failover.core.budget import quiet_ttl_s
from failover.core.decide import tilted, unfenced
from failover.core.health import HealthState
from failover.core.model import Instant, Service
from failover.core.verdict import VerdictKind
from failover.core.world import State, Watch, World

WARNINGS = (VerdictKind.ACCOUNT_WARNED, VerdictKind.ACCOUNT_CLOSED)


def wanted_ttl_s(service: Service, state: State, now: Instant) -> tuple[int, str]:
    """The TTL in seconds, and why."""
    steady = quiet_ttl_s(service)
    near = steady != service.ttl_s and _near(service, state, now)
    if near:
        return service.ttl_s, near
    return steady, "nothing points to a cutover any more" if steady != service.ttl_s else "it is always the same"


def _near(service: Service, state: State, now: Instant) -> str:
    """Why a cutover may be near, or ""."""
    prepared = state.prepared
    if prepared is not None and (prepared.until is None or prepared.until.since(now) > 0):
        return f"a cutover is being prepared ({prepared.reason})"
    verdict = state.watch.get(state.active_site or "", Watch()).verdict
    if verdict is not None and verdict.kind in WARNINGS:
        return f"{state.active_site} is {verdict.kind}"
    if any(now.since(move.at) < service.policy.cooldown_s for move in state.moves):
        return "a cutover was made within the cooldown"
    return ""


def ttl_due(service: Service, world: World) -> tuple[int, str] | None:
    """The TTL that a check should bring about by itself now, and why; None when it is right, or now is not the time.

    Never while the active site does not serve, or while something stands against any change without a person.
    """
    state = world.state
    verdict = state.watch.get(state.active_site or "", Watch()).verdict
    if state.published is None or state.open_plan is not None or verdict is None:
        return None
    ttl_s, why = wanted_ttl_s(service, state, world.now)
    if all(r.ttl_s == ttl_s for r in state.published.rrsets):
        return None
    readable = world.hosts and all(h.problem is None for h in world.hosts.values())
    calm = world.orders.pause_at(world.now) is None and not tilted(world) and unfenced(service, world) is None
    if verdict.data_plane is not HealthState.UP or not readable or not calm or state.debts:
        return None
    return ttl_s, why
