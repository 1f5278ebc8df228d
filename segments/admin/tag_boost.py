from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from compliance import actors
from compliance.admin.base import ReadOnlyAdmin, done
from segments.models import TagBoost
from segments.services.tags import boosts


@admin.register(TagBoost)
class TagBoostAdmin(ReadOnlyAdmin):
    """Boosts of all tags; new ones are made on the page of their tag. Those that run at the same time multiply."""

    list_display = ["tag", "factor", "goal", "starts_at", "ends_at"]
    list_filter = ["tag"]
    list_select_related = ["tag"]
    fields = readonly_fields = ["tag", "factor", "goal", "starts_at", "ends_at", "created_at"]
    actions_detail = ["end_now"]

    def has_end_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("segments.change_tagboost")

    @action(
        description=_("End now"),
        permissions=["end"],
        dialog={
            "title": _("End this boost"),
            "description": _("The tag weighs from now on what it weighs without it."),
            "form_class": None,
            "form_submit_text": _("End"),
        },
    )
    def end_now(self, request: HttpRequest, form: Any, object_id: int) -> HttpResponse:
        boosts.end(
            boost=TagBoost.objects.get(pk=object_id), actor=actors.user(request.user), now=timezone.now()
        )  # fmt: skip
        return done(request, reverse("admin:segments_tagboost_changelist"), gettext("The boost is over."))
