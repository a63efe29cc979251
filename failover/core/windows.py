"""Maintenance windows: announced times in which nothing moves by itself and nobody is paged."""

from collections.abc import Iterable
from dataclasses import dataclass

WEEK_S = 7 * 86400.0
MONDAY_S = 4 * 86400.0
"""The first Monday after the epoch, 1970-01-05 00:00: weekly windows count from here."""
Offsets = tuple[tuple[float, float], ...]
"""What a zone's clocks show: (since UTC second, seconds east of UTC), in order; the first holds for all before too."""
UTC_OFFSETS: Offsets = ((float("-inf"), 0.0),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From `start_s` for `length_s`; again every `every_s` where that is set. `site` None: the whole service.

    Start and end are what the clocks of a zone show (`offsets`), counted as if it were UTC. Of a time that is shown
    twice the first counts; one that is skipped is taken by the offset before (RFC 5545, section 3.3.5).
    """

    start_s: float
    length_s: float
    every_s: float | None = None
    site: str | None = None
    reason: str = ""
    offsets: Offsets = UTC_OFFSETS

    def left_s(self, utc_s: float) -> float:
        """Seconds until it ends, when it is open at that moment; else 0."""
        begun = [start_s for start_s in self._starts(utc_s) if self._utc_s(start_s) <= utc_s]
        return max([0.0, *(self._utc_s(start_s + self.length_s) - utc_s for start_s in begun)])

    def _starts(self, utc_s: float) -> tuple[float, ...]:
        """Where it may have begun, as the clocks show it: where they are put back, the next time may be now already."""
        if self.every_s is None:
            return (self.start_s,)
        shown_s = utc_s + [offset_s for since_s, offset_s in self.offsets if since_s <= utc_s][-1]
        last_s = shown_s - (shown_s - self.start_s) % self.every_s
        return (last_s, last_s + self.every_s)

    def _utc_s(self, shown_s: float) -> float:
        """When the clocks show this."""
        ends_s = [since_s for since_s, _ in self.offsets[1:]] + [float("inf")]
        at = next(n for n, (_, offset_s) in enumerate(self.offsets) if shown_s - offset_s < ends_s[n])
        since_s, offset_s = self.offsets[at]
        skipped = shown_s - offset_s < since_s
        return shown_s - (self.offsets[at - 1][1] if skipped else offset_s)


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
