from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from django.db import IntegrityError, connection, transaction

from campaigns.models import Batch, Delivery, Run
from campaigns.selectors import deliveries
from campaigns.services import campaigns, runs
from campaigns.states import BatchState, CampaignState, DeliveryState, RunState
from compliance.models import AuditLeaf, SuppressionReason
from compliance.services import consent, suppression
from segments.models import Identity
from tests.factories.campaigns import (
    BEFORE,
    DUE,
    RunFactory,
    SendingChannelFactory,
    UserFactory,
    give_consent,
    make_approved_campaign,
    make_approver,
    make_audience,
)
from tests.factories.segments import make_profile

pytestmark = pytest.mark.django_db


def test_launched_once_when_due(now: datetime) -> None:
    campaign = make_approved_campaign()
    assert runs.launch_due(now=DUE - timedelta(seconds=1), actor="system") == []
    (run,) = runs.launch_due(now=now, actor="system")
    assert runs.launch_due(now=now, actor="system") == []
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.RUNNING
    assert (run.scheduled_at, run.state) == (DUE, RunState.PLANNING)
    assert AuditLeaf.objects.filter(action="run.launched", object_id=str(run.uid)).count() == 1


@pytest.mark.parametrize("part", ["template", "segment", "channel"])
def test_what_was_changed_since_approval_is_not_launched(now: datetime, part: str) -> None:
    campaign = make_approved_campaign()
    if part == "template":
        campaign.template.text += "One more line."
        campaign.template.save()
    elif part == "segment":
        campaign.segment.definition = {"any": []}
        campaign.segment.save()
    else:
        campaign.channel.from_address = "other@example.com"
        campaign.channel.save()
    assert runs.launch_due(now=now, actor="system") == []
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.DRAFT
    assert campaign.approved_content == ""
    assert AuditLeaf.objects.filter(action="campaign.changed_since_approval").count() == 1
    assert not Run.objects.exists()


def test_everybody_has_a_delivery_or_a_reason(now: datetime) -> None:
    ready, never, withdrawn, expired, suppressed, *_ = make_audience(5, consenting=False)
    nowhere = make_profile(99, email=None)
    give_consent(ready.pk, withdrawn.pk, suppressed.pk, nowhere.pk)
    give_consent(expired.pk, expires_at=now - timedelta(days=1))
    campaign = make_approved_campaign()
    consent.withdraw(
        subject_id=withdrawn.pk, purpose_id=campaign.purpose_id, channel="email", method="staff", source="test",
        actor="test", now=now,
    )  # fmt: skip
    suppression.add(
        digest=bytes(Identity.objects.get(profile=suppressed, kind="email").digest), channel="", purpose_id=None,
        reason=SuppressionReason.COMPLAINT, source="test", actor="test", now=now,
    )  # fmt: skip
    (run,) = runs.launch_due(now=now, actor="system")
    runs.plan(run=run, now=now, actor="system")
    rows = {row.profile_id: (row.state, row.reason) for row in Delivery.objects.all()}
    assert rows == {
        ready.pk: ("planned", ""),
        never.pk: ("excluded", "no_consent"),
        withdrawn.pk: ("excluded", "consent_withdrawn"),
        expired.pk: ("excluded", "consent_expired"),
        suppressed.pk: ("excluded", "suppressed"),
        nowhere.pk: ("excluded", "no_address"),
    }
    assert (run.planned, run.excluded, run.state) == (1, 5, RunState.SENDING)
    assert deliveries.counts_by_state(deliveries.of_campaign(campaign)) == {"excluded": 5, "planned": 1}
    assert sum(deliveries.counts_by_reason(deliveries.of_run(run)).values()) == 5
    leaf = AuditLeaf.objects.get(action="run.planned")
    assert b'"planned":1' in bytes(leaf.data)
    assert b'"no_consent":1' in bytes(leaf.data)


def test_erased_person_is_left_out_as_erased(now: datetime) -> None:
    (person,) = make_audience(1)
    person.subject.wrapped_key, person.subject.erased_at = None, now
    person.subject.save()
    make_approved_campaign()
    (run,) = runs.launch_due(now=now, actor="system")
    runs.plan(run=run, now=now, actor="system")
    assert Delivery.objects.get().reason == "erased"


