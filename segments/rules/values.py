"""The types of value that conditions compare with, how each is read from JSON, resolved against the clock and
shown.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, TypeGuard

from django.utils import formats, timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from segments.rules.errors import RuleError, below

MAX_TEXT = 200
MAX_NUMBER = Decimal(10) ** 15
MAX_DAYS = 36_525

EQUALITY = ("eq", "ne", "in", "not_in")
ORDER = ("lt", "lte", "gt", "gte")
PRESENCE = ("is_set", "is_not_set")


@dataclass(frozen=True)
class DaysAgo:
    """A point that moves with the clock: so many days before now (a time) or before today (a date)."""

    days: int


class ValueType(ABC):
    """A type of value with the operators allowed on it."""

    operators: ClassVar[tuple[str, ...]]
    absent_is_zero: ClassVar[bool] = False
    """Whether somebody without a value counts as having zero, as with the number of orders."""

    @abstractmethod
    def read(self, raw: object, path: str) -> Any:
        """The value from its JSON form. Raises `RuleError`."""

    def resolve(self, value: Any, now: datetime) -> Any:
        """The value as the database compares it at `now`."""
        return value

    def dump(self, value: Any) -> Any:
        """The JSON form that `read` understands."""
        return value

    def show(self, value: Any) -> str:
        """The value in the active language."""
        return str(value)


class Text(ValueType):
    """Text that is not empty. `contains` and `starts_with` ignore case."""

    operators = (*EQUALITY, "contains", "starts_with", *PRESENCE)

    def read(self, raw: object, path: str) -> str:
        if not is_storable(raw, MAX_TEXT):
            raise RuleError(path, _("must be a text of 1 to %(most)d characters") % {"most": MAX_TEXT})
        return raw

    def show(self, value: str) -> str:
        return _("“%(text)s”") % {"text": value}


@dataclass(frozen=True)
class Choice(ValueType):
    """One of a fixed list of texts, given with their labels."""

    labels: Mapping[str, str | Promise]
    operators = (*EQUALITY, *PRESENCE)

    def read(self, raw: object, path: str) -> str:
        if not isinstance(raw, str) or raw not in self.labels:
            raise RuleError(path, _("must be one of %(values)s") % {"values": ", ".join(self.labels)})
        return raw

    def show(self, value: str) -> str:
        return str(self.labels[value])


class Number(ValueType):
    """A decimal number."""

    operators: ClassVar[tuple[str, ...]] = (*EQUALITY, *ORDER, *PRESENCE)

    def read(self, raw: object, path: str) -> Decimal:
        if isinstance(raw, int | float | Decimal) and not isinstance(raw, bool):
            try:
                value = Decimal(str(raw)) if isinstance(raw, float) else Decimal(raw)
                if abs(value) <= MAX_NUMBER:
                    return value
            except InvalidOperation:  # NaN compared
                pass
        raise RuleError(path, _("must be a number"))

    def dump(self, value: Decimal) -> int | float:
        return int(value) if value == value.to_integral_value() else float(value)

    def show(self, value: Decimal | int) -> str:
        return str(formats.localize(value, use_l10n=True))


class Amount(Number):
    """A total: zero for people who have nothing to add up."""

    operators = ("eq", "ne", *ORDER)
    absent_is_zero = True


@dataclass(frozen=True)
class Whole(Number):
    """A whole number within bounds."""

    least: int = 0
    most: int = 10**12
    operators: ClassVar[tuple[str, ...]] = (*EQUALITY, *ORDER, *PRESENCE)

    def read(self, raw: object, path: str) -> Decimal:
        if isinstance(raw, int) and not isinstance(raw, bool) and self.least <= raw <= self.most:
            return Decimal(raw)
        raise RuleError(
            path,
            _("must be a whole number from %(least)d to %(most)d") % {"least": self.least, "most": self.most},
        )

    def resolve(self, value: Decimal, now: datetime) -> int:
        return int(value)


class Count(Whole):
    """A number of things: zero for people who have none."""

    operators = ("eq", "ne", *ORDER)
    absent_is_zero = True


class Boolean(ValueType):
    """True or false."""

    operators = ("eq", "ne", *PRESENCE)

    def read(self, raw: object, path: str) -> bool:
        if not isinstance(raw, bool):
            raise RuleError(path, _("must be true or false"))
        return raw

    def show(self, value: bool) -> str:
        return _("yes") if value else _("no")


class Moment(ValueType):
    """A time: ISO 8601, in the installation's time zone when it names none, or `{"days_ago": n}` of 24 hours
    each.
    """

    operators = (*ORDER, *PRESENCE)

    def read(self, raw: object, path: str) -> datetime | DaysAgo:
        if isinstance(raw, dict):
            return read_days_ago(raw, path)
        moment = read_moment(raw)
        if moment is None:
            raise RuleError(path, _('must be a date, an ISO 8601 time or {"days_ago": number}'))
        return moment

    def resolve(self, value: datetime | DaysAgo, now: datetime) -> datetime:
        return now - timedelta(days=value.days) if isinstance(value, DaysAgo) else value

    def dump(self, value: datetime | DaysAgo) -> Any:
        return {"days_ago": value.days} if isinstance(value, DaysAgo) else value.isoformat()

    def show(self, value: datetime | DaysAgo) -> str:
        if isinstance(value, DaysAgo):
            return show_days_ago(value)
        return formats.date_format(timezone.localtime(value), "SHORT_DATETIME_FORMAT")


class Day(ValueType):
    """A calendar date, or `{"days_ago": n}` counted back from today in the installation's time zone."""

    operators = (*EQUALITY, *ORDER, *PRESENCE)

    def read(self, raw: object, path: str) -> date | DaysAgo:
        if isinstance(raw, dict):
            return read_days_ago(raw, path)
        try:
            day = parse_date(raw) if isinstance(raw, str) else None
        except ValueError:
            day = None
        if day is None:
            raise RuleError(path, _('must be a date like 2026-12-31 or {"days_ago": number}'))
        return day

    def resolve(self, value: date | DaysAgo, now: datetime) -> date:
        return today(now) - timedelta(days=value.days) if isinstance(value, DaysAgo) else value

    def dump(self, value: date | DaysAgo) -> Any:
        return {"days_ago": value.days} if isinstance(value, DaysAgo) else value.isoformat()

    def show(self, value: date | DaysAgo) -> str:
        return show_days_ago(value) if isinstance(value, DaysAgo) else formats.date_format(value, "SHORT_DATE_FORMAT")


