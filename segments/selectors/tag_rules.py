"""The rules of tags: parameters filled in, in the order in which an exclusive group asks them."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import Any

from django.utils.translation import gettext as _

from segments.models import Tag, TagKind, TagParameter
from segments.rules import Dependencies, Rule, RuleError, parse
from segments.rules.errors import below

PARAMETER = "parameter"


@dataclass(frozen=True)
class RuleTag:
    """A tag with its rule, parameters filled in."""

    tag: Tag
    rule: Rule


Instead = Mapping[int, Mapping[str, Decimal]]
"""Parameters by the id of their tag that are tried in place of those stored."""


def parameters_of(tag: Tag, instead: Instead | None = None) -> dict[str, Decimal]:
    """The figures that a rule of this tag may name: its own, then those of the tags above it."""
    above: list[int | None] = []
    walked: Tag | None = tag
    while walked is not None:
        above.append(walked.pk)
        walked = walked.parent
    stored: dict[int | None, dict[str, Decimal]] = defaultdict(dict)
    for row in TagParameter.objects.filter(tag__in=[pk for pk in above if pk is not None]):
        stored[row.tag_id][row.name] = row.value
    found: dict[str, Decimal] = {}
    for pk in reversed(above):
        found |= stored[pk] if instead is None or pk is None or pk not in instead else instead[pk]
    return found


def filled(definition: object, parameters: Mapping[str, Decimal], path: str = "") -> Any:
    """A rule tree with each `{"parameter": name}` replaced by its figure. Raises `RuleError` for an unknown name."""
    if isinstance(definition, Mapping):
        if set(definition) == {PARAMETER}:
            name = definition[PARAMETER]
            if name not in parameters:
                raise RuleError(below(path, PARAMETER), _("no such parameter: %(name)s") % {"name": name})
            value = parameters[name]
            return int(value) if value == value.to_integral_value() else float(value)
        return {key: filled(value, parameters, below(path, key)) for key, value in definition.items()}
    if isinstance(definition, list):
        return [filled(value, parameters, below(path, index)) for index, value in enumerate(definition)]
    return definition


def rule_of(tag: Tag, instead: Instead | None = None) -> Rule:
    """The rule of a tag of kind rule. Raises `RuleError`."""
    return parse(filled(tag.rule, parameters_of(tag, instead)))


def rules_of(unit: Tag) -> list[RuleTag]:
    """The rules that are computed with this definition: its own, or those of an exclusive group in their order."""
    if unit.kind == TagKind.RULE:
        return [RuleTag(unit, rule_of(unit))]
    members = unit.children.filter(kind=TagKind.RULE, is_active=True).select_related("parent__parent")
    return [RuleTag(tag, rule_of(tag)) for tag in members.order_by("position", "key")]


def dependencies(rules: list[RuleTag]) -> Dependencies:
    """What any of the rules depends on."""
    return reduce(or_, (item.rule.depends_on() for item in rules), Dependencies())
