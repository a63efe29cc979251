"""The conformance suite of `ports.Probe`.

class TestMyProbe(ProbeConformance):
    @pytest.fixture
    def bench(self) -> ProbeBench:
        return ProbeBench(probe=..., good=..., ...)
"""
# ruff: noqa: S101 - a suite of assertions

from dataclasses import dataclass, replace

import pytest

from failover.core.model import Control, Failure, Outcome, Sample, Target
from failover.ports import Probe

DEADLINE_S = 30.0
SHORT_S = 0.2
TIMEOUTS = (Failure.CONNECT_TIMEOUT, Failure.READ_TIMEOUT)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeBench:
    """A probe with things to ask. `silent` takes connections and never answers; its check must not be of kind tcp."""

    probe: Probe
    good: Target
    refused: Target
    silent: Target
    good_control: Control
    dead_control: Control


class ProbeConformance:
    """What every probe must do. The check of each target is asked with other timeouts than it came with."""

    @pytest.fixture
    def bench(self) -> ProbeBench:
        raise NotImplementedError("return a ProbeBench")

    def test_no_targets_give_no_samples(self, bench: ProbeBench) -> None:
        assert bench.probe.run([], DEADLINE_S) == ()
        assert bench.probe.controls([], DEADLINE_S) == ()

    def test_a_well_target_passes(self, bench: ProbeBench) -> None:
        sample = _one(bench, bench.good)
        assert (sample.outcome, sample.failure) == (Outcome.PASS, None), sample.detail
        assert sample.latency_ms is not None
        assert sample.latency_ms >= 0

    def test_a_refusal_fails_with_a_reason(self, bench: ProbeBench) -> None:
        sample = _one(bench, bench.refused)
        assert (sample.outcome, sample.failure) == (Outcome.FAIL, Failure.REFUSED)
        assert sample.detail

    def test_silence_fails_at_the_checks_timeout(self, bench: ProbeBench) -> None:
        sample = _one(bench, _patient(bench.silent, SHORT_S))
        assert sample.outcome is Outcome.FAIL
        assert sample.failure in TIMEOUTS
        assert sample.detail

    def test_a_target_cut_off_by_the_round_is_unknown(self, bench: ProbeBench) -> None:
        (sample,) = bench.probe.run([_patient(bench.silent, DEADLINE_S)], SHORT_S)
        assert sample.outcome is Outcome.UNKNOWN
        assert sample.failure in (None, Failure.LOCAL)
        assert sample.detail

    def test_a_round_without_time_knows_nothing(self, bench: ProbeBench) -> None:
        samples = bench.probe.run([bench.good, bench.refused], 0.0)
        assert [sample.outcome for sample in samples] == [Outcome.UNKNOWN] * 2

    def test_samples_stand_in_the_order_of_their_targets(self, bench: ProbeBench) -> None:
        good, refused = (_patient(target, DEADLINE_S) for target in (bench.good, bench.refused))
        targets = [replace(target, site=f"site-{n % 3}") for n, target in enumerate([good, refused, refused] * 20)]
        samples = bench.probe.run(targets, DEADLINE_S)
        assert [(s.site, s.check, s.address) for s in samples] == [(t.site, t.check.name, t.address) for t in targets]
        wanted = [Outcome.PASS, Outcome.FAIL, Outcome.FAIL] * 20
        assert [sample.outcome for sample in samples] == wanted

    def test_one_silent_target_does_not_spoil_the_others(self, bench: ProbeBench) -> None:
        silent = _patient(bench.silent, SHORT_S)
        samples = bench.probe.run([silent, bench.good, silent, bench.refused], DEADLINE_S)
        assert [sample.outcome for sample in samples] == [Outcome.FAIL, Outcome.PASS, Outcome.FAIL, Outcome.FAIL]

    def test_asking_again_gives_the_same_answer(self, bench: ProbeBench) -> None:
        outcomes = {_one(bench, bench.good).outcome for _ in range(3)}
        assert outcomes == {Outcome.PASS}

    def test_all_samples_are_of_one_vantage(self, bench: ProbeBench) -> None:
        samples = bench.probe.run([bench.good, bench.refused], DEADLINE_S)
        assert len({sample.vantage for sample in samples}) == 1

    @pytest.mark.parametrize(
        "address",
        ["169.254.169.254", "169.254.0.1", "fe80::1", "fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"],
    )
    def test_metadata_addresses_are_never_asked(self, bench: ProbeBench, address: str) -> None:
        sample = _one(bench, replace(bench.good, address=address))
        assert (sample.outcome, sample.failure) == (Outcome.UNKNOWN, Failure.LOCAL)
        assert address in sample.detail

    def test_controls_stand_in_the_order_asked(self, bench: ProbeBench) -> None:
        controls = [bench.good_control, bench.dead_control, bench.good_control]
        samples = bench.probe.controls(controls, DEADLINE_S)
        assert [sample.ok for sample in samples] == [True, False, True]
        assert [(s.target, s.provider) for s in samples] == [(c.target, c.provider) for c in controls]
        assert all(sample.detail for sample in samples)

    def test_controls_without_time_are_not_ok(self, bench: ProbeBench) -> None:
        (sample,) = bench.probe.controls([bench.good_control], 0.0)
        assert not sample.ok


def _one(bench: ProbeBench, target: Target) -> Sample:
    (sample,) = bench.probe.run([target], DEADLINE_S)
    return sample


def _patient(target: Target, timeout_s: float) -> Target:
    return replace(target, check=replace(target.check, timeout_s=timeout_s))
