"""The state of a service as numbers, for monitoring. Names, units and labels are promises (`docs/metrics.md`)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from failover.core.alarm import alarm
from failover.core.budget import Term, cadence_s, observed_cadence_s
from failover.core.decide import DecisionKind
from failover.core.health import HealthState
from failover.core.holds import flapping, maintenance
from failover.core.model import Service
from failover.core.outlook import safe, stale_s
from failover.core.verdict import VerdictKind
from failover.core.world import ForcedAs, Watch, World

METRICS: dict[str, str] = {
    "failover_alarm_level": "How it stands: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.",
    "failover_safe": "1 when the loss of the active site would be survived without a person.",
    "failover_last_check_timestamp_seconds": "When the last round began; alert when it is old.",
    "failover_cadence_seconds": "Time between rounds: configured, and observed lately.",
    "failover_epoch": "The last epoch that was spent.",
    "failover_decision": "1 for the last round's decision.",
    "failover_isolated": "1 when this vantage does not reach its own controls.",
    "failover_controls_answering": "Providers whose controls answered in the last round.",
    "failover_paused": "1 while a person has paused everything automatic.",
    "failover_maintenance": "1 while a window is open; without a site: of the whole service.",
    "failover_plan_open": "1 while a plan is under way.",
    "failover_proposal_open": "1 while a person is asked whether to cut over.",
    "failover_debts": "DNS hosts that have not taken the last change.",
    "failover_dns_host_readable": "1 when the last round could read the host.",
    "failover_site_active": "1 for the site that DNS points to.",
    "failover_site_health": "1 for what the site's checks come to.",
    "failover_site_verdict": "1 for the site's verdict.",
    "failover_site_ready": "1 when the site could take over now.",
    "failover_site_forced": "1 while a person has forced or drained the site.",
    "failover_site_flapping": "1 while the site is held because it comes and goes.",
    "failover_last_cutover_timestamp_seconds": "When the last cutover passed its pivot; absent when there was none.",
    "failover_budget_seconds": "The worst case from a fault to the last stale cache, by term.",
}
"""By name, what it says. All are gauges, and all carry the label `service`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One number. `labels` come beside `service`, which all have."""

    name: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


def measures(service: Service, world: World, budget: Sequence[Term]) -> tuple[Measure, ...]:
    """Every number of this moment, those of one metric together."""
    found = [*_service(service, world), *_sites(service, world)]
    found += [_of("failover_budget_seconds", term.seconds, term=term.term) for term in budget]
    order = list(METRICS)
    return tuple(sorted(found, key=lambda measure: order.index(measure.name)))


def _of(name: str, value: float, **labels: str) -> Measure:
    return Measure(name=name, value=float(value), labels=tuple(labels.items()))


def _each(name: str, label: str, kinds: type[StrEnum], now: str, **labels: str) -> Iterator[Measure]:
    """One of several is so: 1 for it, 0 for each other."""
    for kind in kinds:
        yield _of(name, kind.value == now, **labels, **{label: kind.value})


def _service(service: Service, world: World) -> Iterator[Measure]:
    state, now = world.state, world.now
    observed = observed_cadence_s(state.intervals_s)
    yield _of("failover_alarm_level", alarm(service, world).level)
    yield _of("failover_safe", safe(service, world) and stale_s(service, world) is None)
    if state.last_tick is not None:
        yield _of("failover_last_check_timestamp_seconds", state.last_tick.utc_s)
    yield _of("failover_cadence_seconds", cadence_s(service), kind="configured")
    if observed is not None:
        yield _of("failover_cadence_seconds", observed, kind="observed")
    yield _of("failover_epoch", state.epoch)
    yield from _each("failover_decision", "decision", DecisionKind, state.decision)
    yield _of("failover_isolated", state.isolated)
    yield _of("failover_controls_answering", state.controls_ok)
    yield _of("failover_paused", world.orders.pause_at(now) is not None)
    for site in (None, *(s.name for s in service.sites)):
        yield _of("failover_maintenance", maintenance(service, now, site) is not None, site=site or "")
    yield _of("failover_plan_open", state.open_plan is not None)
    yield _of("failover_proposal_open", state.proposal is not None)
    yield _of("failover_debts", len(state.debts))
    for host in state.hosts.values():
        yield _of("failover_dns_host_readable", host.problem is None, host=host.host)
    if state.moves:
        yield _of("failover_last_cutover_timestamp_seconds", max(move.at.utc_s for move in state.moves))


def _sites(service: Service, world: World) -> Iterator[Measure]:
    forced = world.orders.forced_at(world.now)
    for name in [site.name for site in service.sites]:
        watch = world.state.watch.get(name, Watch())
        plane = watch.verdict.data_plane if watch.verdict is not None else HealthState.UNKNOWN
        kind = watch.verdict.kind if watch.verdict is not None else VerdictKind.UNKNOWN
        yield _of("failover_site_active", name == world.state.active_site, site=name)
        yield from _each("failover_site_health", "state", HealthState, plane, site=name)
        yield from _each("failover_site_verdict", "verdict", VerdictKind, kind, site=name)
        yield _of("failover_site_ready", watch.readiness is not None and watch.readiness.ready, site=name)
        yield from _each("failover_site_forced", "as", ForcedAs, forced[name].word if name in forced else "", site=name)
        yield _of("failover_site_flapping", flapping(service, world.now, name, watch) is not None, site=name)
