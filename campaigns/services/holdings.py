"""What campaigns holds about a person: for them to read, and to erase."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from campaigns import inbox, reasons
from campaigns.models import Delivery, InboxMessage
from compliance.services import subjects


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


def inbox_messages(subject_id: int) -> Iterator[dict[str, Any]]:
    """The messages in the person's inbox, also those that are not shown any more."""
    key = subjects.data_keys([subject_id]).get(subject_id)
    for row in InboxMessage.objects.filter(profile=subject_id).order_by("pk") if key else ():
        stored = bytes(row.content_encrypted)
        title, body = inbox.read(key, delivery_key=row.delivery_key, stored=stored) if key else ("", "")
        yield {
            "title": title,
            "body": body,
            "created_at": row.created_at,
            "expires_at": row.expires_at,
            "read_at": row.read_at,
            "taken_down_at": row.taken_down_at,
        }


def erase_inbox(subject_id: int, _now: datetime) -> int:
    """The messages go; that they were sent stays with the deliveries."""
    return InboxMessage.objects.filter(profile=subject_id).delete()[0]
