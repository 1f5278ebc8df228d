from datetime import datetime

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from campaigns import content
from campaigns.models import Batch, Campaign, Delivery
from campaigns.services import campaigns, dispatch, runs
from campaigns.services.campaigns import ApprovalError, CampaignError
from campaigns.states import BatchState, CampaignState, DeliveryState, RunState, TransitionError
from compliance.models import AuditLeaf
from compliance.services import audit
from segments.models import SegmentKind
from tests.factories.campaigns import (
    BEFORE,
    CampaignFactory,
    MessageTemplateFactory,
    SendingChannelFactory,
    UserFactory,
    make_approved_campaign,
    make_approver,
    make_audience,
)
from tests.factories.segments import SegmentFactory

pytestmark = pytest.mark.django_db


def actions(campaign: Campaign) -> list[str]:
    found = AuditLeaf.objects.filter(object_type="campaign", object_id=str(campaign.uid)).order_by("pk")
    return list(found.values_list("action", flat=True))


def test_second_person_approves(now: datetime) -> None:
    campaign = CampaignFactory()
    author, approver = UserFactory(), make_approver()
    campaigns.submit(campaign=campaign, user=author, now=now)
    seen = content.digest(campaign)
    approved = campaigns.approve(campaign=campaign, user=approver, now=now, seen=seen)
    assert approved.state == CampaignState.APPROVED
    assert (approved.submitted_by, approved.approved_by) == (author, approver)
    assert approved.approved_content == seen
    assert actions(campaign) == ["campaign.submitted", "campaign.approved"]
    assert set(AuditLeaf.objects.values_list("actor", flat=True)) == {"user:author", "user:approver"}


def test_campaign_to_an_uploaded_list(now: datetime) -> None:
    """A list has no rule that could be wrong."""
    listed = SegmentFactory(kind=SegmentKind.UPLOADED, definition={})
    assert make_approved_campaign(segment=listed, scheduled_at=now).state == CampaignState.APPROVED


def test_nobody_approves_their_own_campaign(now: datetime) -> None:
    approver = make_approver()
    campaign = campaigns.submit(campaign=CampaignFactory(), user=approver, now=now)
    with pytest.raises(ApprovalError, match="somebody else"):
        campaigns.approve(campaign=campaign, user=approver, now=now)
    # The database holds it as well, whoever writes.
    with pytest.raises(IntegrityError, match="campaign_approved_by_another_person"), transaction.atomic():
        Campaign.objects.update(state="approved", approved_by=approver, approved_at=now, approved_content="x")


def test_approval_needs_the_permission(now: datetime) -> None:
    campaign = campaigns.submit(campaign=CampaignFactory(), user=UserFactory(), now=now)
    with pytest.raises(ApprovalError, match="permission"):
        campaigns.approve(campaign=campaign, user=UserFactory(username="other"), now=now)


def test_approval_is_of_what_was_seen(now: datetime) -> None:
    campaign = campaigns.submit(campaign=CampaignFactory(), user=UserFactory(), now=now)
    seen = content.digest(campaign)
    campaign.template.subject = "Something else"
    campaign.template.save()
    with pytest.raises(ApprovalError, match="changed"):
        campaigns.approve(campaign=campaign, user=make_approver(), now=now, seen=seen)


@pytest.mark.parametrize("state", ["approved", "running", "finished"])
def test_nothing_is_sent_without_approval(state: str) -> None:
    campaign = CampaignFactory()
    with pytest.raises(IntegrityError, match="campaign_sends_only_approved"), transaction.atomic():
        Campaign.objects.filter(pk=campaign.pk).update(state=state)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda: {"template": MessageTemplateFactory(text="no links")}, "template"),
        (lambda: {"template": MessageTemplateFactory(kind="sms")}, "template"),
        (
            lambda: {"channel": SendingChannelFactory(kind="sms"), "template": MessageTemplateFactory(kind="sms")},
            "channel",
        ),
    ],
)
def test_what_cannot_be_sent_is_not_submitted(now: datetime, change, field: str) -> None:  # type: ignore[no-untyped-def]
    campaign = CampaignFactory(**change())
    with pytest.raises(CampaignError) as raised:
        campaigns.submit(campaign=campaign, user=UserFactory(), now=now)
    assert raised.value.field == field
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.DRAFT


