"""Batches: claimed for the length of a lease, given back, postponed, recovered. `dispatch` is the way in."""

import secrets
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Min, QuerySet

from campaigns.channels import Route
from campaigns.content import Content
from campaigns.hours import Timing
from campaigns.models import Batch, Delivery
from campaigns.months import month_of
from campaigns.reasons import ExclusionReason
from campaigns.selectors import work
from campaigns.selectors.routes import route_of
from campaigns.states import BatchState, DeliveryState, RunState
from compliance import actors
from compliance.services import audit

# Longer than a group may take: GROUP_LIMIT (see handover), and one message that waits for the server at each of its
# steps (5 x EMAIL_TIMEOUT).
LEASE = timedelta(seconds=180)
DOWN_FIRST, DOWN_LONGEST = timedelta(seconds=30), timedelta(hours=1)  # waits for a channel that is down, doubling
MAX_DOWN = 20  # times in a row, some 14 hours
DIED = "the worker stopped before it recorded what became of this message"


@dataclass(frozen=True)
class ClaimedBatch:
    """A batch that this worker holds. `fence` is new with every claim, so a former holder is told apart."""

    batch_id: int
    fence: str
    run_id: int
    run_uid: UUID
    month: date
    step: int
    wave: int
    first_profile: int
    last_profile: int
    purpose_id: int
    channel: str
    content: Content
    route: Route
    timing: Timing

    def deliveries(self) -> QuerySet[Delivery]:
        return Delivery.objects.filter(
            run=self.run_id,
            month=self.month,
            step=self.step,
            wave=self.wave,
            profile__gte=self.first_profile,
            profile__lte=self.last_profile,
        )

    def row(self) -> QuerySet[Batch]:
        """The batch, while it is still ours."""
        return Batch.objects.filter(pk=self.batch_id, state=BatchState.CLAIMED, claimed_by=self.fence)


@transaction.atomic
def claim(*, now: datetime, worker: str) -> ClaimedBatch | None:
    """Take the batch that is due longest, for the length of a lease; None when there is none."""
    free = (
        work.claimable(now).select_for_update(of=("self",), skip_locked=True).select_related("run__campaign__channel")
    )
    batch = free.order_by("due_at").first()
    if batch is None:
        return None
    batch.state = BatchState.CLAIMED
    batch.lease_until = now + LEASE
    batch.claimed_by = f"{worker[:100]} {secrets.token_hex(6)}"
    batch.save(update_fields=["state", "lease_until", "claimed_by"])
    return _claimed(batch)


@transaction.atomic
def complete(batch: ClaimedBatch) -> None:
    """Give the batch back: done, or due again when its first planned delivery is.

    With a delivery still claimed (its outcome could not be recorded) the batch is left to recovery.
    """
    locked = batch.row().select_for_update().first()
    if locked is not None and not batch.deliveries().filter(state=DeliveryState.CLAIMED).exists():
        _give_back(locked, batch.deliveries(), attempts=0)


@transaction.atomic
def postpone(batch: ClaimedBatch, *, error: str, progressed: bool, now: datetime) -> Counter[str]:
    """Let the batch wait because its channel is down; after `MAX_DOWN` times in a row its deliveries have failed.

    The batch's `attempts` counts these times, anew once something was sent (`progressed`). Returns how many deliveries
    changed to which state.
    """
    locked = batch.row().select_for_update().first()
    if locked is None:
        return Counter()
    attempts = 1 if progressed else locked.attempts + 1
    if attempts >= MAX_DOWN:
        planned = batch.deliveries().filter(state=DeliveryState.PLANNED)
        failed = planned.update(state=DeliveryState.FAILED, error=error[:240], changed_at=now)
        _give_back(locked, batch.deliveries(), attempts=attempts)
        return Counter({DeliveryState.FAILED.value: failed})
    wait = min(DOWN_FIRST * 2 ** (attempts - 1), DOWN_LONGEST)
    _give_back(locked, batch.deliveries(), attempts=attempts, not_before=now + wait)
    return Counter()


@transaction.atomic
def recover(*, batch_id: int, now: datetime) -> Counter[str]:
    """Settle a batch whose lease is over: what was in hand is unknown, the rest is due again."""
    expired = Batch.objects.filter(pk=batch_id, state=BatchState.CLAIMED, lease_until__lt=now)
    locked = expired.select_for_update(of=("self",), skip_locked=True).select_related("run__campaign__channel").first()
    if locked is None:  # somebody else is at it, or its worker came back
        return Counter()
    deliveries = _claimed(locked).deliveries()
    in_hand = deliveries.filter(state=DeliveryState.CLAIMED)
    unknown = in_hand.update(state=DeliveryState.UNKNOWN, error=DIED, changed_at=now)
    _give_back(locked, deliveries, attempts=locked.attempts)
    audit.append(
        action="batch.recovered",
        actor=actors.SYSTEM,
        object_type="run",
        object_id=str(locked.run.uid),
        details={"batch": locked.pk, "unknown": unknown},
        now=now,
    )
    return Counter({DeliveryState.UNKNOWN.value: unknown})


@transaction.atomic
def close_cancelled(*, batch_id: int, now: datetime) -> Counter[str]:
    """Cancel what came back into a run after it was cancelled, and close the batch."""
    pending = Batch.objects.filter(pk=batch_id, state=BatchState.PENDING, run__state=RunState.CANCELLED)
    locked = pending.select_for_update(of=("self",), skip_locked=True).select_related("run__campaign__channel").first()
    if locked is None:
        return Counter()
    deliveries = _claimed(locked).deliveries()
    stopped = deliveries.filter(state=DeliveryState.PLANNED).update(
        state=DeliveryState.CANCELLED, reason=ExclusionReason.CAMPAIGN_CANCELLED, changed_at=now
    )
    Batch.objects.filter(pk=batch_id).update(state=BatchState.DONE)
    return Counter({DeliveryState.CANCELLED.value: stopped})


def _give_back(
    batch: Batch, deliveries: QuerySet[Delivery], *, attempts: int, not_before: datetime | None = None
) -> None:
    next_due = deliveries.filter(state=DeliveryState.PLANNED).aggregate(due=Min("due_at"))["due"]
    state = BatchState.DONE if next_due is None else BatchState.PENDING
    due_at = max(next_due or batch.due_at, not_before or batch.due_at)
    Batch.objects.filter(pk=batch.pk).update(
        state=state, due_at=due_at, attempts=attempts, lease_until=None, claimed_by=""
    )


def _claimed(batch: Batch) -> ClaimedBatch:
    """What a worker needs to know of a batch, free of the models. `batch` comes with run, campaign and channel."""
    run, channel = batch.run, batch.run.campaign.channel
    return ClaimedBatch(
        batch_id=batch.pk,
        fence=batch.claimed_by,
        run_id=run.pk,
        run_uid=run.uid,
        month=month_of(run),
        step=batch.step,
        wave=batch.wave,
        first_profile=batch.first_profile,
        last_profile=batch.last_profile,
        purpose_id=run.campaign.purpose_id,
        channel=channel.kind,
        content=Content(**run.content),
        route=route_of(channel),
        timing=Timing(**run.timing),
    )
