"""From a rule as staff write it to the step that it stands for. Pure."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from segments.cells import is_missing
from segments.cleaning.comparisons import READERS, comparison
from segments.cleaning.errors import RuleError
from segments.cleaning.fields import ANY, EVENTS, TEXT, check_event_name, kind_of
from segments.cleaning.steps import Change, DailyLimit, Fill, Judge, Step, Verdict
from segments.profile_input import IDENTIFIERS, has_control

SPACES = re.compile(r"\s+")
NORMALISERS: dict[str, Callable[[str], str]] = {
    "trim": str.strip,
    "spaces": lambda text: SPACES.sub(" ", text),
    "nfkc": lambda text: unicodedata.normalize("NFKC", text),
    "lower": str.lower,
    "upper": str.upper,
    "title": str.title,
}
MAX_PAIRS = 5_000
MAX_REASON = 200
MAX_PER_DAY = 1_000_000


def parse(
    *, rule_id: int, target: str, action: str, field: str, event_names: Sequence[str], source_id: int | None,
    parameters: Mapping[str, Any],
) -> Step:  # fmt: skip
    """The step of a rule. Raises `RuleError` that names the part of the rule that is wrong."""
    if not isinstance(parameters, Mapping):
        raise RuleError("parameters", _("Give a JSON object."))
    if has_control(dict(parameters)):
        raise RuleError("parameters", _("Control characters are not allowed."))
    for name in event_names:
        check_event_name(name)
    if event_names and target != EVENTS:
        raise RuleError("event_names", _("Profiles have no event names."))
    if action == "hold" and target != EVENTS:
        raise RuleError("action", _("Only events can be held; reject the profile instead."))
    if action == "hold" and "per_day" in parameters:
        return _limit(rule_id, field, event_names, source_id, parameters)
    kind = kind_of(target, field)
    if action == "normalise":
        return Change(field, _normaliser(kind, parameters))
    if action == "map":
        return Change(field, _mapper(kind, parameters))
    if action == "complete":
        return _fill(target, field, kind, parameters)
    return _judge(rule_id, action, field, kind, parameters)


def _normaliser(kind: str, parameters: Mapping[str, Any]) -> Callable[[Any], Any]:
    _allow(parameters, needed=("steps",))
    if kind not in (TEXT, ANY):
        raise RuleError("field", _("Only texts can be normalised."))
    steps = parameters["steps"]
    if not isinstance(steps, list) or not steps or any(str(step) not in NORMALISERS for step in steps):
        known = ", ".join(NORMALISERS)
        raise RuleError("parameters.steps", _("Give a list of one or more of %(known)s.") % {"known": known})
    functions = [NORMALISERS[step] for step in steps]

    def normalise(value: Any) -> Any:
        if isinstance(value, str):
            for function in functions:
                value = function(value)
        return value

    return normalise


def _mapper(kind: str, parameters: Mapping[str, Any]) -> Callable[[Any], Any]:
    _allow(parameters, needed=("values",), optional=("ignore_case",))
    values, ignore_case = parameters["values"], parameters.get("ignore_case", False)
    if not isinstance(values, dict) or not 0 < len(values) <= MAX_PAIRS:
        raise RuleError("parameters.values", _("Give an object of 1 to %(limit)s pairs.") % {"limit": MAX_PAIRS})
    if not isinstance(ignore_case, bool):
        raise RuleError("parameters.ignore_case", _("Give true or false."))
    for key, value in values.items():
        _check_constant(f"parameters.values.{key}", kind, value, empty=True)
    written = str.casefold if ignore_case else str
    table = {written(key): value for key, value in values.items()}
    if len(table) < len(values):
        raise RuleError("parameters.values", _("Two entries differ in case only."))

    def replace(value: Any) -> Any:
        if is_missing(value) or isinstance(value, dict | list):
            return value
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return table.get(written(text), value)

    return replace


def _fill(target: str, field: str, kind: str, parameters: Mapping[str, Any]) -> Fill:
    if field in IDENTIFIERS:
        raise RuleError("field", _("An identifier cannot be made up; give one in the data."))
    if ("constant" in parameters) == ("from" in parameters):
        raise RuleError("parameters", _("Give either “constant” or “from”."))
    _allow(parameters, optional=("constant", "from"))
    if "from" in parameters:
        source = parameters["from"]
        if not isinstance(source, str):
            raise RuleError("parameters.from", _("Give the name of a field."))
        kind_of(target, source, named="parameters.from")
        if source == field:
            raise RuleError("parameters.from", _("A field cannot be filled from itself."))
        if source in IDENTIFIERS or source == "name":
            raise RuleError("parameters.from", _("What identifies a person is not copied into other fields."))
        return Fill(field, source=source)
    _check_constant("parameters.constant", kind, parameters["constant"])
    return Fill(field, constant=parameters["constant"])


def _judge(rule_id: int, action: str, field: str, kind: str, parameters: Mapping[str, Any]) -> Judge:
    _allow(parameters, needed=("op", "reason"), optional=("value",))
    return Judge(
        field, comparison(parameters, kind), Verdict(rule_id, field, _reason(parameters)), holds=action == "hold"
    )


def _limit(
    rule_id: int, field: str, event_names: Sequence[str], source_id: int | None, parameters: Mapping[str, Any]
) -> DailyLimit:
    _allow(parameters, needed=("per_day", "reason"))
    if field:
        raise RuleError("field", _("A daily count is of whole events; leave the field empty."))
    count = parameters["per_day"]
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MAX_PER_DAY:
        raise RuleError("parameters.per_day", _("Give a whole number from 1 to %(limit)s.") % {"limit": MAX_PER_DAY})
    return DailyLimit(frozenset(event_names), count, source_id, Verdict(rule_id, "name", _reason(parameters)))


def _reason(parameters: Mapping[str, Any]) -> str:
    reason = parameters["reason"]
    if not isinstance(reason, str) or not reason.strip() or len(reason) > MAX_REASON:
        raise RuleError("parameters.reason", _("Give a reason of 1 to %(limit)s characters.") % {"limit": MAX_REASON})
    return reason.strip()


def _check_constant(named: str, kind: str, value: Any, *, empty: bool = False) -> None:
    """Raises `RuleError` unless the field can hold the value; an empty one only when `empty`."""
    if empty and value in ("", None):
        return
    if isinstance(value, dict | list) or is_missing(value):
        raise RuleError(named, _("Give a text, a number, true or false."))
    if kind == TEXT and not isinstance(value, str):
        raise RuleError(named, _("The field holds a %(kind)s.") % {"kind": kind})
    if kind not in (TEXT, ANY) and READERS[kind](value) is None:
        raise RuleError(named, _("The field holds a %(kind)s.") % {"kind": kind})


def _allow(parameters: Mapping[str, Any], *, needed: Sequence[str] = (), optional: Sequence[str] = ()) -> None:
    for name in parameters:
        if name not in needed and name not in optional:
            known = ", ".join([*needed, *optional])
            raise RuleError(
                f"parameters.{name}", _("There is no such parameter; known are %(known)s.") % {"known": known}
            )
    for name in needed:
        if name not in parameters:
            raise RuleError(f"parameters.{name}", _("This parameter is needed."))
