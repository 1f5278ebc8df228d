"""What the page of a campaign tells about hours."""

from collections.abc import Collection
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncHour
from django.utils.translation import gettext as _

from campaigns.hours import WEEKDAYS, write_ranges
from campaigns.models import Campaign, Delivery, Weekday
from campaigns.selectors import moments
from campaigns.states import DeliveryState

MOST_HOURS = 72  # rows of the table


def context(campaign: Campaign, rows: QuerySet[Delivery]) -> dict[str, Any]:
    """Window, quiet hours and cut-off in words; per hour, in the reader's zone, how many are due and still to come."""
    reached = rows.exclude(state=DeliveryState.EXCLUDED).annotate(hour=TruncHour("due_at")).values_list("hour")
    to_come = Count("pk", filter=Q(state__in=[DeliveryState.PLANNED, DeliveryState.CLAIMED]))
    hours = list(reached.annotate(all=Count("pk"), to_come=to_come).order_by("hour")[: MOST_HOURS + 1])
    window = campaign.send_window
    return {
        "window": f"{window.name}: {window.hours}, {weekdays_in_words(window.weekdays)}" if window else "",
        "quiet": write_ranges(moments.quiet(campaign.channel.kind)),
        "latest_hours": campaign.latest_hours,
        "hours": hours[:MOST_HOURS],
        "more_hours": len(hours) > MOST_HOURS,
    }


def weekdays_in_words(weekdays: Collection[int]) -> str:
    if set(weekdays) >= set(WEEKDAYS):
        return _("every day")
    return ", ".join(str(Weekday(day).label) for day in sorted(weekdays))
