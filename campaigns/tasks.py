"""Wake-up calls. All pending work is rows, so a lost task loses nothing and a repeated one does nothing twice."""

import logging
import os
import socket
import time

from celery import shared_task
from django.utils import timezone

from campaigns.models import Campaign
from campaigns.selectors import work
from campaigns.services import alarms, recurrence, runs
from campaigns.services import dispatch as dispatching
from compliance import actors

logger = logging.getLogger(__name__)

SLICE = 30.0  # seconds after which a dispatch task lets the other tasks of its worker process have a turn
WAKE_AT_MOST = 4  # dispatch tasks a tick; with a tick a second even many worker processes are soon busy
EXPIRES = 10.0  # seconds after which a wake-up call that no worker had time for is stale


@shared_task
def tick() -> None:
    """Do what is due: launch, plan, recover, finish, and wake workers. Cheap when idle, safe to run concurrently."""
    now = timezone.now()
    runs.launch_due(now=now, actor=actors.SYSTEM)
    for run in work.runs_to_plan():
        try:
            runs.plan(run=run, now=now, actor=actors.SYSTEM)
        except Exception:  # one campaign that cannot be planned must not hold up the others
            logger.exception("run %s could not be planned", run.pk)
    dispatching.recover_expired(now=now)
    runs.finish_done(now=now)
    for _ in range(work.due_batches(now=timezone.now(), at_most=WAKE_AT_MOST)):
        dispatch.apply_async(expires=EXPIRES)


@shared_task
def dispatch() -> None:
    """Send batches until there are none or the slice of time is used up."""
    worker = f"{socket.gethostname()}:{os.getpid()}"
    deadline = time.monotonic() + SLICE
    while time.monotonic() < deadline:
        batch = dispatching.claim_batch(now=timezone.now(), worker=worker)
        if batch is None:
            return
        dispatching.send_batch(batch=batch, seconds=deadline - time.monotonic())


@shared_task
def launch_recurring(key: str) -> None:
    """A recurring campaign's alarm rang: launch what is due of it."""
    for campaign in Campaign.objects.filter(key=key):
        recurrence.launch(campaign=campaign, now=timezone.now(), actor=actors.SYSTEM)


@shared_task
def reconcile_recurring() -> None:
    """Launch what no alarm rang for, finish what has ended, and put the alarms right."""
    now = timezone.now()
    recurrence.launch_due(now=now, actor=actors.SYSTEM)
    recurrence.finish_ended(now=now, actor=actors.SYSTEM)
    alarms.reconcile(now=now, actor=actors.SYSTEM)
