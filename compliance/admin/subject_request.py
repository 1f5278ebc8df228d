from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from compliance import actors
from compliance.admin.base import adopt, done
from compliance.models import RequestKind, RequestState, Subject, SubjectRequest
from compliance.services import subject_requests
from compliance.services.subject_requests import SubjectRequestError

FULFIL = "compliance.fulfil_subjectrequest"
STATE_COLOURS = {"open": "warning", "fulfilled": "success", "refused": "danger"}


class SubjectRequestForm(forms.ModelForm):
    subject_uid = forms.UUIDField(
        label=_("Public id of the person"), widget=UnfoldAdminTextInputWidget,
        help_text=_("It stands on the page of the profile, which is found by a whole address."),
    )  # fmt: skip

    class Meta:
        model = SubjectRequest
        fields = ["kind", "source"]

    def clean_subject_uid(self) -> Any:
        subject = Subject.objects.filter(uid=self.cleaned_data["subject_uid"], erased_at__isnull=True).first()
        if subject is None:
            raise ValidationError(_("There is no such person."))
        self.cleaned_data["subject"] = subject
        return self.cleaned_data["subject_uid"]


class IdentityForm(BaseDialogForm):
    how = forms.CharField(
        label=_("How it was checked"), max_length=200, widget=UnfoldAdminTextInputWidget,
        help_text=_("For example: code sent to the known phone number. Do not write numbers of documents here."),
    )  # fmt: skip


class AnswerForm(BaseDialogForm):
    answer = forms.CharField(label=_("Answer to the person"), max_length=2000, widget=UnfoldAdminTextareaWidget)


class ErasureForm(BaseDialogForm):
    sure = forms.BooleanField(label=_("I have checked that this is the right person. It cannot be undone."))


def _dialog(title: Any, description: Any, form_class: Any, submit: Any) -> dict[str, Any]:
    return {"title": title, "description": description, "form_class": form_class, "form_submit_text": submit}


