"""`{"anniversary": "birth_date", "op": "within", "days": 7}`: a yearly day that comes within so many days.

Today is included. The days are those of the installation's time zone. Who was born on 29 February has the day on
1 March of common years, as in `age`.
"""

from calendar import isleap
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import CharField, F, Func, IntegerField, Value, lookups
from django.db.models.functions import ExtractDay, ExtractMonth
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from segments.rules.compilation import Compilation
from segments.rules.conditions.attribute import JSON_PREFIX
from segments.rules.errors import RuleError, below
from segments.rules.json_values import MAX_KEY, JsonText
from segments.rules.nodes import Dependencies, Node, Predicate, Touched
from segments.rules.operators import read_operator
from segments.rules.parse import refuse_unknown_keys
from segments.rules.values import Whole, is_storable, today

DAYS = Whole(0, 365)
HUNDRED = 100
COLUMNS: Mapping[str, tuple[str, Promise, bool]] = {
    "birth_date": ("birth_date", gettext_lazy("date of birth"), False),
    "created_at": ("created_at", gettext_lazy("first seen"), True),
    "first_order_at": ("stats__first_order_at", gettext_lazy("first order"), True),
}
"""The path of the column, its name in sentences, whether it is a time."""


class MonthAndDay(Func):
    """`MM-DD` of a text that begins like an ISO 8601 date; null for another."""

    template = "substring(%(expressions)s from '^[0-9]{4}-([0-9]{2}-[0-9]{2})')"
    output_field = CharField()


@dataclass(frozen=True)
class AnniversaryCondition(Node):
    """Whether the yearly day of a date comes within so many days."""

    name: str
    days: int

    def compile(self, compilation: Compilation) -> Predicate:
        coming = _coming(today(compilation.now), self.days)
        if self.name.startswith(JSON_PREFIX):
            member = JsonText(F("attributes"), Value(self.name.removeprefix(JSON_PREFIX)))
            return lookups.In(MonthAndDay(member), [f"{month:02}-{day:02}" for month, day in coming])
        path, _label, is_time = COLUMNS[self.name]
        zone = timezone.get_default_timezone() if is_time else None
        month, day = ExtractMonth(path, tzinfo=zone), ExtractDay(path, tzinfo=zone)
        place = Func(
            month, day, template="(%(expressions)s)::int", arg_joiner=f" * {HUNDRED} + ", output_field=IntegerField()
        )
        return lookups.In(place, [HUNDRED * month_ + day_ for month_, day_ in coming])

    def describe(self) -> str:
        label = COLUMNS[self.name][1] if self.name in COLUMNS else self.name.removeprefix(JSON_PREFIX)
        if not self.days:
            return _("anniversary of “%(date)s” is today") % {"date": label}
        within = ngettext(
            "anniversary of “%(date)s” is within %(days)d day", "anniversary of “%(date)s” is within %(days)d days",
            self.days,
        )  # fmt: skip
        return within % {"date": label, "days": self.days}

    def depends_on(self) -> Dependencies:
        if self.name == "first_order_at":
            return Dependencies(events=frozenset({"purchase"}), clock=True)
        return Dependencies(attributes=frozenset({self.name}), clock=True)

    def touched_by_clock(self, since: datetime, now: datetime) -> Touched:
        return [] if today(since) == today(now) else None

    def to_json(self) -> dict[str, Any]:
        return {"anniversary": self.name, "op": "within", "days": self.days}


def _coming(first: date, days: int) -> list[tuple[int, int]]:
    """Months and days of the dates from `first` on whose anniversary is kept on one of them."""
    found = []
    for ahead in range(days + 1):
        day = first + timedelta(days=ahead)
        found.append((day.month, day.day))
        if (day.month, day.day) == (3, 1) and not isleap(day.year):
            found.append((2, 29))
    return sorted(set(found))


def parse(definition: Mapping[str, Any], path: str) -> AnniversaryCondition:
    """Read a condition on a yearly day. Raises `RuleError`."""
    refuse_unknown_keys(definition, ("anniversary", "op", "days"), path)
    name = definition["anniversary"]
    key = name.removeprefix(JSON_PREFIX) if isinstance(name, str) and name.startswith(JSON_PREFIX) else ""
    if name not in COLUMNS and not is_storable(key, MAX_KEY):
        known = {"values": ", ".join(COLUMNS)}
        raise RuleError(below(path, "anniversary"), _("must be attributes.<key> or one of %(values)s") % known)
    read_operator(definition, path, ("within",))
    return AnniversaryCondition(name, int(DAYS.read(definition.get("days"), below(path, "days"))))
