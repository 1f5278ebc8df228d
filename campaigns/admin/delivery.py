from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from campaigns import reasons
from campaigns.models import Delivery
from campaigns.services import resolution
from campaigns.states import DeliveryState, TransitionError
from compliance import actors
from compliance.admin.base import ReadOnlyAdmin, done
from compliance.models import Subject

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
        return queryset.filter(reason=self.value()) if self.value() in reasons.LABELS else queryset


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """One row a person and message: what became of it, or why there is none."""

    list_display = ["person", "run", "status", "why", "error", "sent_at", "changed_at"]
    list_filter = ["state", ReasonFilter, "run"]
    list_select_related = ["run__campaign"]
    show_full_result_count = False
    ordering = ["-id"]
    search_fields = ["profile_id"]
    search_help_text = _("Public id of the person")
    fields = [
        "person", "run", "step", "channel", "status", "why", "error", "due_at", "put_off_from", "attempts",
        "changed_at", "sent_at",
    ]  # fmt: skip
    readonly_fields = fields
    actions_detail = ["was_sent", "was_not_sent"]

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """By the public id; deliveries of people who were erased are found as well."""
        if not search_term:
            return queryset, False
        try:
            found = Subject.objects.filter(uid=search_term).values_list("pk", flat=True)
            return queryset.filter(profile__in=list(found)), False
        except ValidationError:  # not a public id
            return queryset.none(), False

    @display(description=_("profile"))
    def person(self, obj: Delivery) -> str:
        url = reverse("admin:segments_profile_change", args=[obj.profile_id])
        return format_html('<a class="underline" href="{}">#{}</a>', url, obj.profile_id)

    def has_resolve_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        unknown = Delivery.objects.filter(pk=object_id, state=DeliveryState.UNKNOWN)
        return request.user.has_perm("campaigns.change_campaign") and (object_id is None or unknown.exists())

    @action(
        description=_("It was sent"),
        permissions=["resolve"],
        dialog={
            "title": _("This message was sent"),
            "description": _(
                "The worker died while it handed the message over. Say so when the provider's log has it."
            ),
            "form_class": None,
            "form_submit_text": _("It was sent"),
        },
    )
    def was_sent(self, request: HttpRequest, form: Any, object_id: int) -> HttpResponse:
        return self._resolve(request, object_id, DeliveryState.SENT)

    @action(
        description=_("It was not sent"),
        permissions=["resolve"],
        dialog={
            "title": _("This message was not sent"),
            "description": _("It is recorded as failed and not sent again."),
            "form_class": None,
            "form_submit_text": _("It was not sent"),
        },
    )
    def was_not_sent(self, request: HttpRequest, form: Any, object_id: int) -> HttpResponse:
        return self._resolve(request, object_id, DeliveryState.FAILED)

    def _resolve(self, request: HttpRequest, object_id: int, state: DeliveryState) -> HttpResponse:
        url = reverse("admin:campaigns_delivery_change", args=[object_id])
        try:
            resolution.resolve(delivery_id=object_id, state=state, actor=actors.user(request.user), now=timezone.now())
        except TransitionError as error:
            return done(request, url, str(error), error=True)
        return done(request, url, gettext("Recorded."))

    @display(description=_("state"), label=STATE_COLOURS)
    def status(self, obj: Delivery) -> tuple[str, str]:
        return obj.state, obj.get_state_display()

    @display(description=_("reason"))
    def why(self, obj: Delivery) -> str:
        return reasons.label(obj.reason) if obj.reason else ""
