"""What waits to be done."""

from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet

from campaigns.models import Batch, Campaign, CampaignKind, Run
from campaigns.states import BatchState, CampaignState, RunState


def runs_to_plan() -> QuerySet[Run]:
    """Runs that were launched and not planned yet, the oldest first; not those of paused campaigns."""
    waiting = Run.objects.filter(state=RunState.PLANNING).exclude(campaign__state=CampaignState.PAUSED)
    return waiting.select_related("campaign").order_by("pk")


def due_batches(*, now: datetime, at_most: int) -> int:
    """How many batches could be claimed now, counted no further than `at_most`."""
    return len(claimable(now)[:at_most])


def claimable(now: datetime) -> QuerySet[Batch]:
    """Pending batches that are due, of runs being sent on an active channel; not those of paused campaigns."""
    return Batch.objects.filter(
        state=BatchState.PENDING,
        due_at__lte=now,
        run__state=RunState.SENDING,
        run__campaign__channel__is_active=True,
    ).exclude(run__campaign__state=CampaignState.PAUSED)


def recurring_due(now: datetime) -> QuerySet[Campaign]:
    """Recurring campaigns with a time that has come and was not decided about, the one that waits longest first."""
    return Campaign.objects.filter(next_at__lte=now).order_by("next_at", "pk")


def recurring_ended(now: datetime) -> QuerySet[Campaign]:
    """Recurring campaigns whose end has passed, with no time left to decide about and no run under way."""
    under_way = Run.objects.filter(campaign=OuterRef("pk"), state__in=[RunState.PLANNING, RunState.SENDING])
    going = [CampaignState.APPROVED, CampaignState.RUNNING, CampaignState.PAUSED]
    ended = Campaign.objects.filter(kind=CampaignKind.RECURRING, state__in=going, next_at=None, ends_at__lte=now)
    return ended.filter(~Exists(under_way)).order_by("pk")
