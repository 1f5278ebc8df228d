"""`{"attribute": "city", "op": "eq", "value": "Shanghai"}`: typed columns of a profile, and its JSON
attributes.

`attributes.<key>` names a key of the JSON. Its values are compared only where they are of the type of the
rule's value (text, number, true / false): to `attributes.floor > 3` the text "4" is absent, though `is_set`
finds it. Empty text and JSON null are absent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import (
    BooleanField,
    Case,
    CharField,
    DecimalField,
    F,
    Func,
    JSONField,
    Value,
    When,
)
from django.db.models.functions import NullIf
from django.db.models.lookups import Exact
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from segments.models import Gender, Profile
from segments.rules.ageing import came_of_age
from segments.rules.compilation import Compilation
from segments.rules.conditions.age import compile_age
from segments.rules.errors import RuleError, below
from segments.rules.nodes import Dependencies, Node, Predicate, Touched
from segments.rules.operators import Comparison, Operand, read_comparison
from segments.rules.parse import refuse_unknown_keys
from segments.rules.values import (
    BOOLEAN,
    DAY,
    EQUALITY,
    MOMENT,
    NUMBER,
    ORDER,
    PRESENCE,
    TEXT,
    Boolean,
    Choice,
    Day,
    Number,
    Text,
    ValueType,
    Whole,
    is_storable,
    today,
)

KEYS = ("attribute", "op", "value")
JSON_PREFIX = "attributes."
MAX_KEY = 64
SIGNS = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}

COLUMNS: Mapping[str, tuple[ValueType, Promise]] = {
    "gender": (Choice(dict(Gender.choices)), gettext_lazy("gender")),
    "birth_date": (DAY, gettext_lazy("date of birth")),
    "age": (Whole(most=150), gettext_lazy("age")),
    "language": (TEXT, gettext_lazy("language")),
    "country": (TEXT, gettext_lazy("country")),
    "region": (TEXT, gettext_lazy("region")),
    "city": (TEXT, gettext_lazy("city")),
    "timezone": (TEXT, gettext_lazy("time zone")),
    "created_at": (MOMENT, gettext_lazy("first seen")),
}
"""What can be asked of a profile without looking into its JSON. `age` is in full years, today."""


class JsonValue(ValueType):
    """A value that may be in the JSON when no operator or value says which type it is."""

    operators = (*EQUALITY, *ORDER, "contains", "starts_with", *PRESENCE)

    def read(self, raw: object, path: str) -> Any:
        raise RuleError(path, _("must be a text, a number, or true or false"))


JSON_VALUE = JsonValue()


@dataclass(frozen=True)
class ColumnCondition(Node):
    """A comparison of a typed column."""

    name: str
    comparison: Comparison

    def compile(self, compilation: Compilation) -> Predicate:
        if self.name == "age":
            return compile_age(self.comparison, today(compilation.now))
        return self.comparison.compile(self._operand(), compilation.now)

    def describe(self) -> str:
        return self.comparison.describe(str(COLUMNS[self.name][1]))

    def depends_on(self) -> Dependencies:
        column = "birth_date" if self.name == "age" else self.name
        return Dependencies(attributes=frozenset({column}), clock=self.name == "age" or self.comparison.uses_clock)

    def touched_by_clock(self, since: datetime, now: datetime) -> Touched:
        if not self.depends_on().clock:
            return []
        if self.name == "age" or isinstance(self.comparison.type, Day):
            return [] if today(since) == today(now) else None
        passed = came_of_age(self.name, self.comparison.ages, since, now)
        return [Profile.objects.filter(passed).order_by().values_list("subject_id", flat=True)]

    def to_json(self) -> dict[str, Any]:
        return {"attribute": self.name, **self.comparison.to_json()}

    def _operand(self) -> Operand:
        # Text columns say "absent" by empty text. Where that cannot match, the bare column keeps its index.
        is_text = isinstance(COLUMNS[self.name][0], Text | Choice)
        may_match_empty = self.comparison.op in ("ne", "not_in", *PRESENCE)
        return NullIf(F(self.name), Value("")) if is_text and may_match_empty else F(self.name)


@dataclass(frozen=True)
class JsonCondition(Node):
    """A comparison of a key of the JSON attributes."""

    key: str
    comparison: Comparison

    def compile(self, compilation: Compilation) -> Predicate:
        if self.comparison.op == "eq":  # containment is what the GIN index answers, and tells types apart
            value = self.comparison.type.dump(self.comparison.value)
            return JsonContains(F("attributes"), Value({self.key: value}, output_field=JSONField()))
        if isinstance(self.comparison.type, Number) and self.comparison.op in SIGNS:
            return self._ordered()
        return self.comparison.compile(self._operand(), compilation.now)

    def describe(self) -> str:
        return self.comparison.describe(_("“%(text)s”") % {"text": self.key})

    def depends_on(self) -> Dependencies:
        return Dependencies(attributes=frozenset({JSON_PREFIX + self.key}))

    def to_json(self) -> dict[str, Any]:
        return {"attribute": JSON_PREFIX + self.key, **self.comparison.to_json()}

    def _ordered(self) -> Case:
        """JSON numbers compared as they are, without a conversion each; other types have their place in that order too,
        and are left out by name. CASE keeps the planner from taking the type for a rare one.
        """
        member, number = JsonMember(F("attributes"), Value(self.key)), self.comparison.type.dump(self.comparison.value)
        ordered = Func(
            member, Value(number, output_field=JSONField()), template="(%(expressions)s)",
            arg_joiner=f" {SIGNS[self.comparison.op]} ", output_field=BooleanField(),
        )  # fmt: skip
        return Case(When(ordered, then=_is_of_type(member, "number")), output_field=BooleanField())

    def _operand(self) -> Operand:
        """The value where it is of the compared type, else null."""
        key = Value(self.key)
        as_json, as_text = JsonMember(F("attributes"), key), NullIf(JsonText(F("attributes"), key), Value(""))
        value_type = self.comparison.type
        if isinstance(value_type, Text):
            return _where_type(as_json, "string", as_text)
        if isinstance(value_type, Number):
            return _where_type(as_json, "number", JsonNumber(as_json))
        if isinstance(value_type, Boolean):
            return _where_type(as_json, "boolean", JsonBoolean(as_json))
        return as_text


class JsonMember(Func):
    """The member of an object as JSON (KeyTransform would take the key "1" for a list index)."""

    template = "(%(expressions)s)"
    arg_joiner = " -> "
    output_field = JSONField()


class JsonText(Func):
    """The member of an object as text; null for JSON null."""

    template = "(%(expressions)s)"
    arg_joiner = " ->> "
    output_field = CharField()


class JsonNumber(Func):
    template = "%(expressions)s::numeric"
    output_field = DecimalField()


class JsonBoolean(Func):
    template = "%(expressions)s::boolean"
    output_field = BooleanField()


class JsonContains(Func):
    template = "(%(expressions)s)"
    arg_joiner = " @> "
    output_field = BooleanField()


def _where_type(as_json: JsonMember, json_type: str, value: Func) -> Case:
    return Case(When(_is_of_type(as_json, json_type), then=value), output_field=value.output_field)


def _is_of_type(as_json: JsonMember, json_type: str) -> "Exact[Any]":
    return Exact(Func(as_json, function="jsonb_typeof", output_field=CharField()), Value(json_type))


def parse(definition: Mapping[str, Any], path: str) -> Node:
    """Read an attribute condition. Raises `RuleError`."""
    refuse_unknown_keys(definition, KEYS, path)
    name = definition["attribute"]
    if isinstance(name, str) and name in COLUMNS:
        return ColumnCondition(name, read_comparison(definition, path, COLUMNS[name][0]))
    key = name.removeprefix(JSON_PREFIX) if isinstance(name, str) and name.startswith(JSON_PREFIX) else ""
    if not is_storable(key, MAX_KEY):
        raise RuleError(
            below(path, "attribute"),
            _("must be attributes.<key> or one of %(values)s") % {"values": ", ".join(COLUMNS)},
        )
    return JsonCondition(key, read_comparison(definition, path, _json_type(definition)))


def _json_type(definition: Mapping[str, Any]) -> ValueType:
    """The type that the rule's value has, or its first value when it is a list."""
    if definition.get("op") in PRESENCE:
        return JSON_VALUE
    sample = definition.get("value")
    if isinstance(sample, list) and sample:
        sample = sample[0]
    if isinstance(sample, bool):
        return BOOLEAN
    if isinstance(sample, int | float):
        return NUMBER
    return TEXT if isinstance(sample, str) else JSON_VALUE
