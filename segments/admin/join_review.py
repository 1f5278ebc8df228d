import json
from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from compliance import actors
from compliance.admin.base import ReadOnlyAdmin, done
from segments.admin.merge import NoteForm, kind_labels
from segments.models import IdentityKind, JoinReview, ReviewState
from segments.selectors.profiles import glimpses
from segments.services import join_reviews
from segments.services.merging import MergeError

FIELDS = [
    "state", "profile", "other", "leads", "contradicts", "source", "inputs", "created_at", "last_at", "compared",
    "decided_at", "decided_by", "note",
]  # fmt: skip
STATE_COLOURS = {"open": "warning", "merged": "success", "kept_apart": "info"}


@admin.register(JoinReview)
class JoinReviewAdmin(ReadOnlyAdmin):
    """One person or two? What the rules of joining leave to people."""

    list_display = ["created_at", "profile", "other", "leads", "contradicts", "source", "inputs", "status"]
    list_filter = ["state", "source"]
    list_select_related = ["profile__stats", "other__stats", "source"]
    search_fields = ["uid__exact", "profile__subject__uid__exact", "other__subject__uid__exact"]
    search_help_text = _("Public id of a profile or of the question")
    show_full_result_count = False
    actions_detail = ["merge", "keep_apart"]

    readonly_fields = [*FIELDS, "said"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """What the source said may name people, so it shows to those who may see them, and each look is logged."""
        return [*FIELDS, "said"] if _may_look(request) else FIELDS

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> JoinReview | None:
        review: JoinReview | None = super().get_object(request, object_id, from_field)
        if review is not None and self.has_view_permission(request, review) and _may_look(request):
            review.content = join_reviews.look(  # type: ignore[attr-defined]
                review=review, actor=actors.user(request.user), now=timezone.now()
            )
        return review

    @display(description=_("state"), label=STATE_COLOURS)
    def status(self, obj: JoinReview) -> tuple[str, str]:
        return obj.state, obj.get_state_display()

    @display(description=_("leads to the other"))
    def leads(self, obj: JoinReview) -> str:
        return kind_labels(obj.shared_kinds)

    @display(description=_("contradicts"))
    def contradicts(self, obj: JoinReview) -> str:
        return kind_labels(obj.contradicting_kinds) or gettext("parted before")

    @display(description=_("side by side"))
    def compared(self, obj: JoinReview) -> str:
        labels, seen = dict(IdentityKind.choices), glimpses([obj.profile_id, obj.other_id])
        people = []
        for profile in (obj.profile, obj.other):
            found = seen.get(profile.pk)
            identifiers = [(labels[kind], value) for kind, value in found.identifiers] if found else []
            people.append({"profile": profile, "name": found.name if found else "", "identifiers": identifiers})
        return render_to_string("segments/admin/join_review.html", {"people": people})

    @display(description=_("what the source said last"))
    def said(self, obj: JoinReview) -> str:
        return json.dumps(obj.content, ensure_ascii=False, indent=1)  # type: ignore[attr-defined]

    def has_decide_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        waiting = JoinReview.objects.filter(pk=object_id, state=ReviewState.OPEN)
        return request.user.has_perm("segments.merge_profiles") and (object_id is None or waiting.exists())

    @action(
        description=_("One person: merge"),
        permissions=["decide"],
        dialog={
            "title": _("They are one person"),
            "description": _("The profile that is known longest takes in the other. The merge can be undone."),
            "form_class": NoteForm,
            "form_submit_text": _("Merge"),
        },
    )
    def merge(self, request: HttpRequest, form: NoteForm, object_id: int) -> HttpResponse:
        return self._decide(request, form, object_id, join_reviews.merge, gettext("The profiles are merged."))

    @action(
        description=_("Two people: keep apart"),
        permissions=["decide"],
        dialog={
            "title": _("They are two people"),
            "description": _("Nothing changes, and this pair is not asked about again."),
            "form_class": NoteForm,
            "form_submit_text": _("Keep apart"),
        },
    )
    def keep_apart(self, request: HttpRequest, form: NoteForm, object_id: int) -> HttpResponse:
        return self._decide(request, form, object_id, join_reviews.keep_apart, gettext("They stay two people."))

    def _decide(
        self, request: HttpRequest, form: NoteForm, object_id: int, act: Callable[..., JoinReview], message: str
    ) -> HttpResponse:
        url = reverse("admin:segments_joinreview_change", args=[object_id])
        try:
            act(
                review=JoinReview.objects.get(pk=object_id), actor=actors.user(request.user), now=timezone.now(),
                note=form.cleaned_data["note"],
            )  # fmt: skip
        except MergeError as error:
            return done(request, url, error.reason, error=True)
        return done(request, url, message)


def _may_look(request: HttpRequest) -> bool:
    return request.user.has_perm("segments.view_personal_data")
