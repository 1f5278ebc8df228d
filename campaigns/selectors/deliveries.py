"""Questions about deliveries; nothing here changes anything."""

from collections.abc import Iterable

from django.db.models import Count, QuerySet

from campaigns.models import Campaign, Delivery, Run
from campaigns.months import month_of
from campaigns.states import DeliveryState

Counts = dict[str, int]


def of_run(run: Run) -> QuerySet[Delivery]:
    """The deliveries of a run. Naming the month lets PostgreSQL look into one partition only."""
    return Delivery.objects.filter(run=run, month=month_of(run))


def of_campaign(campaign: Campaign) -> QuerySet[Delivery]:
    """The deliveries of all runs of a campaign."""
    runs = list(campaign.runs.all())
    return Delivery.objects.filter(run__in=runs, month__in={month_of(run) for run in runs})


def counts_by_state(deliveries: QuerySet[Delivery]) -> Counts:
    """How many are in each state, the states in their natural order, those without any left out."""
    found = _counts(deliveries.values_list("state").annotate(Count("pk")))
    return {state: found[state] for state in DeliveryState.values if state in found}


def counts_by_reason(deliveries: QuerySet[Delivery]) -> Counts:
    """How many got no message, by reason, the most frequent first."""
    rows = deliveries.exclude(reason="").values_list("reason").annotate(number=Count("pk"))
    return _counts(rows.order_by("-number", "reason"))


def _counts(rows: Iterable[tuple[str, int]]) -> Counts:
    return dict(rows)
