from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget

from compliance import actors
from compliance.admin.base import ReadOnlyAdmin, done
from segments.models import IdentityKind, ProfileMerge
from segments.services import merging
from segments.services.merging import NOTE_LENGTH, MergeError


class NoteForm(BaseDialogForm):
    note = forms.CharField(
        label=_("Why"), max_length=NOTE_LENGTH, widget=UnfoldAdminTextInputWidget,
        help_text=_("For example: the person told us by telephone. No names or addresses."),
    )  # fmt: skip


@admin.register(ProfileMerge)
class ProfileMergeAdmin(ReadOnlyAdmin):
    """Who was found to be whom, and taken apart again."""

    list_display = ["merged_at", "survivor", "absorbed", "cause", "kinds", "merged_by", "in_effect"]
    list_filter = ["cause", ("undone_at", admin.EmptyFieldListFilter)]
    list_select_related = ["survivor", "absorbed"]
    search_fields = ["uid__exact", "survivor__subject__uid__exact", "absorbed__subject__uid__exact"]
    search_help_text = _("Public id of the merge or of a profile")
    show_full_result_count = False
    fields = [
        "uid", "survivor", "absorbed", "cause", "kinds", "note", "events_moved", "identities_moved", "merged_at",
        "merged_by", "in_effect", "undone_at", "undone_by", "undone_note", "first",
    ]  # fmt: skip
    readonly_fields = fields
    actions_detail = ["undo"]

    @display(description=_("shared identifiers"))
    def kinds(self, obj: ProfileMerge) -> str:
        return kind_labels(obj.shared_kinds)

    @display(description=_("in effect"), boolean=True)
    def in_effect(self, obj: ProfileMerge) -> bool:
        return obj.undone_at is None

    @display(description=_("to be undone first"))
    def first(self, obj: ProfileMerge) -> str:
        later = merging.blocking(obj) if obj.undone_at is None else None
        return str(later.uid) if later else ""

    def has_undo_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        going = ProfileMerge.objects.filter(pk=object_id, undone_at__isnull=True)
        return request.user.has_perm("segments.undo_profilemerge") and (object_id is None or going.exists())

    @action(
        description=_("Undo"),
        permissions=["undo"],
        dialog={
            "title": _("They are two people after all"),
            "description": _(
                "Identifiers, events, tags and values that came from the absorbed profile go back to it. What came "
                "after the merge stays with the survivor. No withdrawal is undone."
            ),
            "form_class": NoteForm,
            "form_submit_text": _("Undo"),
        },
    )
    def undo(self, request: HttpRequest, form: NoteForm, object_id: int) -> HttpResponse:
        url = reverse("admin:segments_profilemerge_change", args=[object_id])
        try:
            merging.undo(
                merge=ProfileMerge.objects.get(pk=object_id), actor=actors.user(request.user), now=timezone.now(),
                note=form.cleaned_data["note"],
            )  # fmt: skip
        except MergeError as error:
            return done(request, url, error.reason, error=True)
        return done(request, url, gettext("The merge is undone."))


def kind_labels(kinds: list[str]) -> str:
    """The kinds of identifiers in the reader's language."""
    labels = dict(IdentityKind.choices)
    return ", ".join(str(labels[kind]) for kind in kinds)
