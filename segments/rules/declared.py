"""Whether the filters of a rule fit the types that the properties of events are declared with. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from segments import value_types
from segments.rules.errors import below
from segments.rules.operators import read_comparison
from segments.rules.values import BOOLEAN, MOMENT, NUMBER, TEXT, ValueType
from segments.value_types import Schema

TYPES: Mapping[value_types.ValueType, ValueType] = {
    value_types.ValueType.TEXT: TEXT,
    value_types.ValueType.NUMBER: NUMBER,
    value_types.ValueType.BOOLEAN: BOOLEAN,
    value_types.ValueType.TIME: MOMENT,
}


def refuse_other_types(definition: Any, schemas: Mapping[str, Schema]) -> None:
    """Read the filters of a definition that `parse` has read anew, as the schemas of their events say.

    Raises `RuleError` for an operator or value of another type: no event that is taken in could ever match it.
    """
    for path, event, each in _filters(definition, ""):
        declared = schemas.get(event, {}).get(each["property"])
        if declared:
            read_comparison(each, path, TYPES[declared.type])


def _filters(node: Any, path: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """The JSON Pointer, the event and the filter, wherever there is a `where`."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _filters(item, below(path, index))
    elif isinstance(node, Mapping):
        for index, each in enumerate(node.get("where", ())):
            yield below(below(path, "where"), index), node["event"], each
        for key, item in node.items():
            yield from _filters(item, below(path, key))