def test_batches_cover_the_planned_and_nobody_twice(now: datetime) -> None:
    people = make_audience(25)
    campaign = make_approved_campaign(channel=SendingChannelFactory(batch_size=10))
    consent.withdraw(
        subject_id=people[3].pk, purpose_id=campaign.purpose_id, channel="email", method="staff", source="test",
        actor="test", now=now,
    )  # fmt: skip
    (run,) = runs.launch_due(now=now, actor="system")
    runs.plan(run=run, now=now, actor="system")
    batches = list(Batch.objects.order_by("first_profile"))
    sizes = [
        Delivery.objects.filter(
            state="planned", profile__gte=batch.first_profile, profile__lte=batch.last_profile
        ).count()
        for batch in batches
    ]
    assert sizes == [10, 10, 4]
    assert all(one.last_profile < two.first_profile for one, two in pairwise(batches))
    assert {batch.state for batch in batches} == {BatchState.PENDING}


def test_planning_again_changes_nothing(now: datetime) -> None:
    make_audience(3)
    make_approved_campaign()
    (run,) = runs.launch_due(now=now, actor="system")
    for _ in range(2):
        runs.plan(run=run, now=now, actor="system")
    assert (Delivery.objects.count(), Batch.objects.count()) == (3, 1)
    assert AuditLeaf.objects.filter(action="run.planned").count() == 1


def test_a_plan_that_fails_leaves_nothing_half_done(now: datetime) -> None:
    make_audience(3)
    campaign = make_approved_campaign()
    (run,) = runs.launch_due(now=now, actor="system")
    with pytest.raises(IntegrityError, match="broken"), transaction.atomic():
        _plan_without_batches(run, now)
    run.refresh_from_db()
    assert run.state == RunState.PLANNING
    assert not Delivery.objects.exists()
    runs.plan(run=run, now=now, actor="system")
    assert Delivery.objects.count() == 3
    assert campaign.runs.get().state == RunState.SENDING


def _plan_without_batches(run: Run, now: datetime) -> None:
    """Plan while no batch can be written; batches come after the deliveries, so it fails between the two."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE campaigns_batch ADD COLUMN broken int NOT NULL")
    runs.plan(run=run, now=now, actor="system")


def test_deliveries_lie_in_the_month_of_the_run(now: datetime) -> None:
    make_audience(1)
    # Still February in UTC, already March in Shanghai.
    make_approved_campaign(scheduled_at=datetime(2026, 2, 28, 20, 0, tzinfo=UTC))
    (run,) = runs.launch_due(now=now, actor="system")
    runs.plan(run=run, now=now, actor="system")
    assert Delivery.objects.get().month == date(2026, 2, 1)


def test_empty_segment_finishes_at_once(now: datetime) -> None:
    campaign = make_approved_campaign()
    (run,) = runs.launch_due(now=now, actor="system")
    assert runs.finish_done(now=now) == []
    runs.plan(run=run, now=now, actor="system")
    assert runs.finish_done(now=now) == [run]
    assert runs.finish_done(now=now) == []
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.FINISHED


@pytest.mark.parametrize("state", [DeliveryState.PLANNED, DeliveryState.CLAIMED])
def test_not_finished_while_anything_is_open(now: datetime, state: str) -> None:
    make_audience(2)
    make_approved_campaign()
    (run,) = runs.launch_due(now=now, actor="system")
    runs.plan(run=run, now=now, actor="system")
    Delivery.objects.update(state=DeliveryState.SENT)
    assert runs.finish_done(now=now) == []  # the batch is open
    Batch.objects.update(state=BatchState.DONE)
    first = Delivery.objects.first()
    assert first is not None
    Delivery.objects.filter(pk=first.pk).update(state=state)
    assert runs.finish_done(now=now) == []  # a delivery is open
    Delivery.objects.update(state=DeliveryState.UNKNOWN)
    assert runs.finish_done(now=now) == [run]


def test_sent_back_campaign_can_be_approved_and_launched_again(now: datetime) -> None:
    campaign = make_approved_campaign()
    campaigns.send_back(campaign=campaign, user=UserFactory(), now=BEFORE)
    campaigns.submit(campaign=campaign, user=UserFactory(), now=BEFORE)
    campaigns.approve(campaign=campaign, user=make_approver(), now=BEFORE)
    assert len(runs.launch_due(now=now, actor="system")) == 1


def test_run_is_unique_for_campaign_and_time() -> None:
    run = RunFactory()
    with pytest.raises(IntegrityError, match="run_once_per_campaign_and_time"), transaction.atomic():
        RunFactory(campaign=run.campaign)
