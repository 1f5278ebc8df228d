"""Hours of local time in which people may be reached, and the next such moment. Pure: no database.

A moment is allowed when the clock on a person's wall then shows a time inside a range of the window, on one of its
weekdays, and outside all quiet hours. So a local time that daylight saving skips is no moment at all, and one that
comes twice is two. A range that crosses midnight belongs to the day on which it begins.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import groupby
from typing import Any

HOUR, DAY = 60, 24 * 60  # minutes
WEEK = 7 * DAY
WEEKDAYS = (1, 2, 3, 4, 5, 6, 7)
"""ISO weekdays; Monday is 1."""
LONGEST_WAIT = timedelta(days=7)
LATEST_HOURS = 24

_RANGE = re.compile(r"(\d{1,2})[:：](\d{2})\s*[-–—~]\s*(\d{1,2})[:：](\d{2})")


class HoursError(ValueError):
    """The text names no ranges of hours."""


@dataclass(frozen=True, slots=True, order=True)
class Range:
    """From `begins` up to, without, `ends`, in minutes after midnight; one that does not end later ends tomorrow."""

    begins: int
    ends: int

    def __str__(self) -> str:
        return f"{_clock(self.begins)}-{_clock(self.ends)}"


ALL_DAY = Range(0, DAY)


@dataclass(frozen=True, slots=True)
class Hours:
    """A window and quiet hours together."""

    ranges: tuple[Range, ...] = (ALL_DAY,)
    weekdays: frozenset[int] = frozenset(WEEKDAYS)
    quiet: tuple[Range, ...] = ()

    @property
    def any_time(self) -> bool:
        return not self.quiet and ALL_DAY in self.ranges and self.weekdays.issuperset(WEEKDAYS)

    def week(self) -> list[tuple[int, int]]:
        """The allowed stretches of a local week, in minutes after Monday's midnight, in order, touching nowhere."""
        minutes = range(WEEK)
        found = groupby(minutes, lambda minute: allows(minute, self.ranges, self.weekdays, self.quiet))
        stretches = [list(group) for allowed, group in found if allowed]
        return [(stretch[0], stretch[-1] + 1) for stretch in stretches]

    def next_allowed(self, at: datetime, zone: tzinfo) -> datetime | None:
        return next_allowed(at, zone, self.ranges, self.weekdays, self.quiet)


@dataclass(frozen=True, slots=True)
class Timing:
    """What a campaign says about hours, as plain values: stored with a run when it is launched.

    `window` is the text of its ranges, empty without a window. Later than `latest_hours` after its time, a message is
    not sent any more.
    """

    window: str = ""
    weekdays: Sequence[int] = WEEKDAYS
    latest_hours: int = LATEST_HOURS

    @property
    def latest(self) -> timedelta:
        return timedelta(hours=self.latest_hours)

    def with_quiet(self, quiet: Iterable[Range]) -> Hours:
        ranges = parse_ranges(self.window) if self.window else (ALL_DAY,)
        return Hours(ranges, frozenset(self.weekdays), tuple(quiet))

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "weekdays": list(self.weekdays)}


def parse_ranges(text: str) -> tuple[Range, ...]:
    """Read `12:00-13:30, 20:00-22:00`. Raises `HoursError`, whose text is the part that cannot be read."""
    parts = [part.strip() for part in re.split(r"[,，、;；]", text) if part.strip()]
    if not parts:
        raise HoursError(text)
    return tuple(_range(part) for part in parts)


def write_ranges(ranges: Iterable[Range]) -> str:
    """The text that `parse_ranges` reads, in its shortest form."""
    return ", ".join(str(one) for one in ranges)


def next_allowed(
    at: datetime, zone: tzinfo, ranges: Collection[Range], weekdays: Collection[int], quiet: Collection[Range]
) -> datetime | None:
    """The first moment at or after `at` that is allowed where the clocks are those of `zone`; None within seven days.

    It looks at one minute after the other, which is plain and, for the few late messages, fast enough (10 ms a week);
    planning asks PostgreSQL instead (`campaigns.selectors.moments`).
    """
    moment = at
    while moment <= at + LONGEST_WAIT:
        local = moment.astimezone(zone)
        if allows((local.isoweekday() - 1) * DAY + local.hour * HOUR + local.minute, ranges, weekdays, quiet):
            return moment
        moment = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
    return None


def allows(minute: int, ranges: Iterable[Range], weekdays: Collection[int], quiet: Iterable[Range]) -> bool:
    """Whether the minute of a local week is allowed."""
    return _within(minute, ranges, weekdays) and not _within(minute, quiet, WEEKDAYS)


def _within(minute: int, ranges: Iterable[Range], weekdays: Collection[int]) -> bool:
    day, time = minute // DAY, minute % DAY
    today, yesterday = day + 1 in weekdays, (day - 1) % 7 + 1 in weekdays
    for one in ranges:
        if one.begins < one.ends:
            if today and one.begins <= time < one.ends:
                return True
        elif (today and time >= one.begins) or (yesterday and time < one.ends):
            return True
    return False


def _range(text: str) -> Range:
    match = _RANGE.fullmatch(text)
    if match is None:
        raise HoursError(text)
    begin_hour, begin_minute, end_hour, end_minute = map(int, match.groups())
    found = Range(begin_hour * HOUR + begin_minute, end_hour * HOUR + end_minute)
    minutes_hold = max(begin_minute, end_minute) < HOUR
    if not minutes_hold or found.begins >= DAY or found.ends > DAY or found.begins == found.ends:
        raise HoursError(text)
    return found


def _clock(minutes: int) -> str:
    return f"{minutes // HOUR:02}:{minutes % HOUR:02}"
