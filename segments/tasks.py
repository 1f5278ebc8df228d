"""What beat wakes: segments follow the clock, RFM before dawn, partitions ahead of time."""

from celery import shared_task
from django.utils import timezone

from compliance.actors import SYSTEM
from segments.partitions import ensure_months, month_of, next_month
from segments.services import event_store, followup, rfm, segment_history, segment_sizes, segment_uploads, tags


@shared_task
def follow_up() -> None:
    while followup.follow_up(now=timezone.now(), actor=SYSTEM):
        pass


@shared_task
def refresh_segments() -> None:
    followup.follow_clock(now=timezone.now(), actor=SYSTEM, clock=timezone.now)


@shared_task
def take_in_uploads() -> None:
    segment_uploads.take_in_waiting(now=timezone.now(), actor=SYSTEM)


@shared_task
def forget_segment_history() -> None:
    segment_history.forget(now=timezone.now(), actor=SYSTEM)


@shared_task
def record_segment_sizes() -> None:
    segment_sizes.record_all(now=timezone.now())


@shared_task
def compute_tags() -> None:
    now = timezone.now()
    tags.follow_clock(now=now, actor=SYSTEM)
    tags.compute_due(now=now, actor=SYSTEM)


@shared_task
def recount_tags() -> None:
    tags.recount(now=timezone.now())


@shared_task
def recompute_rfm() -> None:
    rfm.recompute(now=timezone.now(), actor=SYSTEM)


@shared_task
def prepare_partitions() -> None:
    month = month_of(timezone.now())
    ensure_months(event_store.EVENT_TABLE, [month, next_month(month)])
