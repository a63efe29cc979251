"""Many seeds, none of which may show what must never happen. `FAILOVER_SEEDS=50000` for a long run."""

import os

import pytest

from failover.testing.simulation import main, run

SEEDS = int(os.environ.get("FAILOVER_SEEDS", "200"))
CHUNK = max(10, SEEDS // 100)


@pytest.mark.timeout(max(180, CHUNK * 10))
@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_nothing_happens_that_must_not(first: int) -> None:
    bad = [result for seed in range(first, first + CHUNK) if (result := run(seed)).violations]
    assert not bad, "\n".join([*(b.report() for b in bad), *bad[0].trail])


def test_a_plan_past_its_pivot_goes_on_while_an_apply_replaces_the_nodes_that_it_has_proven() -> None:
    """Those nodes still run then, and the inventory has known them."""
    assert run(301, crises=0.6).violations == ()


def test_the_same_seed_gives_the_same_story() -> None:
    assert run(3).trail == run(3).trail
    assert run(3).trail != run(4).trail


def test_a_seed_is_played_again_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--first", "3", "--trail"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[:-1] == list(run(3).trail)
    assert said[-1].startswith("1 seeds, ")
    assert said[-1].endswith(" 0 bad")


def test_the_seeds_are_worth_something() -> None:
    """Stories in which nothing happens would prove nothing."""
    results = [run(seed) for seed in range(12)]
    assert sum(r.cutovers for r in results) > 12
    assert sum(r.crashes for r in results) > 12
    assert sum(r.ticks for r in results) > 12 * 40
