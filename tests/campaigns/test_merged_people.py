"""Sending to people whose profiles were merged."""

from datetime import datetime, timedelta

import pytest

from campaigns.models import Delivery
from compliance.services import unsubscribe
from segments.models import Profile
from segments.services import merging
from tests.campaigns.smtp import Mailbox
from tests.campaigns.stage import launch, send_all, states
from tests.factories.api import api
from tests.factories.campaigns import make_audience

pytestmark = pytest.mark.django_db


def merge(survivor: Profile, absorbed: Profile, now: datetime) -> None:
    merging.merge(survivor_id=survivor.pk, absorbed_id=absorbed.pk, cause="staff", actor="test", now=now)


def test_a_planned_message_to_who_was_merged_is_dropped_with_the_reason(now: datetime, mailbox: Mailbox) -> None:
    first, second, _ = make_audience(3)
    run = launch(now)
    merge(first, second, now)
    send_all(now)
    assert states() == {"sent": 2, "excluded": 1}
    dropped = Delivery.objects.get(run=run, profile=second)
    assert (dropped.state, dropped.reason) == ("excluded", "merged")
    assert "reader-1@example.com" not in mailbox.recipients


def test_who_was_merged_is_in_no_audience(now: datetime) -> None:
    first, second = make_audience(2)
    merge(first, second, now)
    run = launch(now)
    assert list(Delivery.objects.filter(run=run).values_list("profile", flat=True)) == [first.pk]


def test_the_link_of_a_message_from_before_the_merge_stops_the_survivor(now: datetime, mailbox: Mailbox) -> None:
    first, second = make_audience(2)
    run = launch(now)
    send_all(now)
    merge(first, second, now)
    unsubscribe.by_address(
        digest=bytes(Delivery.objects.get(run=run, profile=second).address_digest or b""), subject_id=second.pk,
        purpose_id=run.campaign.purpose_id, channel="email", method="link", source="link", actor="system",
        now=now + timedelta(hours=1),
    )  # fmt: skip
    later = launch(now + timedelta(hours=2), scheduled_at=now + timedelta(hours=2))
    reasons = Delivery.objects.filter(run=later).values_list("profile", "reason")
    assert list(reasons) == [(first.pk, "consent_withdrawn")]


def test_deliveries_of_the_whole_person_are_read_by_any_of_their_uids(now: datetime) -> None:
    first, second = make_audience(2)
    launch(now)
    merge(first, second, now)
    for one in (first, second):
        rows = api("deliveries:read").get(f"/api/v1/deliveries/?profile={one.subject.uid}").json()["results"]
        assert {row["profile"] for row in rows} == {str(first.subject.uid), str(second.subject.uid)}
