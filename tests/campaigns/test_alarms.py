"""The PeriodicTask of a recurring campaign follows its row, whatever somebody does to it by hand."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask, PeriodicTasks

from campaigns import tasks
from campaigns.models import Campaign, Run
from campaigns.services import alarms, campaigns, recurrence
from compliance.models import AuditLeaf
from tests.campaigns.test_recurrence import pauser
from tests.factories.campaigns import RecurringCampaignFactory, UserFactory, make_approver, make_recurring_campaign

pytestmark = pytest.mark.django_db

EVE = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIRST = datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.fixture
def campaign() -> Campaign:
    return make_recurring_campaign(approved_at=EVE, key="daily")


def alarm() -> PeriodicTask:
    return PeriodicTask.objects.get(name="campaigns: recurring daily")


def reconcile() -> list[str]:
    return alarms.reconcile(now=EVE, actor="system")


def test_approval_sets_it(campaign: Campaign) -> None:
    task = alarm()
    assert (task.task, json.loads(task.kwargs), task.enabled) == (alarms.TASK, {"key": "daily"}, True)
    assert (task.crontab.hour, task.crontab.minute, str(task.crontab.timezone)) == ("9", "0", "Europe/Berlin")
    assert reconcile() == []


def test_a_draft_has_none() -> None:
    campaigns.submit(campaign=RecurringCampaignFactory(), user=UserFactory(), now=EVE)
    assert reconcile() == []
    assert not PeriodicTask.objects.filter(name__startswith=alarms.PREFIX).exists()


def test_a_running_beat_is_told(campaign: Campaign) -> None:
    before = PeriodicTasks.last_change()
    recurrence.pause(campaign=campaign, user=pauser(), now=EVE)
    assert PeriodicTasks.last_change() > before


def test_it_is_off_while_the_campaign_is_paused(campaign: Campaign) -> None:
    recurrence.pause(campaign=campaign, user=pauser(), now=EVE)
    assert not alarm().enabled
    recurrence.resume(campaign=campaign, user=pauser(), now=EVE)
    assert alarm().enabled


def test_it_is_off_when_the_campaign_is_cancelled_sent_back_or_changed(campaign: Campaign) -> None:
    campaigns.send_back(campaign=campaign, user=make_approver(), now=EVE)
    assert not alarm().enabled
    campaigns.submit(campaign=campaign, user=UserFactory(), now=EVE)
    campaigns.approve(campaign=campaign, user=make_approver(), now=EVE)
    assert alarm().enabled
    campaign.template.text += "more"
    campaign.template.save()
    assert recurrence.launch(campaign=campaign, now=FIRST, actor="system") is None
    assert not alarm().enabled
    campaigns.cancel(campaign=campaign, user=UserFactory(), now=FIRST)
    assert not alarm().enabled


def test_it_is_off_after_the_last_time() -> None:
    campaign = make_recurring_campaign(approved_at=EVE, key="daily", ends_at=FIRST)
    assert alarm().enabled
    recurrence.launch(campaign=campaign, now=FIRST, actor="system")
    assert not alarm().enabled


def test_deleted_by_hand_it_is_restored(campaign: Campaign) -> None:
    alarm().delete()
    assert reconcile() == ["campaigns: recurring daily"]
    assert alarm().enabled
    assert AuditLeaf.objects.get(action="campaign.alarm_restored").object_id == str(campaign.uid)
    assert reconcile() == []


@pytest.mark.parametrize(
    "change",
    [
        {"enabled": False},
        {"task": "campaigns.tasks.tick"},
        {"kwargs": '{"key": "other"}'},
        {"args": "[1]"},
        {"one_off": True},
        {"queue": "nobody listens"},
        {"start_time": datetime(2030, 1, 1, tzinfo=UTC)},
        {"expires": datetime(2020, 1, 1, tzinfo=UTC)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_changed_by_hand_it_is_put_right(campaign: Campaign, change: dict[str, object]) -> None:
    fields = [*alarms.OTHERWISE, "kwargs", "crontab_id"]
    right = PeriodicTask.objects.values(*fields).get(pk=alarm().pk)
    PeriodicTask.objects.filter(pk=alarm().pk).update(**change)
    assert reconcile() == ["campaigns: recurring daily"]
    assert PeriodicTask.objects.values(*fields).get(pk=alarm().pk) == right


def test_another_schedule_is_put_right_and_a_shared_one_is_left_alone(campaign: Campaign) -> None:
    interval = IntervalSchedule.objects.create(every=1, period="seconds")
    PeriodicTask.objects.filter(pk=alarm().pk).update(interval=interval, crontab=None)
    assert reconcile()
    task = alarm()
    assert (task.interval, task.crontab.hour) == (None, "9")
    CrontabSchedule.objects.filter(pk=task.crontab_id).update(hour="17")
    assert reconcile()
    assert alarm().crontab.hour == "9"
    assert CrontabSchedule.objects.get(pk=task.crontab_id).hour == "17"


def test_that_of_no_campaign_is_removed(campaign: Campaign) -> None:
    PeriodicTask.objects.create(
        name=f"{alarms.PREFIX}gone", task=alarms.TASK, crontab=alarm().crontab, kwargs='{"key": "gone"}'
    )
    assert reconcile() == [f"{alarms.PREFIX}gone"]
    assert alarm().enabled
    tasks.launch_recurring(key="gone")  # and if it rings before, nothing happens


def test_ringing_twice_makes_one_run() -> None:
    now = timezone.now()
    make_recurring_campaign(approved_at=now - timedelta(minutes=20), key="often", hour="*", minute="*/15")
    tasks.launch_recurring(key="often")
    tasks.launch_recurring(key="often")
    tasks.reconcile_recurring()
    run = Run.objects.exclude(state="skipped").get()
    assert (run.scheduled_at.minute % 15, run.scheduled_at.second) == (0, 0)


def test_a_ring_that_was_lost_is_made_up_for_within_a_minute() -> None:
    now = timezone.now()
    make_recurring_campaign(approved_at=now - timedelta(minutes=20), key="often", hour="*", minute="*/15")
    alarm_of_often = PeriodicTask.objects.get(name=f"{alarms.PREFIX}often")
    alarm_of_often.delete()
    tasks.reconcile_recurring()
    assert Run.objects.exclude(state="skipped").count() == 1
    assert PeriodicTask.objects.filter(name=f"{alarms.PREFIX}often", enabled=True).exists()


def test_the_reconciliation_finishes_what_has_ended() -> None:
    now = timezone.now()
    campaign = make_recurring_campaign(
        approved_at=now - timedelta(days=9), key="often", hour="*", ends_at=now - timedelta(days=1)
    )
    tasks.reconcile_recurring()
    campaign.refresh_from_db()
    assert campaign.state == "finished"
    assert set(campaign.runs.values_list("state", flat=True)) == {"skipped"}
