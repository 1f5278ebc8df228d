"""Conditions on the row of statistics that every person has.

`{"stat": "order_count", "op": "gte", "value": 3}`: lifetime statistics. `{"rfm": "recency", "op": "gte",
"value": 4}`: RFM quintiles, 5 for the best fifth; people who never bought have none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from segments import causes
from segments.models import ProfileStats
from segments.rules.ageing import came_of_age
from segments.rules.compilation import Compilation
from segments.rules.conditions.event import ORDER_EVENT
from segments.rules.errors import RuleError, below
from segments.rules.nodes import ANY_EVENT, Dependencies, Node, Predicate, Touched
from segments.rules.operators import Comparison, read_comparison
from segments.rules.parse import refuse_unknown_keys
from segments.rules.values import AMOUNT, COUNT, MOMENT, ValueType, Whole

QUINTILE = Whole(1, 5)


@dataclass(frozen=True)
class Statistic:
    """A column of ProfileStats that rules may ask about."""

    column: str
    type: ValueType
    label: Promise
    events: str
    """The events that change it."""
    clock: bool = False
    """Whether it is recomputed by the clock."""


STATISTICS: Mapping[str, Mapping[str, Statistic]] = {
    "stat": {
        "event_count": Statistic("event_count", COUNT, gettext_lazy("number of all events"), ANY_EVENT),
        "first_event_at": Statistic("first_event_at", MOMENT, gettext_lazy("first event"), ANY_EVENT),
        "last_event_at": Statistic("last_event_at", MOMENT, gettext_lazy("last event"), ANY_EVENT),
        "order_count": Statistic("order_count", COUNT, gettext_lazy("number of all orders"), ORDER_EVENT),
        "order_amount": Statistic("order_amount", AMOUNT, gettext_lazy("amount of all orders"), ORDER_EVENT),
        "first_order_at": Statistic("first_order_at", MOMENT, gettext_lazy("first order"), ORDER_EVENT),
        "last_order_at": Statistic("last_order_at", MOMENT, gettext_lazy("last order"), ORDER_EVENT),
    },
    "rfm": {
        "recency": Statistic("rfm_recency", QUINTILE, gettext_lazy("recency quintile"), ORDER_EVENT, clock=True),
        "frequency": Statistic("rfm_frequency", QUINTILE, gettext_lazy("frequency quintile"), ORDER_EVENT, clock=True),
        "monetary": Statistic("rfm_monetary", QUINTILE, gettext_lazy("monetary quintile"), ORDER_EVENT, clock=True),
    },
}


@dataclass(frozen=True)
class StatisticCondition(Node):
    """A comparison of one statistic."""

    kind: str
    name: str
    comparison: Comparison

    def compile(self, compilation: Compilation) -> Predicate:
        return self.comparison.compile(F(f"stats__{self._statistic.column}"), compilation.now)

    def describe(self) -> str:
        return self.comparison.describe(str(self._statistic.label))

    def depends_on(self) -> Dependencies:
        return Dependencies(
            events=frozenset({self._statistic.events}),
            others=frozenset({causes.RFM}) if self.kind == "rfm" else frozenset(),
            clock=self._statistic.clock or self.comparison.uses_clock,
        )

    def touched_by_clock(self, since: datetime, now: datetime) -> Touched:
        if not self.comparison.ages:
            return []  # quintiles change when they are computed, and touch the people whose changed
        passed = came_of_age(self._statistic.column, self.comparison.ages, since, now)
        return [ProfileStats.objects.filter(passed).order_by().values_list("profile_id", flat=True)]

    def to_json(self) -> dict[str, Any]:
        return {self.kind: self.name, **self.comparison.to_json()}

    @property
    def _statistic(self) -> Statistic:
        return STATISTICS[self.kind][self.name]


def parse_stat(definition: Mapping[str, Any], path: str) -> StatisticCondition:
    """Read a condition on a lifetime statistic. Raises `RuleError`."""
    return _parse("stat", definition, path)


def parse_rfm(definition: Mapping[str, Any], path: str) -> StatisticCondition:
    """Read a condition on an RFM quintile. Raises `RuleError`."""
    return _parse("rfm", definition, path)


def _parse(kind: str, definition: Mapping[str, Any], path: str) -> StatisticCondition:
    refuse_unknown_keys(definition, (kind, "op", "value"), path)
    name, known = definition[kind], STATISTICS[kind]
    if not isinstance(name, str) or name not in known:
        raise RuleError(below(path, kind), _("must be one of %(values)s") % {"values": ", ".join(known)})
    return StatisticCondition(kind, name, read_comparison(definition, path, known[name].type))
