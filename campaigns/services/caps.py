"""Changing frequency caps. They concern everybody at once, so each change leaves an audit leaf."""

from datetime import datetime

from django.db import transaction

from campaigns.models import FrequencyCap
from compliance.services import audit

FIELDS = ("name", "channel", "most", "periods", "unit", "clock", "action", "is_active")


@transaction.atomic
def save(*, cap: FrequencyCap, actor: str, now: datetime) -> FrequencyCap:
    """Store a new or changed cap, in effect for what is planned or sent from now on. Raises `ValidationError`."""
    action = "cap.created" if cap.pk is None else "cap.changed"
    cap.full_clean()
    cap.save()
    _leaf(cap, action, actor, now)
    return cap


@transaction.atomic
def delete(*, cap: FrequencyCap, actor: str, now: datetime) -> None:
    """Remove a cap. What it put off stays put off."""
    _leaf(cap, "cap.deleted", actor, now)
    cap.delete()


def _leaf(cap: FrequencyCap, action: str, actor: str, now: datetime) -> None:
    details = {name: getattr(cap, name) for name in FIELDS} | {"segment": cap.segment.key if cap.segment else None}
    audit.append(action=action, actor=actor, object_type="cap", object_id=cap.pk, details=details, now=now)
