"""Cleaning rules, declared types and completeness, as they apply to what a source says of one person. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from segments import value_types
from segments.cells import is_missing, text
from segments.cleaning import Plan, clean_row
from segments.profile_input import FIELDS, IDENTIFIERS, InputError, ProfileInput

ATTRIBUTE = "attributes."


@dataclass(frozen=True)
class CleanedProfile:
    """What the source says after all rules, and `defaults`: fields by name that a rule filled in. Those hold only where
    nothing is known of the person yet, since a source that leaves a field out says nothing of it."""

    given: ProfileInput
    defaults: Mapping[str, Any]


def clean(plan: Plan, given: ProfileInput, schema: value_types.Schema, *, is_from_file: bool) -> CleanedProfile:
    """Apply the rules, then the declared types; cells of files are read as their type. Raises `InputError`."""
    if plan.is_empty:
        return CleanedProfile(_typed(given, schema, is_from_file), {})
    cleaned = clean_row(plan, fields_of(given))
    if cleaned.rejected:
        raise InputError(cleaned.rejected.field, cleaned.rejected.reason)
    said = {name: value for name, value in cleaned.fields.items() if name not in cleaned.filled}
    defaults = {name: value for name, value in cleaned.fields.items() if name in cleaned.filled}
    typed = _typed(with_fields(ProfileInput(), said), schema, is_from_file)
    return CleanedProfile(typed, fields_of(_typed(with_fields(ProfileInput(), defaults), schema, is_from_file)))


def fields_of(given: ProfileInput) -> dict[str, Any]:
    """What the input says, by the names that rules use."""
    plain = {name: getattr(given, name) for name in FIELDS if getattr(given, name) is not None}
    return {**plain, **{f"{ATTRIBUTE}{name}": value for name, value in given.attributes.items()}}


def with_fields(given: ProfileInput, values: Mapping[str, Any]) -> ProfileInput:
    """The input with these fields set. Raises `InputError` when one cannot hold its value."""
    changes: dict[str, Any] = {name: _plain(name, value) for name, value in values.items() if name in FIELDS}
    attributes = {name.removeprefix(ATTRIBUTE): value for name, value in values.items() if name.startswith(ATTRIBUTE)}
    return replace(given, **changes, attributes={**given.attributes, **attributes})


def identifiers_of(given: ProfileInput) -> ProfileInput:
    """Nothing but who is meant."""
    return ProfileInput(**{name: getattr(given, name) for name in IDENTIFIERS})


def is_complete(given: ProfileInput, wanted: Sequence[str]) -> bool:
    """Whether none of these fields is missing."""
    fields = fields_of(given)
    return not any(is_missing(fields.get(name)) for name in wanted)


def _typed(given: ProfileInput, schema: value_types.Schema, is_from_file: bool) -> ProfileInput:
    if not schema or not given.attributes:
        return given
    if not is_from_file:
        value_types.check(schema, given.attributes, prefix="attributes")
        return given
    read = {
        name: value_types.from_cell(schema[name], value, field=f"{ATTRIBUTE}{name}") if name in schema else value
        for name, value in given.attributes.items()
    }
    return replace(given, attributes=read)


def _plain(name: str, value: Any) -> Any:
    if name != "birth_date" or isinstance(value, date):
        return value if isinstance(value, date) else text(value)
    if is_missing(value):
        return None
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise InputError("birth_date", "is not a date like 1990-12-31") from None
