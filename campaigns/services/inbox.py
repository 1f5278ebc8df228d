"""Changes to in-app messages."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from campaigns.selectors import inbox


def mark_read(*, profile_id: int, uids: Collection[UUID], now: datetime) -> int:
    """Note that the person has read these messages; returns how many that was new for. Unknown ones are passed over.

    It leaves no audit leaf: reading a message is what the person does, not an act on their data.
    """
    unread = inbox.visible(profile_id, now=now).filter(uid__in=uids, read_at__isnull=True)
    return unread.update(read_at=now)
