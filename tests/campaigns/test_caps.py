"""Frequency caps: at planning, at sending, between campaigns, and in awkward time zones."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.models import CapAction, CapClock, CapUnit, Delivery, FrequencyCap
from campaigns.selectors import caps as selectors
from campaigns.services import batches, caps, groups, runs
from campaigns.states import DeliveryState
from compliance.models import AuditLeaf
from segments.models import Profile, SegmentMembership
from segments.services import merging, segments
from tests.factories.campaigns import DUE, DeliveryFactory, RunFactory, make_approved_campaign, make_audience
from tests.factories.segments import SegmentFactory

pytestmark = pytest.mark.django_db
SHANGHAI = ZoneInfo("Asia/Shanghai")
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)


def cap(**fields: Any) -> FrequencyCap:
    values = {"name": "two a week", "most": 2, "unit": CapUnit.WEEK, **fields}
    return caps.save(cap=FrequencyCap(**values), actor="test", now=DUE)


def sent(person: Profile, *times: datetime, **fields: Any) -> None:
    """Messages that the person got at these times."""
    for at in times:
        state = fields.get("state", DeliveryState.SENT)
        sent_at = None if state == DeliveryState.PLANNED else at
        run = RunFactory(scheduled_at=at)
        DeliveryFactory(run=run, profile=person, due_at=at, sent_at=sent_at, **{"state": state, **fields})


def planned(now: datetime = DUE) -> dict[int, tuple[str, str, datetime]]:
    """Launch and plan one campaign for everybody; state, reason and due time by person."""
    campaign = make_approved_campaign(scheduled_at=now)
    (run,) = runs.launch_due(now=now, actor="system")
    runs.plan(run=run, now=now, actor="system")
    rows = Delivery.objects.filter(run__campaign=campaign)
    return {row.profile_id: (row.state, row.reason, row.due_at) for row in rows}


def test_who_had_enough_is_left_out_with_the_reason() -> None:
    enough, one, long_ago, failed = make_audience(4)
    cap()
    sent(enough, DUE - DAY, DUE - 2 * DAY)
    sent(one, DUE - DAY)
    sent(long_ago, DUE - 8 * DAY, DUE - 9 * DAY)
    sent(failed, DUE - DAY, DUE - 2 * DAY, state=DeliveryState.FAILED)
    found = planned()
    assert found.pop(enough.pk) == ("excluded", "frequency_cap", DUE)
    assert {state for state, _, _ in found.values()} == {"planned"}


@pytest.mark.parametrize("at_dispatch", [True, False])
def test_messages_to_a_profile_that_was_merged_count_for_the_person(*, at_dispatch: bool) -> None:
    first, second, other = make_audience(3)
    cap()
    sent(second, DUE - DAY)
    sent(first, DUE - 2 * DAY)
    merging.merge(survivor_id=first.pk, absorbed_id=second.pk, cause="staff", actor="test", now=DUE)
    if at_dispatch:
        asked = [first.pk, other.pk]
        assert selectors.held(selectors.active("email"), people=asked, now=DUE) == {first.pk: None}
    else:
        assert {pk: reason for pk, (_, reason, _) in planned().items()} == {first.pk: "frequency_cap", other.pk: ""}


def test_what_is_only_planned_counts_too() -> None:
    (person,) = make_audience(1)
    cap(most=1)
    first, second = planned(), planned(DUE + HOUR)
    assert (first[person.pk][0], second[person.pk][0]) == ("planned", "excluded")


def test_a_deferring_cap_puts_off_until_it_holds() -> None:
    (person,) = make_audience(1)
    cap(action=CapAction.DEFER)
    sent(person, DUE - DAY, DUE - 6 * DAY, DUE - 10 * DAY)
    assert planned()[person.pk] == ("planned", "", DUE + DAY)


def test_what_would_be_put_off_for_longer_than_a_week_is_left_out() -> None:
    (person,) = make_audience(1)
    cap(action=CapAction.DEFER, most=1, periods=2)
    sent(person, DUE - DAY)
    assert planned()[person.pk][:2] == ("excluded", "frequency_cap")


def test_the_most_restrictive_cap_wins() -> None:
    (person,) = make_audience(1)
    cap(name="loose", action=CapAction.DEFER, most=1, unit=CapUnit.DAY)
    cap(name="tight", action=CapAction.DEFER, most=1, unit=CapUnit.DAY, periods=3)
    sent(person, DUE - HOUR)
    assert planned()[person.pk] == ("planned", "", DUE - HOUR + 3 * DAY)
    cap(name="none at all", most=1, unit=CapUnit.DAY, periods=2)
    sent(person, DUE)
    assert planned(DUE + HOUR)[person.pk][:2] == ("excluded", "frequency_cap")


def test_a_cap_concerns_its_channel_and_its_segment() -> None:
    inside, outside = make_audience(2)
    tier = SegmentFactory(definition={"any": []})
    SegmentMembership.objects.create(segment=tier, profile=inside, entered_at=DUE)
    cap(name="of a segment", segment=tier, most=1)
    cap(name="of another channel", channel="sms", most=1)
    for person in (inside, outside):
        sent(person, DUE - DAY)
    found = planned()
    assert (found[inside.pk][0], found[outside.pk][0]) == ("excluded", "planned")


def test_an_inactive_cap_holds_nobody_back() -> None:
    (person,) = make_audience(1)
    cap(most=1, is_active=False)
    sent(person, DUE - HOUR)
    assert planned()[person.pk][0] == "planned"


@pytest.mark.parametrize(
    ("zone", "clock", "planned_at"),
    [
        # Sunday 1 March 2026, 23:00 in Shanghai; the week ends an hour later there, in New York 14 hours later.
        ("", CapClock.CALENDAR, datetime(2026, 3, 1, 16, 0, tzinfo=UTC)),
        ("America/New_York", CapClock.CALENDAR, datetime(2026, 3, 1, 16, 0, tzinfo=UTC)),
        ("America/New_York", CapClock.CALENDAR_OF_PERSON, datetime(2026, 3, 2, 5, 0, tzinfo=UTC)),
        ("", CapClock.CALENDAR_OF_PERSON, datetime(2026, 3, 1, 16, 0, tzinfo=UTC)),
    ],
)
def test_a_week_of_the_calendar_ends_on_sunday_night_where_it_is_counted(
    zone: str, clock: str, planned_at: datetime
) -> None:
    (person,) = make_audience(1)
    Profile.objects.filter(pk=person.pk).update(timezone=zone)
    cap(most=1, clock=clock, action=CapAction.DEFER)
    now = datetime(2026, 3, 1, 15, 0, tzinfo=UTC)
    sent(person, now - DAY)
    assert planned(now)[person.pk] == ("planned", "", planned_at)


def test_a_month_of_the_calendar() -> None:
    (person,) = make_audience(1)
    cap(most=1, unit=CapUnit.MONTH, clock=CapClock.CALENDAR)
    sent(person, datetime(2026, 3, 1, 0, tzinfo=UTC))
    assert planned(datetime(2026, 3, 31, 12, tzinfo=UTC))[person.pk][1] == "frequency_cap"
    assert planned(datetime(2026, 4, 1, 12, tzinfo=UTC))[person.pk][0] == "planned"


def test_a_message_sent_later_than_planned_still_holds_the_cap() -> None:
    """The first campaign was held up for a day, so that both would come within the span: the second waits."""
    (person,) = make_audience(1)
    cap(most=1, unit=CapUnit.DAY, action=CapAction.DEFER)
    late = DUE + DAY
    planned(late)
    sent(person, late - HOUR)  # planned for long before, sent only now
    batch = batches.claim(now=late, worker="test")
    assert batch
    assert groups.turn(batch, outcomes=[], size=10, now=late) == []
    delivery = batch.deliveries().get()
    assert (delivery.state, delivery.due_at) == ("planned", late - HOUR + DAY)
    batches.complete(batch)
    again = batches.claim(now=late + DAY, worker="test")
    assert again
    assert len(groups.turn(again, outcomes=[], size=10, now=late + DAY)) == 1


def test_a_dropping_cap_leaves_out_at_sending_too() -> None:
    (person,) = make_audience(1)
    cap(most=1, unit=CapUnit.DAY)
    planned()
    sent(person, DUE)
    batch = batches.claim(now=DUE, worker="test")
    assert batch
    assert groups.turn(batch, outcomes=[], size=10, now=DUE) == []
    delivery = batch.deliveries().get()
    assert (delivery.state, delivery.reason) == ("excluded", "frequency_cap")


TIMES = st.lists(st.integers(0, 40 * 24), max_size=8)


@settings(deadline=None, max_examples=40)
@given(
    earlier=TIMES, most=st.integers(1, 3), unit=st.sampled_from(["day", "week"]),
    clock=st.sampled_from(CapClock.values),
)  # fmt: skip
def test_wherever_a_message_is_put_the_cap_holds(earlier: list[int], most: int, unit: str, clock: str) -> None:
    """Against a plain count of every window that could hold the new message."""
    Delivery.objects.all().delete()
    FrequencyCap.objects.all().delete()
    (person,) = make_audience(1)
    now = DUE + 40 * DAY
    times = [DUE + hours * HOUR for hours in earlier]
    sent(person, *times)
    found = selectors.held(
        [cap(most=most, unit=unit, clock=clock, action=CapAction.DEFER)], people=[person.pk], now=now
    )
    placed = found.get(person.pk, now)
    if placed is not None:
        assert placed >= now
        assert _count(times, placed, unit, clock) < most


def _count(times: list[datetime], placed: datetime, unit: str, clock: str) -> int:
    span = {"day": DAY, "week": WEEK}[unit]
    if clock == CapClock.ROLLING:
        return sum(abs(at - placed) < span for at in times)

    def period(at: datetime) -> Any:
        local = at.astimezone(SHANGHAI)
        return local.date() if unit == "day" else local.isocalendar()[:2]

    return sum(period(at) == period(placed) for at in times)


def test_changes_of_caps_are_in_the_audit_log() -> None:
    made = cap()
    made.most = 3
    caps.save(cap=made, actor="user:anna", now=DUE)
    caps.delete(cap=made, actor="user:anna", now=DUE)
    actions = AuditLeaf.objects.filter(object_type="cap").order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["cap.created", "cap.changed", "cap.deleted"]


WRONG = {
    "cap_allows_something": {"most": 0},
    "cap_calendar_counts_single_periods": {"clock": CapClock.CALENDAR, "periods": 2},
    "cap_calendar_has_no_hours": {"clock": CapClock.CALENDAR, "unit": CapUnit.HOUR},
    "cap_rolling_has_no_months": {"unit": CapUnit.MONTH},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_cap_that_means_nothing_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        cap(**WRONG[name])
    with pytest.raises(IntegrityError, match=name):
        FrequencyCap.objects.create(**{"name": "x", "most": 1, **WRONG[name]})


def test_a_segment_that_a_cap_uses_is_not_deleted() -> None:
    tier = segments.create(key="tier", name="Tier", definition={"any": []}, actor="test", now=DUE)
    cap(segment=tier)
    with pytest.raises(IntegrityError):
        tier.delete()
