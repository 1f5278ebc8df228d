import json
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from compliance import actors
from compliance.admin.base import ReadOnlyAdmin, ReadOnlyInline, adopt, done
from segments.admin.segment_builder import BuilderViews
from segments.admin.segment_form import SegmentForm
from segments.models import Segment, SegmentMembership, SegmentVersion
from segments.rules import RuleError, parse
from segments.services import segments


class VersionInline(ReadOnlyInline):
    model = SegmentVersion
    fields = ["version", "sentence", "created_at", "created_by"]
    readonly_fields = ["sentence"]

    @display(description=_("in words"))
    def sentence(self, obj: SegmentVersion) -> str:
        return in_words(obj.definition)


@admin.register(Segment)
class SegmentAdmin(BuilderViews, ModelAdmin):
    """Groups of people by a rule; beat refreshes them every minute."""

    form = SegmentForm
    list_display = ["name", "key", "member_count", "refreshed_at", "is_active", "version"]
    list_filter = ["is_active"]
    search_fields = ["name", "key"]
    inlines = [VersionInline]
    readonly_fields = ["sentence", "member_count", "refreshed_at", "version"]
    actions_detail = ["refresh_now", "show_members"]

    def get_fields(self, request: HttpRequest, obj: Segment | None = None) -> list[str]:
        fields = ["key", "name", "description", "is_active", "definition"]
        if obj is None:
            return fields
        # The builder tells those who may change the rule what it says as it stands.
        told = [] if self.has_change_permission(request, obj) else ["sentence"]
        return [*fields, *told, "member_count", "refreshed_at", "version"]

    def get_readonly_fields(self, request: HttpRequest, obj: Segment | None = None) -> list[str]:
        return ["key", *self.readonly_fields] if obj else self.readonly_fields

    def get_inlines(self, request: HttpRequest, obj: Segment | None) -> list[Any]:
        return self.inlines if obj else []

    def get_urls(self) -> list[URLPattern]:
        return [*self.builder_urls(), *super().get_urls()]

    @display(description=_("in words"))
    def sentence(self, obj: Segment) -> str:
        return in_words(obj.definition)

    def save_model(self, request: HttpRequest, obj: Segment, form: Any, change: bool) -> None:
        actor, now = actors.user(request.user), timezone.now()
        user = request.user if request.user.is_authenticated else None
        if not change:
            stored = segments.create(
                key=obj.key, name=obj.name, description=obj.description, definition=obj.definition, actor=actor,
                now=now, user=user,
            )  # fmt: skip
            adopt(obj, stored)
            return
        if "definition" in form.changed_data:
            segments.change_definition(
                segment=obj, definition=form.cleaned_data["definition"], actor=actor, now=now, user=user
            )
        segments.change_details(
            segment=obj, name=obj.name, description=obj.description, is_active=obj.is_active, actor=actor, now=now
        )

    @action(
        description=_("Refresh now"),
        permissions=["change"],
        dialog={
            "title": _("Refresh this segment"),
            "description": _("Finds out anew who belongs to it."),
            "form_class": None,
            "form_submit_text": _("Refresh"),
        },
    )
    def refresh_now(self, request: HttpRequest, form: Any, object_id: int) -> HttpResponse:
        segment = Segment.objects.get(pk=object_id)
        result = segments.refresh(segment=segment, now=timezone.now(), actor=actors.user(request.user))
        text = gettext("%(members)s members: %(entered)s entered, %(left)s left.")
        counts = {"members": result.members, "entered": result.entered, "left": result.left}
        return done(request, reverse("admin:segments_segment_change", args=[object_id]), text % counts)

    @action(description=_("Members"), permissions=["view"], url_path="members")
    def show_members(self, request: HttpRequest, object_id: int) -> HttpResponse:
        url = reverse("admin:segments_segmentmembership_changelist")
        return HttpResponse(status=302, headers={"Location": f"{url}?segment__id__exact={object_id}"})


def in_words(definition: Any) -> str:
    """A rule tree as a sentence, or as JSON when it is no rule any more: its kind may have gone with an app."""
    try:
        return parse(definition).describe()
    except RuleError:
        return json.dumps(definition, ensure_ascii=False)


@admin.register(SegmentMembership)
class SegmentMembershipAdmin(ReadOnlyAdmin):
    list_display = ["segment", "profile", "entered_at"]
    list_filter = ["segment"]
    list_select_related = ["segment"]
    show_full_result_count = False
