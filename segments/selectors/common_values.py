"""Values that many people share: each is told only when at least `MIN_PEOPLE` people of the sample have it.

Every function takes a part of the value ("" for any), the values of other fields, and how many values are wanted; it
returns the most common first. What is declared (types of attributes and events) needs no people.
"""

import json
from collections.abc import Mapping
from typing import Any

from django.db import connection
from psycopg.sql import SQL, Composable, Composed, Identifier, Placeholder

from segments.models import AttributeType, Event, EventType, Profile
from segments.selectors.limited import StoppedError, at_most

MIN_PEOPLE = 5
SAMPLE_ROWS = 50_000
MAX_LENGTH = 80
SECONDS = 2.0
PLACE_COLUMNS = ("country", "region", "city")
TEXT_COLUMNS = (*PLACE_COLUMNS, "language", "timezone")
JSON_PREFIX = "attributes."

PEOPLE, EVENTS = Profile._meta.db_table, Event._meta.db_table

Part = Composable
Given = Mapping[str, str]
NOTHING = SQL("")

# A page sample is taken of the table, so the time does not grow with it; small tables are read whole.
COMMON = SQL("""
    SELECT to_jsonb(value) FROM (
        SELECT {value} AS value, {person} AS person
        FROM {table} TABLESAMPLE SYSTEM (%(percent)s) REPEATABLE (0) {beside}
        WHERE {condition}
    ) found
    WHERE to_jsonb(value) #>> '{{}}' <> ''
      AND jsonb_typeof(to_jsonb(value)) IN ('string', 'number', 'boolean')
      AND length(to_jsonb(value) #>> '{{}}') <= %(longest)s
      AND position(lower(%(term)s) IN lower(to_jsonb(value) #>> '{{}}')) > 0
    GROUP BY value HAVING count(DISTINCT person) >= %(people)s
    ORDER BY count(DISTINCT person) DESC, value LIMIT %(limit)s
""")
KEYS = SQL("CROSS JOIN LATERAL jsonb_object_keys(CASE jsonb_typeof({0}) WHEN 'object' THEN {0} ELSE '{{}}' END) key")
ROWS = """
    SELECT coalesce(sum(reltuples) FILTER (WHERE reltuples > 0), 0) FROM pg_class
    WHERE oid = %(table)s::regclass OR oid IN (SELECT relid FROM pg_partition_tree(%(table)s::regclass))
"""


def attribute_keys(term: str, context: Given, limit: int) -> list[str]:
    """Keys of people's further attributes, as a rule names them: `attributes.<key>`."""
    keys = _with_declared(
        AttributeType.objects.values_list("key", flat=True),
        term,
        _people(SQL("key"), term, limit, beside=KEYS.format(Identifier("attributes"))),
    )
    return [JSON_PREFIX + key for key in keys][:limit]


def attribute_values(term: str, context: Given, limit: int) -> list[Any]:
    """Values of the attribute that `context` names: a text column, or a key of the further attributes."""
    name = context.get("attribute", "")
    if name in TEXT_COLUMNS:
        return _people(Identifier(name), term, limit)
    if not name.startswith(JSON_PREFIX):
        return []
    return _people(SQL("attributes -> %(key)s"), term, limit, given={"key": name.removeprefix(JSON_PREFIX)})


def places(term: str, context: Given, limit: int) -> list[str]:
    """Countries, regions or cities (`context["field"]`), within the levels above that `context` holds."""
    level = context.get("field", "")
    if level not in PLACE_COLUMNS:
        return []
    above = {name: context[name] for name in PLACE_COLUMNS[: PLACE_COLUMNS.index(level)] if context.get(name)}
    return _people(Identifier(level), term, limit, given=above)


def event_names(term: str, context: Given, limit: int) -> list[str]:
    """Names of events."""
    declared = EventType.objects.values_list("name", flat=True)
    return _with_declared(declared, term, _events(SQL("name"), term, limit, given={}))[:limit]


def categories(term: str, context: Given, limit: int) -> list[str]:
    """Categories of the events that `context` names, or of all."""
    return _events(SQL("category"), term, limit, given=context)


def currencies(term: str, context: Given, limit: int) -> list[str]:
    """Currencies of events."""
    return _events(SQL("currency"), term, limit, given={})


def property_keys(term: str, context: Given, limit: int) -> list[str]:
    """Names of properties of the events that `context` names, or of all."""
    event = context.get("event", "")
    declared = EventType.objects.filter(name=event).values_list("properties", flat=True).first() or {}
    beside = KEYS.format(Identifier("properties"))
    return _with_declared(declared, term, _events(SQL("key"), term, limit, given=context, beside=beside))[:limit]


def property_values(term: str, context: Given, limit: int) -> list[Any]:
    """Values of the property and event that `context` names."""
    return _events(SQL("properties -> %(key)s"), term, limit, given=context) if context.get("property") else []


def _with_declared(declared: Any, term: str, found: list[str]) -> list[str]:
    named = [key for key in declared if term.lower() in key.lower()]
    return list(dict.fromkeys([*named, *found]))


def _people(value: Part, term: str, limit: int, *, given: Given | None = None, beside: Part = NOTHING) -> list[Any]:
    """Common values of `value`, of the people who are as `given`: column and value."""
    equal = [SQL("{} = {}").format(Identifier(name), Placeholder(name)) for name in given or {} if name != "key"]
    condition = SQL(" AND ").join(equal) if equal else SQL("true")
    query = COMMON.format(
        value=value, person=SQL("subject_id"), table=Identifier(PEOPLE), beside=beside, condition=condition
    )
    return _common(query, PEOPLE, term, limit, given or {})


def _events(value: Part, term: str, limit: int, *, given: Given, beside: Part = NOTHING) -> list[Any]:
    """Common values of `value`, of the events with the name that is `given`, if any."""
    condition = SQL(
        "(%(name)s = '' OR name = %(name)s) AND (properties IS NULL OR jsonb_typeof(properties) = 'object')"
    )
    query = COMMON.format(
        value=value, person=SQL("profile_id"), table=Identifier(EVENTS), beside=beside, condition=condition
    )
    return _common(query, EVENTS, term, limit, {"name": given.get("event", ""), "key": given.get("property", "")})


def _common(query: Composed, table: str, term: str, limit: int, given: Given) -> list[Any]:
    parameters: dict[str, Any] = {
        **given, "term": term, "limit": limit, "people": MIN_PEOPLE, "longest": MAX_LENGTH, "percent": _percent(table)
    }  # fmt: skip
    try:
        with at_most(SECONDS), connection.cursor() as cursor:
            cursor.execute(query, parameters)
            return [json.loads(value) for (value,) in cursor.fetchall()]
    except StoppedError:
        return []


def _percent(table: str) -> float:
    """How much of a table is about `SAMPLE_ROWS`, by the database's own estimate."""
    with connection.cursor() as cursor:
        cursor.execute(ROWS, {"table": table})
        (rows,) = cursor.fetchone()
    return min(100.0, 100.0 * SAMPLE_ROWS / float(rows)) if rows else 100.0
