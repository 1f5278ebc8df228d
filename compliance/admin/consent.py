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
from compliance.admin.exporting import export_page
from compliance.models import ConsentMethod, ConsentRecord, ConsentState
from compliance.services import consent, exports

ACTION_COLOURS = {"given": "success", "withdrawn": "danger", "expired": "warning"}


class WithdrawForm(BaseDialogForm):
    source = forms.CharField(
        label=_("How the person asked"),
        max_length=100,
        help_text=_("For example: telephone call of today"),
        widget=UnfoldAdminTextInputWidget,
    )


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
        text = gettext(
            "Consent records and notices as CSV and JSON Lines, with a manifest that carries the SHA-256 of each file. "
            "The same range gives the same bytes. Leave the dates empty for everything."
        )
        return export_page(request, self, name="consents", text=text, write=exports.export_consents)
