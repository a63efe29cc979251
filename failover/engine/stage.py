"""What a step of a plan sees, what it brings back, and the values that earlier steps have bound."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from failover.core.cutover import CutoverPlan, Step, record_sets
from failover.core.facts import Facts
from failover.core.model import Node
from failover.core.rrsets import RRset
from failover.core.saga import Status, Value
from failover.core.world import State
from failover.engine.context import Context


class Ended(StrEnum):
    OK = "ok"
    WAITING = "waiting"
    UNKNOWN = "unknown"
    """A call hung: what it asked for may have been done."""
    FAILED = "failed"
    OVERTAKEN = "overtaken"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """How a step went, and what it found out or changed."""

    ended: Ended
    reason: str = ""
    output: Mapping[str, Value] = field(default_factory=dict)
    nodes: tuple[Node, ...] | None = None
    """What the target's inventory is now, where the step changed it."""
    facts: Facts | None = None
    """What is known of the plan at the DNS hosts now, where the step found out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What a step sees."""

    context: Context
    state: State
    plan: CutoverPlan
    status: Status
    term: int
    """Of the lease: what is written down under it proves that this run still holds it."""

    @property
    def waited_s(self) -> float:
        """Seconds since this step was started for the first time."""
        started = self.status.step_started
        return 0.0 if started is None else self.context.runtime.now().since(started)


def ok(reason: str = "", **output: Value) -> StepResult:
    return StepResult(ended=Ended.OK, reason=reason, output=output)


def waiting(reason: str) -> StepResult:
    return StepResult(ended=Ended.WAITING, reason=reason)


def failed(reason: str) -> StepResult:
    return StepResult(ended=Ended.FAILED, reason=reason)


def addresses_of(plan: CutoverPlan, status: Status) -> Mapping[str, tuple[str, ...]]:
    """By group: where the target serves; bound to the output of `scale` where the plan has that step."""
    scaled = status.outputs.get(Step.SCALE, {}).get("addresses")
    if not isinstance(scaled, dict):
        return plan.addresses
    return {g: tuple(str(a) for a in found) for g, found in scaled.items() if isinstance(found, list)}


def sets_of(stage: Stage) -> tuple[RRset, ...]:
    """The record sets that the plan puts into DNS, bound if need be. Raises ValueError where one would be empty."""
    if Step.SCALE not in stage.plan.steps:
        return stage.plan.rrsets
    service = stage.context.service
    return record_sets(service, service.site(stage.plan.target), addresses_of(stage.plan, stage.status))


def lost_hosts(status: Status) -> dict[str, str]:
    """Hosts that the plan went on without, with the reason."""
    lost: dict[str, str] = {}
    for step in (Step.SWAP, Step.CONFIRM):
        found = status.outputs.get(step, {}).get("lost")
        if isinstance(found, dict):
            lost |= {str(k): str(v) for k, v in found.items()}
    return lost


def stale_of(status: Status) -> dict[str, tuple[str, ...]]:
    """By host the name servers that still answer what stood there before."""
    found = status.outputs.get(Step.CONFIRM, {}).get("stale")
    if not isinstance(found, dict):
        return {}
    return {host: tuple(str(s) for s in servers) for host, servers in found.items() if isinstance(servers, list)}
