"""The size of each segment day by day: one upsert keeps the row of the day."""

from datetime import datetime

from django.db import connection

from segments.models import Segment
from segments.services.quality import day_of

RECORD = """
    INSERT INTO segments_segmentsize (segment_id, day, members, entered, "left")
    SELECT s.id, %(day)s, s.member_count, %(entered)s, %(left)s FROM segments_segment s
    WHERE s.id = ANY(%(segments)s) ORDER BY s.id
    ON CONFLICT (segment_id, day) DO UPDATE SET
        members = EXCLUDED.members,
        entered = segments_segmentsize.entered + EXCLUDED.entered,
        "left" = segments_segmentsize."left" + EXCLUDED."left"
"""


def record(*, segment_id: int, entered: int, left: int, now: datetime) -> None:
    """Keep the size that the segment has now, and add those who just entered and left to the counts of the day.

    Call it after `member_count` was changed, in the same transaction.
    """
    _record([segment_id], entered, left, now)


def record_all(*, now: datetime) -> None:
    """Keep the size of every active segment, so that a day on which nobody came or went has a row too."""
    _record(list(Segment.objects.filter(is_active=True).values_list("pk", flat=True)), 0, 0, now)


def _record(segments: list[int], entered: int, left: int, now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(RECORD, {"day": day_of(now), "segments": segments, "entered": entered, "left": left})
