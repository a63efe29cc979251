"""Bad days at the command line: every one ends with a sentence, a next step, and the right exit code."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from failover.cli.app import app, run
from failover.cli.init import write_local
from failover.engine.runtime import RealRuntime
from failover.errors import StateMissing
from failover.stores.sqlite import SqliteStore
from tests.cli.states import published

FAILOVER = [sys.executable, "-P", "-m", "failover"]
NEEDS_STATE = (
    ["check"],
    ["watch"],
    ["status"],
    ["history"],
    ["show", "plan-1"],
    ["cutover", "--yes"],
    ["failback", "--yes"],
    ["approve", "abc"],
    ["abort", "abc"],
    ["continue"],
    ["pause"],
    ["unpause"],
    ["drain", "aurora"],
    ["force", "aurora", "down"],
    ["destroy", "--yes"],
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A playground that was never applied, as the working directory."""
    monkeypatch.delenv("FAILOVER_CONFIG", raising=False)
    directory = tmp_path / "play"
    write_local(directory, force=False)
    monkeypatch.chdir(directory)
    return directory


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--forget"], 64, "failover destroy --site SITE --forget"),
        (["--site", "nowhere"], 64, "anything of ours there"),
        (["--site", "aurora"], 1, "failover cutover to another site first"),
        (["--site", "aurora", "--forget"], 1, "the service runs there"),
    ],
)
def test_one_site_is_not_taken_down_by_mistake(
    here: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, told: str
) -> None:
    published(here)
    ended, _, err = said(capsys, "destroy", *words, "--yes")
    assert (ended, told in err) == (code, True), err


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    code = run(words)
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return code, captured.out, captured.err


# ------------------------------------------------------------------------------------ config


