"""Ages as dates of birth, which have an index and need no computing person by person."""

from datetime import date
from typing import Any

from django.db.models import F, Q, Value, lookups

from segments.rules.nodes import Predicate
from segments.rules.operators import Comparison

BORN = F("birth_date")
FEBRUARY = 2


def compile_age(comparison: Comparison, today: date) -> Predicate:
    """The comparison of somebody's age in full years."""
    op, value = comparison.op, comparison.value
    if value is None:
        return lookups.IsNull(BORN, op == "is_not_set")
    if op in ("eq", "in"):
        return Q(*(_is(int(years), today) for years in _listed(value)), _connector=Q.OR)
    if op in ("ne", "not_in"):
        return Q(*(_is_not(int(years), today) for years in _listed(value)))
    years = int(value) + (op in ("gt", "lte"))
    return _at_least(years, today) if op in ("gte", "gt") else _under(years, today)


def _listed(value: Any) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,)


def _is(years: int, today: date) -> Q:
    return Q(_at_least(years, today), _under(years + 1, today))


def _is_not(years: int, today: date) -> Q:
    return Q(_under(years, today), _at_least(years + 1, today), _connector=Q.OR)


def _at_least(years: int, today: date) -> Predicate:
    return lookups.LessThanOrEqual(BORN, Value(_latest(years, today)))


def _under(years: int, today: date) -> Predicate:
    return lookups.GreaterThan(BORN, Value(_latest(years, today)))


def _latest(years: int, today: date) -> date:
    """The last day on which somebody of so many years can be born. Who was on 29 February turns older on 1 March."""
    try:
        return today.replace(year=today.year - years)
    except ValueError:
        return date(today.year - years, FEBRUARY, 28)
