"""Typed comparisons of a cell with what a rule says. Pure.

The type of the rule's value decides. A number is compared with numbers and with texts that read as one (files have only
texts); a day with days. What is missing, or of another type, matches no comparison but `is_not_set`.
"""

import operator
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext as _

from segments.cells import is_missing, text
from segments.cleaning.errors import RuleError
from segments.cleaning.fields import ANY, DAY, NUMBER, TEXT

Test = Callable[[Any], bool]
BOOLEAN = "boolean"
SAME = ("eq", "ne")
LISTS = ("in", "not_in")
ORDERED = ("lt", "lte", "gt", "gte")
PRESENCE = ("is_set", "is_not_set")
OPERATORS = {
    TEXT: (*SAME, *LISTS, "contains", "starts_with"),
    NUMBER: (*SAME, *LISTS, *ORDERED),
    DAY: (*SAME, *ORDERED),
    BOOLEAN: SAME,
}
FUNCTIONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
    "in": lambda found, wanted: found in wanted,
    "not_in": lambda found, wanted: found not in wanted,
    "contains": lambda found, wanted: wanted in found,
    "starts_with": lambda found, wanted: found.startswith(wanted),
}
MAX_VALUES = 1_000


def comparison(parameters: Mapping[str, Any], kind: str) -> Test:
    """The test that `op` and `value` ask for of a field of this kind. Raises `RuleError`."""
    op = parameters.get("op")
    if op in PRESENCE:
        if "value" in parameters:
            raise RuleError("parameters.value", _("“%(op)s” takes no value.") % {"op": op})
        return is_missing if op == "is_not_set" else _is_set
    if "value" not in parameters:
        raise RuleError("parameters.value", _("Say what to compare with."))
    value = parameters["value"]
    asked = _kind_of_value(value, op)
    kind = _agreed(kind, asked)
    if op not in OPERATORS[kind]:
        known = ", ".join([*OPERATORS[kind], *PRESENCE])
        raise RuleError("parameters.op", _("Give one of %(known)s.") % {"known": known})
    read = READERS[kind]
    wanted = frozenset(map(read, value)) if op in LISTS else read(value)
    if wanted is None or (op in LISTS and None in wanted):
        raise RuleError("parameters.value", _("“%(value)s” is not of the field's type.") % {"value": value})
    return _test(read, FUNCTIONS[op], wanted)


def _test(read: Callable[[Any], Any], function: Callable[[Any, Any], bool], wanted: Any) -> Test:
    def matches(cell: Any) -> bool:
        found = read(cell)
        return found is not None and function(found, wanted)

    return matches


def _is_set(cell: Any) -> bool:
    return not is_missing(cell)


def _kind_of_value(value: Any, op: Any) -> str:
    if op in LISTS:
        if not isinstance(value, list) or not 0 < len(value) <= MAX_VALUES:
            raise RuleError("parameters.value", _("Give a list of 1 to %(limit)s values.") % {"limit": MAX_VALUES})
        kinds = {_kind_of_value(item, None) for item in value}
        if len(kinds) > 1:
            raise RuleError("parameters.value", _("Values of one list must be of one type."))
        return kinds.pop()
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, int | float):
        return NUMBER
    if isinstance(value, str):
        return TEXT
    raise RuleError("parameters.value", _("Give a text, a number, true or false."))


def _agreed(kind: str, asked: str) -> str:
    """What both the field and the value can be compared as."""
    if kind == ANY:
        return asked
    if kind == asked or (kind == DAY and asked == TEXT):
        return kind
    raise RuleError("parameters.value", _("The field holds a %(kind)s.") % {"kind": kind})


def _read_text(cell: Any) -> str | None:
    if is_missing(cell) or isinstance(cell, bool | dict | list):
        return None
    return text(cell)


def read_number(cell: Any) -> Decimal | None:
    """The number that a cell is or reads as; None when it is none."""
    if isinstance(cell, bool) or not isinstance(cell, str | int | float | Decimal):
        return None
    try:
        read = Decimal(str(cell).strip())
    except InvalidOperation:
        return None
    return read if read.is_finite() else None


def _read_boolean(cell: Any) -> bool | None:
    if isinstance(cell, bool):
        return cell
    return {"true": True, "false": False}.get(cell.strip().lower()) if isinstance(cell, str) else None


def _read_day(cell: Any) -> date | None:
    if isinstance(cell, date):
        return date(cell.year, cell.month, cell.day)
    try:
        return date.fromisoformat(str(cell)[:10])
    except ValueError:
        return None


READERS: dict[str, Callable[[Any], Any]] = {
    TEXT: _read_text,
    NUMBER: read_number,
    DAY: _read_day,
    BOOLEAN: _read_boolean,
}
