"""At a terminal a person is asked; what is not a clear yes changes nothing."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from failover.cli.init import write_local
from tests.cli.states import published

FAILOVER = [sys.executable, "-P", "-m", "failover"]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    directory = tmp_path / "play"
    write_local(directory, force=False)
    return directory


def typed(here: Path, answer: str, *words: str) -> tuple[int, str]:
    """Run a command whose standard input is a terminal at which this is typed. Exit code and standard error."""
    person, terminal = pty.openpty()
    try:
        os.write(person, answer.encode())
        done = subprocess.run(
            [*FAILOVER, *words], cwd=here, stdin=terminal, capture_output=True, text=True, timeout=90, check=False
        )
    finally:
        os.close(person)
        os.close(terminal)
    assert "Traceback" not in done.stderr
    assert done.stdout == "", "a question is no data"
    return done.returncode, done.stderr


@pytest.mark.parametrize("answer", ["n\n", "\n", "\x04"])
def test_a_no_is_a_no(here: Path, answer: str) -> None:
    code, err = typed(here, answer, "apply")
    assert code == 1
    assert "mirror guestbook to 3 sites?" in err
    assert "not done" in err
    assert not (here / ".failover").exists()


def test_a_forced_cutover_wants_the_services_name(here: Path) -> None:
    published(here)
    code, err = typed(here, "yes\n", "cutover", "boreas", "--force")
    assert code == 64
    assert "Type the service's name" in err
    code, err = typed(here, "guestbook\n", "cutover", "boreas", "--force")
    assert code == 1
    assert "no DNS host can be read" in err, "the answer was taken, and the rules looked at the plan"


def test_a_yes_is_a_yes(here: Path) -> None:
    published(here)
    code, err = typed(here, "y\n", "cutover", "boreas")
    assert code == 1
    assert "cut guestbook over to boreas?" in err
    assert "no DNS host can be read" in err
