"""Declaring the types of event properties and of attributes."""

from datetime import datetime

from django.db import transaction

from compliance.services import audit
from segments.models import AttributeType, EventType
from segments.value_types import parse_schema


def save_event_type(*, event_type: EventType, actor: str, now: datetime) -> None:
    """Keep a declaration; it holds from the next event on. Raises `SchemaError`."""
    parse_schema(event_type.properties)
    with transaction.atomic():
        event_type.save()
        _log("event_type.saved", "event_type", event_type.name, event_type.properties, actor, now)


def remove_event_type(*, event_type: EventType, actor: str, now: datetime) -> None:
    """Take a declaration back: properties of events of this name may be anything again."""
    with transaction.atomic():
        _log("event_type.deleted", "event_type", event_type.name, event_type.properties, actor, now)
        event_type.delete()


def save_attribute_type(*, attribute_type: AttributeType, actor: str, now: datetime) -> None:
    """Keep a declaration; it holds from the next profile on."""
    with transaction.atomic():
        attribute_type.save()
        _log("attribute_type.saved", "attribute_type", attribute_type.key, {"type": attribute_type.type}, actor, now)


def remove_attribute_type(*, attribute_type: AttributeType, actor: str, now: datetime) -> None:
    """Take a declaration back: the attribute may be anything again."""
    with transaction.atomic():
        _log("attribute_type.deleted", "attribute_type", attribute_type.key, {"type": attribute_type.type}, actor, now)
        attribute_type.delete()


def _log(action: str, kind: str, name: str, declared: dict[str, object], actor: str, now: datetime) -> None:
    audit.append(action=action, actor=actor, object_type=kind, object_id=name, details={"declared": declared}, now=now)
