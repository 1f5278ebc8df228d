"""Segments that are nearly the same as another one: the same rule under another key, or almost the same people."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from time import monotonic
from typing import Any

import rfc8785
from django.conf import settings
from django.core.cache import cache
from django.db.models import F
from django.db.models.functions import Abs

from segments.models import Segment, SegmentKind
from segments.rules import Rule
from segments.selectors.limited import StoppedError, at_most
from segments.selectors.segment_overlap import MAX_SEGMENTS, jaccard, overlap, shared_with_rule

SECONDS = 5.0
CACHE_KEY = "segments.alike"
CACHE_SECONDS = 600


def canonical(definition: Mapping[str, Any]) -> bytes:
    """The rule tree as RFC 8785 writes it: equal for equal trees, whatever the order of their keys."""
    return rfc8785.dumps(dict(definition))


def same_rule(definition: Mapping[str, Any], key: str) -> list[str]:
    """The names of the active segments other than `key` that follow the same rule tree."""
    wanted = canonical(definition)
    others = Segment.objects.following().exclude(key=key).order_by("pk")
    return [other.name for other in others if canonical(other.definition) == wanted]


def alike(segment: Segment) -> list[str]:
    """The names of the other active segments with nearly the same members. Raises `StoppedError`."""
    return [other.name for other in _alike(segment, _candidates(segment.member_count, segment.key), SECONDS)]


def alike_rule(rule: Rule, count: int, key: str, now: datetime) -> list[str]:
    """As `alike`, for a rule that matches `count` people and is not saved. Raises `StoppedError`."""
    others = _candidates(count, key)
    if not others:
        return []
    with at_most(SECONDS):
        shared = shared_with_rule(rule, [other.pk for other in others], now)
    return [
        other.name
        for other in others
        if jaccard(shared.get(other.pk, 0), count, other.member_count) >= settings.SEGMENT_ALIKE
    ]


def all_alike() -> dict[int, list[str]]:
    """`alike` for every active segment by id, up to ten minutes old; what takes over five seconds is left out."""
    found: dict[int, list[str]] | None = cache.get(CACHE_KEY)
    if found is None:
        found = _find_all()
        cache.set(CACHE_KEY, found, CACHE_SECONDS)
    return found


def _find_all() -> dict[int, list[str]]:
    ordered = list(Segment.objects.filter(is_active=True, member_count__gt=0).order_by("member_count", "pk"))
    until = monotonic() + SECONDS
    found: dict[int, list[str]] = {}
    for place, segment in enumerate(ordered):
        # Each pair once: with those that are larger, but not so much that they cannot be alike.
        most = segment.member_count / settings.SEGMENT_ALIKE
        larger = [other for other in ordered[place + 1 : place + MAX_SEGMENTS] if other.member_count <= most]
        try:
            for other in _alike(segment, larger, until - monotonic()):
                found.setdefault(segment.pk, []).append(other.name)
                found.setdefault(other.pk, []).append(segment.name)
        except StoppedError:
            break
    return found


def _alike(segment: Segment, others: Iterable[Segment], seconds: float) -> list[Segment]:
    compared = list(others)
    if not compared:
        return []
    if seconds <= 0:
        raise StoppedError
    with at_most(seconds):
        matrix = overlap([segment, *compared])
    return [other for other in compared if matrix.cell(segment, other).jaccard >= settings.SEGMENT_ALIKE]


def _candidates(count: int, key: str) -> list[Segment]:
    """The active segments of about this size, the nearest first: no others can have so many members in common.

    The Jaccard index of two sets is at most the smaller size by the larger one.
    """
    share = settings.SEGMENT_ALIKE
    near = Segment.objects.filter(
        is_active=True, member_count__gt=0, member_count__gte=share * count, member_count__lte=count / share
    )
    return list(near.exclude(key=key).order_by(Abs(F("member_count") - count), "pk")[: MAX_SEGMENTS - 1])


def has_rule(segment: Segment) -> bool:
    """Whether the segment has a rule tree; a list of people has none."""
    return bool(segment.kind != SegmentKind.UPLOADED)
