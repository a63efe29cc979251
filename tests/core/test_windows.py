"""When a maintenance window is open, and how a span of time is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.windows import MONDAY_S, WEEK_S, Window, open_window, span

SUNDAY_2 = MONDAY_S + 6 * 86400 + 2 * 3600
WEEKLY = Window(start_s=SUNDAY_2, length_s=7200.0, every_s=WEEK_S, reason="patches")
ONCE = Window(start_s=1000.0, length_s=60.0, site="aurora", reason="disks")


@pytest.mark.parametrize(("utc_s", "left"), [(999.9, 0), (1000.0, 60), (1059.0, 1), (1060.0, 0), (1000 + WEEK_S, 0)])
def test_a_window_of_one_time(utc_s: float, left: float) -> None:
    assert ONCE.left_s(utc_s) == left


@pytest.mark.parametrize("week", [0, 1, 2900])
def test_a_weekly_window_opens_every_week(week: int) -> None:
    """2900 weeks later: 3 August 2025, a Sunday."""
    start = SUNDAY_2 + week * WEEK_S
    assert [WEEKLY.left_s(start + s) for s in (-1, 0, 7199, 7200)] == [0, 7200, 1, 0]


@given(st.floats(0, 4e9), st.floats(0, WEEK_S), st.floats(1, 86400))
def test_a_weekly_window_is_never_open_longer_than_it_lasts(utc_s: float, start: float, length: float) -> None:
    window = Window(start_s=MONDAY_S + start, length_s=length, every_s=WEEK_S)
    assert 0 <= window.left_s(utc_s) <= length


SPRING_S, AUTUMN_S = 1_774_746_000.0, 1_792_890_000.0
"""29 March and 25 October 2026, 01:00 UTC: on these Sundays clocks of Berlin go from 02:00 to 03:00, and back."""
BERLIN = ((float("-inf"), 3600.0), (SPRING_S, 7200.0), (AUTUMN_S, 3600.0))


def in_berlin(hour: float, hours: float) -> Window:
    """On Sundays."""
    start_s = MONDAY_S + 6 * 86400 + hour * 3600
    return Window(start_s=start_s, length_s=hours * 3600, every_s=WEEK_S, offsets=BERLIN)


@pytest.mark.parametrize(
    ("window", "begins_s", "ends_s"),
    [
        (in_berlin(2, 2), SPRING_S - WEEK_S, SPRING_S - WEEK_S + 7200),
        (in_berlin(2, 2), SPRING_S + WEEK_S - 3600, SPRING_S + WEEK_S + 3600),
        (in_berlin(1, 3), SPRING_S - 3600, SPRING_S + 3600),
        (in_berlin(2.5, 2), SPRING_S + 1800, SPRING_S + 5400),
        (in_berlin(2.25, 0.5), SPRING_S + 900, SPRING_S + 2700),
        (in_berlin(1, 3), AUTUMN_S - 7200, AUTUMN_S + 7200),
        (in_berlin(2.5, 1), AUTUMN_S - 1800, AUTUMN_S + 5400),
        (in_berlin(2, 0.5), AUTUMN_S - 3600, AUTUMN_S - 1800),
    ],
    ids=[
        "winter",
        "summer",
        "an hour less",
        "begins in it",
        "lies in it",
        "an hour more",
        "begins twice",
        "shown twice",
    ],
)
def test_a_weekly_window_follows_the_clocks_of_its_zone(window: Window, begins_s: float, ends_s: float) -> None:
    assert window.left_s(begins_s - 1) == 0
    assert [window.left_s(at_s) for at_s in (begins_s, ends_s - 1, ends_s)] == [ends_s - begins_s, 1, 0]
    assert window.left_s(ends_s + 3600) == 0


def test_the_window_that_stays_open_longest_counts_and_only_of_that_site() -> None:
    longer = Window(start_s=1000.0, length_s=90.0, site="aurora")
    assert open_window((ONCE, longer, WEEKLY), 1010.0, "aurora") == (longer, 80.0)
    assert open_window((ONCE, longer), 1010.0, None) is None
    assert open_window((ONCE, longer), 1010.0, "boreas") is None
    assert open_window((WEEKLY,), SUNDAY_2 + 60, None) == (WEEKLY, 7140.0)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0.4 s"), (90, "90 s"), (120, "2 min"), (2100, "35 min"), (9000, "2.5 h"), (259200, "3 days")],
)
def test_spans_are_said_for_people(seconds: float, said: str) -> None:
    assert span(seconds) == said
