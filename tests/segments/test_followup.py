"""What follows from an event or a changed attribute: only the people concerned are asked about again."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import transaction

from segments import causes
from segments.event_input import EventInput
from segments.models import Rhythm, Segment, SegmentMembership, TagKind, Touch
from segments.profile_input import ProfileInput
from segments.services import events, followup, profiles, segments, sources, tags, touches
from tests.segments.files import import_events, orders
from tests.segments.tags.stage import define

pytestmark = pytest.mark.django_db

BUYERS = {"event": "purchase", "op": "gte", "value": 1}
SHANGHAI = {"attribute": "city", "op": "eq", "value": "Shanghai"}


def buy(number: int, customer: str, now: datetime) -> None:
    event = EventInput(
        event_id=str(number), name="purchase", occurred_at=now, identifier="external_id", value=customer,
        amount=Decimal(9), currency="CNY",
    )  # fmt: skip
    results = events.ingest(source=sources.get_or_create("shop"), events=[event], actor="test", now=now)
    assert results[0].status == "accepted"


def know(now: datetime, **fields: str) -> int:
    given = ProfileInput(**fields)
    (result,) = profiles.upsert_many(source=sources.get_or_create("shop"), inputs=[given], actor="test", now=now)
    assert result.profile_id
    return result.profile_id


def members(segment: Segment) -> list[int]:
    return sorted(SegmentMembership.objects.filter(segment=segment).values_list("profile_id", flat=True))


def test_an_event_and_an_attribute_move_people_without_a_refresh(now: datetime) -> None:
    buyers = segments.create(key="buyers", name="Buyers", definition=BUYERS, actor="test", now=now)
    local = segments.create(key="local", name="Local", definition=SHANGHAI, actor="test", now=now)
    person = know(now, external_id="1", city="Beijing")
    buy(1, "1", now)
    assert followup.follow_up(now=now, actor="test")
    assert (members(buyers), members(local)) == ([person], [])
    know(now, external_id="1", city="Shanghai")
    followup.follow_up(now=now, actor="test")
    assert members(local) == [person]
    local.refresh_from_db()
    assert local.member_count == 1
    know(now, external_id="1", city="Beijing")
    followup.follow_up(now=now, actor="test")
    assert members(local) == []
    assert not Touch.objects.exists()
    assert followup.follow_up(now=now, actor="test") == 0


def test_what_was_rolled_back_is_followed_up_later(now: datetime) -> None:
    know(now, external_id="1")
    before = Touch.objects.count()
    with transaction.atomic():
        followup.follow_up(now=now, actor="test")
        transaction.set_rollback(True)
    assert Touch.objects.count() == before > 0


def test_a_segment_that_cannot_be_evaluated_stops_no_other(now: datetime) -> None:
    broken = segments.create(key="a-broken", name="Broken", definition=BUYERS, actor="test", now=now)
    Segment.objects.filter(pk=broken.pk).update(definition={"gone": 1})
    buyers = segments.create(key="buyers", name="Buyers", definition=BUYERS, actor="test", now=now)
    person = know(now, external_id="1")
    buy(1, "1", now)
    followup.follow_up(now=now, actor="test")
    assert members(buyers) == [person]


def test_what_concerns_very_many_is_followed_up_for_everybody(
    now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(touches, "VAST", 2)
    buyers = segments.create(key="buyers", name="Buyers", definition=BUYERS, actor="test", now=now)
    define("buyer", TagKind.RULE, now, rhythm=Rhythm.AT_ONCE, rule=BUYERS)
    tags.compute_due(now=now, actor="test")
    import_events(orders(tmp_path, 3), now, create_missing=True)
    Touch.objects.filter(cause=causes.IDENTITY).delete()
    assert [(touch.profile_id, touch.cause) for touch in Touch.objects.all()] == [(None, causes.event("purchase"))]
    assert followup.follow_up(now=now, actor="test") == 0
    assert followup.follow_clock(now=now, actor="test")["buyers"].entered == 1
    assert not Touch.objects.exists()
    assert tags.compute_due(now=now, actor="test")["buyer"].given == 1
    assert len(members(buyers)) == 1
