import io
import tempfile
import zipfile
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminDateWidget, UnfoldAdminTextInputWidget

from compliance import actors
from compliance.admin.base import ReadOnlyAdmin, done
from compliance.models import ConsentMethod, ConsentRecord, ConsentState
from compliance.services import consent, exports

ACTION_COLOURS = {"given": "success", "withdrawn": "danger", "expired": "warning"}
EPOCH = (1980, 1, 1, 0, 0, 0)  # a fixed time in every archive, so that equal exports are equal files


class WithdrawForm(BaseDialogForm):
    source = forms.CharField(
        label=_("How the person asked"),
        max_length=100,
        help_text=_("For example: telephone call of today"),
        widget=UnfoldAdminTextInputWidget,
    )


class ExportForm(forms.Form):
    start = forms.DateField(label=_("Recorded from"), required=False, widget=UnfoldAdminDateWidget)
    end = forms.DateField(label=_("Recorded until, included"), required=False, widget=UnfoldAdminDateWidget)

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if values.get("start") and values.get("end") and values["start"] > values["end"]:
            self.add_error("end", _("The end lies before the start."))
        return values


@admin.register(ConsentState)
class ConsentStateAdmin(ReadOnlyAdmin):
    """What counts now, per person, purpose and channel."""

    list_display = ["subject", "purpose", "channel", "state", "occurred_at", "expires_at"]
    list_filter = ["purpose", "channel", "action"]
    search_fields = ["subject__uid__exact"]
    search_help_text = _("Public id of the person")
    list_select_related = ["subject", "purpose"]
    show_full_result_count = False
    actions_detail = ["withdraw"]

    @display(description=_("consent"), label=ACTION_COLOURS)
    def state(self, obj: ConsentState) -> tuple[str, str]:
        return obj.action, obj.get_action_display()

    def has_record_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("compliance.add_consentrecord")

    @action(
        description=_("Withdraw on the person's request"),
        permissions=["record"],
        dialog={
            "title": _("Withdraw this consent"),
            "description": _("In effect at once. Messages that are planned but not sent yet are dropped."),
            "form_class": WithdrawForm,
            "form_submit_text": _("Withdraw"),
        },
    )
    def withdraw(self, request: HttpRequest, form: WithdrawForm, object_id: int) -> HttpResponse:
        state = ConsentState.objects.get(pk=object_id)
        consent.withdraw(
            subject_id=state.subject_id,
            purpose_id=state.purpose_id,
            channel=state.channel,
            method=ConsentMethod.STAFF,
            source=form.cleaned_data["source"],
            actor=actors.user(request.user),
            now=timezone.now(),
        )
        url = reverse("admin:compliance_consentstate_change", args=[object_id])
        return done(request, url, gettext("The consent is withdrawn."))


@admin.register(ConsentRecord)
class ConsentRecordAdmin(ReadOnlyAdmin):
    """The ledger: every decision, for good."""

    list_display = ["occurred_at", "subject", "purpose", "channel", "decision", "method", "source", "recorded_by"]
    list_filter = ["purpose", "channel", "action", "method"]
    search_fields = ["subject__uid__exact", "uid__exact"]
    search_help_text = _("Public id of the person or of the record")
    list_select_related = ["subject", "purpose"]
    show_full_result_count = False
    date_hierarchy = "occurred_at"
    actions_list = ["export"]

    @display(description=_("decision"), label=ACTION_COLOURS)
    def decision(self, obj: ConsentRecord) -> tuple[str, str]:
        return obj.action, obj.get_action_display()

    def has_export_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("compliance.export_consentrecord")

    @action(description=_("Export for auditors"), permissions=["export"], url_path="export")
    def export(self, request: HttpRequest) -> HttpResponse:
        form = ExportForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            start, end = form.cleaned_data["start"], form.cleaned_data["end"]
            return _archive(_midnight(start), _midnight(end + timedelta(days=1) if end else None), request)
        context = {**self.admin_site.each_context(request), "form": form, "opts": self.opts, "title": _("Export")}
        return render(request, "compliance/admin/export.html", context)


def _midnight(day: Any) -> datetime | None:
    return timezone.make_aware(datetime.combine(day, time.min)) if day else None


def _archive(start: datetime | None, end: datetime | None, request: HttpRequest) -> HttpResponse:
    """The export as one ZIP file, byte-identical when repeated for the same range."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "consents"
        exports.export_consents(out=out, start=start, end=end, actor=actors.user(request.user), now=timezone.now())
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(out.iterdir()):
                entry = zipfile.ZipInfo(file.name, EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, file.read_bytes())
    headers = {"Content-Disposition": 'attachment; filename="consents.zip"'}
    return HttpResponse(buffer.getvalue(), content_type="application/zip", headers=headers)