def test_broken_segment_and_retired_purpose_are_not_submitted(now: datetime) -> None:
    campaign = CampaignFactory()
    campaign.segment.definition = {"nonsense": 1}
    campaign.segment.save()
    with pytest.raises(CampaignError, match="segment"):
        campaigns.submit(campaign=campaign, user=UserFactory(), now=now)
    campaign.purpose.is_active = False
    campaign.purpose.save()
    with pytest.raises(CampaignError, match="purpose"):
        campaigns.submit(campaign=campaign, user=UserFactory(), now=now)


@pytest.mark.parametrize("sender_back", [UserFactory, make_approver])
def test_sent_back_by_author_or_approver(now: datetime, sender_back) -> None:  # type: ignore[no-untyped-def]
    campaign = make_approved_campaign()
    campaigns.send_back(campaign=campaign, user=sender_back(), now=now)
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.DRAFT
    assert (campaign.submitted_by, campaign.approved_by, campaign.approved_content) == (None, None, "")


def test_not_sent_back_by_anybody(now: datetime) -> None:
    with pytest.raises(ApprovalError):
        campaigns.send_back(campaign=make_approved_campaign(), user=UserFactory(username="other"), now=now)


def test_state_moves_only_along_the_map(now: datetime) -> None:
    user: User = UserFactory()
    campaign = make_approved_campaign()
    with pytest.raises(TransitionError):
        campaigns.submit(campaign=campaign, user=user, now=now)
    campaigns.cancel(campaign=campaign, user=user, now=now)
    with pytest.raises(TransitionError):
        campaigns.cancel(campaign=campaign, user=user, now=now)
    with pytest.raises(TransitionError):
        campaigns.approve(campaign=campaign, user=make_approver("third"), now=now)
    assert actions(campaign) == ["campaign.submitted", "campaign.approved", "campaign.cancelled"]


def test_failed_leaf_undoes_the_act(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = CampaignFactory()
    author = UserFactory()
    monkeypatch.setattr(audit, "_leaf", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        campaigns.submit(campaign=campaign, user=author, now=now)
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.DRAFT


def test_cancelling_stops_what_nobody_has_in_hand(now: datetime) -> None:
    people = make_audience(5)
    campaign = make_approved_campaign()
    (run,) = runs.launch_due(now=now, actor="system")
    runs.plan(run=run, now=now, actor="system")
    Delivery.objects.filter(profile=people[0]).update(state=DeliveryState.CLAIMED)
    campaigns.cancel(campaign=campaign, user=UserFactory(), now=now)
    run.refresh_from_db()
    assert run.state == RunState.CANCELLED
    assert Batch.objects.get().state == BatchState.DONE
    stopped = Delivery.objects.filter(state=DeliveryState.CANCELLED, reason="campaign_cancelled")
    assert stopped.count() == 4
    assert dispatch.claim_batch(now=now, worker="test") is None
    assert AuditLeaf.objects.get(action="campaign.cancelled").recorded_at == now


def test_digest_covers_everything_that_matters() -> None:
    campaign = make_approved_campaign()
    digests = {content.digest(campaign)}
    for part, field, value in [
        (campaign.template, "text", "new"),
        (campaign.template, "html", "new"),
        (campaign.template, "subject", "new"),
        (campaign.segment, "definition", {"any": []}),
        (campaign.channel, "from_address", "new@example.com"),
        (campaign.purpose, "key", "new"),
        (campaign, "scheduled_at", BEFORE),
        (campaign, "name", "new"),
    ]:
        setattr(part, field, value)
        digests.add(content.digest(campaign))
    assert len(digests) == 9
