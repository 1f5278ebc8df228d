from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Max
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextInputWidget

from compliance import actors
from segments.admin.json_fields import json_field
from segments.cleaning import RuleError
from segments.models import CleaningRule
from segments.selectors.cleaning import step_of
from segments.services import cleaning

GAP = 10  # between the positions of new rules, so that one can be put between two
EXAMPLE = {"steps": ["trim", "nfkc", "spaces"]}
PARAMETERS = _(
    'Normalise: {"steps": ["trim", "spaces", "nfkc", "lower"]}, also "upper" and "title"; nfkc makes full-width '
    'letters half-width. Map: {"values": {"Shen Zhen": "Shenzhen"}, "ignore_case": true}. Complete: '
    '{"constant": "CNY"} or {"from": "properties.price"}. Reject and hold: {"op": "gt", "value": 100000, "reason": '
    '"too much"}; op is one of eq, ne, in, not_in, lt, lte, gt, gte, contains, starts_with, is_set, is_not_set. Hold '
    'by a daily count of one person, without a field: {"per_day": 1000, "reason": "too many views"}.'
)


class CleaningRuleForm(forms.ModelForm):
    parameters = json_field(label=_("Parameters"), initial=EXAMPLE, help_text=PARAMETERS)

    class Meta:
        model = CleaningRule
        fields = [
            "name", "position", "is_active", "target", "source", "event_names", "field", "action", "parameters",
        ]  # fmt: skip
        widgets = {"event_names": UnfoldAdminTextInputWidget}
        help_texts = {
            "field": _(
                "Events: external_id, email, phone, wechat, device, amount, currency, category, properties.NAME. "
                "Profiles: a field of the profile or attributes.NAME. Empty: only for a daily count."
            ),
            "position": _("Rules work from the lowest to the highest."),
        }

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if not self.errors:
            given = {name: value for name, value in values.items() if name in self.Meta.fields}
            try:
                step_of(CleaningRule(**given))
            except RuleError as error:
                part, _dot, inner = error.field.partition(".")
                self.add_error(part, f"{inner}: {error.reason}" if inner else error.reason)
        return values


@admin.register(CleaningRule)
class CleaningRuleAdmin(ModelAdmin):
    """What is done to data before it is stored, in this order."""

    form = CleaningRuleForm
    list_display = ["name", "target", "source", "names", "field", "action", "is_active"]
    list_filter = ["target", "action", "is_active", "source"]
    list_select_related = ["source"]
    search_fields = ["name", "field"]
    ordering = ["position", "pk"]
    ordering_field = "position"
    actions = None

    @admin.display(description=_("event names"))
    def names(self, obj: CleaningRule) -> str:
        return ", ".join(obj.event_names)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        last = CleaningRule.objects.aggregate(last=Max("position"))["last"] or 0
        return {"position": last + GAP, **super().get_changeform_initial_data(request)}

    def save_model(self, request: HttpRequest, obj: CleaningRule, form: Any, change: bool) -> None:
        cleaning.save(rule=obj, actor=actors.user(request.user), now=timezone.now())

    def delete_model(self, request: HttpRequest, obj: CleaningRule) -> None:
        cleaning.remove(rule=obj, actor=actors.user(request.user), now=timezone.now())
