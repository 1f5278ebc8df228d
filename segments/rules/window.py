"""Stretches of time that events are looked for in.

`{"days": n}` and `{"hours": n}` end now and began so long before it (their start is outside). `{"calendar":
"this_week"}` is a period of the calendar in the installation's time zone; weeks begin on Monday. `{"from": .., "to":
..}` holds its start and not its end, and either may be left out. Without a window every event counts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from segments.rules.errors import RuleError, below
from segments.rules.values import MAX_DAYS, MOMENT, Choice, Whole, read_moment, today


@dataclass(frozen=True)
class Window:
    """A rolling window when `hours` or `days` is set, one of the calendar when `calendar` is, a fixed one when `start`
    or `end` is, else all time.
    """

    days: int = 0
    hours: int = 0
    start: datetime | None = None
    end: datetime | None = None
    calendar: str = ""

    @property
    def is_rolling(self) -> bool:
        """Whether the window moves with the clock."""
        return bool(self.days or self.hours or self.calendar)

    @property
    def ages(self) -> set[timedelta]:
        """What enters the window is of the one age, and what leaves it of the other, when it moves steadily."""
        return {timedelta(0), timedelta(days=self.days, hours=self.hours)} if self.days or self.hours else set()

    def stands_still(self, since: datetime, now: datetime) -> bool:
        """Whether its bounds are the same at both moments, but for what moves steadily."""
        return not self.calendar or self.filters("", since) == self.filters("", now)

    def filters(self, column: str, now: datetime) -> dict[str, datetime]:
        """Lookups that keep `column` within the window: constants, so that partitions outside are unread."""
        if self.calendar:
            first, last = CALENDAR[self.calendar](today(now))
            return {f"{column}__gte": _midnight(first), f"{column}__lt": _midnight(last)}
        if self.is_rolling:
            start = now - timedelta(days=self.days, hours=self.hours)
            return {f"{column}__gt": start, f"{column}__lte": now}
        bounds = {f"{column}__gte": self.start, f"{column}__lt": self.end}
        return {lookup: bound for lookup, bound in bounds.items() if bound is not None}

    def starts(self, column: str, now: datetime) -> dict[str, datetime]:
        """Those of the filters that keep `column` from lying before the window."""
        return {key: bound for key, bound in self.filters(column, now).items() if key.endswith(("__gt", "__gte"))}

    def describe(self, events: str) -> str:
        """The noun phrase `events` with the window added, in the active language."""
        if self.calendar:
            return _("%(events)s %(period)s") % {"events": events, "period": LABELS[self.calendar]}
        return self._describe_moving(events) if self.days or self.hours else self._describe_fixed(events)

    def _describe_moving(self, events: str) -> str:
        if self.days:
            within = ngettext("%(events)s in the last %(n)d day", "%(events)s in the last %(n)d days", self.days)
            return within % {"events": events, "n": self.days}
        within = ngettext("%(events)s in the last %(n)d hour", "%(events)s in the last %(n)d hours", self.hours)
        return within % {"events": events, "n": self.hours}

    def _describe_fixed(self, events: str) -> str:
        if self.start and self.end:
            both = {"events": events, "start": MOMENT.show(self.start), "end": MOMENT.show(self.end)}
            return _("%(events)s from %(start)s until before %(end)s") % both
        if self.start:
            return _("%(events)s since %(start)s") % {"events": events, "start": MOMENT.show(self.start)}
        if self.end:
            return _("%(events)s before %(end)s") % {"events": events, "end": MOMENT.show(self.end)}
        return events

    def to_json(self) -> dict[str, Any]:
        """The JSON form, empty for all time."""
        form = {
            "days": self.days,
            "hours": self.hours,
            "calendar": self.calendar,
            "from": self.start and self.start.isoformat(),
            "to": self.end and self.end.isoformat(),
        }
        return {key: value for key, value in form.items() if value}


LIFETIME = Window()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), timezone.get_default_timezone())


def _month(day: date, ahead: int) -> date:
    """The first day of the month so many months on."""
    months = day.year * 12 + day.month - 1 + ahead
    return date(months // 12, months % 12 + 1, 1)


def _week(day: date, ahead: int) -> date:
    """The Monday of the week so many weeks on."""
    return day - timedelta(days=day.weekday()) + timedelta(weeks=ahead)


CALENDAR: Mapping[str, Callable[[date], tuple[date, date]]] = {
    "today": lambda day: (day, day + timedelta(days=1)),
    "yesterday": lambda day: (day - timedelta(days=1), day),
    "this_week": lambda day: (_week(day, 0), _week(day, 1)),
    "last_week": lambda day: (_week(day, -1), _week(day, 0)),
    "this_month": lambda day: (_month(day, 0), _month(day, 1)),
    "last_month": lambda day: (_month(day, -1), _month(day, 0)),
    "this_year": lambda day: (date(day.year, 1, 1), date(day.year + 1, 1, 1)),
    "last_year": lambda day: (date(day.year - 1, 1, 1), date(day.year, 1, 1)),
}
"""The first day of the period that a day lies in, and the first day after it."""
LABELS = {
    "today": gettext_lazy("today"),
    "yesterday": gettext_lazy("yesterday"),
    "this_week": gettext_lazy("this week"),
    "last_week": gettext_lazy("last week"),
    "this_month": gettext_lazy("this month"),
    "last_month": gettext_lazy("last month"),
    "this_year": gettext_lazy("this year"),
    "last_year": gettext_lazy("last year"),
}


PERIOD = Choice(LABELS)


def read_window(raw: object, path: str) -> Window:
    """Read a window. Raises `RuleError`."""
    if isinstance(raw, dict) and set(raw) == {"days"}:
        return Window(days=int(Whole(1, MAX_DAYS).read(raw["days"], below(path, "days"))))
    if isinstance(raw, dict) and set(raw) == {"hours"}:
        return Window(hours=int(Whole(1, 24 * MAX_DAYS).read(raw["hours"], below(path, "hours"))))
    if isinstance(raw, dict) and set(raw) == {"calendar"}:
        return Window(calendar=PERIOD.read(raw["calendar"], below(path, "calendar")))
    if not isinstance(raw, dict) or not raw or not set(raw) <= {"from", "to"}:
        raise RuleError(
            path, _('must be {"days": n}, {"hours": n}, {"calendar": period} or {"from": time, "to": time}')
        )
    start, end = (_bound(raw, key, path) for key in ("from", "to"))
    if start and end and start >= end:
        raise RuleError(below(path, "to"), _("must be later than from"))
    return Window(start=start, end=end)


def _bound(raw: dict[str, object], key: str, path: str) -> datetime | None:
    if key not in raw:
        return None
    moment = read_moment(raw[key])
    if moment is None:
        raise RuleError(below(path, key), _("must be a date or an ISO 8601 time"))
    return moment
