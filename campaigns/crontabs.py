"""When a crontab fires, by the clock of a time zone. Pure.

celery reads the fields. The times are found here, because celery's next time depends on where it starts: an hour that
the clocks show twice would fire once or twice. Here every day has the same times whoever asks: a time that the clocks
leave out (02:30 when summer begins) fires as much later (03:30), a time that they show twice fires the first time.
As with celery, a day must suit day of month and day of week both.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, cached_property
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from celery.schedules import ParseException, crontab, crontab_parser
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django_celery_beat import validators

FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
SHORTEST = timedelta(minutes=15)
DAYS_AHEAD = 366 * 41  # a 29th of February falls on a given weekday every 28 years, around 2100 after 40
_RANGES = {"minute": (0, 59), "hour": (0, 23), "day_of_month": (1, 31), "month_of_year": (1, 12), "day_of_week": (0, 6)}
_VALIDATORS = {
    "minute": validators.minute_validator,
    "hour": validators.hour_validator,
    "day_of_month": validators.day_of_month_validator,
    "month_of_year": validators.month_of_year_validator,
    "day_of_week": validators.day_of_week_validator,
}


class CrontabError(ValueError):
    """The crontab is refused; `field` names the part that must be changed."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


@dataclass(frozen=True)
class Crontab:
    """The five fields as celery writes them, and an IANA time zone."""

    minute: str
    hour: str
    day_of_month: str
    month_of_year: str
    day_of_week: str
    timezone: str

    def times(
        self, *, after: datetime, starts_at: datetime | None = None, ends_at: datetime | None = None
    ) -> Iterator[datetime]:
        """The times in UTC after `after`, in order; none before `starts_at` or after `ends_at`."""
        if starts_at is not None:
            after = max(after, starts_at - timedelta(microseconds=1))
        day = after.astimezone(ZoneInfo(self.timezone)).date() - timedelta(days=1)
        last = day + timedelta(days=DAYS_AHEAD)
        while day < last:
            for at in self._of_day(day):
                if ends_at is not None and at > ends_at:
                    return
                if at > after:
                    yield at
                    after, last = at, day + timedelta(days=DAYS_AHEAD)
            day += timedelta(days=1)

    @property
    def shortest(self) -> timedelta:
        """The shortest time between two times, as the clock on the wall counts."""
        minutes, hours = sorted(self._parsed.minute), self._parsed.hour
        gaps = [later - earlier for earlier, later in pairwise(minutes)]
        if any((hour + 1) % 24 in hours for hour in hours):
            gaps.append(60 - minutes[-1] + minutes[0])
        return timedelta(minutes=min(gaps, default=24 * 60))

    def to_json(self) -> dict[str, str]:
        return asdict(self)

    @cached_property
    def _parsed(self) -> Any:
        return crontab(**{field: getattr(self, field) for field in FIELDS})

    def _of_day(self, day: date) -> list[datetime]:
        parsed = self._parsed
        if (
            day.month not in parsed.month_of_year
            or day.day not in parsed.day_of_month
            or day.isoweekday() % 7 not in parsed.day_of_week
        ):
            return []
        zone = ZoneInfo(self.timezone)
        wall = (datetime(day.year, day.month, day.day, h, m, tzinfo=zone) for h in parsed.hour for m in parsed.minute)
        return sorted({at.astimezone(UTC) for at in wall})


def read(values: Mapping[str, str]) -> Crontab:
    """Check the five fields and `timezone`. Raises `CrontabError` for what is not understood, can never fire, or fires
    more often than every 15 minutes."""
    for field in FIELDS:
        _check_field(field, values[field])
    if values["timezone"] not in zones():
        raise CrontabError("timezone", _("This is no IANA time zone such as Asia/Shanghai."))
    made = Crontab(**{field: values[field] for field in (*FIELDS, "timezone")})
    try:
        shortest = made.shortest
    except ValueError:
        raise CrontabError("day_of_month", _("It would never fire: none of these months has such a day.")) from None
    if shortest < SHORTEST:
        raise CrontabError("minute", _("It would fire more often than every 15 minutes."))
    return made


@cache
def zones() -> frozenset[str]:
    """Names of IANA time zones."""
    return frozenset(available_timezones())


def _check_field(field: str, value: str) -> None:
    low, high = _RANGES[field]
    try:
        if not re.fullmatch(r"[0-9A-Za-z*/,-]+", value):
            raise ParseException(value)
        crontab_parser(high - low + 1, low).parse(value)
        _VALIDATORS[field](value)
    except (ParseException, ValueError, ValidationError):
        message = _(
            "“%(value)s” is not understood. Write *, or numbers from %(low)d to %(high)d such as 1,5 or 1-5 or */5."
        )
        raise CrontabError(field, message % {"value": value, "low": low, "high": high}) from None
