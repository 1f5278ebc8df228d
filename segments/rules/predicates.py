"""What can be told of a compiled predicate before it is asked, so that PostgreSQL finds the short way.

Null counts as no at the top of a predicate, so it may below `and` and `or` as well: only negations tell it from false.
"""

from typing import Any, cast

from django.db.models import BooleanField, F, Q, Value, lookups

from segments.rules.joins import Column
from segments.rules.nodes import IsNotTrue, Predicate

STATISTICS = "stats"
STRICT = (
    lookups.Exact, lookups.In, lookups.LessThan, lookups.LessThanOrEqual, lookups.GreaterThan,
    lookups.GreaterThanOrEqual, lookups.IContains, lookups.IStartsWith,
)  # fmt: skip


def simplified(predicate: Predicate) -> Predicate:
    """The same with negations moved down to single comparisons, where "has no row" becomes an anti join."""
    if isinstance(predicate, IsNotTrue):
        return _not_true(predicate.get_source_expressions()[0])
    if isinstance(predicate, Q) and not predicate.negated:
        return Q(*map(simplified, _parts(predicate)), _connector=predicate.connector)
    return predicate


def required(predicate: Predicate) -> frozenset[str]:
    """Whose rows somebody must have to match: aliases of joined subqueries, and `STATISTICS`."""
    if isinstance(predicate, Q) and not predicate.negated:
        parts = [required(child) for child in _parts(predicate)]
        together = frozenset.union if predicate.connector == Q.AND else frozenset.intersection
        return together(*parts) if parts and predicate.connector in (Q.AND, Q.OR) else frozenset()
    if isinstance(predicate, STRICT) or (isinstance(predicate, lookups.IsNull) and predicate.rhs is False):
        return _source(predicate.lhs)
    return frozenset()


def _not_true(predicate: Predicate) -> Predicate:
    if isinstance(predicate, IsNotTrue):
        return simplified(predicate.get_source_expressions()[0])
    if isinstance(predicate, lookups.IsNull):
        return lookups.IsNull(predicate.lhs, not predicate.rhs)
    if isinstance(predicate, Value) and isinstance(predicate.value, bool):
        return Value(not predicate.value, output_field=BooleanField())
    if isinstance(predicate, Q) and not predicate.negated and predicate.connector in (Q.AND, Q.OR):
        other = Q.OR if predicate.connector == Q.AND else Q.AND
        return Q(*map(_not_true, _parts(predicate)), _connector=other)
    return IsNotTrue(predicate)


def _parts(predicate: Q) -> list[Predicate]:
    return cast(list[Predicate], predicate.children)


def _source(operand: object) -> frozenset[str]:
    if isinstance(operand, Column):
        return frozenset({operand.alias})
    if isinstance(operand, F) and cast(Any, operand).name.startswith(f"{STATISTICS}__"):
        return frozenset({STATISTICS})
    return frozenset()
