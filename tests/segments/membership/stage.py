"""Steps that the tests of membership share."""

from datetime import UTC, datetime
from typing import Any

from segments.models import Profile, Segment, SegmentChange, SegmentMembership
from segments.services import segment_lists, segments
from segments.services.memberships import RefreshResult
from tests.factories.segments import SourceFactory

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
ACTOR = "user:mei"
SHANGHAI = {"attribute": "city", "op": "eq", "value": "Shanghai"}
BEIJING = {"attribute": "city", "op": "eq", "value": "Beijing"}
BUYERS = {"event": "purchase", "op": "gte", "value": 1}


def create(key: str = "here", definition: Any = SHANGHAI, *, kind: str = "dynamic", now: datetime = NOW) -> Segment:
    return segments.create(key=key, name=key.title(), definition=definition, kind=kind, actor=ACTOR, now=now)


def listed(key: str = "friends", *people: Profile, now: datetime = NOW) -> Segment:
    """An uploaded segment with these members."""
    segment = create(key, {}, kind="uploaded", now=now)
    if people:
        take_in(segment, *people, now=now)
    return segment


def take_in(segment: Segment, *people: Profile, mode: str = "add", now: datetime = NOW) -> RefreshResult:
    named = [segment_lists.Named("uid", str(person.subject.uid)) for person in people]
    result, _outcomes = segment_lists.take_in(
        segment=segment, people=named, mode=mode, source=SourceFactory(), actor=ACTOR, now=now
    )
    return result


def members(segment: Segment) -> set[int]:
    return set(SegmentMembership.objects.filter(segment=segment).values_list("profile_id", flat=True))


def history(segment: Segment) -> list[tuple[int, str, str, int]]:
    """Profile, change, cause and version, oldest first."""
    rows = SegmentChange.objects.filter(segment=segment).order_by("at", "pk")
    return [(row.profile_id, row.kind, row.cause, row.version) for row in rows]


def move(person: Profile, city: str) -> None:
    """Change the city behind the back of whoever follows."""
    Profile.objects.filter(pk=person.pk).update(city=city)
