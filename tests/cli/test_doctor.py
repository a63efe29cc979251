"""`failover doctor` on a playground: each thing that goes wrong is named, with the way out and the right exit code."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.play import FORKS, QUICK, Play, playground

pytestmark = pytest.mark.timeout(600)

SLOW_CADENCE = {r"every: 1s": "every: 60s"}
"""So that the last check does not grow old while a busy machine is busy."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    play = playground(tmp_path_factory.mktemp("doctor") / "play", QUICK | SLOW_CADENCE)
    try:
        play.run("apply", "--yes")
        yield play
    finally:
        play.close()
        FORKS.close()


@pytest.fixture
def play(shared: Play) -> Play:
    """Everything well, aurora active, whatever the test before did."""
    shared.settle()
    return shared


def asked(play: Play, code: int = 0) -> list[dict[str, str]]:
    """The findings that are not fine."""
    document = play.ask("doctor", code=code)
    assert document["cutover_would_fail"] is (code == 1)
    return [finding for finding in document["findings"] if finding["severity"] != "fine"]


def about(findings: list[dict[str, str]], area: str, subject: str) -> dict[str, str]:
    (found,) = [f for f in findings if f["area"] == area and f["subject"] == subject]
    assert found["says"]
    assert found["remedy"]
    return found


# ------------------------------------------------------------------------------------ well


def test_all_is_well(play: Play) -> None:
    assert asked(play) == []
    ran = play.run("doctor")
    assert re.fullmatch(r"(\d+) of \1 findings are fine; a cutover would go through\n", ran.out)
    assert "clock" in play.run("doctor", "--verbose").out


def test_the_document(play: Play) -> None:
    document: dict[str, Any] = play.ask("doctor")
    assert set(document) == {"schema_version", "service", "cutover_would_fail", "findings"}
    assert document["service"] == "guestbook"
    assert {f["area"] for f in document["findings"]} >= {
        "account",
        "clock",
        "controls",
        "cutover",
        "dns",
        "quota",
        "runner",
        "serving",
        "state",
        "stock",
    }
    assert all(set(f) == {"area", "subject", "severity", "says", "remedy"} for f in document["findings"])


def test_dns_of_a_playground(play: Play) -> None:
    """The world does not know its zones: only its servers are asked."""
    document = play.ask("doctor", "dns")
    assert document["cutover_would_fail"] is False
    assert {f["area"] for f in document["findings"] if f["severity"] == "fine"} == {"servers", "content"}
    assert {f["severity"] for f in document["findings"]} == {"fine", "note"}
    play.run("local", "stop", "ns2")
    dead = {f["area"]: f["says"] for f in play.ask("doctor", "dns")["findings"] if f["severity"] == "warning"}
    assert set(dead) == {"hosts", "servers"}
    assert "does not answer: " in dead["servers"]
    assert "cannot be asked what it holds: " in dead["hosts"]
    play.run("local", "stop", "ns1")
    document = play.ask("doctor", "dns", code=1)
    assert document["cutover_would_fail"] is True


# ------------------------------------------------------------------------------------ what is wrong


def test_a_dns_host_that_is_stopped(play: Play) -> None:
    play.run("local", "stop", "ns2")
    finding = about(asked(play), "dns", "ns2")
    assert finding["severity"] == "warning"
    shown = play.run("doctor").out
    assert re.search(r"WARNING\s+dns\s+ns2\s+cannot be read", shown)
    assert "→ mend it; a cutover would leave it behind as a debt" in shown
    assert shown.endswith("a cutover would go through\n")
    play.run("local", "stop", "ns1")
    finding = about(asked(play, 1), "dns", "ns1")
    assert finding["severity"] == "fatal"
    assert finding["remedy"] == "mend it; no DNS host can be read, and so no cutover could be made"


def test_a_credential_that_is_refused(play: Play) -> None:
    """A hot cutover asks no provider, so it is a warning there."""
    play.run("local", "fail", "boreas", "--mode", "refuse")
    findings = asked(play)
    for role in ("watch", "mirror"):
        finding = about(findings, "account", f"boreas ({role})")
        assert finding["severity"] == "warning"
        assert "refused" in finding["says"]
        assert "templates/policies" in finding["remedy"]


def test_an_account_that_is_closed_at_one_standby_and_at_all(play: Play) -> None:
    play.run("local", "close", "boreas")
    finding = about(asked(play), "account", "boreas (watch)")
    assert finding["severity"] == "fatal"
    assert "closed" in finding["says"]
    play.run("local", "close", "cirrus")
    findings = asked(play, 1)
    assert about(findings, "account", "cirrus (watch)")["severity"] == "fatal"
    assert play.run("doctor", code=1).out.endswith("a cutover would FAIL\n")


def test_no_check_has_ever_run(tmp_path: Path) -> None:
    play = playground(tmp_path / "play", QUICK | SLOW_CADENCE)
    try:
        assert about(asked(play, 1), "state", "state")["severity"] == "fatal"
        play.run("apply", "--yes")
        finding = about(asked(play, 1), "runner", "check")
        assert finding["severity"] == "fatal"
        assert "no check has ever run" in finding["says"]
        assert "failover check" in finding["remedy"]
    finally:
        play.close()


# ------------------------------------------------------------------------------------ what a hand may spoil


def test_an_archive_that_was_damaged(play: Play) -> None:
    (archive,) = (play.local / "clouds" / "boreas").rglob("*.tar.gz")
    kept = archive.read_bytes()
    archive.write_bytes(kept[: len(kept) // 2])
    try:
        finding = about(asked(play), "stock", "boreas")
        assert "damaged" in finding["says"]
        assert "failover apply" in finding["remedy"]
    finally:
        archive.write_bytes(kept)


def test_a_quota_that_is_too_small_and_a_runner_that_is_nowhere(play: Play) -> None:
    config = play.config.read_text()
    play.edit({r"count: 2\b": "count: 21", r"provider: home, ": ""})
    try:
        findings = asked(play)
        assert (
            "19 more nodes are needed to take over, the quota leaves 18" in about(findings, "quota", "boreas")["says"]
        )
        assert "runner.provider" in about(findings, "runner", "place")["remedy"]
    finally:
        play.config.write_text(config)


def test_controls_that_do_not_answer(play: Play) -> None:
    play.run("local", "stop", "east", "west")
    findings = asked(play, 1)
    assert about(findings, "controls", "controls")["severity"] == "fatal"
