"""Plug-ins: their exit code, their first line, their end."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from failover.core.health import round_outcome
from failover.core.model import CheckKind, Failure, Outcome, Sample
from failover.probes.prober import Prober
from tests.probes.asking import ask, target

Run = Callable[..., Sample]


@pytest.fixture
def run(prober: Prober) -> Run:
    """Asks a plug-in that is a line of shell."""

    def asked(line: str, *arguments: str, timeout_s: float = 20.0) -> Sample:
        command = ("/bin/sh", "-c", line, "plugin", *arguments)
        return ask(
            prober, target(22, address="127.0.0.7", kind=CheckKind.COMMAND, command=command, timeout_s=timeout_s)
        )

    return asked


@pytest.mark.parametrize(
    ("line", "outcome", "failure", "detail"),
    [
        ("echo 'OK - fine | time=1s'; echo more", Outcome.PASS, None, "'OK - fine'"),
        ("exit 0", Outcome.PASS, None, "/bin/sh said nothing"),
        ("echo WARN; exit 1", Outcome.PASS, None, "warning: 'WARN'"),
        ("echo CRIT; exit 2", Outcome.FAIL, Failure.COMMAND, "critical: 'CRIT'"),
        ("echo eh; exit 3", Outcome.UNKNOWN, Failure.LOCAL, "/bin/sh exited with 3: 'eh'"),
        ("exit 127", Outcome.UNKNOWN, Failure.LOCAL, "/bin/sh exited with 127: /bin/sh said nothing"),
        ("kill -9 $$", Outcome.UNKNOWN, Failure.LOCAL, "/bin/sh ended by signal 9: /bin/sh said nothing"),
        (r"printf '\033[2Jevil\377'; exit 2", Outcome.FAIL, Failure.COMMAND, r"critical: '\x1b[2Jevil\ufffd'"),
    ],
)
def test_what_an_exit_code_means(run: Run, line: str, outcome: Outcome, failure: Failure | None, detail: str) -> None:
    sample = run(line)
    assert (sample.outcome, sample.failure, sample.detail) == (outcome, failure, detail)
    assert sample.warning is detail.startswith("warning")


def test_a_warning_is_told_although_the_round_passes(run: Run) -> None:
    assert round_outcome([run("echo slow; exit 1")]) == (Outcome.PASS, "warning: 'slow'")


def test_placeholders_are_filled_in_and_no_shell_reads_them(run: Run) -> None:
    assert run('echo "$@"', "-H", "{address}", "{site}:{port}", "$(id)").detail == "'-H 127.0.0.7 aurora:22 $(id)'"


def test_it_gets_no_input(run: Run) -> None:
    assert run("cat; echo end").detail == "'end'"


def test_much_output_does_not_block_it(run: Run) -> None:
    assert run(f"echo first; {sys.executable} -c 'print(\"x\" * 3000000)'; exit 1").detail == "warning: 'first'"


def test_a_child_left_behind_neither_delays_nor_survives(run: Run, tmp_path: Path) -> None:
    sample = run(f"sleep 600 & echo $! > {tmp_path}/pid; echo done", timeout_s=60.0)
    assert sample.detail == "'done'"
    wait_for_end(int((tmp_path / "pid").read_text()))


def test_the_whole_group_is_killed_at_the_timeout(run: Run, tmp_path: Path) -> None:
    sample = run(f"sleep 600 & echo $! > {tmp_path}/pid; wait", timeout_s=1.0)
    assert (sample.outcome, sample.failure) == (Outcome.FAIL, Failure.READ_TIMEOUT)
    assert sample.detail == "/bin/sh did not end within 1 s"
    wait_for_end(int((tmp_path / "pid").read_text()))


def test_the_end_of_the_round_kills_it_too(prober: Prober, tmp_path: Path) -> None:
    line = f"echo $$ > {tmp_path}/pid; sleep 600"
    asked = target(22, kind=CheckKind.COMMAND, command=("/bin/sh", "-c", line), timeout_s=60.0)
    assert ask(prober, asked, deadline_s=1.0).outcome is Outcome.UNKNOWN
    wait_for_end(int((tmp_path / "pid").read_text()))


def test_what_cannot_be_started(prober: Prober, tmp_path: Path) -> None:
    (tmp_path / "closed").write_text("#!/bin/sh\n")
    for path, cause in (("/nowhere/plugin", "No such file or directory"), (f"{tmp_path}/closed", "Permission denied")):
        sample = ask(prober, target(22, kind=CheckKind.COMMAND, command=(path,)))
        assert (sample.outcome, sample.failure) == (Outcome.UNKNOWN, Failure.LOCAL)
        assert sample.detail == f"{path} cannot be started: {cause}"


def wait_for_end(pid: int) -> None:
    """Killed is not yet gone; the test's own timeout ends this."""
    while True:
        try:
            os.kill(pid, 0)
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (ProcessLookupError, FileNotFoundError):
            return
        if stat.rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.01)
