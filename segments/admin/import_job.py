import json
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from compliance import actors
from compliance.admin.base import ReadOnlyAdmin, progress_bar
from segments.models import ImportJob, RejectedRow
from segments.services import imports

STATE_COLOURS = {"waiting": "warning", "running": "info", "finished": "success", "failed": "danger"}


@admin.register(ImportJob)
class ImportJobAdmin(ReadOnlyAdmin):
    """Files that were taken in, and what became of their rows."""

    list_display = [
        "file_name",
        "kind",
        "source",
        "status",
        "progress",
        "accepted",
        "duplicates",
        "refused",
        "held",
        "started_at",
    ]
    list_filter = ["state", "kind", "source"]
    fields = [
        "file_name", "kind", "source", "status", "error", "progress", "accepted", "duplicates", "refused", "held",
        "mapping", "fingerprint", "started_at", "finished_at",
    ]  # fmt: skip
    readonly_fields = fields

    @display(description=_("state"), label=STATE_COLOURS)
    def status(self, obj: ImportJob) -> tuple[str, str]:
        return obj.state, obj.get_state_display()

    @display(description=_("progress"))
    def progress(self, obj: ImportJob) -> str:
        return progress_bar(obj.rows_done, obj.rows_total)

    @display(description=_("rejected"))
    def refused(self, obj: ImportJob) -> Any:
        if not obj.rejected:
            return 0
        url = f"{reverse('admin:segments_rejectedrow_changelist')}?job__id__exact={obj.pk}"
        return format_html('<a class="underline" href="{}">{}</a>', url, obj.rejected)


@admin.register(RejectedRow)
class RejectedRowAdmin(ReadOnlyAdmin):
    """Rows that could not be used, with the reason; nothing is lost. Each look at a row's content is logged."""

    list_display = ["job", "row_number", "field", "reason"]
    list_filter = ["field", ("job", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["job"]
    readonly_fields = ["job", "row_number", "field", "reason", "row"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        fields = ["job", "row_number", "field", "reason"]
        return [*fields, "row"] if _may_look(request) else fields

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> RejectedRow | None:
        rejected: RejectedRow | None = super().get_object(request, object_id, from_field)
        if rejected is not None and self.has_view_permission(request, rejected) and _may_look(request):
            rejected.content = imports.look(  # type: ignore[attr-defined]
                rejected=rejected, actor=actors.user(request.user), now=timezone.now()
            )
        return rejected

    @display(description=_("row as it came"))
    def row(self, obj: RejectedRow) -> str:
        return json.dumps(obj.content, ensure_ascii=False, indent=1)  # type: ignore[attr-defined]


def _may_look(request: HttpRequest) -> bool:
    return request.user.has_perm("segments.view_personal_data")
