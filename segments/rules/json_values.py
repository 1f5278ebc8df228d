"""Comparisons of members of a JSON object: further attributes of a person, properties of an event.

A value is compared only where it is of the type of the rule's value (text, number, true / false, time): to "more than
3" the text "4" is absent, though `is_set` finds it. Empty text and JSON null are absent. Order among texts is that of
the times which they say: a date or an ISO 8601 time, in the installation's time zone when it names none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import (
    BooleanField,
    Case,
    CharField,
    DateTimeField,
    DecimalField,
    F,
    Func,
    JSONField,
    Q,
    Value,
    When,
)
from django.db.models.functions import Concat, NullIf
from django.db.models.lookups import Exact, IsNull, Regex
from django.utils import timezone
from django.utils.translation import gettext as _

from segments.rules.errors import RuleError
from segments.rules.nodes import Predicate
from segments.rules.operators import Comparison, Operand
from segments.rules.values import (
    BOOLEAN,
    EQUALITY,
    MOMENT,
    NUMBER,
    ORDER,
    PRESENCE,
    TEXT,
    Boolean,
    Moment,
    Number,
    Text,
    ValueType,
)

MAX_KEY = 64
SIGNS = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?"
LOCAL_TIME = f"^{_DATE}({_CLOCK})?$"
ZONED_TIME = f"^{_DATE}{_CLOCK}(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)$"


class JsonValue(ValueType):
    """A value that may be in the JSON when no operator or value says which type it is."""

    operators = (*EQUALITY, *ORDER, "contains", "starts_with", *PRESENCE)

    def read(self, raw: object, path: str) -> Any:
        raise RuleError(path, _("must be a text, a number, or true or false"))


JSON_VALUE = JsonValue()


def json_type(definition: Mapping[str, Any]) -> ValueType:
    """The type that a comparison's value has, or its first value when it is a list."""
    op, sample = definition.get("op"), definition.get("value")
    if op in PRESENCE:
        return JSON_VALUE
    if isinstance(sample, list) and sample:
        sample = sample[0]
    if isinstance(sample, bool):
        return BOOLEAN
    if isinstance(sample, int | float):
        return NUMBER
    if isinstance(sample, dict | str) and op in ORDER:
        return MOMENT
    return TEXT if isinstance(sample, str) else JSON_VALUE


@dataclass(frozen=True)
class Member:
    """The member `key` of the objects in the JSON column `column`."""

    column: str
    key: str

    def compare(self, comparison: Comparison, now: datetime) -> Predicate:
        """Whether the comparison holds for it. Null counts as no."""
        if comparison.op == "eq":  # containment is what a GIN index answers, and tells types apart
            value = comparison.type.dump(comparison.value)
            return JsonContains(F(self.column), Value({self.key: value}, output_field=JSONField()))
        if isinstance(comparison.type, Number) and comparison.op in SIGNS:
            return self._ordered(comparison)
        return comparison.compile(self._operand(comparison.type), now)

    @property
    def given(self) -> Case:
        """It as JSON, null where absent."""
        return Case(When(IsNull(self.as_text, False), then=self.as_json), output_field=JSONField())

    @property
    def as_json(self) -> "JsonMember":
        """It as JSON, of any type."""
        return JsonMember(F(self.column), Value(self.key))

    @property
    def as_text(self) -> NullIf:
        """It as text, null where absent."""
        return NullIf(JsonText(F(self.column), Value(self.key)), Value(""))

    @property
    def as_time(self) -> Case:
        """The time that it says, else null."""
        local = Concat(self.as_text, Value(f" {timezone.get_default_timezone_name()}"))
        return Case(
            When(self._says_time(ZONED_TIME), then=JsonTime(self.as_text)),
            When(self._says_time(LOCAL_TIME), then=JsonTime(local)),
            output_field=DateTimeField(),
        )

    def _says_time(self, pattern: str) -> Q:
        """Whether it looks like a time, and is none such as 30 February."""
        return Q(Regex(self.as_text, Value(pattern)), IsTime(self.as_text))

    def _ordered(self, comparison: Comparison) -> Case:
        """JSON numbers compared as they are, without a conversion each; other types have their place in that order too,
        and are left out by name. CASE keeps the planner from taking the type for a rare one.
        """
        number = Value(comparison.type.dump(comparison.value), output_field=JSONField())
        ordered = Func(
            self.as_json, number, template="(%(expressions)s)", arg_joiner=f" {SIGNS[comparison.op]} ",
            output_field=BooleanField(),
        )  # fmt: skip
        return Case(When(ordered, then=self._is_of_type("number")), output_field=BooleanField())

    def _operand(self, value_type: ValueType) -> Operand:
        """The value where it is of the compared type, else null."""
        if isinstance(value_type, Text):
            return self._where_type("string", self.as_text)
        if isinstance(value_type, Number):
            return self._where_type("number", JsonNumber(self.as_json))
        if isinstance(value_type, Boolean):
            return self._where_type("boolean", JsonBoolean(self.as_json))
        return self.as_time if isinstance(value_type, Moment) else self.as_text

    def _where_type(self, name: str, value: Func) -> Case:
        return Case(When(self._is_of_type(name), then=value), output_field=value.output_field)

    def _is_of_type(self, name: str) -> "Exact[Any]":
        return Exact(Func(self.as_json, function="jsonb_typeof", output_field=CharField()), Value(name))


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


class JsonTime(Func):
    template = "(%(expressions)s)::timestamptz"
    output_field = DateTimeField()


class IsTime(Func):
    template = "pg_input_is_valid(%(expressions)s, 'timestamptz')"
    output_field = BooleanField()


class JsonContains(Func):
    template = "(%(expressions)s)"
    arg_joiner = " @> "
    output_field = BooleanField()
