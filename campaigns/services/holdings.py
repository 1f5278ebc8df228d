"""What campaigns holds about a person: for them to read, and to erase."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from campaigns import reasons
from campaigns.models import Delivery


def deliveries(subject_id: int) -> Iterator[dict[str, Any]]:
    """Every message planned for the person, with what became of it and why."""
    rows = Delivery.objects.filter(profile=subject_id).select_related("run__campaign").order_by("due_at", "pk")
    for row in rows:
        yield {
            "campaign": row.run.campaign.name,
            "channel": row.channel,
            "planned_for": row.due_at,
            "state": row.get_state_display(),
            "reason": reasons.label(row.reason) if row.reason else "",
            "sent_at": row.sent_at,
        }


def erase_deliveries(subject_id: int, now: datetime) -> int:
    """That there was a message stays, as proof; the digest of its address goes."""
    reached = Delivery.objects.filter(profile=subject_id, address_digest__isnull=False)
    return reached.update(address_digest=None, changed_at=now)
