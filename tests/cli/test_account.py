"""`failover account`: a person's word, by the command."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from failover.cli.app import run
from failover.cli.init import write_local
from failover.cli.wiring import instant
from failover.config.load import load
from failover.core.evidence import Memory, ServiceMemory
from failover.core.judge import Observation
from failover.core.model import AccountReport, Reading
from failover.core.signals import ServiceReading, Signal
from failover.core.world import Watch
from failover.engine.learning import learn
from failover.stores.lease import FileLease
from failover.stores.sqlite import SqliteStore
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


def observed(directory: Path) -> None:
    """A check has met an answer of aurora that nobody knows."""
    config = load(directory / "failover.yaml")
    store = SqliteStore(config.state_path)
    term = FileLease(config.state_path).acquire("tick")
    now = instant()
    odd = ServiceReading(service="nodes", signal=Signal.UNKNOWN, status=418, code="Teapot", raw='{"short": "stout"}')
    report = AccountReport(reading=Reading.UNCLEAR, code="Teapot", signals=(odd,))
    known = ServiceMemory(service="nodes", signal=Signal.OK, worked_at=now)
    watch = {"aurora": Watch(report=report, memory=Memory(services=(known,)))}
    state, events = learn(replace(store.load(), watch=watch), Observation(at=now, reports={"aurora": report}))
    store.swap(state, term=term, events=events)
    store.close()


def test_an_answer_that_nobody_knows_is_shown_with_its_body(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    published(here)
    observed(here)
    assert run(["show", "aurora"]) == 0
    said = capsys.readouterr().out
    assert "418 Teapot" in said
    assert '{"short": "stout"}' in said
    assert run(["show", "aurora", "-o", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    (answer,) = document["unknown_answers"]
    assert (answer["status"], answer["body"]) == (418, '{"short": "stout"}')
    assert document["services"][0]["service"] == "nodes"


def test_a_site_whose_answers_are_all_known(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    published(here)
    assert run(["show", "boreas"]) == 0
    assert "every answer was known" in capsys.readouterr().out
    assert run(["show", "nowhere"]) == 64
    assert "no plan of that id, and no such site" in capsys.readouterr().err
