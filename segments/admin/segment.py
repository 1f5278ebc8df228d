import json
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextareaWidget

from compliance import actors
from compliance.admin.base import ReadOnlyAdmin, ReadOnlyInline, adopt, done
from segments import masking
from segments.models import IdentityKind, Segment, SegmentMembership, SegmentVersion
from segments.rules import RuleError, parse
from segments.selectors import segments as selectors
from segments.selectors.profiles import names_and_addresses
from segments.services import segments

EXAMPLE = {
    "all": [
        {"event": "purchase", "op": "gte", "value": 3, "window": {"days": 30}},
        {"rfm": "recency", "op": "gte", "value": 4},
    ]
}


class PrettyJSON(json.JSONEncoder):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "indent": 2, "ensure_ascii": False})


class SegmentForm(forms.ModelForm):
    definition = forms.JSONField(
        label=_("rule tree"),
        encoder=PrettyJSON,
        initial=EXAMPLE,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 18, "spellcheck": "false", "class": "font-mono"}),
        help_text=_(
            'Groups: "all", "any", "none". Conditions: "attribute", "event", "tag", "rfm", "stat"; '
            "see the README for all operators. Preview counts without saving."
        ),
    )

    class Meta:
        model = Segment
        fields = ["key", "name", "description", "is_active", "definition"]

    def clean_definition(self) -> Any:
        definition = self.cleaned_data["definition"]
        try:
            parse(definition).queryset(timezone.now())
        except RuleError as error:
            raise ValidationError(str(error)) from error
        return definition


class VersionInline(ReadOnlyInline):
    model = SegmentVersion
    fields = ["version", "definition", "created_at", "created_by"]


@admin.register(Segment)
class SegmentAdmin(ModelAdmin):
    """Groups of people by a rule; beat refreshes them every minute."""

    form = SegmentForm
    list_display = ["name", "key", "member_count", "refreshed_at", "is_active", "version"]
    list_filter = ["is_active"]
    search_fields = ["name", "key"]
    inlines = [VersionInline]
    readonly_fields = ["sentence", "member_count", "refreshed_at", "version"]
    actions_detail = ["refresh_now", "show_members"]

    class Media:
        js = ["segments/segment_preview.js"]

    def get_fields(self, request: HttpRequest, obj: Segment | None = None) -> list[str]:
        fields = ["key", "name", "description", "is_active", "definition"]
        return [*fields, "sentence", "member_count", "refreshed_at", "version"] if obj else fields

    def get_readonly_fields(self, request: HttpRequest, obj: Segment | None = None) -> list[str]:
        return ["key", *self.readonly_fields] if obj else self.readonly_fields

    def get_inlines(self, request: HttpRequest, obj: Segment | None) -> list[Any]:
        return self.inlines if obj else []

    def get_urls(self) -> list[URLPattern]:
        preview = path(
            "preview/", self.admin_site.admin_view(require_POST(self.preview)), name="segments_segment_preview"
        )
        return [preview, *super().get_urls()]

    @display(description=_("in words"))
    def sentence(self, obj: Segment) -> str:
        return parse(obj.definition).describe()

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

    def preview(self, request: HttpRequest) -> HttpResponse:
        """Count, sentence and sample of an unsaved rule tree, as JSON."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        now = timezone.now()
        try:
            definition = json.loads(request.POST.get("definition", ""))
            sentence, count = parse(definition).describe(), selectors.count(definition, now)
            people = selectors.sample(definition, now)
        except ValueError as error:  # malformed JSON; RuleError is one too
            return JsonResponse({"error": str(error)}, status=400)
        contacts = names_and_addresses(people, IdentityKind.EMAIL)
        sample = [
            {"id": person, "name": masking.mask_name(contacts[person].name)} for person in people if person in contacts
        ]
        return JsonResponse({"count": count, "sentence": sentence, "sample": sample})

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


@admin.register(SegmentMembership)
class SegmentMembershipAdmin(ReadOnlyAdmin):
    list_display = ["segment", "profile", "entered_at"]
    list_filter = ["segment"]
    list_select_related = ["segment"]
    show_full_result_count = False
