"""Whom the passing of time moves: what came to be of a certain age between two moments."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from segments.models import Event


def came_of_age(column: str, ages: Iterable[timedelta], since: datetime, now: datetime) -> Q:
    """Whether `column` passed one of the ages between the two moments, both included."""
    passed = (Q((f"{column}__gte", since - age), (f"{column}__lte", now - age)) for age in sorted(set(ages)))
    return Q(*passed, _connector=Q.OR)


def people_with_events(
    names: Collection[str], ages: Iterable[timedelta], since: datetime, now: datetime
) -> "QuerySet[Any, int]":
    """The people with an event of one of these names that came of one of the ages."""
    events = Event.objects.filter(came_of_age("occurred_at", ages, since, now), name__in=sorted(names))
    return events.order_by().values_list("profile_id", flat=True).distinct()
