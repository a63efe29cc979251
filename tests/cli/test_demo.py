"""The whole demo, as a user runs it: by the command, in a pipe."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from failover.cli.demo_stage import processes_under

KEYS = {
    "schema_version",
    "ok",
    "outage_s",
    "budget_s",
    "budget",
    "requests",
    "failures",
    "failback_failures",
    "epochs",
    "dns_hosts_verified",
    "timeline",
}
STORY = [
    "account closed",
    "first failed request",
    "cutover started",
    "DNS swapped",
    "verified",
    "committed",
    "failback",
]


def demo(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "failover", "demo", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.timeout(300)
def test_the_demo_loses_a_provider_and_comes_home_within_its_budget(tmp_path: Path) -> None:
    process = demo("--output", "json", "--keep", str(tmp_path / "kept"))
    out, progress = process.communicate()
    assert process.returncode == 0, progress
    result = json.loads(out)
    assert set(result) == KEYS
    assert (result["schema_version"], result["ok"]) == (1, True)
    assert 0 < result["outage_s"] <= result["budget_s"]
    assert result["budget_s"] == pytest.approx(sum(term["seconds"] for term in result["budget"]))
    assert all(set(term) == {"term", "seconds", "why"} for term in result["budget"])
    assert 0 < result["failures"] < result["requests"]
    assert result["failback_failures"] == 0
    assert result["epochs"] == [1, 2, 3]
    assert result["dns_hosts_verified"] == ["ns1", "ns2"]
    told = [line["what"] for line in result["timeline"]]
    assert [what for what in told if what in STORY][: len(STORY)] == STORY
    assert [line["at_s"] for line in result["timeline"]] == sorted(line["at_s"] for line in result["timeline"])
    assert "account closed" in progress
    assert (tmp_path / "kept" / "logs" / "requests.jsonl").exists()
    assert processes_under(tmp_path) == []


@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_ends_everything_and_says_where_its_logs_are(
    tmp_path: Path, number: signal.Signals
) -> None:
    kept = tmp_path / "kept"
    process = demo("--keep", str(kept))
    while not (kept / "logs" / "requests.jsonl").exists():
        assert process.poll() is None
        time.sleep(0.1)
    assert len(processes_under(kept)) > 10
    process.send_signal(number)
    _, problems = process.communicate()
    assert process.returncode == 1
    assert f"interrupted by {number.name}" in problems
    assert str(kept / "logs") in problems
    assert processes_under(kept) == []


def test_a_directory_in_use_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    process = demo("--keep", str(tmp_path))
    _, problems = process.communicate()
    assert process.returncode == 1
    assert "already" in problems
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]
