from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from campaigns.models import Batch, Run
from campaigns.selectors import deliveries
from campaigns.states import DeliveryState
from compliance.admin.base import ReadOnlyAdmin, progress_bar

STATE_COLOURS = {
    "planning": "info",
    "sending": "info",
    "finished": "success",
    "cancelled": "danger",
    "skipped": "warning",
}


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    """One execution of a campaign."""

    list_display = ["campaign", "scheduled_at", "status", "reason", "planned", "excluded", "finished_at"]
    list_filter = ["state", "reason"]
    list_select_related = ["campaign"]
    fields = [
        "campaign", "scheduled_at", "status", "reason", "progress", "planned", "excluded", "created_at", "planned_at",
        "finished_at", "content",
    ]  # fmt: skip
    readonly_fields = fields

    @display(description=_("state"), label=STATE_COLOURS)
    def status(self, obj: Run) -> tuple[str, str]:
        return obj.state, obj.get_state_display()

    @display(description=_("progress"))
    def progress(self, obj: Run) -> str:
        counts = deliveries.counts_by_state(deliveries.of_run(obj))
        open_ones = counts.get(DeliveryState.PLANNED, 0) + counts.get(DeliveryState.CLAIMED, 0)
        return progress_bar(obj.planned - open_ones, obj.planned)


@admin.register(Batch)
class BatchAdmin(ReadOnlyAdmin):
    """Ranges of people that one worker claims at once."""

    list_display = ["run", "first_profile", "last_profile", "state", "due_at", "claimed_by", "lease_until", "attempts"]
    list_filter = ["state"]
    list_select_related = ["run__campaign"]
