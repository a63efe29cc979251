"""The rates of wrong and missed cutovers come from the real judgement: they move when it, or its settings, move."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import failover
from failover.config.load import load
from failover.core.model import Action, Reaction
from failover.testing.detection import Detection, main
from failover.testing.detection_model import TROUBLES, Losses, Truth, faults
from failover.testing.detection_picture import SETUPS, Setup
from failover.testing.detection_tally import Tally, poisson_interval

HOUSE = Path(failover.__file__).parent
BUSY = tuple(replace(trouble, per_1000_h=30 * trouble.per_1000_h) for trouble in TROUBLES)
SINGLE = SETUPS[1]
CONFIG = """
version: 1
service: guestbook
providers:
  virginia: {kind: local}
  frankfurt: {kind: local}
sites:
  virginia: {provider: virginia}
  frankfurt: {provider: frankfurt}
release: {path: ., run: serve}
nodes:
  web: {count: 1, ports: [8080]}
dns:
  zones: [example.org]
  hosts:
    one: {kind: local}
  records:
    www.example.org: {type: A, nodes: web}
checks:
  http: {url: "http://{address}:8080/"}
controls:
  - {tcp: "203.0.113.1:443", provider: "control-1"}
  - {tcp: "203.0.113.2:443", provider: "control-2"}
"""


def played(setup: Setup, hours: float, *, seed: int = 1, every_round: bool = False) -> Tally:
    return Detection(setup, seed=seed, hours=hours, every_round=every_round, troubles=BUSY).run()


def outcome(tally: Tally) -> dict[str, object]:
    return {name: value for name, value in tally.document().items() if name != "rounds_played"}


def test_the_setups_are_the_defaults_of_a_config(tmp_path: Path) -> None:
    file = tmp_path / "failover.yaml"
    file.write_text(CONFIG, encoding="utf-8")
    loaded = load(file).service
    default = SETUPS[0].service
    for name in ("policy", "every_s", "call_s", "single_accept", "ttl_s"):
        assert getattr(loaded, name) == getattr(default, name), name
    (check,), (ours,) = loaded.checks, default.checks
    assert (check.interval_s, check.timeout_s, check.fall, check.rise) == (
        ours.interval_s,
        ours.timeout_s,
        ours.fall,
        ours.rise,
    )


@pytest.mark.parametrize("setup", SETUPS[:2], ids=lambda s: s.name)
def test_skipping_quiet_rounds_changes_nothing(setup: Setup) -> None:
    quick, whole = played(setup, 60.0), played(setup, 60.0, every_round=True)
    assert quick.played < whole.played == whole.rounds
    assert quick.losses > 1
    assert outcome(quick) == outcome(whole)


def test_a_seed_always_tells_the_same() -> None:
    assert played(SINGLE, 100.0) == played(SINGLE, 100.0)
    assert outcome(played(SINGLE, 100.0)) != outcome(played(SINGLE, 100.0, seed=2))


def test_every_loss_is_answered() -> None:
    tally = played(SINGLE, 250.0)
    assert (tally.moved, tally.missed) == (tally.losses, 0)


def test_by_default_a_person_is_asked_where_the_provider_does_not_say_it() -> None:
    tally = played(SETUPS[0], 250.0)
    assert tally.asked > tally.moved > 0
    assert tally.false_moves == 0


def test_without_its_windows_it_moves_for_nothing() -> None:
    hasty = Reaction(action=Action.CUTOVER, confirm_s=0.0)
    service = SINGLE.service
    careless = replace(
        service,
        checks=tuple(replace(check, fall=1) for check in service.checks),
        policy=replace(service.policy, provider_down=hasty),
    )
    assert played(replace(SINGLE, service=careless), 250.0).false_moves > 3 * played(SINGLE, 250.0).false_moves + 3


def test_a_judge_that_takes_one_refusal_for_a_closing_asks_for_nothing(tmp_path: Path) -> None:
    shutil.copytree(HOUSE, tmp_path / "failover", ignore=shutil.ignore_patterns("__pycache__"))
    file = tmp_path / "failover" / "core" / "verdict.py"
    row = "(HealthState.UP, Reading.REFUSED, n): VerdictKind.ACC"
    source = file.read_text(encoding="utf-8")
    assert row in source
    file.write_text(source.replace(row + "ESS_REFUSED", row + "OUNT_CLOSED"), encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "failover.testing.detection",
            "--hours",
            "3000",
            "--setup",
            "default",
            "--format",
            "json",
        ],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=True,
        timeout=150,
    )
    (found,) = json.loads(done.stdout)["setups"]
    assert found["false_questions"] > 1


def test_the_command_prints_a_table_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--hours", "200", "--setup", "single-cron"]) == 0
    assert "per 1,000 h" in capsys.readouterr().out
    assert main(["--hours", "200", "--setup", "single-cron", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema_version"] == 1
    assert document["setups"][0]["false_moves_per_1000_h"]["high"] > 0


def test_no_count_is_no_proof_of_none() -> None:
    low, high = poisson_interval(0)
    assert (low, round(high, 1)) == (0.0, 3.7)
    low, high = poisson_interval(10)
    assert (round(low, 1), round(high, 1)) == (4.8, 18.4)


def test_faults_come_in_order_and_at_their_rates() -> None:
    found = list(faults(1, 200_000.0, 1))
    starts = [fault.start_s for fault in found]
    assert starts == sorted(starts)
    for trouble in TROUBLES:
        ours = [fault for fault in found if fault.name == trouble.name]
        expected = trouble.per_1000_h * 200
        assert abs(len(ours) - expected) < 5 * expected**0.5 + 0.1 * expected, trouble.name
        if trouble.truth is not Truth.LOST:
            middle = sorted(fault.end_s - fault.start_s for fault in ours)[len(ours) // 2]
            assert 0.6 < middle / trouble.median_s < 1.7, trouble.name


def test_losses_come_by_chance() -> None:
    losses = Losses(1, 0, "site", probability=0.01)
    lost = sum(losses.next_from(round_) == round_ for round_ in range(100_000))
    assert 800 < lost < 1200


def test_the_document_tells_the_model_as_it_is() -> None:
    text = (HOUSE.parent / "docs" / "detection.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| [^|]+ \| ([0-9.]+)(?: each)? \| ([0-9]+) (s|min|h) \| ([0-9.]+) \|", text, re.MULTILINE)
    seconds = {"s": 1, "min": 60, "h": 3600}
    documented = [(float(rate), float(median) * seconds[unit], float(sigma)) for rate, median, unit, sigma in told]
    assert documented == [(t.per_1000_h, t.median_s, t.sigma) for t in TROUBLES if t.truth is not Truth.LOST]
