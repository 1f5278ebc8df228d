from collections.abc import Callable
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
from compliance.admin.base import ReadOnlyAdmin, adopt, done
from segments.admin.segment_builder import BuilderViews
from segments.admin.segment_form import SegmentForm
from segments.admin.segment_insight import InsightPages, WarningFilter
from segments.admin.segment_uploads import UploadInline, UploadViews
from segments.admin.segment_versions import VersionInline, VersionViews
from segments.models import Segment, SegmentKind, SegmentMembership
from segments.rules import RuleError
from segments.rules.difference import in_words
from segments.services import segments
from segments.services.memberships import RefreshResult


@admin.register(Segment)
class SegmentAdmin(InsightPages, BuilderViews, UploadViews, VersionViews, ModelAdmin):
    """Groups of people: by a rule that is followed, by a rule when a snapshot was taken, or by uploaded lists."""

    form = SegmentForm
    list_display = ["name", "key", "kind", "member_count", "warnings", "refreshed_at", "is_active", "version"]
    list_filter = ["kind", "is_active", WarningFilter]
    actions = ["compare"]
    search_fields = ["name", "key"]
    readonly_fields = ["sentence", "member_count", "refreshed_at", "taken_at", "version", "refreshed_version"]
    actions_detail = [
        "refresh_now", "take_snapshot", "upload_members", "show_members", "show_history", "compare_versions",
    ]  # fmt: skip

    def get_fields(self, request: HttpRequest, obj: Segment | None = None) -> list[str]:
        fields = ["key", "name", "kind", "description", "is_active"]
        if obj is None:
            return [*fields, "definition"]
        if obj.kind == SegmentKind.UPLOADED:
            return [*fields, "member_count", "refreshed_at"]
        # The builder tells those who may change the rule what it says as it stands.
        told = [] if self.has_change_permission(request, obj) else ["sentence"]
        when = "taken_at" if obj.kind == SegmentKind.SNAPSHOT else "refreshed_at"
        return [*fields, "definition", *told, "member_count", when, "version", "refreshed_version"]

    def get_readonly_fields(self, request: HttpRequest, obj: Segment | None = None) -> list[str]:
        return ["key", "kind", *self.readonly_fields] if obj else self.readonly_fields

    def get_inlines(self, request: HttpRequest, obj: Segment | None) -> list[Any]:
        if obj is None:
            return []
        return [UploadInline] if obj.kind == SegmentKind.UPLOADED else [VersionInline]

    def get_urls(self) -> list[URLPattern]:
        return [*self.insight_urls(), *self.builder_urls(), *super().get_urls()]

    @display(description=_("in words"))
    def sentence(self, obj: Segment) -> str:
        return in_words(obj.definition)

    def save_model(self, request: HttpRequest, obj: Segment, form: Any, change: bool) -> None:
        actor, now = actors.user(request.user), timezone.now()
        user = request.user if request.user.is_authenticated else None
        if not change:
            stored = segments.create(
                key=obj.key, name=obj.name, description=obj.description, kind=obj.kind, definition=obj.definition,
                actor=actor, now=now, user=user,
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

    def has_refresh_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("segments.change_segment") and _is_of(object_id, SegmentKind.DYNAMIC)

    def has_take_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("segments.change_segment") and _is_of(object_id, SegmentKind.SNAPSHOT)

    def has_history_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("segments.view_segmentchange")

    @action(
        description=_("Refresh now"),
        permissions=["refresh"],
        dialog={
            "title": _("Refresh this segment"),
            "description": _("Finds out anew who belongs to it."),
            "form_class": None,
            "form_submit_text": _("Refresh"),
        },
    )
    def refresh_now(self, request: HttpRequest, form: Any, object_id: int) -> HttpResponse:
        return self._ask(request, object_id, segments.refresh)

    @action(
        description=_("Take a snapshot"),
        permissions=["take"],
        dialog={
            "title": _("Take this snapshot anew"),
            "description": _("Its members become those for whom the rule holds now."),
            "form_class": None,
            "form_submit_text": _("Take"),
        },
    )
    def take_snapshot(self, request: HttpRequest, form: Any, object_id: int) -> HttpResponse:
        return self._ask(request, object_id, segments.take_snapshot)

    def _ask(self, request: HttpRequest, object_id: int, act: Callable[..., RefreshResult]) -> HttpResponse:
        url = reverse("admin:segments_segment_change", args=[object_id])
        segment = Segment.objects.get(pk=object_id)
        try:
            result = act(segment=segment, now=timezone.now(), actor=actors.user(request.user))
        except RuleError as error:
            return done(request, url, str(error), error=True)
        text = gettext("%(members)s members: %(entered)s entered, %(left)s left.")
        counts = {"members": result.members, "entered": result.entered, "left": result.left}
        return done(request, url, text % counts)

    @action(description=_("Members"), permissions=["view"], url_path="members")
    def show_members(self, request: HttpRequest, object_id: int) -> HttpResponse:
        url = reverse("admin:segments_segmentmembership_changelist")
        return HttpResponse(status=302, headers={"Location": f"{url}?segment__id__exact={object_id}"})

    @action(description=_("Entries and exits"), permissions=["history"], url_path="entries-and-exits")
    def show_history(self, request: HttpRequest, object_id: int) -> HttpResponse:
        url = reverse("admin:segments_segmentchange_changelist")
        return HttpResponse(status=302, headers={"Location": f"{url}?segment__id__exact={object_id}"})


def _is_of(object_id: Any, kind: SegmentKind) -> bool:
    """Without an object (a list page) the permission alone counts."""
    return object_id is None or Segment.objects.filter(pk=object_id, kind=kind).exists()


@admin.register(SegmentMembership)
class SegmentMembershipAdmin(ReadOnlyAdmin):
    list_display = ["segment", "profile", "entered_at"]
    list_filter = ["segment"]
    list_select_related = ["segment"]
    show_full_result_count = False
