"""Tables fit a terminal of any width, and are one line a row where no terminal is."""

import os

import pytest

from failover.cli.doctor import text
from failover.core.findings import Finding, Severity

SAYS = "the parent names ns1.example.net and ns2.example.net, and the zone itself names only the first one of them"
FINDINGS = (
    Finding(
        area="delegation",
        subject="ns1.a-long-name.example.net:53",
        severity=Severity.WARNING,
        says=SAYS,
        remedy="name the same servers at both",
    ),
)


def words(shown: str) -> list[str]:
    return shown.split()


def shown(monkeypatch: pytest.MonkeyPatch, columns: int | None) -> str:
    """What `doctor` and `doctor dns` print, on a terminal of that width or in a pipe."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: columns is not None)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((columns or 60, 24)))
    return text(FINDINGS, fails=False, verbose=True)


def test_a_row_is_one_line_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(monkeypatch, None).splitlines()
    assert any(SAYS in line for line in lines)


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
def test_no_line_is_longer_than_the_terminal_and_no_word_is_lost(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    folded = shown(monkeypatch, columns)
    assert max(map(len, folded.splitlines())) <= columns
    assert words(folded) == words(shown(monkeypatch, None))


def test_a_column_without_room_stands_below_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(monkeypatch, 60).splitlines()
    assert lines[:3] == [
        "SEVERITY  AREA        WHERE",
        "    WHAT",
        "WARNING   delegation  ns1.a-long-name.example.net:53",
    ]
    assert lines[3].startswith("    the parent names")
    assert "" not in lines[:6]
