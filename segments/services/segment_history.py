"""The history of who entered and left segments: what merges add to it, and how it ends."""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from compliance.services import audit
from segments import causes
from segments.models import ChangeKind, Segment, SegmentChange, SegmentMembership

BATCH = 50_000
FORGET = """
    DELETE FROM segments_segmentchange
    WHERE id = ANY(ARRAY(SELECT id FROM segments_segmentchange WHERE at < %s LIMIT %s))
"""


def tell_moved(*, moved: Collection[int], kept: Collection[int], giver: int, taker: int, now: datetime) -> None:
    """Memberships (`moved`, by id) went from one profile to the other in a merge; in the segments `kept` the other was
    a member before, so that the first only left."""
    entered = _segments(moved, taker)
    _tell(giver, [*entered, *kept], ChangeKind.LEFT, now)
    _tell(taker, entered, ChangeKind.ENTERED, now)


def tell_moved_back(*, moved: Collection[int], kept: Collection[int], giver: int, taker: int, now: datetime) -> None:
    """As `tell_moved`, when a merge is undone: in the segments `kept` both are members again."""
    left = _segments(moved, taker)
    _tell(giver, left, ChangeKind.LEFT, now)
    _tell(taker, [*left, *kept], ChangeKind.ENTERED, now)


def forget(*, now: datetime, actor: str) -> int:
    """Remove what is older than the setting SEGMENT_HISTORY_DAYS, some at a time; returns how many rows."""
    before = now - timedelta(days=settings.SEGMENT_HISTORY_DAYS)
    removed, last = 0, BATCH
    while last == BATCH:
        with connection.cursor() as cursor:
            cursor.execute(FORGET, [before, BATCH])
            last = cursor.rowcount
        removed += last
    if removed:
        details = {"before": before.isoformat(), "removed": removed}
        audit.append(
            action="segment_history.forgotten", actor=actor, object_type="segment", object_id="", details=details,
            now=now,
        )  # fmt: skip
    return removed


def _segments(memberships: Collection[int], taker: int) -> list[int]:
    rows = SegmentMembership.objects.filter(pk__in=memberships, profile=taker)
    return list(rows.order_by("segment").values_list("segment_id", flat=True))


def _tell(profile_id: int, segments: Collection[int], kind: ChangeKind, now: datetime) -> None:
    versions = Segment.objects.filter(pk__in=segments).order_by("pk").values_list("pk", "version")
    SegmentChange.objects.bulk_create(
        SegmentChange(segment_id=pk, profile_id=profile_id, kind=kind, cause=causes.MERGE, version=version, at=now)
        for pk, version in versions
    )
