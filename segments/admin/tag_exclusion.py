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
from segments.models import TagExclusion
from segments.services.tags import assignment


@admin.register(TagExclusion)
class TagExclusionAdmin(ReadOnlyAdmin):
    """Tags that were removed from people for good."""

    list_display = ["tag", "profile", "reason", "excluded_at", "excluded_by"]
    list_filter = ["tag"]
    list_select_related = ["tag"]
    show_full_result_count = False
    fields = readonly_fields = ["profile", "tag", "reason", "excluded_at", "excluded_by"]
    actions_detail = ["readmit"]

    def has_readmit_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("segments.change_profiletag")

    @action(
        description=_("Let it be given again"),
        permissions=["readmit"],
        dialog={
            "title": _("Let this tag be given again"),
            "description": _("If it is computed, the person gets it at once when the computation says so."),
            "form_class": None,
            "form_submit_text": _("Let it be given"),
        },
    )
    def readmit(self, request: HttpRequest, form: Any, object_id: int) -> HttpResponse:
        exclusion = TagExclusion.objects.select_related("tag").get(pk=object_id)
        assignment.readmit(
            tag=exclusion.tag, profile_id=exclusion.profile_id, actor=actors.user(request.user), now=timezone.now()
        )
        url = reverse("admin:segments_tagexclusion_changelist")
        return done(request, url, gettext("The tag may be given again."))
