"""Changing cleaning rules; every change leaves an audit leaf."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from compliance.services import audit
from segments.models import CleaningRule
from segments.profile_input import IDENTIFIERS
from segments.selectors.cleaning import step_of

PERSONAL = (*IDENTIFIERS, "name")


def save(*, rule: CleaningRule, actor: str, now: datetime) -> None:
    """Keep a new or changed rule; it works from the next data on. Raises `RuleError` naming the wrong part."""
    step_of(rule)
    with transaction.atomic():
        known = CleaningRule.objects.select_for_update().filter(pk=rule.pk).first() if rule.pk else None
        if known is None:
            rule.created_at = now
        rule.save()
        after = _definition(rule)
        if known is None:
            _log("cleaning_rule.created", rule, _loggable(after), actor, now)
        elif (before := _definition(known)) != after:
            _log("cleaning_rule.changed", rule, {"before": _loggable(before), "after": _loggable(after)}, actor, now)


def remove(*, rule: CleaningRule, actor: str, now: datetime) -> None:
    """Delete a rule. What it held stays in quarantine."""
    with transaction.atomic():
        _log("cleaning_rule.deleted", rule, _loggable(_definition(rule)), actor, now)
        rule.delete()


def _definition(rule: CleaningRule) -> dict[str, Any]:
    return {
        "name": rule.name, "position": rule.position, "target": rule.target, "event_names": list(rule.event_names),
        "source": rule.source.key if rule.source else None, "field": rule.field, "action": rule.action,
        "parameters": rule.parameters, "is_active": rule.is_active,
    }  # fmt: skip


def _loggable(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The definition as the log keeps it: of a rule about an identifier or a name, parameters only as a commitment."""
    if definition["field"] not in PERSONAL:
        return dict(definition)
    return {**definition, "parameters": audit.commit_to(json.dumps(definition["parameters"], sort_keys=True))}


def _log(action: str, rule: CleaningRule, details: Mapping[str, Any], actor: str, now: datetime) -> None:
    audit.append(action=action, actor=actor, object_type="cleaning_rule", object_id=rule.pk, details=details, now=now)
