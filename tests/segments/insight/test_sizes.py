"""The size of segments over time."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from segments.models import Segment, SegmentSize
from segments.selectors import segment_sizes as selectors
from segments.services import segment_sizes, segments
from segments.tasks import record_segment_sizes
from tests.factories.api import api
from tests.factories.segments import SegmentFactory, make_profile
from tests.segments.membership.stage import SHANGHAI, create, listed, move, take_in

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
TODAY = date(2026, 3, 2)


def row(segment: Segment) -> tuple[date, int, int, int]:
    found = SegmentSize.objects.filter(segment=segment).latest("day")
    return found.day, found.members, found.entered, found.left


def test_refreshes_of_one_day_share_a_row() -> None:
    people = [make_profile(number, city="Shanghai") for number in range(3)]
    segment = create()
    segments.refresh(segment=segment, now=NOW, actor="test")
    assert row(segment) == (TODAY, 3, 3, 0)
    move(people[0], "Rome")
    segments.refresh(segment=segment, now=NOW + timedelta(hours=1), actor="test")
    assert row(segment) == (TODAY, 2, 3, 1)
    segments.refresh(segment=segment, now=NOW + timedelta(hours=12), actor="test")  # past midnight in Shanghai
    assert row(segment) == (TODAY + timedelta(days=1), 2, 0, 0)
    assert SegmentSize.objects.count() == 2


def test_people_who_come_one_by_one_or_by_a_list_are_counted() -> None:
    from segments.services import memberships

    person = make_profile(1, city="Shanghai")
    segment = create(definition=SHANGHAI)
    memberships.recheck(touched={"attribute:city": [person.pk]}, now=NOW, actor="test")
    assert row(segment) == (TODAY, 1, 1, 0)
    friends = listed("friends")
    take_in(friends, person, now=NOW)
    take_in(friends, person, mode="remove", now=NOW)
    assert row(friends) == (TODAY, 0, 1, 1)


def test_the_daily_task_gives_each_active_segment_a_row() -> None:
    SegmentFactory(key="on", member_count=7)
    SegmentFactory(key="off", is_active=False)
    record_segment_sizes()
    record_segment_sizes()
    assert [(size.segment.key, size.members, size.entered) for size in SegmentSize.objects.all()] == [("on", 7, 0)]


def test_a_day_has_one_row_of_a_segment() -> None:
    segment = SegmentFactory()
    SegmentSize.objects.create(segment=segment, day=TODAY, members=1)
    with pytest.raises(IntegrityError, match="segment_size_once_a_day"), transaction.atomic():
        SegmentSize.objects.create(segment=segment, day=TODAY, members=2)


def sizes(segment: Segment, *members: int) -> None:
    """One a day, the last today."""
    for back, count in enumerate(reversed(members)):
        SegmentSize.objects.create(segment=segment, day=TODAY - timedelta(days=back), members=count)


@pytest.mark.parametrize(
    ("members", "usual"),
    [
        ((1000, 1000, 1000, 1301), 1000),
        ((1000, 1000, 1000, 1300), None),  # 30 % is not more than 30 %
        ((1000, 1000, 9000, 699), 1000),
        ((10, 10, 10, 109), None),  # fewer than 100 people
        ((10, 10, 10, 110), 10),
        ((500, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000), None),
        ((9000, 9000, 9000, 100, 100, 100, 100, 100, 100, 100, 100), None),  # older than the week before
        ((1000,), None),
    ],
)
def test_a_change_is_sudden_against_the_median_of_the_week_before(members: tuple[int, ...], usual: int | None) -> None:
    segment = SegmentFactory()
    sizes(segment, *members)
    found = selectors.sudden_changes([segment.pk]).get(segment.pk)
    assert (found and found.usual) == usual


def test_the_api_shows_the_last_days() -> None:
    sizes(SegmentFactory(key="here"), 3, 5, 4)
    client = api("segments:read")
    body = client.get("/api/v1/segments/here/sizes/", {"days": 2}).json()
    assert body == {
        "results": [
            {"day": "2026-03-01", "members": 5, "entered": 0, "left": 0},
            {"day": "2026-03-02", "members": 4, "entered": 0, "left": 0},
        ]
    }
    assert client.get("/api/v1/segments/lost/sizes/").status_code == 404
    assert client.get("/api/v1/segments/here/sizes/", {"days": 0}).status_code == 400


def test_a_segment_never_counted_has_no_sizes() -> None:
    SegmentFactory(key="here")
    assert api("segments:read").get("/api/v1/segments/here/sizes/").json() == {"results": []}
    segment_sizes.record_all(now=NOW)
    assert len(api("segments:read").get("/api/v1/segments/here/sizes/").json()["results"]) == 1
