"""Stretches of time that events are looked for in.

`{"days": n}` and `{"hours": n}` end now and began so long before it (their start is outside); `{"from": ..,
"to": ..}` holds its start and not its end, and either may be left out. Without a window every event counts.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from segments.rules.errors import RuleError, below
from segments.rules.values import MAX_DAYS, MOMENT, Whole, read_moment


@dataclass(frozen=True)
class Window:
    """A rolling window when `hours` or `days` is set, a fixed one when `start` or `end` is, else all time."""

    days: int = 0
    hours: int = 0
    start: datetime | None = None
    end: datetime | None = None

    @property
    def is_rolling(self) -> bool:
        """Whether the window moves with the clock."""
        return bool(self.days or self.hours)

    def filters(self, column: str, now: datetime) -> dict[str, datetime]:
        """Lookups that keep `column` within the window: constants, so that partitions outside are unread."""
        if self.is_rolling:
            start = now - timedelta(days=self.days, hours=self.hours)
            return {f"{column}__gt": start, f"{column}__lte": now}
        bounds = {f"{column}__gte": self.start, f"{column}__lt": self.end}
        return {lookup: bound for lookup, bound in bounds.items() if bound is not None}

    def describe(self, events: str) -> str:
        """The noun phrase `events` with the window added, in the active language."""
        if self.days:
            within = ngettext("%(events)s in the last %(n)d day", "%(events)s in the last %(n)d days", self.days)
            return within % {"events": events, "n": self.days}
        if self.hours:
            within = ngettext("%(events)s in the last %(n)d hour", "%(events)s in the last %(n)d hours", self.hours)
            return within % {"events": events, "n": self.hours}
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
            "from": self.start and self.start.isoformat(),
            "to": self.end and self.end.isoformat(),
        }
        return {key: value for key, value in form.items() if value}


LIFETIME = Window()


def read_window(raw: object, path: str) -> Window:
    """Read a window. Raises `RuleError`."""
    if isinstance(raw, dict) and set(raw) == {"days"}:
        return Window(days=int(Whole(1, MAX_DAYS).read(raw["days"], below(path, "days"))))
    if isinstance(raw, dict) and set(raw) == {"hours"}:
        return Window(hours=int(Whole(1, 24 * MAX_DAYS).read(raw["hours"], below(path, "hours"))))
    if not isinstance(raw, dict) or not raw or not set(raw) <= {"from", "to"}:
        raise RuleError(path, _('must be {"days": n}, {"hours": n} or {"from": time, "to": time}'))
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
