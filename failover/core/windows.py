"""Maintenance windows: announced times in which nothing moves by itself and nobody is paged. All times are UTC."""

from collections.abc import Iterable
from dataclasses import dataclass

WEEK_S = 7 * 86400.0
MONDAY_UTC_S = 4 * 86400.0
"""The first Monday after the epoch, 1970-01-05 00:00 UTC: weekly windows count from here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From `start_utc_s` for `length_s`; again every `every_s` where that is set. `site` None: the whole service."""

    start_utc_s: float
    length_s: float
    every_s: float | None = None
    site: str | None = None
    reason: str = ""

    def left_s(self, utc_s: float) -> float:
        """Seconds until it ends, when it is open at that moment; else 0."""
        since_s = utc_s - self.start_utc_s
        if self.every_s is not None:
            since_s %= self.every_s
        return self.length_s - since_s if 0 <= since_s < self.length_s else 0.0


def open_window(windows: Iterable[Window], utc_s: float, site: str | None) -> tuple[Window, float] | None:
    """The window of exactly this site (None: of the whole service) that stays open longest, and for how long."""
    found = [(window, left) for window in windows if window.site == site and (left := window.left_s(utc_s)) > 0]
    return max(found, key=lambda each: each[1], default=None)


def span(seconds: float) -> str:
    """For people: `90 s`, `35 min`, `2.5 h`, `3 days`."""
    for limit, unit, size in ((120.0, "s", 1.0), (7200.0, "min", 60.0), (2 * 86400.0, "h", 3600.0)):
        if seconds < limit:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 86400.0:.3g} days"
