"""One round of the probe, held to what its port promises: a sample for each target, whatever else it brings.

A round that is short would leave an address out of the judgement, as if it had passed.
"""

from collections.abc import Sequence
from typing import TypeVar

from failover.core.model import Control, ControlSample, Instant, Outcome, Sample, Target
from failover.engine.context import Context
from failover.errors import Unreadable

T = TypeVar("T")


def ask_targets(context: Context, targets: Sequence[Target], deadline_s: float) -> tuple[Sample, ...]:
    """One sample for each target, in their order. For a `Call`. Raises Unreadable where the probe brings another number
    of them."""
    return _whole(context.probe.run(targets, deadline_s), len(targets), "targets")


def ask_controls(context: Context, deadline_s: float) -> tuple[ControlSample, ...]:
    """Likewise, of the service's controls."""
    controls = context.service.controls
    return _whole(context.probe.controls(controls, deadline_s), len(controls), "controls")


def _whole(found: Sequence[T], wanted: int, what: str) -> tuple[T, ...]:
    if len(found) != wanted:
        raise Unreadable("probe", "", f"it brought {len(found)} samples of {wanted} {what}")
    return tuple(found)


def unasked(targets: Sequence[Target], why: str, at: Instant) -> tuple[Sample, ...]:
    """What is known of targets when the round brought nothing."""
    return tuple(
        Sample(site=t.site, check=t.check.name, address=t.address, at=at, outcome=Outcome.UNKNOWN, detail=why)
        for t in targets
    )


def unasked_controls(controls: Sequence[Control], why: str) -> tuple[ControlSample, ...]:
    """Likewise, of controls: silence of ours is none of theirs, and proves nothing."""
    return tuple(ControlSample(target=c.target, provider=c.provider, ok=False, detail=why) for c in controls)
