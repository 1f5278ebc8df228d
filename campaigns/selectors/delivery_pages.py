"""Deliveries in the order of their natural key, page by page."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import BigIntegerField, F, Func, OuterRef, QuerySet, Subquery, Value
from django.db.models.lookups import GreaterThan

from campaigns.models import Delivery, Run
from campaigns.months import month_of
from compliance.models import Subject
from compliance.selectors.people import whole_person

Key = tuple[int, int, int]


@dataclass(frozen=True)
class DeliveryFilter:
    """Which deliveries; None asks for nothing."""

    run: UUID | None = None
    campaign: str | None = None
    profile: UUID | None = None
    state: str | None = None
    reason: str | None = None


def page_after(wanted: DeliveryFilter, *, after: Key | None, limit: int) -> list[Delivery]:
    """Up to `limit` deliveries behind the key (run, profile, step), with run and campaign loaded, and `subject_uid`.

    The order is that of the unique index, so a page costs the same wherever it lies.
    """
    deliveries = _filtered(wanted)
    if after is not None:
        # A comparison of rows, which PostgreSQL answers with one range of the index.
        key = _row(F("run_id"), F("profile_id"), F("step"))
        deliveries = deliveries.filter(GreaterThan(key, _row(*map(Value, after))))
    ordered = deliveries.order_by("run_id", "profile_id", "step")
    # Not through the profile: a delivery outlives an erased one.
    subject = Subject.objects.filter(pk=OuterRef("profile_id")).values("uid")
    return list(ordered.select_related("run__campaign").annotate(subject_uid=Subquery(subject))[:limit])


def _row(*parts: F | Value) -> Func:
    return Func(*parts, function="ROW", output_field=BigIntegerField())


def _filtered(wanted: DeliveryFilter) -> QuerySet[Delivery]:
    deliveries = Delivery.objects.all()
    if wanted.run is not None or wanted.campaign is not None:
        runs = Run.objects.all()
        if wanted.run is not None:
            runs = runs.filter(uid=wanted.run)
        if wanted.campaign is not None:
            runs = runs.filter(campaign__key=wanted.campaign)
        found = list(runs)
        # Naming the months lets PostgreSQL look into the partitions of these runs only.
        deliveries = deliveries.filter(run__in=found, month__in={month_of(run) for run in found})
    if wanted.profile is not None:
        named = Subject.objects.filter(uid=wanted.profile).values_list("pk", flat=True).first()
        deliveries = deliveries.filter(profile__in=whole_person(named) if named else [])
    if wanted.state is not None:
        deliveries = deliveries.filter(state=wanted.state)
    if wanted.reason is not None:
        deliveries = deliveries.filter(reason=wanted.reason)
    return deliveries
