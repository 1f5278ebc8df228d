"""The cleaning rules that concern data of one source."""

from collections.abc import Sequence

from django.db.models import Q

from segments.cleaning import DailyLimit, Plan, Step, parse
from segments.models import CleaningRule, CleaningTarget, Source


class EventRules:
    """The active rules for events of a source, read from the database once."""

    def __init__(self, source: Source) -> None:
        self._rules = [(frozenset(rule.event_names), step_of(rule)) for rule in _active(CleaningTarget.EVENTS, source)]
        self._plans: dict[str, Plan] = {}

    def plan(self, event_name: str) -> Plan:
        """The rules for events of this name, in their order."""
        if event_name not in self._plans:
            self._plans[event_name] = _plan([step for names, step in self._rules if not names or event_name in names])
        return self._plans[event_name]


def profile_plan(source: Source) -> Plan:
    """The rules for what this source says of people, in their order."""
    return _plan([step_of(rule) for rule in _active(CleaningTarget.PROFILES, source)])


def step_of(rule: CleaningRule) -> Step:
    """What a rule does. Raises `RuleError` when it is wrong."""
    return parse(
        rule_id=rule.pk or 0, target=rule.target, action=rule.action, field=rule.field, event_names=rule.event_names,
        source_id=rule.source_id, parameters=rule.parameters,
    )  # fmt: skip


def _active(target: CleaningTarget, source: Source) -> list[CleaningRule]:
    rules = CleaningRule.objects.filter(Q(source=None) | Q(source=source), target=target, is_active=True)
    return list(rules.order_by("position", "pk"))


def _plan(steps: Sequence[Step]) -> Plan:
    return Plan(
        steps=tuple(step for step in steps if not isinstance(step, DailyLimit)),
        limits=tuple(step for step in steps if isinstance(step, DailyLimit)),
    )
