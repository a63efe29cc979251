"""A probe that brings less than it was asked for is believed in nothing: neither for a site nor against one."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from failover.core.health import HealthState
from failover.core.model import Control, ControlSample, Outcome, Sample, Target
from failover.core.saga import EventKind
from failover.engine.doctor import examine
from failover.ports import Probe
from failover.testing.sim_world import SITES, guestbook
from tests.engine.play import Play, play


class Short:
    """A probe that leaves the last `missing` of each round out."""

    missing = 0

    def __init__(self, whole: Probe) -> None:
        self._whole = whole

    def run(self, targets: Sequence[Target], deadline_s: float) -> tuple[Sample, ...]:
        return self._whole.run(targets, deadline_s)[: len(targets) - self.missing]

    def controls(self, controls: Sequence[Control], deadline_s: float) -> tuple[ControlSample, ...]:
        return self._whole.controls(controls, deadline_s)[: len(controls) - self.missing]


@pytest.fixture
def found() -> Play:
    found = play(service=guestbook(given=SITES))
    assert found.apply().problems == ()
    found.ticks(4)
    found.context = replace(found.context, probe=Short(found.context.probe))
    return found


def shorten(found: Play) -> None:
    assert isinstance(found.context.probe, Short)
    found.context.probe.missing = 1


def test_no_site_is_judged_by_part_of_a_round(found: Play) -> None:
    found.outside.cut.add("aurora")
    shorten(found)
    found.ticks(12)
    seen = found.state.watch["aurora"]
    assert seen.verdict is not None
    assert seen.verdict.data_plane is HealthState.UNKNOWN
    assert found.state.active_site == "aurora"


def test_no_target_is_proven_by_part_of_a_round(found: Play) -> None:
    found.when("preflight", EventKind.OK, lambda: shorten(found))
    done = found.cutover("boreas")
    assert not done.committed
    assert found.site_of_dns() == {"aurora"}
    (told,) = {e.reason for e in found.events() if e.step == "verify" and e.reason}
    assert "samples of" in told


def test_the_doctor_says_so(found: Play) -> None:
    shorten(found)
    facts = examine(found.context, found.context, clocks={})
    assert {s.outcome for s in facts.samples} == {Outcome.UNKNOWN}
    assert "samples of" in facts.samples[0].detail
    assert not any(c.ok for c in facts.controls)
