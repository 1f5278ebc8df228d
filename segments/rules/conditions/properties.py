"""`"where": [{"property": "color", "op": "eq", "value": "red"}]`: which events count, by their properties.

All filters must hold of one event. How a property is compared, and what counts as absent, says
`segments.rules.json_values`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from segments.models import Event
from segments.rules.ageing import came_of_age
from segments.rules.errors import RuleError, below
from segments.rules.json_values import MAX_KEY, Member, json_type
from segments.rules.nodes import Predicate
from segments.rules.operators import Comparison, read_comparison
from segments.rules.parse import refuse_unknown_keys
from segments.rules.values import TEXT, is_storable
from segments.rules.window import Window

PREFIX = "properties."
KEYS = ("property", "op", "value")
MAX_FILTERS = 20


@dataclass(frozen=True)
class PropertyFilter:
    """A comparison of one property of an event."""

    name: str
    comparison: Comparison

    def compile(self, now: datetime) -> Predicate:
        """The filter as a condition on a row of Event. Null counts as no."""
        return member(self.name).compare(self.comparison, now)

    def describe(self) -> str:
        """The filter in plain words of the active language."""
        return self.comparison.describe(TEXT.show(self.name))

    def to_json(self) -> dict[str, Any]:
        """The filter in the JSON form that `read_where` reads."""
        return {"property": self.name, **self.comparison.to_json()}


Filters = tuple[PropertyFilter, ...]


def member(name: str) -> Member:
    """A property of an event."""
    return Member("properties", name)


def filtered(events: QuerySet[Event], where: Filters, now: datetime) -> QuerySet[Event]:
    """Those of the events for which all filters hold."""
    return events.filter(*(Q(each.compile(now)) for each in where))


def describe_where(events: str, where: Filters) -> str:
    """The noun phrase `events` with the filters added, in the active language."""
    if not where:
        return events
    filters = _(" and ").join(each.describe() for each in where)
    return _("%(events)s (%(filters)s)") % {"events": events, "filters": filters}


def uses_clock(where: Filters) -> bool:
    """Whether time alone may change whether the filters hold."""
    return any(each.comparison.uses_clock for each in where)


def people_moved(
    name: str, where: Filters, window: Window, since: datetime, now: datetime
) -> list["QuerySet[Any, int]"]:
    """The people with an event of the name for which time alone may have changed whether a filter holds."""
    events = Event.objects.filter(name=name, **window.starts("occurred_at", since))
    return [
        events.alias(time=member(each.name).as_time)
        .filter(came_of_age("time", each.comparison.ages, since, now))
        .order_by().values_list("profile_id", flat=True).distinct()
        for each in where if each.comparison.ages
    ]  # fmt: skip


def read_where(definition: Mapping[str, Any], path: str) -> Filters:
    """The filters in the key `where` of the object at `path`, none when it has no such key. Raises `RuleError`."""
    if "where" not in definition:
        return ()
    raw, here = definition["where"], below(path, "where")
    if not isinstance(raw, list) or not 0 < len(raw) <= MAX_FILTERS:
        raise RuleError(here, _("must be a list of 1 to %(most)d filters") % {"most": MAX_FILTERS})
    return tuple(_filter(each, below(here, index)) for index, each in enumerate(raw))


def _filter(raw: object, path: str) -> PropertyFilter:
    if not isinstance(raw, Mapping):
        raise RuleError(path, _("must be an object"))
    refuse_unknown_keys(raw, KEYS, path)
    name = raw.get("property")
    if not is_storable(name, MAX_KEY):
        raise RuleError(below(path, "property"), _("must be a text of 1 to %(most)d characters") % {"most": MAX_KEY})
    return PropertyFilter(name, read_comparison(raw, path, json_type(raw)))
