"""Questions about segments and rules; nothing here changes anything."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from segments.models import Segment, SegmentMembership
from segments.rules import parse

MAX_PAGE = 1_000


@dataclass(frozen=True)
class Member:
    """Somebody in a segment: the profile's id (cursor of the next page), the public id, since when."""

    profile_id: int
    uid: UUID
    entered_at: datetime


def count(definition: Mapping[str, Any], now: datetime) -> int:
    """How many people an unsaved rule tree matches at `now`. Raises `RuleError`."""
    return parse(definition).queryset(now).count()


def sample(definition: Mapping[str, Any], now: datetime, limit: int = 10) -> list[int]:
    """The ids of the first `limit` people, by id, whom a rule tree matches at `now`. Raises `RuleError`."""
    return list(parse(definition).queryset(now).order_by("subject_id")[:limit])


def members_after(segment: Segment, cursor: int = 0, limit: int = 100) -> list[Member]:
    """Up to `limit` (at most 1,000) members whose profile id is above `cursor`, ascending.

    Pass the last one's `profile_id` as the next cursor; people who enter or leave meanwhile shift nobody
    else.
    """
    rows = (
        SegmentMembership.objects.filter(segment=segment, profile_id__gt=cursor, profile__merged_into__isnull=True)
        .order_by("profile_id")
        .values_list("profile_id", "profile__subject__uid", "entered_at")
    )
    return [Member(*row) for row in rows[: min(limit, MAX_PAGE)]]
