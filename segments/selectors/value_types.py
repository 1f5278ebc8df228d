"""The declared types of properties and attributes."""

from collections.abc import Iterable

from segments.models import AttributeType, EventType
from segments.value_types import Declared, Schema, ValueType, parse_schema


def event_schemas(names: Iterable[str]) -> dict[str, Schema]:
    """The declared properties of events by name; names without a declaration are absent."""
    rows = EventType.objects.filter(name__in=set(names)).values_list("name", "properties")
    return {name: parse_schema(properties) for name, properties in rows}


def property_types() -> dict[str, dict[str, str]]:
    """The types of all declared properties, by event and name."""
    rows = EventType.objects.values_list("name", "properties")
    return {
        name: {key: str(declared.type) for key, declared in parse_schema(properties).items()}
        for name, properties in rows
    }


def attribute_schema() -> Schema:
    """The declared attributes of people; none of them must be there."""
    return {key: Declared(ValueType(kind)) for key, kind in AttributeType.objects.values_list("key", "type")}
