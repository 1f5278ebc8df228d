"""Sending: batches are claimed for a time, their deliveries in groups, and every outcome is recorded.

What a crash leaves behind, and who puts it right:

| the worker dies | what is found | what `recover_expired` does once the lease is over |
|---|---|---|
| before it claims a group | deliveries planned | batch pending again, sent by another worker |
| with a group in hand | these deliveries claimed | unknown: may have been sent, never sent again by itself |
| after the outcomes are recorded | the rest planned | batch pending again |
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from campaigns.channels import ChannelAdapter, ChannelDownError, adapter_for
from campaigns.models import Batch
from campaigns.services import batches, groups
from campaigns.services.batches import ClaimedBatch
from campaigns.services.channel_health import Health
from campaigns.services.groups import Outcome
from campaigns.services.handover import Handover
from campaigns.services.people import People
from campaigns.states import BatchState, DeliveryState, RunState

FIRST_GROUP, MAX_GROUP = 10, 50  # messages; more where the channel takes more in one call
GROUP_TARGET = 0.5  # seconds that a group should take
DATABASE_PAUSES = (0.5, 1, 2, 4, 8, 16, 32, 64)  # seconds between attempts to record outcomes; within a lease in all

Clock = Callable[[], datetime]


def claim_batch(*, now: datetime, worker: str) -> ClaimedBatch | None:
    """Take a due batch of a run that is being sent, for the length of a lease; None when there is none.

    Its deliveries stay planned until `send_batch` claims them, group by group.
    """
    return batches.claim(now=now, worker=worker)


def send_batch(*, batch: ClaimedBatch, clock: Clock = timezone.now, seconds: float = math.inf) -> Counter[str]:
    """Hand over the deliveries of the batch that may go; returns how many came to which state.

    Stops claiming after so many `seconds`; what is left is due at once. It takes more than a moment, so it is given a
    clock. What it cannot judge (a database that stays away, a signal) it raises, after recording what it knows;
    `recover_expired` takes over once the lease has run out.
    """
    counts: Counter[str] = Counter()
    people = People(batch)
    health = Health(batch.route.channel_id)
    try:
        with adapter_for(kind=batch.channel, sender=batch.content.sender, route=batch.route) as adapter:
            stop_at = time.monotonic() + seconds
            _send_groups(batch, people, adapter, clock, stop_at=stop_at, counts=counts, health=health)
    except ChannelDownError as error:
        health.failed(str(error), clock())
        health.write()
        return counts + batches.postpone(
            batch, error=str(error), progressed=counts[DeliveryState.SENT] > 0, now=clock()
        )
    health.write()
    batches.complete(batch)
    return counts


def recover_expired(*, now: datetime) -> Counter[str]:
    """Settle batches whose worker did not come back, and those of cancelled runs; returns how many became what.

    Deliveries that were in hand become unknown; those that were not are sent by another worker.
    """
    found: Counter[str] = Counter()
    expired = Batch.objects.filter(state=BatchState.CLAIMED, lease_until__lt=now)
    for pk in expired.values_list("pk", flat=True):
        found += batches.recover(batch_id=pk, now=now)
    cancelled = Batch.objects.filter(state=BatchState.PENDING, run__state=RunState.CANCELLED)
    for pk in cancelled.values_list("pk", flat=True):
        found += batches.close_cancelled(batch_id=pk, now=now)
    return found


def _send_groups(
    batch: ClaimedBatch,
    people: People,
    adapter: ChannelAdapter,
    clock: Clock,
    *,
    stop_at: float,
    counts: Counter[str],
    health: Health,
) -> None:
    """Claim and hand over until nothing is left to claim. Raises `ChannelDownError` with all outcomes recorded."""
    outcomes: Sequence[Outcome] = []
    size = max(FIRST_GROUP, adapter.at_once)
    while group := _turn(batch, outcomes, size if time.monotonic() < stop_at else 0, clock):
        started = time.monotonic()
        handover = Handover(people=people, adapter=adapter, clock=clock)
        try:
            handover.run(group)
        except BaseException:
            _record_at_last(batch, handover.outcomes)
            raise
        outcomes = handover.outcomes
        counts.update(outcome.state.value for outcome in outcomes)
        health.see(outcomes)
        if handover.down:
            _record_at_last(batch, outcomes)
            raise handover.down
        pace = len(group) / max(time.monotonic() - started, 0.001)
        size = max(adapter.at_once, min(MAX_GROUP, int(pace * GROUP_TARGET)))


def _turn(batch: ClaimedBatch, outcomes: Sequence[Outcome], size: int, clock: Clock) -> list[groups.Claimed]:
    """`groups.turn`; when the database goes away, outcomes are kept until it is back, for nobody else knows them."""
    try:
        return groups.turn(batch, outcomes=outcomes, size=size, now=clock())
    except (OperationalError, InterfaceError):
        if not outcomes:
            raise
    _record_at_last(batch, outcomes)
    return groups.turn(batch, outcomes=[], size=size, now=clock())


def _record_at_last(batch: ClaimedBatch, outcomes: Sequence[Outcome]) -> None:
    """Record outcomes, outlasting a restart of the database."""
    for pause in DATABASE_PAUSES:
        try:
            with transaction.atomic():
                return groups.record(batch, outcomes)
        except (OperationalError, InterfaceError):
            connection.close()
            time.sleep(pause)
    with transaction.atomic():
        groups.record(batch, outcomes)
    return None
