"""The whole base at a glance: RFM cells, groups of tags, segments."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Avg, Count

from segments.models import ProfileStats, ProfileTag, Segment, Tag

QUINTILES = range(1, 6)


@dataclass(frozen=True)
class Cell:
    """The buyers of one recency and one frequency quintile: how many, and what they spent on average in all."""

    recency: int
    frequency: int
    people: int = 0
    average_amount: Decimal = Decimal(0)


@dataclass(frozen=True)
class Share:
    """One bar of a chart."""

    key: str
    name: str
    people: int


def rfm_grid() -> list[list[Cell]]:
    """Five rows of five cells: the most recent buyers first, the least frequent ones left."""
    rows = ProfileStats.objects.filter(rfm_recency__isnull=False).values_list("rfm_recency", "rfm_frequency")
    found = {
        (recency, frequency): Cell(recency, frequency, people, round(amount, 2))
        for recency, frequency, people, amount in rows.annotate(Count("pk"), Avg("order_amount"))
    }
    return [[found.get((r, f), Cell(r, f)) for f in QUINTILES] for r in reversed(QUINTILES)]


def tag_shares(parent_key: str, now: datetime) -> list[Share]:
    """How many people carry each of the tags below one in the tree, in their order."""
    tags = list(Tag.objects.filter(parent__key=parent_key).order_by("position", "key"))
    carried = ProfileTag.objects.carried(now).filter(tag__in=tags).order_by("tag_id")
    counts = dict(carried.values_list("tag_id").annotate(Count("pk")))
    return [Share(tag.key, tag.name, counts.get(tag.pk, 0)) for tag in tags]


def segment_sizes(limit: int = 20) -> list[Share]:
    """The largest active segments."""
    segments = Segment.objects.filter(is_active=True).order_by("-member_count", "key")
    return [Share(segment.key, segment.name, segment.member_count) for segment in segments[:limit]]
