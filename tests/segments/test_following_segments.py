"""Segments that ask for others follow those who enter and leave them; asking everybody shows what was overlooked."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from segments import causes
from segments.models import Profile, Segment, SegmentChange, SegmentMembership, Touch
from segments.profile_input import ProfileInput
from segments.services import followup, memberships, profiles, segments
from tests.factories.segments import SourceFactory

pytestmark = pytest.mark.django_db
ACTOR = "test"
DAY = timedelta(days=1)
YOUNG = {"attribute": "created_at", "op": "gt", "value": {"days_ago": 7}}
OLD = {"none": [{"segment": "young", "op": "in"}]}


def make(key: str, definition: dict[str, Any], now: datetime) -> Segment:
    return segments.create(key=key, name=key, definition=definition, actor=ACTOR, now=now)


def know(count: int, now: datetime) -> list[int]:
    given = [ProfileInput(external_id=f"C{number}") for number in range(count)]
    profiles.upsert_many(source=SourceFactory(), inputs=given, actor=ACTOR, now=now)
    Profile.objects.update(created_at=now)
    return list(Profile.objects.order_by("pk").values_list("pk", flat=True))


def members(segment: Segment) -> list[int]:
    return sorted(SegmentMembership.objects.filter(segment=segment).values_list("profile_id", flat=True))


def follow(now: datetime) -> list[str]:
    """As beat does; the segments that asked everybody."""
    while followup.follow_up(now=now, actor=ACTOR):
        pass
    return list(followup.follow_clock(now=now, actor=ACTOR))


def test_whom_time_moves_in_one_segment_moves_in_those_that_ask_for_it(now: datetime) -> None:
    people = know(2, now)
    old, young = make("old", {"all": []}, now), make("young", YOUNG, now)
    segments.change_definition(segment=old, definition=OLD, actor=ACTOR, now=now)
    follow(now)
    follow(now)
    assert (members(young), members(old)) == (people, [])
    Segment.objects.update(refreshed_at=now + 7 * DAY)
    assert follow(now + 7 * DAY) == []
    assert members(young) == []
    assert follow(now + 7 * DAY) == []
    assert members(old) == people
    assert SegmentChange.objects.filter(segment=old).latest("pk").cause == causes.segment("young")
    assert not Touch.objects.exists()


def test_nobody_is_told_of_a_segment_that_no_rule_asks_for(now: datetime) -> None:
    know(2, now)
    make("young", YOUNG, now)
    Touch.objects.all().delete()
    assert followup.follow_clock(now=now, actor=ACTOR)["young"].entered == 2
    assert not Touch.objects.exists()


def test_very_many_who_entered_are_told_of_at_once(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memberships, "VAST", 2)
    people = know(3, now)
    young, old = make("young", YOUNG, now), make("old", OLD, now)
    Touch.objects.all().delete()
    followup.follow_clock(now=now, actor=ACTOR)
    assert list(Touch.objects.values_list("profile_id", "cause")) == [(None, causes.segment("young"))]
    assert follow(now) == ["old"]
    assert (members(young), members(old)) == (people, [])


def test_a_difference_that_asking_everybody_finds_is_logged(now: datetime, caplog: pytest.LogCaptureFixture) -> None:
    know(2, now)
    young = make("young", YOUNG, now)
    follow(now)
    assert follow(now + DAY) == ["young"]
    assert "young" not in caplog.text
    SegmentMembership.objects.filter(segment=young)[:1].get().delete()
    assert follow(now + DAY + DAY / 2) == []
    assert follow(now + 2 * DAY) == ["young"]
    assert "segment young: 1 entered and 0 left when everybody was asked" in caplog.text
