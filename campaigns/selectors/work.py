"""What waits to be done."""

from datetime import datetime

from django.db.models import QuerySet

from campaigns.models import Batch, Run
from campaigns.states import BatchState, RunState


def runs_to_plan() -> QuerySet[Run]:
    """Runs that were launched and not planned yet, the oldest first."""
    return Run.objects.filter(state=RunState.PLANNING).select_related("campaign").order_by("pk")


def due_batches(*, now: datetime, at_most: int) -> int:
    """How many batches could be claimed now, counted no further than `at_most`."""
    return len(claimable(now)[:at_most])


def claimable(now: datetime) -> QuerySet[Batch]:
    """Pending batches that are due, of runs being sent on a channel that is switched on."""
    return Batch.objects.filter(
        state=BatchState.PENDING,
        due_at__lte=now,
        run__state=RunState.SENDING,
        run__campaign__channel__is_active=True,
    )
