"""Comparisons: the operators, what each means in SQL and how each reads in a sentence.

Absence: somebody without a value answers to `is_not_set` only; no other operator, `ne` and `not_in` included,
is true of them. Types whose `absent_is_zero` (numbers of things, totals) compare absence as zero instead.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from django.db.models import F, Q, Value, lookups
from django.db.models.expressions import Combinable, Expression
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from segments.rules.errors import RuleError, below
from segments.rules.nodes import Predicate
from segments.rules.values import PRESENCE, Day, DaysAgo, Moment, ValueType

MAX_LIST = 1_000

Operand = Expression | F

_LOOKUPS: dict[str, Callable[[Any, Any], Combinable]] = {
    "eq": lookups.Exact,
    "ne": lambda left, right: ~lookups.Exact(left, right),
    "in": lookups.In,
    "not_in": lambda left, right: ~lookups.In(left, right),
    "lt": lookups.LessThan,
    "lte": lookups.LessThanOrEqual,
    "gt": lookups.GreaterThan,
    "gte": lookups.GreaterThanOrEqual,
    "contains": lookups.IContains,
    "starts_with": lookups.IStartsWith,
}
_ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": eq,
    "ne": ne,
    "lt": lt,
    "lte": le,
    "gt": gt,
    "gte": ge,
}

_PHRASES = {
    "eq": gettext_lazy("%(subject)s is %(value)s"),
    "ne": gettext_lazy("%(subject)s is not %(value)s"),
    "in": gettext_lazy("%(subject)s is one of %(value)s"),
    "not_in": gettext_lazy("%(subject)s is none of %(value)s"),
    "lt": gettext_lazy("%(subject)s is less than %(value)s"),
    "lte": gettext_lazy("%(subject)s is at most %(value)s"),
    "gt": gettext_lazy("%(subject)s is more than %(value)s"),
    "gte": gettext_lazy("%(subject)s is at least %(value)s"),
    "contains": gettext_lazy("%(subject)s contains %(value)s"),
    "starts_with": gettext_lazy("%(subject)s starts with %(value)s"),
    "is_set": gettext_lazy("%(subject)s is known"),
    "is_not_set": gettext_lazy("%(subject)s is not known"),
}
_TIME_PHRASES = {
    "lt": gettext_lazy("%(subject)s is before %(value)s"),
    "lte": gettext_lazy("%(subject)s is not after %(value)s"),
    "gt": gettext_lazy("%(subject)s is after %(value)s"),
    "gte": gettext_lazy("%(subject)s is not before %(value)s"),
}


@dataclass(frozen=True)
class Comparison:
    """An operator of a value type with its value: `None` for is_set and is_not_set, a tuple for in and
    not_in.
    """

    type: ValueType
    op: str
    value: Any

    def compile(self, operand: Operand, now: datetime) -> Predicate:
        """The comparison of `operand`, which is null where somebody has no value."""
        if self.value is None:
            return lookups.IsNull(operand, self.op == "is_not_set")
        compared = _LOOKUPS[self.op](operand, self._resolved(now))
        if self.holds_for_absent:
            return Q(compared, lookups.IsNull(operand, True), _connector=Q.OR)
        return compared

    @property
    def holds_for_absent(self) -> bool:
        """Whether somebody without a value answers yes to a comparison with a value."""
        return self.type.absent_is_zero and _ORDERINGS[self.op](Decimal(0), self.value)

    @property
    def uses_clock(self) -> bool:
        """Whether the value moves with the clock."""
        return isinstance(self.value, DaysAgo) or (
            isinstance(self.value, tuple) and any(isinstance(item, DaysAgo) for item in self.value)
        )

    @property
    def ages(self) -> set[timedelta]:
        """How long ago the values lie that move with the clock."""
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        return {timedelta(days=value.days) for value in values if isinstance(value, DaysAgo)}

    def describe(self, subject: str) -> str:
        """The comparison as a sentence about `subject`, a noun phrase in the active language."""
        phrases = {**_PHRASES, **_TIME_PHRASES} if isinstance(self.type, Moment | Day) else _PHRASES
        return phrases[self.op] % {"subject": subject, "value": self._shown()}

    def to_json(self) -> dict[str, Any]:
        """The keys `op` and `value`."""
        if self.value is None:
            return {"op": self.op}
        if isinstance(self.value, tuple):
            return {"op": self.op, "value": [self.type.dump(item) for item in self.value]}
        return {"op": self.op, "value": self.type.dump(self.value)}

    def _resolved(self, now: datetime) -> Any:
        if isinstance(self.value, tuple):
            return [self.type.resolve(item, now) for item in self.value]
        return Value(self.type.resolve(self.value, now))

    def _shown(self) -> str:
        if isinstance(self.value, tuple):
            return _(", ").join(self.type.show(item) for item in self.value)
        return "" if self.value is None else self.type.show(self.value)


def read_comparison(definition: Mapping[str, Any], path: str, value_type: ValueType) -> Comparison:
    """The comparison in the keys `op` and `value` of a condition. Raises `RuleError`."""
    op = read_operator(definition, path, value_type.operators)
    if op in PRESENCE:
        if "value" in definition:
            raise RuleError(below(path, "value"), _("%(op)s takes no value") % {"op": op})
        return Comparison(value_type, op, None)
    here = below(path, "value")
    if "value" not in definition:
        raise RuleError(here, _("missing"))
    raw = definition["value"]
    if op not in ("in", "not_in"):
        return Comparison(value_type, op, value_type.read(raw, here))
    if not isinstance(raw, list) or not 0 < len(raw) <= MAX_LIST:
        raise RuleError(here, _("must be a list of 1 to %(most)d values") % {"most": MAX_LIST})
    return Comparison(
        value_type, op, tuple(value_type.read(item, below(here, index)) for index, item in enumerate(raw))
    )


def read_operator(definition: Mapping[str, Any], path: str, allowed: tuple[str, ...]) -> str:
    """The key `op`, which must be one of `allowed`. Raises `RuleError`."""
    op = definition.get("op")
    if not isinstance(op, str) or op not in allowed:
        raise RuleError(below(path, "op"), _("must be one of %(values)s") % {"values": ", ".join(allowed)})
    return op
