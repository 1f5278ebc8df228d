"""`{"event": "purchase", "measure": "sum", "op": "gte", "value": 300, "window": {"days": 90}}`: what somebody
did.

`measure` is one of `MEASURES` ("count" when left out). Somebody without such events has zero of what is
counted or summed, and no average, first or last. "distinct" counts the values of `of`: "category" or
"properties.<name>". `category` is a text or a list of texts; `currency` keeps sums to one currency; `where` filters by
properties (see `properties`).
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Aggregate, Avg, Count, DateTimeField, DecimalField, F, Max, Min, QuerySet, Sum, Value
from django.db.models.functions import NullIf, TruncDate
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from segments.models import Event
from segments.rules.ageing import people_with_events
from segments.rules.compilation import Compilation
from segments.rules.conditions import properties
from segments.rules.conditions.properties import Filters, read_where
from segments.rules.errors import RuleError, below
from segments.rules.json_values import MAX_KEY
from segments.rules.nodes import Dependencies, Node, Predicate, Touched
from segments.rules.operators import Comparison, read_comparison
from segments.rules.parse import refuse_unknown_keys
from segments.rules.values import AMOUNT, COUNT, MOMENT, NUMBER, TEXT, ValueType, is_storable
from segments.rules.window import LIFETIME, Window, read_window

KEYS = ("event", "measure", "op", "value", "window", "category", "currency", "of", "where")
ORDER_EVENT = "purchase"
MAX_NAME = 64
MAX_CATEGORIES = 100
CURRENCY_LETTERS = 3
DISTINCT, CATEGORY = "distinct", "category"


@dataclass(frozen=True)
class Measure:
    """What is made of somebody's events; `aggregate` gets what is counted, "" where the measure itself says it.

    `statistic` is the column of ProfileStats that holds it for all purchases ever, when one does.
    """

    type: ValueType
    label: Promise
    aggregate: Callable[[str], Aggregate]
    statistic: str = ""


def _days(of: str) -> Aggregate:
    """Different days in the installation's time zone."""
    return Count(TruncDate("occurred_at", tzinfo=timezone.get_default_timezone()), distinct=True)


def _values(of: str) -> Aggregate:
    """Different categories, or values of a property; what is absent is none."""
    if of == CATEGORY:
        return Count(NullIf("category", Value("")), distinct=True)
    return Count(properties.member(of.removeprefix(properties.PREFIX)).given, distinct=True)


MEASURES: Mapping[str, Measure] = {
    "count": Measure(COUNT, gettext_lazy("number of %(events)s"), lambda of: Count("*")),
    "occasions": Measure(
        COUNT,
        gettext_lazy("number of occasions of %(events)s"),
        lambda of: Count("occurred_at", distinct=True),
        "order_count",
    ),
    "distinct_days": Measure(COUNT, gettext_lazy("number of days with %(events)s"), _days),
    DISTINCT: Measure(COUNT, gettext_lazy("number of different values of %(events)s"), _values),
    "sum": Measure(
        AMOUNT,
        gettext_lazy("total amount of %(events)s"),
        lambda of: Sum("amount", output_field=DecimalField()),
        "order_amount",
    ),
    "average": Measure(
        NUMBER,
        gettext_lazy("average amount of %(events)s"),
        lambda of: Avg("amount", output_field=DecimalField()),
    ),
    "first": Measure(
        MOMENT,
        gettext_lazy("first of %(events)s"),
        lambda of: Min("occurred_at", output_field=DateTimeField()),
        "first_order_at",
    ),
    "last": Measure(
        MOMENT,
        gettext_lazy("last of %(events)s"),
        lambda of: Max("occurred_at", output_field=DateTimeField()),
        "last_order_at",
    ),
}
"""An occasion is an instant: the lines of one basket, which share their time, are one occasion."""


