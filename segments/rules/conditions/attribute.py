"""`{"attribute": "city", "op": "eq", "value": "Shanghai"}`: typed columns of a profile, and its JSON
attributes.

`attributes.<key>` names a key of the JSON (see `segments.rules.json_values`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, Value
from django.db.models.functions import NullIf
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from segments.models import Gender, Profile
from segments.rules.ageing import came_of_age
from segments.rules.compilation import Compilation
from segments.rules.conditions.age import compile_age
from segments.rules.errors import RuleError, below
from segments.rules.json_values import MAX_KEY, Member, json_type
from segments.rules.nodes import Dependencies, Node, Predicate, Touched
from segments.rules.operators import Comparison, Operand, read_comparison
from segments.rules.parse import refuse_unknown_keys
from segments.rules.values import DAY, MOMENT, PRESENCE, TEXT, Choice, Day, Text, ValueType, Whole, is_storable, today

KEYS = ("attribute", "op", "value")
JSON_PREFIX = "attributes."

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
        return Member("attributes", self.key).compare(self.comparison, compilation.now)

    def describe(self) -> str:
        return self.comparison.describe(_("“%(text)s”") % {"text": self.key})

    def depends_on(self) -> Dependencies:
        return Dependencies(attributes=frozenset({JSON_PREFIX + self.key}), clock=self.comparison.uses_clock)

    def touched_by_clock(self, since: datetime, now: datetime) -> Touched:
        if not self.comparison.ages:
            return []
        times = Profile.objects.alias(time=Member("attributes", self.key).as_time)
        passed = times.filter(came_of_age("time", self.comparison.ages, since, now))
        return [passed.order_by().values_list("subject_id", flat=True)]

    def to_json(self) -> dict[str, Any]:
        return {"attribute": JSON_PREFIX + self.key, **self.comparison.to_json()}


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
    return JsonCondition(key, read_comparison(definition, path, json_type(definition)))