def is_storable(raw: object, most: int) -> TypeGuard[str]:
    """Whether `raw` is a text of 1 to `most` characters that PostgreSQL takes: no NUL, no lone surrogate."""
    return (
        isinstance(raw, str)
        and 0 < len(raw) <= most
        and not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in raw)
    )


def today(now: datetime) -> date:
    """The date in the installation's time zone."""
    return timezone.localtime(now, timezone.get_default_timezone()).date()


def read_moment(raw: object) -> datetime | None:
    """A date (its first instant) or ISO 8601 time; None when `raw` is neither."""
    if not isinstance(raw, str):
        return None
    try:
        moment = parse_datetime(raw) if len(raw) > len("2026-12-31") else None
        if moment is None and (day := parse_date(raw)) is not None:
            moment = datetime.combine(day, time())
    except ValueError:
        return None
    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=timezone.get_default_timezone())


def read_days_ago(raw: Mapping[str, object], path: str) -> DaysAgo:
    """`{"days_ago": n}`. Raises `RuleError`."""
    if set(raw) != {"days_ago"}:
        raise RuleError(path, _('must be {"days_ago": number} and nothing else'))
    days = Whole(most=MAX_DAYS).read(raw["days_ago"], below(path, "days_ago"))
    return DaysAgo(int(days))


def show_days_ago(value: DaysAgo) -> str:
    """Such as "30 days ago"."""
    return ngettext("%(days)d day ago", "%(days)d days ago", value.days) % {"days": value.days}


TEXT, NUMBER, AMOUNT, COUNT, BOOLEAN, MOMENT, DAY = (
    Text(),
    Number(),
    Amount(),
    Count(),
    Boolean(),
    Moment(),
    Day(),
)
