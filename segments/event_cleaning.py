"""Cleaning rules, declared types and completeness, as they apply to one event. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any

from segments import event_line
from segments.cells import is_missing, text
from segments.cleaning import Plan, Verdict, clean_row
from segments.event_input import EventInput
from segments.profile_input import InputError

PROPERTY = "properties."


def clean(plan: Plan, event: EventInput) -> tuple[EventInput, Verdict | None]:
    """The event after all rules, and the rule that holds it. Raises `InputError` when a rule rejects it."""
    if plan.is_empty:
        return event, None
    given = fields_of(event)
    cleaned = clean_row(plan, given)
    if cleaned.rejected:
        raise InputError(cleaned.rejected.field, cleaned.rejected.reason)
    changed = {name: value for name, value in cleaned.fields.items() if name not in given or given[name] is not value}
    return (_changed(event, changed) if changed else event), cleaned.held


def fields_of(event: EventInput) -> dict[str, Any]:
    """The fields that rules may speak of, by name."""
    named = {event.identifier: event.value} if event.identifier else {}
    properties = {f"{PROPERTY}{name}": value for name, value in event.properties.items()}
    return {**named, "amount": event.amount, "currency": event.currency, "category": event.category, **properties}


def is_complete(event: EventInput, wanted: Sequence[str]) -> bool:
    """Whether none of these fields is missing."""
    given = fields_of(event)
    return not any(is_missing(given.get(name)) for name in wanted)


def as_it_came(event: EventInput) -> dict[str, Any]:
    """The event as JSON values, as the source sent it."""
    given = {**asdict(event), event.identifier or "uid": event.value or event.uid}
    return {name: value for name, value in given.items() if name not in ("identifier", "value") and value is not None}


def _changed(event: EventInput, values: Mapping[str, Any]) -> EventInput:
    properties = {name.removeprefix(PROPERTY): value for name, value in values.items() if name.startswith(PROPERTY)}
    changes: dict[str, Any] = {"properties": {**event.properties, **properties}} if properties else {}
    if "amount" in values:
        changes["amount"] = _amount(values["amount"])
    for name in ("currency", "category"):
        if name in values:
            changes[name] = text(values[name])
    if event.identifier in values:
        changes["value"] = text(values[event.identifier])
    if changes.get("amount", event.amount) is None and not event.currency:
        changes.pop("currency", None)  # a currency that a rule fills in belongs to an amount
    return replace(event, **changes)


def _amount(value: Any) -> Decimal | None:
    written = event_line.amount(value)
    return None if written == event_line.NULL else Decimal(written)
