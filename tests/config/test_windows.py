"""Maintenance windows as people write them."""

import pytest

from failover.config.windows import DAY_MIN, moment_utc_s, weekly
from tests.config.conftest import MINIMAL, Findings


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("sun 02:00-04:00", ((6 * DAY_MIN + 120, 120),)),
        ("Mon-Tue 22:30-00:15", ((1350, 105), (DAY_MIN + 1350, 105))),
        ("sun-mon 00:00-24:00", ((6 * DAY_MIN, DAY_MIN), (0, DAY_MIN))),
        ("02:00-02:30", tuple((day * DAY_MIN + 120, 30) for day in range(7))),
    ],
)
def test_weekly_times(text: str, found: tuple[tuple[int, int], ...]) -> None:
    assert weekly(text) == found


@pytest.mark.parametrize("text", ["2026-12-01T22:00Z", "2026-12-01T23:00+01:00", "2026-12-01 22:00:00+00:00"])
def test_moments_have_an_offset(text: str) -> None:
    assert moment_utc_s(text) == 1_796_162_400.0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{weekly: 'sun 2-4', reason: x}", "`weekly` is not a weekly time: write `sun 02:00-04:00`"),
        ("{weekly: 'son 02:00-04:00', reason: x}", "`weekly` knows no day `son`; days are mon, tue"),
        ("{weekly: 'sun 02:00-25:00', reason: x}", "`weekly` knows no time 25:00"),
        ("{weekly: 'sun 02:60-03:00', reason: x}", "`weekly` knows no time 02:60"),
        ("{weekly: '02:00-02:00', reason: x}", "`weekly`: begins when it ends; a whole day is 00:00-24:00"),
        ("{weekly: 5, reason: x}", "`weekly` must be text"),
        ("{from: 2026-12-01T22:00, until: 2026-12-02T02:00Z, reason: x}", "`from` needs its offset: write it with Z"),
        ("{from: tomorrow, until: 2026-12-02T02:00Z, reason: x}", "`from` is not a time: write 2026-12-01T22:00Z"),
        ("{from: 2026-12-02T02:00Z, until: 2026-12-02T02:00Z, reason: x}", "`until` is not later than `from`"),
        ("{from: 2026-12-02T02:00Z, reason: x}", "`maintenance` needs `from` and `until`, or `weekly`"),
        ("{from: 2026-12-02T02:00Z, weekly: '02:00-03:00', reason: x}", "`weekly` has no place beside `from`"),
        ("{weekly: '02:00-03:00'}", "`maintenance.0.reason` is missing"),
        ('{weekly: "02:00-03:00", reason: "two\\nlines"}', "`reason` must be one line of text"),
        ("{weekly: '02:00-03:00', site: hree, reason: x}", "there is no site `hree`; did you mean `here`?"),
        ("{weekly: '02:00-03:00', fom: x, reason: x}", "unknown key `fom`; did you mean `from`?"),
    ],
)
def test_mistakes_are_said_where_they_are(findings: Findings, line: str, message: str) -> None:
    (found,) = findings(f"{MINIMAL}maintenance:\n  - {line}\n")
    assert found.startswith("f.yaml:14:"), found
    assert message in found, found


def test_the_address_of_a_dead_man_s_switch_is_not_shown(findings: Findings) -> None:
    (found,) = findings(MINIMAL + "runner: {ping: ftp://ping.example/hunter2}\n")
    assert "`ping` must" in found or "`ping` is" in found, found
    assert "hunter2" not in found
