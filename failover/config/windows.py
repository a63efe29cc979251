"""Maintenance windows in the config: texts with a meaning, the model, and the plain values that come of it."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator

from failover.config import units
from failover.config.shapes import Filled, Label, Model, wrong
from failover.core.windows import MONDAY_S, UTC_OFFSETS, WEEK_S, Offsets, Window

DAY_MIN = 24 * 60
DAY_S = 86400
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WEEKLY_PATTERN = r"^((mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))? )?\d\d:\d\d-\d\d:\d\d$"
_WEEKLY = re.compile(r"(?:([a-z]+)(?:-([a-z]+))? +)?(\d\d):(\d\d)-(\d\d):(\d\d)")
_SHAPE = "write `sun 02:00-04:00`, `mon-fri 22:30-23:00`, or `02:00-02:30` for every day"
Weekly = tuple[tuple[int, int], ...]
"""(minute of the week, counted from Monday 00:00; minutes that it lasts)."""
YEARS = range(2020, 2071)
"""In which the changes of a zone's offset count; what holds at their end is taken to hold on."""


def moment_utc_s(value: object) -> float:
    """`2026-12-01T22:00Z` or with another offset (RFC 3339) → seconds since the epoch."""
    try:
        found = datetime.fromisoformat(units.text(value).strip())
    except ValueError:
        raise ValueError("is not a time: write 2026-12-01T22:00Z, or with an offset such as +01:00") from None
    if found.tzinfo is None:
        raise ValueError("needs its offset: write it with Z for UTC, or with one such as +01:00")
    return found.astimezone(UTC).timestamp()


def weekly(value: object) -> Weekly:
    """`sun 02:00-04:00`, `mon-fri 22:30-23:00`, `02:00-02:30`; the end may lie on the next day."""
    match = _WEEKLY.fullmatch(units.text(value).strip().lower())
    if match is None:
        raise ValueError(f"is not a weekly time: {_SHAPE}")
    first, last = _day(match[1] or "mon"), _day(match[2] or match[1] or "sun")
    start, end = _minute(match[3], match[4]), _minute(match[5], match[6])
    minutes = (end - start) % DAY_MIN or (DAY_MIN if end - start == DAY_MIN else 0)
    if minutes == 0:
        raise ValueError("begins when it ends; a whole day is 00:00-24:00")
    days = range(first, first + (last - first) % 7 + 1)
    return tuple((day % 7 * DAY_MIN + start, minutes) for day in days)


def _day(word: str) -> int:
    if word not in DAYS:
        raise ValueError(f"knows no day `{word[:10]}`; days are {', '.join(DAYS)}")
    return DAYS.index(word)


def _minute(hours: str, minutes: str) -> int:
    found = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or found > DAY_MIN:
        raise ValueError(f"knows no time {hours}:{minutes}; times are 00:00 to 24:00")
    return found


def zone_name(value: str) -> str:
    """`Europe/Berlin`: a name of the IANA time zone database, which this machine must have."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # only for configs that name one

    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is no time zone that this machine knows (package tzdata): write Europe/Berlin") from None
    return value


@cache
def offsets_of(name: str) -> Offsets:
    """What the zone's clocks show over the years, looked at day by day; each change is found to the second."""
    from zoneinfo import ZoneInfo

    found = ZoneInfo(name)

    def offset_s(utc_s: int) -> float:
        offset = datetime.fromtimestamp(utc_s, found).utcoffset()
        return offset.total_seconds() if offset is not None else 0.0

    first_s, end_s = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (YEARS.start, YEARS.stop))
    changes = [(float("-inf"), offset_s(first_s))]
    for day_s in range(first_s + DAY_S, end_s, DAY_S):
        if offset_s(day_s) == changes[-1][1]:
            continue
        before_s, after_s = day_s - DAY_S, day_s
        while after_s - before_s > 1:
            middle_s = (before_s + after_s) // 2
            if offset_s(middle_s) == changes[-1][1]:
                before_s = middle_s
            else:
                after_s = middle_s
        changes.append((float(after_s), offset_s(after_s)))
    return tuple(changes)


Moment = Annotated[
    float, PlainValidator(moment_utc_s), WithJsonSchema({"type": "string", "examples": ["2026-12-01T22:00Z"]})
]
WeeklyTime = Annotated[
    Weekly,
    PlainValidator(weekly),
    WithJsonSchema({"type": "string", "pattern": WEEKLY_PATTERN, "examples": ["sun 02:00-04:00"]}),
]


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must be one line of text")
    return value


class Maintenance(Model):
    """An announced time, once (from, until) or each week: nothing moves by itself, and nobody is paged."""

    model_config = ConfigDict(populate_by_name=False)

    site: Label | None = Field(default=None, description="default: the whole service")
    start: Moment | None = Field(default=None, alias="from")
    until: Moment | None = None
    weekly: WeeklyTime | None = Field(default=None, description="without a day: every day")
    zone: Annotated[str, AfterValidator(zone_name)] | None = Field(
        default=None, description="whose local time `weekly` is, such as Europe/Berlin; default: UTC"
    )
    reason: Annotated[Filled, AfterValidator(_one_line)]

    @model_validator(mode="after")
    def _check(self) -> "Maintenance":
        if self.weekly is not None and (self.start is not None or self.until is not None):
            raise wrong("weekly", "has no place beside `from` and `until`")
        if self.weekly is None and self.zone is not None:
            raise wrong("zone", "has a meaning for `weekly` only; `from` and `until` have their offset")
        if self.weekly is None and (self.start is None or self.until is None):
            raise ValueError("needs `from` and `until`, or `weekly`")
        if self.start is not None and self.until is not None and self.until <= self.start:
            raise wrong("until", "is not later than `from`")
        return self

    def windows(self) -> Iterator[Window]:
        if self.start is not None and self.until is not None:
            yield Window(start_s=self.start, length_s=self.until - self.start, site=self.site, reason=self.reason)
        for minute, minutes in self.weekly or ():
            yield Window(
                start_s=MONDAY_S + minute * 60.0,
                length_s=minutes * 60.0,
                every_s=WEEK_S,
                site=self.site,
                reason=self.reason,
                offsets=offsets_of(self.zone) if self.zone is not None else UTC_OFFSETS,
            )
