"""The wake-up calls, called as functions; with real workers and a real broker in tests/journeys."""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from campaigns import tasks
from campaigns.models import Campaign, Delivery, Run
from campaigns.selectors import work
from campaigns.states import CampaignState, RunState
from tests.campaigns.smtp import Mailbox
from tests.factories.campaigns import SendingChannelFactory, make_approved_campaign, make_audience

pytestmark = pytest.mark.django_db


def launch(**fields: object) -> Campaign:
    """A campaign that is due, on a channel that is switched off, so that a tick wakes nobody."""
    channel = SendingChannelFactory(is_active=False)
    return make_approved_campaign(channel=channel, scheduled_at=timezone.now() - timedelta(seconds=1), **fields)


def test_tick_is_cheap_when_idle(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_max_num_queries(6):
        tasks.tick()


def test_tick_launches_plans_and_finishes() -> None:
    make_audience(3)
    campaign = launch()
    tasks.tick()
    assert Run.objects.get().state == RunState.SENDING
    assert Delivery.objects.count() == 3
    assert work.due_batches(now=timezone.now(), at_most=4) == 0
    Delivery.objects.update(state="sent")
    Run.objects.get().batches.update(state="done")
    tasks.tick()
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.FINISHED


def test_run_that_cannot_be_planned_holds_up_no_other() -> None:
    make_audience(1)
    broken, good = launch(), launch()
    broken.channel.batch_size = 0  # divides by zero
    broken.channel.save()
    tasks.tick()
    assert broken.runs.get().state == RunState.PLANNING
    assert good.runs.get().state == RunState.SENDING
    broken.channel.batch_size = 10
    broken.channel.save()
    tasks.tick()
    assert broken.runs.get().state == RunState.SENDING


def test_dispatch_sends_all_that_is_due(mailbox: Mailbox) -> None:
    make_audience(25)
    campaign = launch()
    tasks.tick()
    campaign.channel.batch_size = 10
    campaign.channel.is_active = True
    campaign.channel.save()
    assert work.due_batches(now=timezone.now(), at_most=4) == 1
    tasks.dispatch()
    assert len(mailbox.recipients) == 25
    tasks.tick()
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.FINISHED
