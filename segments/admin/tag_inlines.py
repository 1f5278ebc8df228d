"""What belongs to a tag, on its page."""

from typing import Any

from django.core.exceptions import ValidationError
from django.forms import ModelForm
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline

from segments.models import TagBoost, TagGain, TagParameter
from segments.services.tags import definitions


class ParameterFormSet(BaseInlineFormSet):
    """Keeps rules from losing a parameter that they name."""

    def clean(self) -> None:
        super().clean()
        kept = {
            form.cleaned_data["name"]: form.cleaned_data["value"]
            for form in self.forms
            if form.cleaned_data.get("name")
            and form.cleaned_data.get("value") is not None
            and not form.cleaned_data.get("DELETE")
        }
        if not any(self.errors):
            definitions.check_parameters(tag=self.instance, parameters=kept)


class ParameterInline(TabularInline):
    """Figures of rules, to be edited without touching the rule."""

    model = TagParameter
    formset = ParameterFormSet
    fields = ["name", "value", "description"]
    extra = 0


class GainInline(TabularInline):
    """What each event adds to the interest in its category."""

    model = TagGain
    fields = ["event_name", "gain"]
    extra = 0


class BoostForm(ModelForm):
    class Meta:
        model = TagBoost
        fields = ["factor", "goal", "starts_at", "ends_at"]

    def clean(self) -> Any:
        cleaned = super().clean() or self.cleaned_data
        starts_at, ends_at = cleaned.get("starts_at"), cleaned.get("ends_at")
        if starts_at and ends_at and ends_at <= max(starts_at, timezone.now()):
            raise ValidationError({"ends_at": _t("Must be later than the start, and in the future.")})
        return cleaned


class BoostInline(TabularInline):
    """Factors for a time. What has been set up is ended on its own page and otherwise stays as it was."""

    model = TagBoost
    form = BoostForm
    fields = ["factor", "goal", "starts_at", "ends_at"]
    extra = 0
    can_delete = False
    show_change_link = True
    verbose_name_plural = _("boosts (those that run at the same time multiply)")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
