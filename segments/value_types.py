"""Declared types of event properties and attributes, and whether values are of them. Pure."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext as _

from segments.cells import is_missing, text
from segments.cleaning.comparisons import read_number
from segments.profile_input import InputError, has_control


class ValueType(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIME = "time"


MAX_PROPERTIES = 100
MAX_NAME = 64
MAX_EXACT = 2**53  # whole numbers below it are exact for every reader of JSON
WORDS = {
    ValueType.TEXT: "a text",
    ValueType.NUMBER: "a number",
    ValueType.BOOLEAN: "true or false",
    ValueType.TIME: "a time such as 2026-03-02T12:00:00+08:00",
}


@dataclass(frozen=True)
class Declared:
    """One property: its type, and whether it must be there."""

    type: ValueType
    required: bool = False


Schema = Mapping[str, Declared]


class SchemaError(ValueError):
    """The declaration itself is wrong."""


def parse_schema(properties: Any) -> Schema:
    """`{name: {"type": ..., "required": ...}}` as staff write it. Raises `SchemaError` naming the property."""
    if not isinstance(properties, dict) or len(properties) > MAX_PROPERTIES:
        raise SchemaError(_("Give an object of at most %(limit)s properties.") % {"limit": MAX_PROPERTIES})
    if has_control(properties):
        raise SchemaError(_("Control characters are not allowed."))
    return {name: _declared(name, written) for name, written in properties.items()}


def _declared(name: str, written: Any) -> Declared:
    if not name or len(name) > MAX_NAME:
        raise SchemaError(_("Give each property a name of 1 to %(limit)s characters.") % {"limit": MAX_NAME})
    if not isinstance(written, dict) or not written.keys() <= {"type", "required"}:
        raise SchemaError(_("%(name)s: give an object with “type” and “required”.") % {"name": name})
    if written.get("type") not in list(ValueType):
        known = ", ".join(ValueType)
        raise SchemaError(_("%(name)s: the type is none of %(known)s.") % {"name": name, "known": known})
    if not isinstance(written.get("required", False), bool):
        raise SchemaError(_("%(name)s: “required” is neither true nor false.") % {"name": name})
    return Declared(ValueType(written["type"]), written.get("required", False))


def check(schema: Schema, values: Mapping[str, Any], *, prefix: str) -> None:
    """Refuse values of the wrong type, and required ones that are missing. Raises `InputError` such as
    `properties.color`. A value of null says nothing, as if it were left out."""
    for name, declared in schema.items():
        value = values.get(name)
        if value is None:
            if declared.required:
                raise InputError(f"{prefix}.{name}", "is required")
        elif not TESTS[declared.type](value):
            raise InputError(f"{prefix}.{name}", f"is not {WORDS[declared.type]}")


def from_cell(declared: Declared, cell: Any, *, field: str) -> Any:
    """A cell of a file as a value of the declared type: CSV has only texts. Raises `InputError`."""
    if is_missing(cell):
        if declared.required:
            raise InputError(field, "is required")
        return None
    read = CELLS[declared.type](cell)
    if read is None:
        raise InputError(field, f"is not {WORDS[declared.type]}")
    return read


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and _time(value) is not None


def _time(cell: Any) -> str | None:
    if isinstance(cell, date):
        return cell.isoformat()
    try:
        return datetime.fromisoformat(cell).isoformat() if isinstance(cell, str) else None
    except ValueError:
        return None


def _number(cell: Any) -> int | float | None:
    read = read_number(cell)
    if read is None:
        return None
    if abs(read) < MAX_EXACT and read == read.to_integral_value():
        return int(read)
    return float(read) if math.isfinite(float(read)) else None


def _boolean(cell: Any) -> bool | None:
    return {"true": True, "1": True, "false": False, "0": False}.get(text(cell).strip().lower())


def _text(cell: Any) -> str | None:
    return None if isinstance(cell, dict | list) else text(cell)


TESTS: Mapping[ValueType, Callable[[Any], bool]] = {
    ValueType.TEXT: lambda value: isinstance(value, str),
    ValueType.NUMBER: _is_number,
    ValueType.BOOLEAN: lambda value: isinstance(value, bool),
    ValueType.TIME: _is_time,
}
CELLS: Mapping[ValueType, Callable[[Any], Any]] = {
    ValueType.TEXT: _text,
    ValueType.NUMBER: _number,
    ValueType.BOOLEAN: _boolean,
    ValueType.TIME: _time,
}
