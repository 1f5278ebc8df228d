"""Recurring campaigns: what is launched, once, and what is recorded when nothing is."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import IntegrityError, transaction

from campaigns.content import digest
from campaigns.models import Campaign, Delivery, Run
from campaigns.services import campaigns, recurrence, runs
from campaigns.services.campaigns import ApprovalError, CampaignError
from campaigns.states import CampaignState, RunState, TransitionError
from compliance.models import AuditLeaf
from segments.services import segments
from tests.campaigns.smtp import Mailbox
from tests.campaigns.stage import claim, send_all
from tests.factories.campaigns import (
    CampaignFactory,
    MessageTemplateFactory,
    RecurringCampaignFactory,
    UserFactory,
    give_consent,
    make_approved_campaign,
    make_approver,
    make_audience,
    make_recurring_campaign,
)

pytestmark = pytest.mark.django_db

EVE = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIRST = datetime(2026, 3, 2, 8, tzinfo=UTC)  # 09:00 in Berlin
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def make(**fields: object) -> Campaign:
    return make_recurring_campaign(approved_at=EVE, **fields)


def launch(campaign: Campaign, now: datetime) -> Run | None:
    return recurrence.launch(campaign=campaign, now=now, actor="system")


def launched(campaign: Campaign, now: datetime) -> Run:
    run = launch(campaign, now)
    assert run is not None
    return runs.plan(run=run, now=now, actor="system")


def send(campaign: Campaign, now: datetime) -> Run:
    """The run that is due, launched, sent and finished."""
    run = launched(campaign, now)
    send_all(now)
    runs.finish_done(now=now)
    run.refresh_from_db()
    assert run.state == RunState.FINISHED
    return run


def history(campaign: Campaign) -> list[tuple[datetime, str, str]]:
    return list(campaign.runs.order_by("scheduled_at").values_list("scheduled_at", "state", "reason"))


def leaves(campaign: Campaign) -> list[str]:
    rows = AuditLeaf.objects.filter(object_type="campaign", object_id=str(campaign.uid)).order_by("pk")
    return list(rows.values_list("action", flat=True))


def pauser(username: str = "pauser") -> User:
    user = UserFactory(username=username)
    user.user_permissions.add(Permission.objects.get(codename="pause_campaign"))
    return User.objects.get(pk=user.pk)


def test_each_time_is_one_run_keyed_by_the_crontabs_time(mailbox: Mailbox) -> None:
    make_audience(2)
    campaign = make()
    assert campaign.next_at == FIRST
    assert launch(campaign, FIRST - MINUTE) is None
    run = send(campaign, FIRST + timedelta(seconds=7))
    assert run.scheduled_at == FIRST
    assert launch(campaign, FIRST + timedelta(seconds=8)) is None  # the alarm rings again
    assert recurrence.launch_due(now=FIRST + MINUTE, actor="system") == []
    campaign.refresh_from_db()
    assert (campaign.state, campaign.next_at) == (CampaignState.RUNNING, FIRST + DAY)
    send(campaign, FIRST + DAY)
    assert [at for at, *_ in history(campaign)] == [FIRST, FIRST + DAY]
    assert len(mailbox.recipients) == 4


def test_each_run_takes_people_as_they_are_then(mailbox: Mailbox) -> None:
    first, later = make_audience(2, consenting=False)
    give_consent(first.pk)
    campaign = make()
    run = send(campaign, FIRST)
    assert (run.planned, run.excluded) == (1, 1)
    give_consent(later.pk, at=FIRST + MINUTE)
    assert send(campaign, FIRST + DAY).planned == 2


def test_members_are_found_anew_for_each_run(mailbox: Mailbox) -> None:
    campaign = make()
    segments.refresh(segment=campaign.segment, now=EVE, actor="test")
    assert send(campaign, FIRST).planned == 0
    make_audience(3)
    assert send(campaign, FIRST + DAY).planned == 3


def test_what_was_missed_is_launched_once_and_late(mailbox: Mailbox) -> None:
    make_audience(1)
    make()
    late = FIRST + timedelta(hours=1)
    (run,) = recurrence.launch_due(now=late, actor="system")
    assert (run.scheduled_at, run.created_at) == (FIRST, late)
    assert recurrence.launch_due(now=late, actor="system") == []


def test_of_many_missed_the_last_is_launched_and_the_others_are_recorded() -> None:
    campaign = make(hour="*", minute="*/30", timezone="UTC")
    first = campaign.next_at
    assert first is not None
    run = launched(campaign, first + timedelta(minutes=95))
    assert run.scheduled_at == first + timedelta(minutes=90)
    assert history(campaign) == [
        *[(first + timedelta(minutes=missed), "skipped", "overtaken") for missed in (0, 30, 60)],
        (first + timedelta(minutes=90), "sending", ""),
    ]
    assert leaves(campaign).count("campaign.run_skipped") == 1


def test_what_is_too_late_is_recorded_as_skipped() -> None:
    campaign = make()
    assert launch(campaign, FIRST + recurrence.LATEST + MINUTE) is None
    assert history(campaign) == [(FIRST, "skipped", "too_late")]
    assert leaves(campaign)[-1] == "campaign.run_skipped"
    campaign.refresh_from_db()
    assert (campaign.state, campaign.next_at) == (CampaignState.RUNNING, FIRST + DAY)


def test_a_long_stop_leaves_a_bounded_number_of_rows() -> None:
    campaign = make(hour="*", minute="*/15")
    launch(campaign, EVE + 30 * DAY)
    assert campaign.runs.filter(state="skipped").count() == recurrence.KEPT
    assert campaign.runs.exclude(state="skipped").count() == 1
    leaf = AuditLeaf.objects.get(action="campaign.run_skipped")
    assert b'"times":2879' in bytes(leaf.data)  # with the one launched, 30 days of quarters of an hour


@pytest.mark.parametrize("may_overlap", [False, True])
def test_overlap_only_when_the_campaign_says_so(*, may_overlap: bool) -> None:
    make_audience(1)
    campaign = make(may_overlap=may_overlap)
    launched(campaign, FIRST)  # and never sent
    launch(campaign, FIRST + DAY)
    second = (FIRST + DAY, "planning", "") if may_overlap else (FIRST + DAY, "skipped", "still_sending")
    assert history(campaign) == [(FIRST, "sending", ""), second]


def test_finished_when_its_end_has_passed_and_the_last_run_is_done(mailbox: Mailbox) -> None:
    make_audience(1)
    end = FIRST + DAY + timedelta(hours=3)
    campaign = make(ends_at=end)
    send(campaign, FIRST)
    launched(campaign, FIRST + DAY)
    campaign.refresh_from_db()
    assert (campaign.state, campaign.next_at) == (CampaignState.RUNNING, None)
    assert recurrence.finish_ended(now=end + MINUTE, actor="system") == []  # still sending
    send_all(end)
    runs.finish_done(now=end)
    assert recurrence.finish_ended(now=end - MINUTE, actor="system") == []
    assert recurrence.finish_ended(now=end, actor="system") == [campaign]
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.FINISHED
    assert leaves(campaign)[-1] == "campaign.finished"


def test_pause_holds_runs_and_messages_and_resume_goes_on(mailbox: Mailbox) -> None:
    make_audience(3)
    campaign = make()
    launched(campaign, FIRST)
    recurrence.pause(campaign=campaign, user=pauser(), now=FIRST)
    assert send_all(FIRST + MINUTE).total() == 0
    assert launch(campaign, FIRST + DAY) is None
    resumed = recurrence.resume(campaign=campaign, user=pauser(), now=FIRST + DAY + MINUTE)
    # The day in between is left out, not caught up on.
    assert (resumed.state, resumed.next_at) == (CampaignState.RUNNING, FIRST + 2 * DAY)
    assert claim(FIRST + DAY + MINUTE)
    assert history(campaign) == [(FIRST, "sending", "")]
    assert leaves(campaign)[-2:] == ["campaign.paused", "campaign.resumed"]


def test_pausing_needs_the_permission_and_the_right_state() -> None:
    campaign = make()
    with pytest.raises(ApprovalError, match="permission"):
        recurrence.pause(campaign=campaign, user=UserFactory(), now=EVE)
    with pytest.raises(TransitionError):
        recurrence.resume(campaign=campaign, user=pauser(), now=EVE)
    with pytest.raises(TransitionError):
        recurrence.pause(campaign=make_approved_campaign(), user=pauser(), now=EVE)
    recurrence.pause(campaign=campaign, user=pauser(), now=EVE)
    with pytest.raises(TransitionError):
        recurrence.pause(campaign=campaign, user=pauser(), now=EVE)


def test_a_campaign_sent_once_can_be_paused_while_it_runs(mailbox: Mailbox, now: datetime) -> None:
    make_audience(2)
    campaign = make_approved_campaign()
    (run,) = runs.launch_due(now=now, actor="system")
    runs.plan(run=run, now=now, actor="system")
    recurrence.pause(campaign=campaign, user=pauser(), now=now)
    assert send_all(now).total() == 0
    with pytest.raises(TransitionError):
        campaigns.send_back(campaign=campaign, user=make_approver(), now=now)
    recurrence.resume(campaign=campaign, user=pauser(), now=now)
    assert send_all(now)["sent"] == 2
    runs.finish_done(now=now)
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.FINISHED


def test_what_changed_after_approval_is_not_sent(mailbox: Mailbox) -> None:
    make_audience(1)
    campaign = make()
    send(campaign, FIRST)
    campaign.template.subject = "Something else"
    campaign.template.save()
    assert launch(campaign, FIRST + DAY) is None
    campaign.refresh_from_db()
    assert (campaign.state, campaign.next_at, campaign.approved_by) == (CampaignState.DRAFT, None, None)
    assert leaves(campaign)[-1] == "campaign.changed_since_approval"
    assert len(mailbox.recipients) == 1
    assert launch(campaign, FIRST + 2 * DAY) is None


def test_a_schedule_changed_behind_its_back_is_not_followed() -> None:
    campaign = make()
    Campaign.objects.update(hour="7")
    assert launch(campaign, FIRST) is None
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.DRAFT


def test_the_digest_covers_the_schedule() -> None:
    campaign = RecurringCampaignFactory()
    digests = {digest(campaign)}
    changes = {
        "minute": "1", "hour": "1", "day_of_month": "1", "month_of_year": "1", "day_of_week": "1", "timezone": "UTC",
        "starts_at": FIRST, "ends_at": FIRST, "may_overlap": True,
    }  # fmt: skip
    for name, value in changes.items():
        setattr(campaign, name, value)
        digests.add(digest(campaign))
    assert len(digests) == len(changes) + 1


def test_sent_back_between_runs_changed_and_approved_again(mailbox: Mailbox) -> None:
    make_audience(1)
    campaign = make()
    launched(campaign, FIRST)
    with pytest.raises(TransitionError, match="being sent"):
        campaigns.send_back(campaign=campaign, user=make_approver(), now=FIRST)
    send_all(FIRST)
    runs.finish_done(now=FIRST)
    campaigns.send_back(campaign=campaign, user=make_approver(), now=FIRST)
    Campaign.objects.update(hour="10")
    campaigns.submit(campaign=campaign, user=UserFactory(), now=FIRST + MINUTE)
    again = campaigns.approve(campaign=campaign, user=make_approver(), now=FIRST + MINUTE)
    assert again.next_at == FIRST + timedelta(hours=1)
    send(campaign, FIRST + timedelta(hours=1))


def test_cancelled_between_runs(mailbox: Mailbox) -> None:
    make_audience(1)
    campaign = make()
    send(campaign, FIRST)
    campaigns.cancel(campaign=campaign, user=UserFactory(), now=FIRST)
    assert launch(campaign, FIRST + DAY) is None
    assert Delivery.objects.get().state == "sent"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"minute": "*"}, "minute"),
        ({"day_of_month": "30", "month_of_year": "2"}, "day_of_month"),
        ({"timezone": "Mars"}, "timezone"),
        ({"ends_at": EVE + MINUTE}, "ends_at"),
    ],
)
def test_a_schedule_that_cannot_be_is_not_submitted(fields: dict[str, object], field: str) -> None:
    campaign = RecurringCampaignFactory(**fields)
    with pytest.raises(CampaignError) as raised:
        campaigns.submit(campaign=campaign, user=UserFactory(), now=EVE)
    assert raised.value.field == field


def test_nothing_is_approved_after_its_end() -> None:
    campaign = RecurringCampaignFactory(ends_at=FIRST)
    campaigns.submit(campaign=campaign, user=UserFactory(), now=EVE)
    with pytest.raises(CampaignError, match="ends_at"):
        campaigns.approve(campaign=campaign, user=make_approver(), now=FIRST)


def test_one_that_cannot_be_launched_holds_up_no_other() -> None:
    broken, good = make(), make()
    broken.hour = "nonsense"
    Campaign.objects.filter(pk=broken.pk).update(hour=broken.hour, approved_content=digest(broken))
    assert [run.campaign for run in recurrence.launch_due(now=FIRST, actor="system")] == [good]


@pytest.mark.parametrize(
    ("name", "make_wrong"),
    [
        ("campaign_time_if_once", lambda: CampaignFactory(scheduled_at=None)),
        ("campaign_time_if_once", lambda: RecurringCampaignFactory(scheduled_at=FIRST)),
        ("campaign_crontab_if_recurring", lambda: RecurringCampaignFactory(hour="")),
        ("campaign_crontab_if_recurring", lambda: RecurringCampaignFactory(timezone="")),
        ("campaign_crontab_if_recurring", lambda: CampaignFactory(hour="9")),
        ("campaign_crontab_if_recurring", lambda: CampaignFactory(ends_at=FIRST)),
        ("campaign_ends_after_it_starts", lambda: RecurringCampaignFactory(starts_at=FIRST, ends_at=FIRST)),
        ("campaign_next_time_while_it_recurs", lambda: RecurringCampaignFactory(next_at=FIRST)),
        ("campaign_next_time_while_it_recurs", lambda: CampaignFactory(next_at=FIRST)),
        ("run_skipped_for_a_reason", lambda: make().runs.create(scheduled_at=EVE, created_at=EVE, state="skipped")),
        ("run_skipped_for_a_reason", lambda: make().runs.create(scheduled_at=EVE, created_at=EVE, reason="too_late")),
        ("campaign_sends_only_approved", lambda: CampaignFactory(state="paused")),
    ],
)
def test_the_database_holds_the_rules(name: str, make_wrong) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        make_wrong()


def test_another_template_of_the_same_words_is_another_content() -> None:
    campaign = make()
    Campaign.objects.update(template=MessageTemplateFactory())
    assert launch(campaign, FIRST) is None
