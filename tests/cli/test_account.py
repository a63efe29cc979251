"""`failover account`: a person's word, by the command."""

from pathlib import Path

import pytest

from failover.cli.app import run
from failover.cli.init import write_local
from tests.cli.states import published


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("FAILOVER_CONFIG", raising=False)
    write_local(tmp_path, force=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_is_remembered_and_shown_in_the_history(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    published(here)
    assert run(["account", "aurora", "closed"]) == 0
    assert "Alone it moves nothing" in capsys.readouterr().err
    assert run(["history"]) == 0
    assert "aurora: a person says that the account is closed" in capsys.readouterr().out
    assert run(["status"]) == 0


@pytest.mark.parametrize(("words", "told"), [(["nowhere", "closed"], "no such site"), (["aurora", "lost"], "rotated")])
def test_what_makes_no_sense_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    published(here)
    assert run(["account", *words]) == 64
    assert told in capsys.readouterr().err


def test_without_a_state_there_is_nothing_to_remember_it_in(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["account", "aurora", "closed"]) == 1
    assert "failover apply" in capsys.readouterr().err