@dataclass(frozen=True)
class EventCondition(Node):
    """A comparison of what is made of somebody's events of one name."""

    name: str
    measure: str
    comparison: Comparison
    window: Window = LIFETIME
    categories: tuple[str, ...] = ()
    currency: str = ""
    of: str = ""
    where: Filters = ()

    def compile(self, compilation: Compilation) -> Predicate:
        measure = MEASURES[self.measure]
        if measure.statistic and self._is_about_all_orders:
            return self.comparison.compile(F(f"stats__{measure.statistic}"), compilation.now)
        key = ("event", self.name, self.window, self.categories, self.currency, frozenset(self.where))
        column = compilation.aggregate(key, self._events(compilation), self._column, measure.aggregate(self.of))
        return self.comparison.compile(column, compilation.now)

    def describe(self) -> str:
        events = properties.describe_where(_("“%(event)s” events") % {"event": self.name}, self.where)
        if self.categories:
            shown = _(", ").join(TEXT.show(category) for category in self.categories)
            events = _("%(events)s in category %(category)s") % {"events": events, "category": shown}
        if self.currency:
            events = _("%(events)s in %(currency)s") % {"events": events, "currency": self.currency}
        events = self.window.describe(events)
        if self.of == CATEGORY:
            subject = _("number of different categories of %(events)s") % {"events": events}
        elif self.of:
            shown = TEXT.show(self.of.removeprefix(properties.PREFIX))
            subject = _("number of different values of %(property)s of %(events)s") % {
                "property": shown, "events": events
            }  # fmt: skip
        else:
            subject = str(MEASURES[self.measure].label % {"events": events})
        return self.comparison.describe(subject)

    @property
    def size(self) -> int:
        return 1 + len(self.where)

    def depends_on(self) -> Dependencies:
        clock = self.window.is_rolling or self.comparison.uses_clock or properties.uses_clock(self.where)
        return Dependencies(events=frozenset({self.name}), clock=clock)

    def touched_by_clock(self, since: datetime, now: datetime) -> Touched:
        if not self.window.stands_still(since, now):
            return None
        ages = self.window.ages | self.comparison.ages
        aged = [people_with_events([self.name], ages, since, now)] if ages else []
        return aged + properties.people_moved(self.name, self.where, self.window, since, now)

    def to_json(self) -> dict[str, Any]:
        optional = {
            "of": self.of,
            "window": self.window.to_json(),
            "category": list(self.categories),
            "currency": self.currency,
            "where": [each.to_json() for each in self.where],
        }
        return {
            "event": self.name,
            "measure": self.measure,
            **self.comparison.to_json(),
            **{key: value for key, value in optional.items() if value},
        }

    @property
    def _is_about_all_orders(self) -> bool:
        is_filtered = self.categories or self.currency or self.where
        return self.name == ORDER_EVENT and self.window == LIFETIME and not is_filtered

    @property
    def _column(self) -> str:
        """The name of the measure among those of the same events: a property may have any characters."""
        return f"{self.measure}_{hashlib.sha256(self.of.encode()).hexdigest()[:16]}" if self.of else self.measure

    def _events(self, compilation: Compilation) -> QuerySet[Event]:
        events = Event.objects.filter(name=self.name, **self.window.filters("occurred_at", compilation.now))
        if self.categories:
            events = events.filter(category__in=self.categories)
        if self.currency:
            events = events.filter(currency=self.currency)
        return properties.filtered(events, self.where, compilation.now)


def parse(definition: Mapping[str, Any], path: str) -> EventCondition:
    """Read an event condition. Raises `RuleError`."""
    refuse_unknown_keys(definition, KEYS, path)
    name = definition["event"]
    if not is_storable(name, MAX_NAME):
        raise RuleError(below(path, "event"), _("must be a text of 1 to %(most)d characters") % {"most": MAX_NAME})
    measure = definition.get("measure", "count")
    if not isinstance(measure, str) or measure not in MEASURES:
        raise RuleError(below(path, "measure"), _("must be one of %(values)s") % {"values": ", ".join(MEASURES)})
    return EventCondition(
        name=name,
        measure=measure,
        comparison=read_comparison(definition, path, MEASURES[measure].type),
        window=read_window(definition["window"], below(path, "window")) if "window" in definition else LIFETIME,
        categories=_categories(definition["category"], below(path, "category")) if "category" in definition else (),
        currency=_currency(definition["currency"], below(path, "currency")) if "currency" in definition else "",
        of=_of(definition, path, measure),
        where=read_where(definition, path),
    )


def _of(definition: Mapping[str, Any], path: str, measure: str) -> str:
    """What is counted, "" when the measure does not ask for it."""
    here = below(path, "of")
    if measure != DISTINCT:
        if "of" in definition:
            raise RuleError(here, _("belongs to the measure %(measure)s only") % {"measure": DISTINCT})
        return ""
    of = definition.get("of")
    name = of.removeprefix(properties.PREFIX) if isinstance(of, str) and of.startswith(properties.PREFIX) else ""
    if isinstance(of, str) and (of == CATEGORY or is_storable(name, MAX_KEY)):
        return of
    raise RuleError(here, _("must be category or properties.<name>"))


def _categories(raw: object, path: str) -> tuple[str, ...]:
    if not isinstance(raw, list):
        return (TEXT.read(raw, path),)
    if not 0 < len(raw) <= MAX_CATEGORIES:
        raise RuleError(path, _("must be a list of 1 to %(most)d values") % {"most": MAX_CATEGORIES})
    return tuple(TEXT.read(item, below(path, index)) for index, item in enumerate(raw))


def _currency(raw: object, path: str) -> str:
    if isinstance(raw, str) and len(raw) == CURRENCY_LETTERS and raw.isascii() and raw.isupper():
        return raw
    raise RuleError(path, _("must be an ISO 4217 code such as CNY"))
