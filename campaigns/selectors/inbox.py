"""The in-app messages of a person, as an app shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from campaigns import inbox
from campaigns.models import InboxMessage
from compliance.selectors.people import whole_person
from compliance.services import subjects


@dataclass(frozen=True)
class Shown:
    """A message, readable."""

    id: int
    uid: UUID
    title: str
    body: str
    created_at: datetime
    expires_at: datetime
    read_at: datetime | None


def visible(profile_id: int, *, now: datetime) -> QuerySet[InboxMessage]:
    """What is shown to the person, and to whom was merged into them: neither expired nor taken down."""
    return InboxMessage.objects.filter(
        profile__in=whole_person(profile_id), taken_down_at__isnull=True, created_at__lte=now, expires_at__gt=now
    )


def page(
    profile_id: int, *, now: datetime, before: int | None, limit: int, unread_only: bool = False
) -> Sequence[Shown]:
    """Up to `limit` messages, the newest first, older than the one with the id `before`."""
    rows = visible(profile_id, now=now)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    if unread_only:
        rows = rows.filter(read_at__isnull=True)
    found = list(rows.order_by("-pk")[:limit])
    keys = subjects.data_keys({row.profile_id for row in found})
    return [_shown(row, keys[row.profile_id]) for row in found if row.profile_id in keys]


def _shown(row: InboxMessage, data_key: bytes) -> Shown:
    title, body = inbox.read(data_key, delivery_key=row.delivery_key, stored=bytes(row.content_encrypted))
    return Shown(row.pk, row.uid, title, body, row.created_at, row.expires_at, row.read_at)
