"""Which column of a file becomes which field."""

from collections.abc import Iterable, Mapping

from segments.models import ImportKind
from segments.profile_input import FIELDS as PROFILE_FIELDS
from segments.profile_input import IDENTIFIERS

EVENT_FIELDS = ("event_id", "occurred_at", *IDENTIFIERS, "amount", "currency", "category")
OPEN_FIELDS = {ImportKind.PROFILES: "attributes", ImportKind.EVENTS: "properties"}
FIELDS = {ImportKind.PROFILES: PROFILE_FIELDS, ImportKind.EVENTS: EVENT_FIELDS}


class MappingError(ValueError):
    """The mapping names a field or a column that is not there."""


def parse(text: str) -> dict[str, str]:
    """`field=column,field=column` as a mapping. Raises `MappingError`."""
    mapping: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, equals, column = (piece.strip() for piece in part.partition("="))
        if not (name and equals and column):
            raise MappingError(f"{part!r}: write field=column")
        if name in mapping:
            raise MappingError(f"{name}: is mapped twice")
        mapping[name] = column
    return mapping


def complete(kind: str, mapping: Mapping[str, str], columns: Iterable[str]) -> dict[str, str]:
    """The mapping, with columns that are named like a field added. Raises `MappingError` listing what is possible."""
    columns = list(columns)
    fields, open_field = FIELDS[ImportKind(kind)], OPEN_FIELDS[ImportKind(kind)]
    for name, column in mapping.items():
        if name not in fields and not name.startswith(f"{open_field}."):
            raise MappingError(f"{name}: is none of the fields {', '.join(fields)}, {open_field}.NAME")
        if column not in columns:
            raise MappingError(f"{column}: is none of the file's columns {', '.join(columns)}")
    same_name = {name: name for name in fields if name in columns and name not in mapping}
    completed = {**mapping, **same_name}
    if not any(name in completed for name in IDENTIFIERS):
        raise MappingError(f"map at least one of {', '.join(IDENTIFIERS)}")
    if kind == ImportKind.EVENTS and "occurred_at" not in completed:
        raise MappingError("occurred_at: map the column with the time of the event")
    return completed
