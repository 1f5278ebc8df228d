from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from compliance import actors
from compliance.admin.base import ReadOnlyAdmin
from segments.admin import quality_chart
from segments.cleaning import RuleError
from segments.cleaning.fields import EVENTS, PROFILES, kind_of
from segments.models import QualityDay, QualityStandard
from segments.quality_score import GOAL, score
from segments.services import quality


@admin.register(QualityDay)
class QualityDayAdmin(ReadOnlyAdmin):
    """How good the data of each source is, day by day: a chart, and the counts behind it."""

    list_display = [
        "day", "source", "total", "validity", "completeness", "uniqueness", "timeliness", "received", "valid", "unique",
        "held",
    ]  # fmt: skip
    list_filter = ["source"]
    list_select_related = ["source"]
    date_hierarchy = "day"
    list_before_template = "segments/admin/quality_chart.html"
    fields = [
        "source", "day", "total", "validity", "completeness", "uniqueness", "timeliness", "received", "valid", "unique",
        "asked_complete", "complete", "asked_timely", "timely", "held",
    ]  # fmt: skip
    readonly_fields = fields

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        response: Any = super().changelist_view(request, extra_context)
        changelist = getattr(response, "context_data", {}).get("cl")
        if changelist is not None:
            response.context_data |= quality_chart.context(changelist.queryset)
        return response

    @display(description=_("score"), label={"good": "success", "poor": "warning"})
    def total(self, obj: QualityDay) -> Any:
        share = score(obj).total
        return ("good" if share >= GOAL else "poor", _percent(share)) if share is not None else "–"

    @display(description=_("valid %"))
    def validity(self, obj: QualityDay) -> str:
        return _percent(score(obj).validity)

    @display(description=_("complete %"))
    def completeness(self, obj: QualityDay) -> str:
        return _percent(score(obj).completeness)

    @display(description=_("unique %"))
    def uniqueness(self, obj: QualityDay) -> str:
        return _percent(score(obj).uniqueness)

    @display(description=_("timely %"))
    def timeliness(self, obj: QualityDay) -> str:
        return _percent(score(obj).timeliness)


class StandardForm(forms.ModelForm):
    class Meta:
        model = QualityStandard
        fields = ["source", "event_fields", "profile_fields", "lateness_hours"]
        widgets = {"event_fields": UnfoldAdminTextInputWidget, "profile_fields": UnfoldAdminTextInputWidget}

    def clean_event_fields(self) -> list[str]:
        return _known(EVENTS, self.cleaned_data["event_fields"])

    def clean_profile_fields(self) -> list[str]:
        return _known(PROFILES, self.cleaned_data["profile_fields"])


@admin.register(QualityStandard)
class QualityStandardAdmin(ModelAdmin):
    """What is expected of a source's data; it counts from the next data on."""

    form = StandardForm
    list_display = ["source", "event_fields", "profile_fields", "lateness_hours"]
    list_select_related = ["source"]
    actions = None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["source"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: QualityStandard, form: Any, change: bool) -> None:
        quality.save_standard(standard=obj, actor=actors.user(request.user), now=timezone.now())


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _known(target: str, names: list[str]) -> list[str]:
    for name in names:
        try:
            kind_of(target, name)
        except RuleError as error:
            raise ValidationError(error.reason) from error
    return names
