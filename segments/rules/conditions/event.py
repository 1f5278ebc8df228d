"""`{"event": "purchase", "measure": "sum", "op": "gte", "value": 300, "window": {"days": 90}}`: what somebody
did.

`measure` is one of `MEASURES` ("count" when left out). Somebody without such events has zero of what is
counted or summed, and no average, first or last. `category` is a text or a list of texts; `currency` keeps
sums to one currency.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Aggregate, Avg, Count, DateTimeField, DecimalField, F, Max, Min, QuerySet, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from segments.models import Event
from segments.rules.ageing import people_with_events
from segments.rules.compilation import Compilation
from segments.rules.errors import RuleError, below
from segments.rules.nodes import Dependencies, Node, Predicate, Touched
from segments.rules.operators import Comparison, read_comparison
from segments.rules.parse import refuse_unknown_keys
from segments.rules.values import AMOUNT, COUNT, MOMENT, NUMBER, TEXT, ValueType, is_storable
from segments.rules.window import LIFETIME, Window, read_window

KEYS = ("event", "measure", "op", "value", "window", "category", "currency")
ORDER_EVENT = "purchase"
MAX_NAME = 64
MAX_CATEGORIES = 100
CURRENCY_LETTERS = 3


@dataclass(frozen=True)
class Measure:
    """What is made of somebody's events.

    `statistic` is the column of ProfileStats that holds it for all purchases ever, when one does.
    """

    type: ValueType
    label: Promise
    aggregate: Callable[[], Aggregate]
    statistic: str = ""


def _days() -> Aggregate:
    """Different days in the installation's time zone."""
    return Count(TruncDate("occurred_at", tzinfo=timezone.get_default_timezone()), distinct=True)


MEASURES: Mapping[str, Measure] = {
    "count": Measure(COUNT, gettext_lazy("number of %(events)s"), lambda: Count("*")),
    "occasions": Measure(
        COUNT,
        gettext_lazy("number of occasions of %(events)s"),
        lambda: Count("occurred_at", distinct=True),
        "order_count",
    ),
    "distinct_days": Measure(COUNT, gettext_lazy("number of days with %(events)s"), _days),
    "sum": Measure(
        AMOUNT,
        gettext_lazy("total amount of %(events)s"),
        lambda: Sum("amount", output_field=DecimalField()),
        "order_amount",
    ),
    "average": Measure(
        NUMBER,
        gettext_lazy("average amount of %(events)s"),
        lambda: Avg("amount", output_field=DecimalField()),
    ),
    "first": Measure(
        MOMENT,
        gettext_lazy("first of %(events)s"),
        lambda: Min("occurred_at", output_field=DateTimeField()),
        "first_order_at",
    ),
    "last": Measure(
        MOMENT,
        gettext_lazy("last of %(events)s"),
        lambda: Max("occurred_at", output_field=DateTimeField()),
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

    def compile(self, compilation: Compilation) -> Predicate:
        measure = MEASURES[self.measure]
        if measure.statistic and self._is_about_all_orders:
            return self.comparison.compile(F(f"stats__{measure.statistic}"), compilation.now)
        key = ("event", self.name, self.window, self.categories, self.currency)
        column = compilation.aggregate(key, self._events(compilation), self.measure, measure.aggregate())
        return self.comparison.compile(column, compilation.now)

    def describe(self) -> str:
        events = _("“%(event)s” events") % {"event": self.name}
        if self.categories:
            shown = _(", ").join(TEXT.show(category) for category in self.categories)
            events = _("%(events)s in category %(category)s") % {"events": events, "category": shown}
        if self.currency:
            events = _("%(events)s in %(currency)s") % {"events": events, "currency": self.currency}
        subject = MEASURES[self.measure].label % {"events": self.window.describe(events)}
        return self.comparison.describe(str(subject))

    def depends_on(self) -> Dependencies:
        return Dependencies(events=frozenset({self.name}), clock=self.window.is_rolling or self.comparison.uses_clock)

    def touched_by_clock(self, since: datetime, now: datetime) -> Touched:
        if not self.window.stands_still(since, now):
            return None
        ages = self.window.ages | self.comparison.ages
        return [people_with_events([self.name], ages, since, now)] if ages else []

    def to_json(self) -> dict[str, Any]:
        optional = {
            "window": self.window.to_json(),
            "category": list(self.categories),
            "currency": self.currency,
        }
        return {
            "event": self.name,
            "measure": self.measure,
            **self.comparison.to_json(),
            **{key: value for key, value in optional.items() if value},
        }

    @property
    def _is_about_all_orders(self) -> bool:
        return self.name == ORDER_EVENT and self.window == LIFETIME and not self.categories and not self.currency

    def _events(self, compilation: Compilation) -> QuerySet[Event]:
        events = Event.objects.filter(name=self.name, **self.window.filters("occurred_at", compilation.now))
        if self.categories:
            events = events.filter(category__in=self.categories)
        return events.filter(currency=self.currency) if self.currency else events


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
    )


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