def test_no_config(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for command in (["status"], ["check"], ["apply", "--yes"], ["local", "list"], ["validate"]):
        code, out, err = said(capsys, *command)
        assert (code, out) == (78, "")
        assert "failover init" in err


def test_every_error_of_a_config_at_once(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    config = here / "failover.yaml"
    text = (
        config.read_text()
        .replace("count: 2", "cuont: 2")
        .replace("confirm: 3s", "confirm: 3")
        .replace("aurora: {p", "aurora: {q")
    )
    config.write_text(text)
    for command in (["validate"], ["check"], ["status", "-o", "json"]):
        code, out, err = said(capsys, *command)
        assert (code, out) == (78, "")
        places = [line for line in err.splitlines() if line.startswith("failover.yaml:")]
        assert len(places) >= 3
        assert all(part.isdigit() for line in places for part in line.split(":")[1:3])
        assert "did you mean" in err
        assert "^" in err


@pytest.mark.parametrize("spoil", ["", "\0", "[", "- a\n", "version: 2\n"])
def test_a_file_that_is_no_config(capsys: pytest.CaptureFixture[str], here: Path, spoil: str) -> None:
    (here / "failover.yaml").write_text(spoil)
    assert said(capsys, "check")[0] == 78


def test_a_directory_and_a_missing_file(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    assert "it is a directory" in said(capsys, "-c", str(here), "check")[2]
    code, _, err = said(capsys, "check", "-c", "nothing.yaml")
    assert (code, "no such file" in err) == (78, True)


def test_which_config_counts(capsys: pytest.CaptureFixture[str], here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option, then the variable, then the working directory; paths in it are against the file."""
    other = here.parent / "other.yaml"
    other.write_text((here / "failover.yaml").read_text().replace("service: guestbook", "service: other"))
    shutil.copytree(here / "secrets", here.parent / "secrets")
    monkeypatch.setenv("FAILOVER_CONFIG", str(other))
    assert "service other" in said(capsys, "validate")[1]
    assert "service guestbook" in said(capsys, "validate", "-c", "failover.yaml")[1]
    assert "service guestbook" in said(capsys, "-c", "failover.yaml", "validate")[1]
    assert "service guestbook" in said(capsys, "-c", str(other), "validate", "-c", "failover.yaml")[1], "the nearer one"
    assert "service other" in said(capsys, "validate")[1], "nothing is left of an option"
    monkeypatch.chdir("/")
    code, _, err = said(capsys, "-c", str(here / "failover.yaml"), "status")
    assert (code, str(here / ".failover" / "state.db") in err) == (1, True)


# ------------------------------------------------------------------------------------ usage


@pytest.mark.parametrize(
    "words",
    [
        ["frobnicate"],
        ["status", "--frob"],
        ["status", "-o", "xml"],
        ["show"],
        ["history", "--limit", "0"],
        ["cutover", "--wait", "soon"],
        ["cutover", "--wait", "-5s"],
        ["cutover", "--timeout", "1w"],
        ["local", "frob"],
        ["local", "close"],
        ["local", "close", "nobody"],
        ["pause", "--for", "soon"],
        ["pause", "--for", "10"],
        ["force", "aurora"],
        ["force", "aurora", "sideways"],
        ["force", "aurora", "up", "--clear"],
    ],
)
def test_wrong_usage(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    code, out, err = said(capsys, *words)
    assert (code, out) == (64, "")
    assert err.startswith("failover: ")
    assert "next: " in err


def test_no_command_shows_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["local"]):
        code, out, err = said(capsys, *words)
        assert (code, out) == (64, "")
        assert err.startswith("Usage: failover")


@pytest.mark.parametrize("words", [["apply"], ["cutover", "boreas"], ["cutover", "boreas", "--force"]])
def test_nobody_is_asked_without_a_terminal(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    code, _, err = said(capsys, *words)
    assert (code, "--yes" in err) == (64, True)


def _commands(group: object, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield words
    for name, command in getattr(group, "commands", {}).items():
        yield from _commands(command, (*words, name))


@pytest.mark.parametrize("words", list(_commands(typer.main.get_command(app))), ids=" ".join)
def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    code, out, err = said(capsys, *words, "--help")
    assert (code, err) == (0, "")
    assert f"Usage: failover {' '.join(words)}".strip() in out


# ------------------------------------------------------------------------------------ state


@pytest.mark.parametrize("words", NEEDS_STATE, ids=" ".join)
def test_without_state(capsys: pytest.CaptureFixture[str], here: Path, words: list[str]) -> None:
    code, out, err = said(capsys, *words)
    assert (code, out) == (1, "")
    assert "failover apply" in err
    assert not (here / ".failover").exists(), "nothing is made by looking"


@pytest.mark.parametrize("words", NEEDS_STATE, ids=" ".join)
def test_with_damaged_state(capsys: pytest.CaptureFixture[str], here: Path, words: list[str]) -> None:
    state = here / ".failover" / "state.db"
    state.parent.mkdir(mode=0o700)
    state.write_bytes(b"this was a database once" * 500)
    code, out, err = said(capsys, *words)
    assert (code, out) == (1, "")
    assert "nothing is changed" in err
    assert state.read_bytes() == b"this was a database once" * 500


def test_apply_makes_no_fresh_state_in_place_of_a_damaged_one(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    published(here)
    state = here / ".failover" / "state.db"
    data = state.read_bytes()
    for damaged in (data[: len(data) // 2], b"", data[:4096] + bytes(4096) + data[8192:]):
        state.write_bytes(damaged)
        for command in (["check"], ["status"]):
            assert said(capsys, *command)[0] == 1
        assert state.read_bytes() == damaged


def test_the_state_of_another_service_is_refused(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    published(here)
    config = here / "failover.yaml"
    config.write_text(config.read_text().replace("service: guestbook", "service: other"))
    code, _, err = said(capsys, "check")
    assert (code, "guestbook" in err) == (1, True)


# ------------------------------------------------------------------------------------ orders


def test_orders_that_make_no_sense(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    published(here)
    for words in (
        ["approve", "abc"],
        ["abort", "abc"],
        ["show", "abc"],
        ["cutover", "nowhere", "--yes"],
        ["cutover", "aurora", "--yes"],
    ):
        code, out, err = said(capsys, *words)
        assert (code, out) == (64, ""), words
        assert words[1] in err
    assert said(capsys, "continue")[0] == 1
    assert said(capsys, "failback", "--yes")[0] == 1


def test_pause_is_shown_until_it_ends(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    published(here)
    assert said(capsys, "pause", "--reason", "maintenance", "--for", "30m")[0] == 0
    assert "maintenance" in said(capsys, "status")[1]
    assert '"paused": true' in said(capsys, "status", "-o", "json")[1]
    assert said(capsys, "unpause")[0] == 0
    assert '"paused": false' in said(capsys, "status", "-o", "json")[1]


def test_a_pause_that_has_expired_is_no_pause(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    from dataclasses import replace

    from failover.core.world import Pause

    published(here)
    now = RealRuntime().now()
    earlier = replace(now, boottime_s=now.boottime_s - 100, utc_s=now.utc_s - 100)
    SqliteStore(here / ".failover" / "state.db").set_pause(Pause(since=earlier, reason="lunch", until=earlier.plus(60)))
    assert '"paused": false' in said(capsys, "status", "-o", "json")[1]
    assert "lunch" not in said(capsys, "status")[1]


def test_a_word_about_a_site_is_shown_everywhere_until_it_is_taken_back(
    capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    published(here)
    for words, word in (
        (["drain", "boreas"], "drained"),
        (["force", "boreas", "down"], "forced down"),
        (["force", "boreas", "up"], "forced up"),
    ):
        code, _, err = said(capsys, *words, "--reason", "disks are replaced", "--for", "2h")
        assert (code, "disks are replaced" in err) == (0, True)
        shown = said(capsys, "status")[1]
        assert f"FORCED: boreas is {word} by a person for another 120 min (disks are replaced)" in shown
        site = json.loads(said(capsys, "status", "-o", "json")[1])["sites"][1]
        assert (site["name"], site["forced"]) == ("boreas", word.removeprefix("forced "))
        assert said(capsys, words[0], "boreas", "--clear")[0] == 0
        assert "FORCED" not in said(capsys, "status")[1]
    assert "failover cutover" in said(capsys, "drain", "aurora")[2], "it is the active site"
    code, out, err = said(capsys, "drain", "nowhere")
    assert (code, out, "there is aurora, boreas" in err) == (64, "", True)


# ------------------------------------------------------------------------------------ output


def test_no_colours_whatever_the_terminal(
    capsys: pytest.CaptureFixture[str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(here)
    for name, value in (("NO_COLOR", "1"), ("TERM", "xterm-256color"), ("COLUMNS", "20")):
        monkeypatch.setenv(name, value)
        for words in (["status"], ["history"], ["validate"], ["--help"], ["check", "--help"], ["frob"]):
            _, out, err = said(capsys, *words)
            assert "\x1b" not in out + err


def test_a_reader_that_went_away_is_no_catastrophe(here: Path) -> None:
    published(here)
    for words in (["schema"], ["status"], ["history"], ["--help"]):
        line = f"{' '.join(map(_quoted, [*FAILOVER, *words]))} | head -c 1 >/dev/null"
        done = subprocess.run(["sh", "-c", line], cwd=here, capture_output=True, text=True, timeout=90, check=False)
        assert done.stderr == ""


def _quoted(word: str) -> str:
    return f"'{word}'"


def test_a_terminal_without_unicode(here: Path) -> None:
    published(here)
    for words in (["history"], ["local", "fail", "--help"]):
        done = subprocess.run(
            [*FAILOVER, *words],
            cwd=here,
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
            capture_output=True,
            timeout=90,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout


def test_standard_output_that_cannot_be_written(here: Path) -> None:
    published(here)
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*FAILOVER, "status"], cwd=here, stdout=full, stderr=subprocess.PIPE, text=True, timeout=90, check=False
        )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


# ------------------------------------------------------------------------------------ files


def test_a_secret_that_others_can_read_is_refused(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    key = here / "secrets" / "guestbook-key"
    published(here)
    key.chmod(0o644)
    code, out, err = said(capsys, "plan")
    assert (code, out) == (78, "")
    assert "chmod 600" in err
    assert key.read_text().strip() not in err
    key.unlink()
    assert said(capsys, "plan")[0] == 78


@pytest.mark.skipif(os.getuid() != 0 or shutil.which("unshare") is None, reason="mounting needs root")
def test_a_directory_that_cannot_be_written(here: Path) -> None:
    published(here)
    line = f"mount --bind '{here}' '{here}' && mount -o remount,ro,bind '{here}' && cd '{here}' && "
    for words, codes in ((["status"], (0, 1)), (["check"], (1,)), (["pause"], (1,)), (["apply", "--yes"], (1,))):
        command = line + " ".join(map(_quoted, [*FAILOVER, *words]))
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", command], capture_output=True, text=True, timeout=90, check=False
        )
        if "mount:" in done.stderr:
            pytest.skip("mounts are not allowed here")
        assert done.returncode in codes, (words, done.stderr)
        assert "Traceback" not in done.stderr
        assert not done.stderr or "failover: " in done.stderr, done.stderr


def test_a_plan_before_the_first_apply(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    """What apply would open first is there, and empty; nothing is made by looking."""
    code, out, err = said(capsys, "plan")
    assert (code, err) == (2, "")
    assert len([line for line in out.splitlines() if " create " in line]) == 6
    assert "PROBLEM" not in out
    assert not (here / ".failover").exists()
    config = here / "failover.yaml"
    config.write_text(config.read_text().replace("nodes_max: 20", "nodes_max: 1"))
    code, out, _ = said(capsys, "plan", "-o", "json")
    assert (code, out.count("quota") >= 3) == (1, True)


def test_state_missing_is_an_error_of_its_own(here: Path) -> None:
    with pytest.raises(StateMissing):
        SqliteStore(here / ".failover" / "state.db").load()


# ------------------------------------------------------------------------------------ validate and plan, for programs


def test_a_bad_config_is_a_document_too(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    config = here / "failover.yaml"
    config.write_text(config.read_text().replace("count: 2", "cuont: 2"))
    code, out, err = said(capsys, "validate", "-o", "json")
    found = json.loads(out)
    assert (code, found["valid"], found["problem"]) == (78, False, "read config failover.yaml: 2 problems")
    assert all(finding in err for finding in found["findings"])
    assert any("did you mean `count`?" in finding for finding in found["findings"])


def test_the_worst_case_is_told_before_anything_runs(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    for words, code in ((["validate"], 0), (["plan"], 2)):
        found = said(capsys, *words)
        assert found[0] == code
        assert re.search(r"a cutover to boreas takes at most [\d.]+ s = [\d.]+ cadence \+ 1 jitter \+ ", found[1])
        budget = json.loads(said(capsys, *words, "-o", "json")[1])["budget"]
        assert set(budget) == {"boreas", "cirrus"}
        assert {"term", "seconds", "why"} == set(budget["boreas"][0])


def test_what_holds_is_shown_by_plan(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    published(here)
    assert said(capsys, "drain", "boreas", "--reason", "disks")[0] == 0
    assert "FORCED: boreas is drained by a person (disks)" in said(capsys, "plan")[1]
    assert json.loads(said(capsys, "plan", "-o", "json")[1])["holds"][0]["kind"] == "forced"
