"""The queue of people about whom something changed."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from django.db import connection

from segments.models import Touch

BATCH = 10_000
VAST = 5_000
"""More people than these at once are not followed up one by one within seconds; everybody is, within minutes."""
CLAIM = """
    DELETE FROM segments_touch
    WHERE id IN (
        SELECT id FROM segments_touch WHERE profile_id IS NOT NULL ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
    )
    RETURNING profile_id, cause
"""


def add(*, touched: Iterable[tuple[int, str]], now: datetime) -> None:
    """Note pairs of profile id and cause, in the caller's transaction. Doing so twice does no harm."""
    rows = [Touch(profile_id=profile_id, cause=cause, touched_at=now) for profile_id, cause in touched]
    Touch.objects.bulk_create(rows, batch_size=BATCH)


def claim(*, limit: int) -> dict[str, set[int]]:
    """Take up to `limit` rows off the queue, oldest first: the people by cause. In the caller's transaction only."""
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, [limit])
        rows = cursor.fetchall()
    touched: dict[str, set[int]] = defaultdict(set)
    for profile_id, cause in rows:
        touched[cause].add(profile_id)
    return dict(touched)


def claim_everybody() -> set[str]:
    """Take all rows off the queue that are about everybody: their causes. In the caller's transaction only."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM segments_touch WHERE profile_id IS NULL RETURNING cause")
        return {cause for (cause,) in cursor.fetchall()}
