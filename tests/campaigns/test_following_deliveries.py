"""A message that was sent, or came back, moves its reader within seconds; a window that ends does when time comes."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from campaigns.conditions import RECEIVED
from campaigns.models import Delivery
from campaigns.services import resolution
from campaigns.states import DeliveryState
from compliance.models import Subject
from segments import causes
from segments.models import Profile, ProfileTag, Rhythm, Segment, SegmentChange, SegmentMembership, TagKind, Touch
from segments.services import followup, merging, segments, touches
from segments.services.tags import following
from tests.campaigns.smtp import Mailbox
from tests.campaigns.stage import launch, send_all
from tests.factories.campaigns import DUE, CampaignFactory, DeliveryFactory, RunFactory, make_audience
from tests.segments.tags.stage import compute, define, follow

pytestmark = pytest.mark.django_db
ACTOR = "test"
GOT = {"delivery": "*", "op": "received"}
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


def readers(now: datetime, key: str = "readers", definition: Any = None) -> Segment:
    """A segment that the clock has checked, with no touch waiting."""
    made = segments.create(key=key, name=key, definition=definition or GOT, actor=ACTOR, now=now)
    followup.follow_clock(now=now, actor=ACTOR)
    follow(now)
    return made


def become(state: str, *deliveries: Delivery, now: datetime) -> None:
    """As a receipt makes them: one statement."""
    sent_at = {"sent_at": now} if state == "sent" else {}
    Delivery.objects.filter(pk__in=[one.pk for one in deliveries]).update(state=state, changed_at=now, **sent_at)


def members(segment: Segment) -> set[int]:
    return set(SegmentMembership.objects.filter(segment=segment).values_list("profile_id", flat=True))


def history(segment: Segment) -> list[tuple[int, str, str]]:
    return list(SegmentChange.objects.filter(segment=segment).order_by("pk").values_list("profile_id", "kind", "cause"))


def waiting() -> list[tuple[int | None, str]]:
    return sorted(Touch.objects.values_list("profile_id", "cause"))


def follow_clock_as_if_asked(now: datetime) -> None:
    Segment.objects.update(refreshed_at=now)  # as if it had been looked at whole a moment ago
    assert followup.follow_clock(now=now, actor=ACTOR) == {}


@pytest.fixture
def in_hand() -> Delivery:
    """A delivery that is being sent."""
    (person,) = make_audience(1, consenting=False)
    run = RunFactory(campaign=CampaignFactory(key="spring"), scheduled_at=DUE)
    made: Delivery = DeliveryFactory(run=run, profile=person, state=DeliveryState.CLAIMED)
    return made


def test_sending_moves_the_readers(now: datetime, mailbox: Mailbox) -> None:
    people = {person.pk for person in make_audience(3)}
    segment = readers(now)
    unread = readers(now, "unread", {"delivery": "*", "op": "not_received"})
    local = readers(now, "local", {"attribute": "city", "op": "eq", "value": "Wuhan"})
    assert (members(segment), members(unread)) == (set(), people)
    launch(now)
    assert waiting() == []
    send_all(now)
    Profile.objects.filter(pk__in=people).update(city="Wuhan")  # behind the back of whoever follows
    assert waiting() == [(pk, causes.DELIVERY) for pk in sorted(people)]
    follow(now)
    assert sorted(history(segment)) == [(pk, "entered", "delivery") for pk in sorted(people)]
    assert (members(segment), members(unread), members(local)) == (people, set(), set())


def test_nothing_is_noted_while_no_rule_asks(now: datetime, mailbox: Mailbox) -> None:
    make_audience(2)
    segment = readers(now)
    segments.change_details(segment=segment, name="Readers", description="", is_active=False, actor=ACTOR, now=now)
    launch(now)
    assert send_all(now)["sent"] == 2
    assert waiting() == []


def test_a_bounce_takes_it_back_and_a_receipt_changes_nothing(in_hand: Delivery, now: datetime) -> None:
    segment = readers(now)
    become("sent", in_hand, now=now)
    follow(now)
    become("delivered", in_hand, now=now)
    assert waiting() == []
    become("bounced", in_hand, now=now)
    follow(now)
    assert [row[1:] for row in history(segment)] == [("entered", "delivery"), ("left", "delivery")]


@pytest.mark.parametrize("state", DeliveryState.values)
def test_the_states_that_count_are_those_of_the_condition(in_hand: Delivery, now: datetime, state: str) -> None:
    readers(now)
    become(state, in_hand, now=now)
    assert bool(waiting()) == (state in RECEIVED)


def test_what_staff_resolve_counts(in_hand: Delivery, now: datetime) -> None:
    segment = readers(now)
    become("unknown", in_hand, now=now)
    resolution.resolve(delivery_id=in_hand.pk, state=DeliveryState.SENT, actor=ACTOR, now=now)
    follow(now)
    assert members(segment) == {in_hand.profile_id}


def test_a_window_ends_by_the_clock_and_nobody_else_is_asked(in_hand: Delivery, now: datetime) -> None:
    segment = readers(now, "week", {"delivery": "spring", "op": "received", "window": {"days": 7}})
    (other,) = make_audience(2, consenting=False)[1:]
    later = DeliveryFactory(run=in_hand.run, profile=other, state=DeliveryState.CLAIMED)
    become("sent", in_hand, now=now)
    become("sent", later, now=now + DAY)
    follow(now + DAY)
    follow_clock_as_if_asked(now + 7 * DAY - MINUTE)
    assert members(segment) == {in_hand.profile_id, other.pk}
    Profile.objects.filter(pk=other.pk).update(merged_into=in_hand.profile_id)  # seen only by who is asked about
    follow_clock_as_if_asked(now + 7 * DAY)
    assert members(segment) == {other.pk}
    assert history(segment)[-1] == (in_hand.profile_id, "left", "clock")


def test_what_will_have_been_sent_enters_when_its_time_comes(in_hand: Delivery, now: datetime) -> None:
    """The clock of the worker that sends may run ahead of that of the one that follows."""
    segment = readers(now, "week", {"delivery": "*", "op": "received", "window": {"days": 7}})
    become("sent", in_hand, now=now + MINUTE)
    follow(now)
    assert members(segment) == set()
    follow_clock_as_if_asked(now + MINUTE)
    assert members(segment) == {in_hand.profile_id}


def test_a_period_that_begins_asks_everybody(in_hand: Delivery, now: datetime) -> None:
    segment = readers(now, "today", {"delivery": "*", "op": "received", "window": {"calendar": "today"}})
    become("sent", in_hand, now=now)
    follow(now)
    assert members(segment) == {in_hand.profile_id}
    assert set(followup.follow_clock(now=now + timedelta(hours=13), actor=ACTOR)) == {"today"}
    assert members(segment) == set()


def test_a_delivery_to_who_was_merged_meanwhile_touches_the_survivor(in_hand: Delivery, now: datetime) -> None:
    (survivor,) = make_audience(2, consenting=False)[1:]
    readers(now)
    merging.merge(survivor_id=survivor.pk, absorbed_id=in_hand.profile_id, cause="staff", actor=ACTOR, now=now)
    follow(now)
    become("sent", in_hand, now=now)
    assert waiting() == [(survivor.pk, causes.DELIVERY)]


@pytest.mark.parametrize(("more", "rows"), [(0, touches.VAST), (1, 1)])
def test_very_many_deliveries_at_once_are_one_touch_about_everybody(
    in_hand: Delivery, now: datetime, more: int, rows: int
) -> None:
    segment = readers(now)
    many = Subject.objects.bulk_create(Subject(wrapped_key=b"k") for _ in range(touches.VAST + more - 1))
    Profile.objects.bulk_create(Profile(subject=one, created_at=now, updated_at=now) for one in many)
    fields = {name: getattr(in_hand, name) for name in ("run", "month", "channel", "state", "due_at", "changed_at")}
    Delivery.objects.bulk_create(Delivery(profile_id=one.pk, **fields) for one in many)
    Delivery.objects.update(state="sent", sent_at=now)
    assert len(waiting()) == rows
    if more:
        assert waiting() == [(None, causes.DELIVERY)]
        assert set(followup.follow_clock(now=now + MINUTE, actor=ACTOR)) == {"readers"}
        assert len(members(segment)) == touches.VAST + more


def test_tags_follow_deliveries(in_hand: Delivery, now: datetime) -> None:
    tag = define("read", TagKind.RULE, now, rhythm=Rhythm.AT_ONCE, rule={**GOT, "window": {"days": 1}})
    compute(tag, now)
    follow(now)
    become("sent", in_hand, now=now)
    assert waiting() == [(in_hand.profile_id, causes.DELIVERY)]
    follow(now)
    assert ProfileTag.objects.get(tag=tag).profile_id == in_hand.profile_id
    following.follow_clock(now=now + MINUTE, actor=ACTOR)
    assert following.follow_clock(now=now + DAY - MINUTE, actor=ACTOR) == 0
    assert following.follow_clock(now=now + DAY, actor=ACTOR) == 1
    assert not ProfileTag.objects.filter(tag=tag).exists()
