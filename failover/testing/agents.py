"""The conformance suite of `ports.Agent`.

class TestMyAgent(AgentConformance):
    @pytest.fixture
    def bench(self) -> AgentBench:
        return AgentBench(agent=..., name=..., good=..., refused=..., silent=..., controls=...)
"""
# ruff: noqa: S101 - a suite of assertions

from dataclasses import dataclass, replace

import pytest

from failover.core.model import Ballot, Failure, Outcome, Target
from failover.errors import Conflict
from failover.ports import Agent

DEADLINE_S = 20.0
SHORT_S = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentBench:
    """An agent with things to ask. Its config knows the checks of all three; `silent` never answers. `controls`: how
    many of its own controls answer, and how many it has."""

    agent: Agent
    name: str
    good: Target
    refused: Target
    silent: Target
    controls: tuple[int, int]


class AgentConformance:
    """What every agent must do."""

    @pytest.fixture
    def bench(self) -> AgentBench:
        raise NotImplementedError("return an AgentBench")

    def test_without_targets_it_tells_of_its_controls(self, bench: AgentBench) -> None:
        ballot = bench.agent.look([], DEADLINE_S)
        assert (ballot.vantage, ballot.samples, ballot.problem) == (bench.name, (), None)
        assert (sum(c.ok for c in ballot.controls), len(ballot.controls)) == bench.controls

    def test_samples_stand_in_the_order_of_their_targets_and_name_the_vantage(self, bench: AgentBench) -> None:
        ballot = _look(bench, bench.good, bench.refused, bench.good)
        assert [s.outcome for s in ballot.samples] == [Outcome.PASS, Outcome.FAIL, Outcome.PASS]
        assert [s.address for s in ballot.samples] == [t.address for t in (bench.good, bench.refused, bench.good)]
        assert {s.vantage for s in ballot.samples} == {bench.name}

    def test_the_site_is_told_as_it_was_asked(self, bench: AgentBench) -> None:
        ballot = _look(bench, replace(bench.good, site="one"), replace(bench.good, site="two"))
        assert [s.site for s in ballot.samples] == ["one", "two"]

    def test_a_failure_says_why(self, bench: AgentBench) -> None:
        (sample,) = _look(bench, bench.refused).samples
        assert (sample.outcome, sample.failure) == (Outcome.FAIL, Failure.REFUSED)
        assert sample.detail

    def test_a_round_without_time_for_an_answer_knows_nothing(self, bench: AgentBench) -> None:
        (sample,) = bench.agent.look([bench.silent], SHORT_S).samples
        assert sample.outcome is Outcome.UNKNOWN

    @pytest.mark.parametrize("change", [{"name": "of-another-config"}, {"path": "/other"}, {"body": "well"}])
    def test_with_another_config_it_does_not_look(self, bench: AgentBench, change: dict[str, str]) -> None:
        strange = replace(bench.good, check=replace(bench.good.check, **change))  # type: ignore[arg-type]
        with pytest.raises(Conflict, match=strange.check.name):
            _look(bench, bench.refused, strange)

    def test_what_only_the_asker_goes_by_may_differ(self, bench: AgentBench) -> None:
        own = replace(bench.good.check, interval_s=77.0, fall=9, rise=9, group="others")
        assert _look(bench, replace(bench.good, check=own)).samples[0].outcome is Outcome.PASS

    @pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254"])
    def test_metadata_addresses_are_never_asked(self, bench: AgentBench, address: str) -> None:
        (sample,) = _look(bench, replace(bench.good, address=address)).samples
        assert (sample.outcome, sample.failure) == (Outcome.UNKNOWN, Failure.LOCAL)

    def test_asking_again_gives_the_same_answer(self, bench: AgentBench) -> None:
        assert {_look(bench, bench.good).samples[0].outcome for _ in range(3)} == {Outcome.PASS}


def _look(bench: AgentBench, *targets: Target) -> Ballot:
    return bench.agent.look(targets, DEADLINE_S)
