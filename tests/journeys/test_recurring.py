"""A recurring campaign with a real worker, beat, broker and mail server."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from django_celery_beat.models import PeriodicTask, PeriodicTasks

from campaigns.models import Delivery, Run
from campaigns.services import alarms
from campaigns.states import CampaignState, RunState
from tests.campaigns.smtp import Mailbox
from tests.factories.campaigns import make_audience, make_recurring_campaign
from tests.journeys.processes import Broker, Processes, wait_for

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

PEOPLE = 30


def test_the_alarm_rings_and_one_run_is_sent(tmp_path: Path) -> None:
    """The task of the campaign is overdue when beat starts, so that nobody has to wait for its time."""
    make_audience(PEOPLE)
    due = timezone.now().replace(second=0, microsecond=0) - timedelta(minutes=5)
    approved = due - timedelta(minutes=10)
    campaign = make_recurring_campaign(approved_at=approved, hour="*", minute=str(due.minute), timezone="UTC")
    task = PeriodicTask.objects.filter(name=alarms.name_of(campaign))
    task.update(last_run_at=approved)
    PeriodicTasks.update_changed()
    broker = Broker()
    try:
        with (
            Mailbox() as mailbox,
            Processes(broker=broker, email_url=f"smtp://127.0.0.1:{mailbox.port}", log=tmp_path / "log") as processes,
        ):
            processes.beat()
            processes.worker()
            sent = Run.objects.filter(campaign=campaign, state=RunState.FINISHED)
            wait_for("the run", sent.exists, seconds=90)
            assert len(mailbox.recipients) == PEOPLE
            assert len(set(mailbox.recipients)) == PEOPLE
    finally:
        broker.stop()
    run = sent.get()
    assert run.scheduled_at == due
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.RUNNING
    assert campaign.next_at == due + timedelta(hours=1)
    assert set(Delivery.objects.values_list("state", flat=True)) == {"sent"}
    assert task.get().enabled
