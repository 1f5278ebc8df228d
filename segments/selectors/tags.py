"""Reading tags: what people carry and why, what to do about it, how many carry what."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Q

from segments.models import Profile, ProfileTag, Tag

RECENTLY = timedelta(minutes=10)


@dataclass(frozen=True)
class Advice:
    """How to use a tag that a person carries; what the tag does not say is as the tags above it say, else empty."""

    tag: str
    effective_weight: float
    content: str
    per_week: int | None
    channel: str


def weighed_tags(profile_ids: Collection[int], now: datetime) -> Any:
    """The tags that these people carry at `now`, with `effective_weight`, heaviest first for each person."""
    rows = ProfileTag.objects.carried(now).weighed(now).filter(profile__in=profile_ids).select_related("tag__parent")
    return rows.order_by("profile", F("effective_weight").desc(), "tag__path", "tag__key")


def tag_advice(profile_ids: Collection[int], now: datetime) -> dict[int, list[Advice]]:
    """What the tags that each of these people carries advise, by profile id, the heaviest tag first.

    A tag that advises nothing, above it neither, is left out; so is a person without advice.
    """
    tags = {tag.pk: tag for tag in Tag.objects.all()}
    found: dict[int, list[Advice]] = defaultdict(list)
    for row in weighed_tags(profile_ids, now):
        advice = _advice(row.tag_id, row.effective_weight, tags)
        if advice.content or advice.per_week or advice.channel:
            found[row.profile_id].append(advice)
    return dict(found)


def shares(tags: Collection[Tag]) -> dict[int, float]:
    """The share of all people that carries each of these tags, from 0 to 1, by the figures last counted."""
    everybody = Profile.objects.count()
    return {tag.pk: min(tag.people / everybody, 1.0) if everybody else 0.0 for tag in tags}


@dataclass(frozen=True)
class Progress:
    """How far the computing of definitions is."""

    done: int
    total: int

    @property
    def share(self) -> int:
        """In per cent."""
        return 100 * self.done // self.total


def progress(now: datetime) -> Progress | None:
    """Of the definitions that are due or were computed in the last minutes, how many are done; None: nothing is due."""
    units = Tag.objects.units().filter(is_active=True)
    waiting = units.filter(due_at__lte=now).count()
    if not waiting:
        return None
    computed = units.filter(Q(due_at__gt=now) | Q(due_at__isnull=True), computed_at__gt=now - RECENTLY).count()
    return Progress(computed, computed + waiting)


def state(tag: Tag, now: datetime) -> str:
    """`waiting`, `running`, `failed` or `computed`; empty for a definition that is not computed by itself."""
    if tag.started_at is not None and tag.due_at is not None and tag.due_at <= now:
        return "running"
    if tag.due_at is not None and tag.due_at <= now:
        return "waiting"
    if tag.error:
        return "failed"
    return "computed" if tag.computed_at is not None else ""


def _advice(tag_id: int, weight: float, tags: Mapping[int, Tag]) -> Advice:
    tag = tags[tag_id]
    content, per_week, channel = "", None, ""
    walked: Tag | None = tag
    while walked is not None:
        content = content or walked.advice_content
        per_week = per_week or walked.advice_per_week
        channel = channel or walked.advice_channel
        walked = tags.get(walked.parent_id) if walked.parent_id else None
    return Advice(tag.key, weight, content, per_week, channel)
