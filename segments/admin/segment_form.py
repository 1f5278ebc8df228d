"""The form of a segment: its rule tree is built by hand and eye, or, without JavaScript, written as JSON."""

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.widgets import Script
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

from segments.models import Segment, SegmentKind
from segments.rules import RuleError
from segments.services import segments

PAGES = ("catalogue", "suggestions", "preview", "names")


class PrettyJSON(json.JSONEncoder):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "indent": 2, "ensure_ascii": False})


class RuleWidget(UnfoldAdminTextareaWidget):
    """A text area of JSON that the builder's script takes over."""

    class Media:
        css = {"all": [f"segments/builder/{name}.css" for name in ("builder", "inputs", "panel")]}
        js = [Script("segments/builder/main.js", type="module")]

    def build_attrs(self, base_attrs: dict[str, Any], extra_attrs: dict[str, Any] | None = None) -> dict[str, Any]:
        pages = {f"data-{page}-url": reverse(f"admin:segments_segment_{page}") for page in PAGES}
        return {**super().build_attrs(base_attrs, extra_attrs), **pages, "data-rule-builder": ""}


class SegmentForm(forms.ModelForm):
    definition = forms.JSONField(
        label=_("Rule tree"),
        encoder=PrettyJSON,
        initial={"all": []},
        widget=RuleWidget(attrs={"rows": 18, "spellcheck": "false", "class": "font-mono"}),
        help_text=_('Groups: "all", "any", "none"; see the README for all kinds of condition and their operators.'),
    )

    class Meta:
        model = Segment
        fields = ["key", "name", "kind", "description", "is_active", "definition"]
        help_texts = {"kind": _("It stays as it is. A list of people needs no rule; a snapshot is taken at once.")}
        widgets = {"description": UnfoldAdminTextareaWidget(attrs={"rows": 2})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "kind" in self.fields:
            self.fields["kind"].required = False
        if self.instance.kind == SegmentKind.UPLOADED:
            self.fields.pop("definition", None)
        if "definition" in self.fields:
            self.fields["definition"].widget.attrs["data-segment"] = self.instance.key

    def _key(self) -> str:
        """The key of the segment, for a rule must not ask for itself."""
        return str(self.cleaned_data.get("key") or self.instance.key or "")

    def clean_kind(self) -> str:
        return str(self.cleaned_data["kind"] or SegmentKind.DYNAMIC)

    def clean_definition(self) -> Any:
        if self.cleaned_data.get("kind", self.instance.kind) == SegmentKind.UPLOADED:
            return {}
        definition = self.cleaned_data["definition"]
        try:
            segments.check(definition=definition, key=self._key()).queryset(timezone.now())
        except RuleError as error:
            fault = {"path": error.path, "reason": error.reason}
            self.fields["definition"].widget.attrs["data-fault"] = json.dumps(fault, ensure_ascii=False)
            raise ValidationError(str(error)) from error
        return definition
