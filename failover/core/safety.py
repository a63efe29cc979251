"""Rules that a plan must pass before it may touch anything. Each names the value, the limit and the override.

They are checked when the plan is made, and again with the bound addresses just before the pivot.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from failover.core.cutover import ALIAS, CutoverPlan, PlanKind
from failover.core.holds import drained
from failover.core.model import HostReading, Service
from failover.core.rrsets import Epoch, RRset, normal_address, read_epoch
from failover.core.verdict import VerdictKind
from failover.core.world import World

NEVER = "none: this rule has no override"
FORCE = "--force"

DOWN_KINDS = (
    VerdictKind.APP_DOWN,
    VerdictKind.RESOURCES_GONE,
    VerdictKind.PROVIDER_DOWN,
    VerdictKind.ACCOUNT_CLOSED,
    VerdictKind.DOWN_UNEXPLAINED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A rule that the plan breaks."""

    rule: str
    value: str
    limit: str
    override: str = NEVER

    def __str__(self) -> str:
        return f"{self.rule}: {self.value}; {self.limit} (override: {self.override})"


def check_sets(service: Service, plan: CutoverPlan, rrsets: Sequence[RRset], allowed: Iterable[str]) -> list[Violation]:
    """S3 and S17: only our names, each with at least one value, and only known addresses and targets. No override."""
    if plan.kind is PlanKind.WITHDRAW:
        return []
    targets = service.site(plan.target).targets or {}
    wanted = {(r.name, ALIAS if r.name in targets else r.type) for r in service.records}
    found = []
    for key in sorted({r.key for r in rrsets} ^ wanted):
        what = "missing from the plan" if key in wanted else "not a configured record"
        found.append(
            Violation(rule="names", value=f"{key[0]} {key[1]} is {what}", limit="exactly the config's records")
        )
    known = {normal_address(a) for a in allowed}
    for rrset in rrsets:
        strange = sorted(rrset.values - ({targets.get(rrset.name, "")} if rrset.type == ALIAS else known))
        if strange:
            value = f"{rrset.name} would hold {', '.join(strange)}"
            found.append(Violation(rule="addresses", value=value, limit="only configured or inventoried addresses"))
    return found


def check_plan(service: Service, plan: CutoverPlan, world: World) -> list[Violation]:
    """What speaks against this plan in this world. An empty list lets it pass."""
    found = _epochs(service, plan, world)
    if plan.kind is PlanKind.CUTOVER:
        found += _target(plan, world)
    if plan.automatic:
        found += _automatic(service, world)
    return found


def _epochs(service: Service, plan: CutoverPlan, world: World) -> list[Violation]:
    found = []
    if plan.epoch <= world.state.epoch and world.state.open_plan is None:
        value = f"epoch {plan.epoch}"
        found.append(Violation(rule="epoch", value=value, limit=f"above {world.state.epoch}, the last one spent"))
    readable = [h for h in world.hosts.values() if h.problem is None]
    if not readable:
        why = "; ".join(f"{h.host}: {h.problem}" for h in world.hosts.values()) or "none was asked"
        value = f"no DNS host can be read ({why})"
        found.append(Violation(rule="dns", value=value, limit="at least one; `failover doctor` looks at each"))
    for reading in readable:
        highest = highest_epoch(service, (reading,))
        if highest is not None and highest.number >= plan.epoch:
            value = f"{reading.host} already holds epoch {highest.number}"
            found.append(Violation(rule="epoch", value=value, limit=f"below {plan.epoch}"))
    return found


def _target(plan: CutoverPlan, world: World) -> list[Violation]:
    found = []
    watch = world.state.watch.get(plan.target)
    verdict = watch.verdict if watch else None
    if verdict is not None and verdict.kind in DOWN_KINDS:
        found.append(
            Violation(rule="target", value=f"{plan.target} is {verdict.kind}", limit="a site that is not down")
        )
    kept_away = drained(world.orders, world.now, plan.target)
    if kept_away is not None and not plan.forced:
        found.append(Violation(rule="drained", value=kept_away, limit="a site that nobody drained", override=FORCE))
    readiness = watch.readiness if watch else None
    if (readiness is None or not readiness.ready) and not plan.forced:
        why = "; ".join(readiness.reasons) if readiness else "it was never checked"
        value = f"{plan.target} is not ready: {why}"
        found.append(Violation(rule="ready", value=value, limit="a proven target", override=FORCE))
    return found


def _automatic(service: Service, world: World) -> list[Violation]:
    best = best_grade(world.hosts)
    if best > service.policy.min_grade:
        value = f"the best DNS host has fencing grade {best}"
        limit = f"policy.min_grade {service.policy.min_grade}"
        return [Violation(rule="grade", value=value, limit=limit, override="`failover cutover` by hand")]
    return []


def best_grade(hosts: Mapping[str, HostReading]) -> int:
    """The best (lowest) fencing grade among the hosts; 9 when there are none."""
    return min((h.grade for h in hosts.values()), default=9)


def highest_epoch(service: Service, readings: Iterable[HostReading]) -> Epoch | None:
    """The highest epoch that the readable hosts hold. A text that is no epoch raises ValueError."""
    epochs = [
        epoch
        for reading in readings
        if reading.problem is None
        for zone in service.zones
        if (epoch := read_epoch(reading.rrsets, service.name, zone)) is not None
    ]
    return max(epochs, key=lambda e: e.number, default=None)


def lowest_epoch(service: Service, reading: HostReading) -> int:
    """The lowest epoch that the zones of a readable host hold; 0 where one holds none."""
    epochs = [read_epoch(reading.rrsets, service.name, zone) for zone in service.zones]
    return min((e.number if e is not None else 0 for e in epochs), default=0)
