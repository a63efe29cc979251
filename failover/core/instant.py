"""Moments."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant:
    """A moment that survives reboots and clock steps.

    Within one boot the monotonic clock (CLOCK_BOOTTIME) decides; across boots or machines UTC does.
    """

    boot_id: str
    boottime_s: float
    utc_s: float

    def since(self, earlier: "Instant") -> float:
        """Seconds from `earlier` to here, never negative: doubt lengthens waits."""
        if self.boot_id == earlier.boot_id:
            return max(0.0, self.boottime_s - earlier.boottime_s)
        return max(0.0, self.utc_s - earlier.utc_s)

    def plus(self, seconds: float) -> "Instant":
        """The instant that many seconds later."""
        return Instant(boot_id=self.boot_id, boottime_s=self.boottime_s + seconds, utc_s=self.utc_s + seconds)
