"""Maintenance windows as people write them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.config.windows import DAY_MIN, moment_utc_s, offsets_of, weekly
from failover.core.windows import MONDAY_S, WEEK_S, Window
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


ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu", "UTC")
SUNDAY = datetime(2024, 1, 7, tzinfo=UTC)


@pytest.mark.parametrize("name", ZONES)
def test_the_offsets_of_a_zone_are_those_of_its_clocks(name: str) -> None:
    changes = offsets_of(name)
    for since_s, offset_s in changes[1:]:
        before, after = (datetime.fromtimestamp(since_s + s, ZoneInfo(name)).utcoffset() for s in (-1, 0))
        assert after == timedelta(seconds=offset_s) != before
    assert (len(changes) > 90) is (name not in ("Asia/Kathmandu", "UTC"))


@given(
    name=st.sampled_from(ZONES),
    day=st.integers(0, 14 * 365),
    hours=st.floats(-30, 30, allow_nan=False),
    start_min=st.integers(0, 24 * 60 - 1),
    minutes=st.integers(1, 24 * 60),
)
def test_a_weekly_window_is_open_when_the_clocks_say_so(
    name: str, day: int, hours: float, start_min: int, minutes: int
) -> None:
    """As zoneinfo counts, which follows PEP 495: of a time that is shown twice the first, a skipped one by what was."""
    date = (SUNDAY + timedelta(days=day)).replace(tzinfo=None)
    begins = (date + timedelta(minutes=start_min)).replace(tzinfo=ZoneInfo(name)).timestamp()
    ends = (date + timedelta(minutes=start_min + minutes)).replace(tzinfo=ZoneInfo(name)).timestamp()
    start_s = MONDAY_S + date.weekday() * 86400 + start_min * 60
    window = Window(start_s=start_s, length_s=minutes * 60, every_s=WEEK_S, offsets=offsets_of(name))
    at_s = round(begins + hours * 3600)
    assert window.left_s(at_s) == (ends - at_s if begins <= at_s < ends else 0)


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
        ("{weekly: '02:00-03:00', zone: Europe/Berln, reason: x}", "`zone` is no time zone that this machine knows"),
        ("{weekly: '02:00-03:00', zone: ../../etc/passwd, reason: x}", "`zone` is no time zone"),
        (
            "{from: 2026-12-01T22:00Z, until: 2026-12-02T02:00Z, zone: UTC, reason: x}",
            "`zone` has a meaning for `weekly`",
        ),
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