@admin.register(SubjectRequest)
class SubjectRequestAdmin(ModelAdmin):
    """What people ask for about their own data, each with its deadline."""

    form = SubjectRequestForm
    list_display = ["received_at", "kind", "subject", "status", "time_left", "source"]
    list_filter = ["state", "kind"]
    list_select_related = ["subject"]
    search_fields = ["subject__uid__exact", "uid__exact"]
    search_help_text = _("Public id of the person or of the request")
    actions = None
    actions_detail = ["confirm_identity", "package", "fulfil", "erase", "refuse"]

    def get_fields(self, request: HttpRequest, obj: SubjectRequest | None = None) -> list[str]:
        if obj is None:
            return ["subject_uid", "kind", "source"]
        return [
            "uid", "subject", "kind", "status", "source", "received_at", "time_left", "due_at", "identity_checked_at",
            "identity_checked_by", "closed_at", "closed_by", "answer",
        ]  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: SubjectRequest | None = None) -> list[str]:
        return self.get_fields(request, obj) if obj else []

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description=_("state"), label=STATE_COLOURS)
    def status(self, obj: SubjectRequest) -> tuple[str, str]:
        return obj.state, obj.get_state_display()

    @display(description=_("time left"))
    def time_left(self, obj: SubjectRequest) -> str:
        if obj.state != RequestState.OPEN:
            return ""
        days = (obj.due_at - timezone.now()) // timedelta(days=1)
        if days < 0:
            return gettext("late")
        return ngettext("%(n)d day", "%(n)d days", days) % {"n": days}

    def save_model(self, request: HttpRequest, obj: SubjectRequest, form: Any, change: bool) -> None:
        stored = subject_requests.receive(
            subject=form.cleaned_data["subject"], kind=obj.kind, source=obj.source,
            actor=actors.user(request.user), now=timezone.now(),
        )  # fmt: skip
        adopt(obj, stored)

    def has_identify_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        unchecked = SubjectRequest.objects.filter(pk=object_id, identity_checked_at__isnull=True)
        return request.user.has_perm("compliance.add_subjectrequest") and _open(unchecked, object_id)

    def has_package_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return _may_fulfil(request, object_id, RequestKind.ACCESS)

    def has_fulfil_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return _may_fulfil(request, object_id, RequestKind.ACCESS, RequestKind.CORRECTION)

    def has_erase_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return _may_fulfil(request, object_id, RequestKind.ERASURE)

    def has_refuse_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm(FULFIL) and _open(SubjectRequest.objects.filter(pk=object_id), object_id)

    @action(
        description=_("Identity checked"),
        permissions=["identify"],
        dialog=_dialog(
            _("The person is who they say"), _("Nothing is handed out or erased before."), IdentityForm, _("Confirm")
        ),
    )
    def confirm_identity(self, request: HttpRequest, form: IdentityForm, object_id: int) -> HttpResponse:
        how = form.cleaned_data["how"]
        return self._act(request, object_id, subject_requests.confirm_identity, gettext("Noted."), how=how)

    @action(description=_("Download their data"), permissions=["package"], url_path="package")
    def package(self, request: HttpRequest, object_id: int) -> HttpResponse:
        asked = SubjectRequest.objects.get(pk=object_id)
        try:
            data = subject_requests.package(request=asked, actor=actors.user(request.user), now=timezone.now())
        except SubjectRequestError as error:
            return done(request, _url(object_id), str(error), error=True)
        headers = {"Content-Disposition": f'attachment; filename="{asked.uid}.zip"'}
        return HttpResponse(data, content_type="application/zip", headers=headers)

    @action(
        description=_("Fulfilled"),
        permissions=["fulfil"],
        dialog=_dialog(
            _("The request is fulfilled"), _("Say what the person was told."), AnswerForm, _("Close the request")
        ),
    )
    def fulfil(self, request: HttpRequest, form: AnswerForm, object_id: int) -> HttpResponse:
        answer = form.cleaned_data["answer"]
        return self._act(request, object_id, subject_requests.fulfil, gettext("The request is closed."), answer=answer)

    @action(
        description=_("Erase the person"),
        permissions=["erase"],
        dialog=_dialog(
            _("Erase everything about this person"),
            _("Profile, addresses, events and tags go. Consent records and suppressions stay as proof."),
            ErasureForm,
            _("Erase"),
        ),
    )
    def erase(self, request: HttpRequest, form: ErasureForm, object_id: int) -> HttpResponse:
        return self._act(request, object_id, subject_requests.erase, gettext("The person is erased."))

    @action(
        description=_("Refuse"),
        permissions=["refuse"],
        dialog=_dialog(_("Refuse the request"), _("The person is told the reason."), AnswerForm, _("Refuse")),
    )
    def refuse(self, request: HttpRequest, form: AnswerForm, object_id: int) -> HttpResponse:
        answer = form.cleaned_data["answer"]
        return self._act(request, object_id, subject_requests.refuse, gettext("The request is closed."), answer=answer)

    def _act(self, request: HttpRequest, object_id: int, service: Any, text: str, **values: Any) -> HttpResponse:
        asked = SubjectRequest.objects.get(pk=object_id)
        try:
            service(request=asked, actor=actors.user(request.user), now=timezone.now(), **values)
        except SubjectRequestError as error:
            return done(request, _url(object_id), str(error), error=True)
        return done(request, _url(object_id), text)


def _open(requests: Any, object_id: Any) -> bool:
    """Without an object (a list page) the permission alone counts."""
    return object_id is None or requests.filter(state=RequestState.OPEN).exists()


def _may_fulfil(request: HttpRequest, object_id: Any, *kinds: RequestKind) -> bool:
    ready = SubjectRequest.objects.filter(pk=object_id, kind__in=kinds, identity_checked_at__isnull=False)
    return request.user.has_perm(FULFIL) and _open(ready, object_id)


def _url(object_id: int) -> str:
    return reverse("admin:compliance_subjectrequest_change", args=[object_id])
