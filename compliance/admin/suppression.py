from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from compliance import actors, addresses
from compliance.admin.base import adopt, done
from compliance.models import Suppression, SuppressionReason
from compliance.services import suppression

ADDRESS_KINDS = [("email", _("E-mail address")), ("phone", _("Phone number")), ("wechat", _("WeChat openid"))]


class SuppressionForm(forms.ModelForm):
    """Staff type the address; only its digest is kept."""

    kind = forms.ChoiceField(label=_("Kind of address"), choices=ADDRESS_KINDS, widget=UnfoldAdminSelectWidget)
    address = forms.CharField(
        label=_("Address"),
        max_length=254,
        help_text=_("Stored as a digest that cannot be turned back."),
        widget=UnfoldAdminTextInputWidget,
    )

    class Meta:
        model = Suppression
        fields = ["channel", "purpose", "reason", "source"]
        help_texts = {
            "channel": _("Empty: no channel at all may be used."),
            "purpose": _("Empty: for no purpose at all."),
            "source": _("Where the wish came from."),
        }

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if values.get("kind") and values.get("address"):
            try:
                written = addresses.normalise(values["kind"], values["address"])
            except addresses.AddressError as error:
                self.add_error("address", str(error))
            else:
                values["digest"] = addresses.digest(values["kind"], written)
        return values


class LiftForm(BaseDialogForm):
    note = forms.CharField(label=_("Why it is lifted"), max_length=240, widget=UnfoldAdminTextInputWidget)


@admin.register(Suppression)
class SuppressionAdmin(ModelAdmin):
    """Addresses that must not be written to; they outlive the profile."""

    form = SuppressionForm
    list_display = ["short_digest", "channel", "purpose", "why", "created_at", "created_by", "active"]
    list_filter = ["reason", "channel", "purpose", ("lifted_at", admin.EmptyFieldListFilter)]
    search_fields = ["reason"]
    search_help_text = _("Whole e-mail address or phone number")
    show_full_result_count = False
    actions = None
    actions_detail = ["lift"]

    @display(description=_("address digest"))
    def short_digest(self, obj: Suppression) -> str:
        return bytes(obj.digest).hex()[:16]

    @display(description=_("reason"), label=True)
    def why(self, obj: Suppression) -> str:
        return obj.get_reason_display()

    @display(description=_("in effect"), boolean=True)
    def active(self, obj: Suppression) -> bool:
        return obj.lifted_at is None

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """An address is found by its digest; nothing else about it is stored."""
        if not search_term:
            return queryset, False
        digests = []
        for kind, _label in ADDRESS_KINDS:
            try:
                digests.append(addresses.digest(kind, addresses.normalise(kind, search_term)))
            except addresses.AddressError:
                continue
        return queryset.filter(digest__in=digests), False

    def get_fields(self, request: HttpRequest, obj: Suppression | None = None) -> list[str]:
        if obj is None:
            return ["kind", "address", "channel", "purpose", "reason", "source"]
        return [
            "short_digest", "channel", "purpose", "why", "source", "created_at", "created_by", "active", "lifted_at",
            "lifted_by", "lifted_note",
        ]  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: Suppression | None = None) -> list[str]:
        return self.get_fields(request, obj) if obj else []

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_lift_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("compliance.change_suppression")

    def save_model(self, request: HttpRequest, obj: Suppression, form: Any, change: bool) -> None:
        stored = suppression.add(
            digest=form.cleaned_data["digest"],
            channel=obj.channel,
            purpose_id=obj.purpose_id,
            reason=obj.reason or SuppressionReason.STAFF,
            source=obj.source,
            actor=actors.user(request.user),
            now=timezone.now(),
        )
        adopt(obj, stored)

    @action(
        description=_("Lift"),
        permissions=["lift"],
        dialog={
            "title": _("Lift this suppression"),
            "description": _("The address may be written to again, as far as the person's consent goes."),
            "form_class": LiftForm,
            "form_submit_text": _("Lift"),
        },
    )
    def lift(self, request: HttpRequest, form: LiftForm, object_id: int) -> HttpResponse:
        url = reverse("admin:compliance_suppression_change", args=[object_id])
        try:
            suppression.lift(
                suppression_id=object_id,
                note=form.cleaned_data["note"],
                actor=actors.user(request.user),
                now=timezone.now(),
            )
        except suppression.SuppressionError as error:
            return done(request, url, str(error), error=True)
        return done(request, url, gettext("The suppression is lifted."))
