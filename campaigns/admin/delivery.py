from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from campaigns import reasons
from campaigns.models import Delivery
from compliance.admin.base import ReadOnlyAdmin

STATE_COLOURS = {
    "sent": "success", "delivered": "success", "failed": "danger", "bounced": "danger", "unknown": "warning",
    "planned": "info", "claimed": "info",
}  # fmt: skip


class ReasonFilter(admin.SimpleListFilter):
    title = _("reason")
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(reasons.LABELS.items())

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(reason=self.value()) if self.value() else queryset


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """One row a person and message: what became of it, or why there is none."""

    list_display = ["profile", "run", "status", "why", "error", "sent_at", "changed_at"]
    list_filter = ["state", ReasonFilter, "run"]
    list_select_related = ["run__campaign"]
    show_full_result_count = False
    ordering = ["-id"]
    search_fields = ["profile__subject__uid__exact"]
    search_help_text = _("Public id of the person")
    fields = [
        "profile", "run", "step", "channel", "status", "why", "error", "due_at", "attempts", "changed_at", "sent_at",
    ]  # fmt: skip
    readonly_fields = fields

    @display(description=_("state"), label=STATE_COLOURS)
    def status(self, obj: Delivery) -> tuple[str, str]:
        return obj.state, obj.get_state_display()

    @display(description=_("reason"))
    def why(self, obj: Delivery) -> str:
        return reasons.label(obj.reason) if obj.reason else ""
