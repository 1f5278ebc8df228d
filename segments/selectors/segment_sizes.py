"""The size of segments over time, and whether it changed suddenly."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from segments.models import Segment, SegmentSize

DAYS = 90
"""How far back the chart and, by default, the API look."""
BEFORE = 7
"""Days before the last one whose median it is held against: a week, so that each weekday counts once."""
SUDDEN_SHARE, SUDDEN_PEOPLE = 0.3, 100
"""A change is sudden when it is more than this part of the median and at least so many people."""


@dataclass(frozen=True)
class SuddenChange:
    """The last known size, and the median of the days before it."""

    members: int
    usual: float


def last_days(segment: Segment, days: int = DAYS) -> list[SegmentSize]:
    """The rows of the last so many days up to the last known one, oldest first."""
    last = segment.sizes.order_by("-day").first()
    return list(segment.sizes.filter(day__gt=last.day - timedelta(days=days)).order_by("day")) if last else []


def sudden_changes(segments: Collection[int]) -> dict[int, SuddenChange]:
    """Those of the segments whose last known size is far from the median of the 7 days before it, by id.

    A segment without any row in those days has nothing to be held against.
    """
    rows: dict[int, list[SegmentSize]] = {}
    ids = list(segments)
    last = SegmentSize.objects.filter(segment__in=ids).order_by("-day").first()
    recent = SegmentSize.objects.filter(segment__in=ids).order_by("-day")
    for row in recent.filter(day__gte=last.day - timedelta(days=2 * BEFORE)) if last else ():
        rows.setdefault(row.segment_id, []).append(row)
    return {pk: change for pk, found in rows.items() if (change := _sudden(found))}


def _sudden(rows: list[SegmentSize]) -> SuddenChange | None:
    last, *others = rows
    before = [row.members for row in others if row.day >= last.day - timedelta(days=BEFORE)]
    if not before:
        return None
    usual = float(median(before))
    change = abs(last.members - usual)
    return SuddenChange(last.members, usual) if change >= SUDDEN_PEOPLE and change > SUDDEN_SHARE * usual else None
