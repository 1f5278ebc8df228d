import json
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin
from unfold.decorators import display

from compliance import actors
from compliance.admin.base import ReadOnlyMixin
from segments.models import QuarantinedEvent
from segments.services import quarantine

STATE_COLOURS = {"held": "warning", "accepted": "success", "rejected": "danger"}


@admin.register(QuarantinedEvent)
class QuarantinedEventAdmin(ReadOnlyMixin, ModelAdmin):
    """Events that a rule holds; one who may decide accepts or rejects them in bulk. Each look at the content of one is
    logged."""

    list_display = [
        "occurred_at", "name", "profile", "source", "field", "reason", "status", "received_at", "decided_at",
        "decided_by",
    ]  # fmt: skip
    list_filter = ["state", "name", "source", "rule"]
    list_select_related = ["source"]
    show_full_result_count = False
    actions = ["accept", "reject"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        fields = [
            "occurred_at", "name", "profile", "source", "rule", "field", "reason", "status", "received_at",
            "decided_at", "decided_by",
        ]  # fmt: skip
        return [*fields, "event"] if _may_look(request) else fields

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        event: QuarantinedEvent | None = super().get_object(request, object_id, from_field)
        if event is not None and self.has_view_permission(request, event) and _may_look(request):
            event.content = quarantine.look(  # type: ignore[attr-defined]
                event=event, actor=actors.user(request.user), now=timezone.now()
            )
        return event

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return self.get_fields(request, obj)

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("segments.decide_quarantinedevent")

    @display(description=_("state"), label=STATE_COLOURS)
    def status(self, obj: QuarantinedEvent) -> tuple[str, str]:
        return obj.state, obj.get_state_display()

    @display(description=_("event as it came"))
    def event(self, obj: QuarantinedEvent) -> str:
        return json.dumps(obj.content, ensure_ascii=False, indent=1)  # type: ignore[attr-defined]

    @admin.action(description=_("Accept: store these events"), permissions=["decide"])
    def accept(self, request: HttpRequest, queryset: QuerySet[QuarantinedEvent]) -> None:
        done = self._decide(request, queryset, accept=True)
        text = ngettext("%(count)s event is accepted.", "%(count)s events are accepted.", done)
        messages.success(request, text % {"count": done})

    @admin.action(description=_("Reject: never store these events"), permissions=["decide"])
    def reject(self, request: HttpRequest, queryset: QuerySet[QuarantinedEvent]) -> None:
        done = self._decide(request, queryset, accept=False)
        text = ngettext("%(count)s event is rejected.", "%(count)s events are rejected.", done)
        messages.success(request, text % {"count": done})

    def _decide(self, request: HttpRequest, queryset: QuerySet[QuarantinedEvent], *, accept: bool) -> int:
        event_ids = list(queryset.order_by("pk").values_list("pk", flat=True))
        return quarantine.decide(
            event_ids=event_ids, accept=accept, actor=actors.user(request.user), now=timezone.now()
        )


def _may_look(request: HttpRequest) -> bool:
    return request.user.has_perm("segments.view_personal_data")
