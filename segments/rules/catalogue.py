"""What a form needs to know to build conditions: the fields of every registered kind, labelled in the active language.

    register("tag", lambda: Entry(_("Tag"), "sell", [..]))    # once, beside the registration of the kind's parser
    catalogue()                                               # everything, ready for JSON

Whatever the parsers' own tables say (columns, measures, operators of a value type) is derived from them, so that a form
never offers what the parser refuses. A kind that is registered without an entry is not offered; a form shows such a
condition as JSON.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from segments.rules import registry
from segments.rules.operators import MAX_LIST, Comparison
from segments.rules.parse import MAX_CONDITIONS, MAX_DEPTH
from segments.rules.values import (
    BOOLEAN,
    MAX_DAYS,
    MAX_TEXT,
    MOMENT,
    NUMBER,
    PRESENCE,
    TEXT,
    Boolean,
    Choice,
    Day,
    Moment,
    Number,
    Text,
    ValueType,
    Whole,
)

LISTS = ("in", "not_in")
GAP = "…"


@dataclass(frozen=True)
class Option:
    """One of the values of a field; `type` is that of the value which the condition then compares with."""

    value: str
    label: str
    type: ValueType | None = None


@dataclass(frozen=True)
class Field:
    """A key of a condition, and how it is asked for.

    `input` is one of: `select` (of `options`); `subject` (the same, or any key behind `prefix`); `reference` (the key
    of something declared) and `name` (a text), both with the suggestions of the source `suggest`; `names` (texts);
    `number`; `comparison` (the keys `op` and `value`, typed by the option of the field `typed_by`, else by the value);
    `window`; `duration` (in `units`); `comparisons`, `steps` and `places` (lists of objects with the keys of `fields`).
    """

    name: str
    input: str
    label: str = ""
    optional: bool = False
    options: Sequence[Option] = ()
    typed_by: str = ""
    prefix: str = ""
    suggest: str = ""
    context: Sequence[str] = ()
    """Sibling fields whose values narrow the suggestions."""
    when: tuple[str, str] | None = None
    """The field is asked for only while another has this value."""
    units: Sequence[str] = ()
    fields: Sequence["Field"] = ()
    bounds: tuple[int, int] | None = None
    initial: Any = None

    def as_json(self) -> dict[str, Any]:
        """The field for a form; what is empty is left out."""
        form = {
            "label": self.label,
            "optional": self.optional,
            "options": [_option(option) for option in self.options],
            "typedBy": self.typed_by,
            "prefix": self.prefix,
            "suggest": self.suggest,
            "context": list(self.context),
            "when": self.when and {"field": self.when[0], "value": self.when[1]},
            "units": [{"value": unit, "label": unit_label(unit)} for unit in self.units],
            "fields": [part.as_json() for part in self.fields],
            "bounds": self.bounds and {"min": self.bounds[0], "max": self.bounds[1]},
            "initial": self.initial,
        }
        given = {key: value for key, value in form.items() if value not in (None, "", [], False)}
        return {"name": self.name, "input": self.input, **given}


@dataclass(frozen=True)
class Entry:
    """A kind of condition in a form: its label, the name of its Material Symbols icon, and its fields."""

    label: str
    icon: str
    fields: Sequence[Field] = field(default_factory=list)


_entries: dict[str, Callable[[], Entry]] = {}


def register(kind: str, entry: Callable[[], Entry]) -> None:
    """Offer conditions of `kind`; `entry` is asked in each language. Raises `ValueError` when taken."""
    if _entries.get(kind, entry) is not entry:
        raise ValueError(f"the kind of condition {kind!r} is in the catalogue")
    _entries[kind] = entry


def catalogue() -> dict[str, Any]:
    """All that a form needs, in the active language: groups, kinds in the order of their registration, limits."""
    known = registry.kinds()
    offered = {kind: entry() for kind, entry in _entries.items() if kind in known}
    return {
        "groups": [
            {"kind": "all", "label": _("All of these"), "joint": _("and")},
            {"kind": "any", "label": _("Any of these"), "joint": _("or")},
            {"kind": "none", "label": _("None of these"), "joint": _("nor")},
        ],
        "kinds": [
            {
                "kind": kind,
                "label": entry.label,
                "icon": entry.icon,
                "fields": [each.as_json() for each in entry.fields],
            }
            for kind, entry in offered.items()
        ],
        "json_types": [
            {"name": "text", "label": _("text"), **type_as_json(TEXT)},
            {"name": "number", "label": _("number"), **type_as_json(NUMBER)},
            {"name": "boolean", "label": _("yes or no"), **type_as_json(BOOLEAN)},
            {"name": "time", "label": _("time"), **type_as_json(MOMENT)},
        ],
        "limits": {"depth": MAX_DEPTH, "conditions": MAX_CONDITIONS, "list": MAX_LIST, "days": MAX_DAYS},
    }


def type_as_json(value_type: ValueType) -> dict[str, Any]:
    """The input for a type of value, with its operators."""
    return {**_input(value_type), "operators": [_operator(value_type, op) for op in value_type.operators]}


def unit_label(unit: str) -> str:
    """A unit of time, or what a window is given by."""
    return {"minutes": _("minutes"), "hours": _("hours"), "days": _("days")}[unit]


def _option(option: Option) -> dict[str, Any]:
    plain = {"value": option.value, "label": option.label}
    return {**plain, "type": type_as_json(option.type)} if option.type else plain


def _input(value_type: ValueType) -> dict[str, Any]:
    if isinstance(value_type, Choice):
        return {"input": "choice", "options": [[value, str(label)] for value, label in value_type.labels.items()]}
    if isinstance(value_type, Whole):
        return {"input": "number", "step": 1, "min": value_type.least, "max": value_type.most}
    if isinstance(value_type, Number):
        return {"input": "number", "step": "any"}
    if isinstance(value_type, Boolean):
        return {"input": "choice", "options": [[True, value_type.show(True)], [False, value_type.show(False)]]}
    if isinstance(value_type, Moment | Day):
        return {"input": "moment" if isinstance(value_type, Moment) else "day"}
    return {"input": "text", "most": MAX_TEXT}


class _SomeText(Text):
    def show(self, value: object) -> str:
        return GAP


class _SomeTime(Moment):
    def show(self, value: object) -> str:
        return GAP


def _operator(value_type: ValueType, op: str) -> dict[str, str]:
    """An operator, labelled by the words that the sentence of a condition has for it."""
    shown = _SomeTime() if isinstance(value_type, Moment | Day) else _SomeText()
    phrase = Comparison(shown, op, None if op in PRESENCE else GAP).describe("")
    takes = "none" if op in PRESENCE else "list" if op in LISTS else "one"
    return {"op": op, "label": phrase.strip().removesuffix(GAP).strip(), "takes": takes}
