from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextareaWidget

from campaigns import rendering
from campaigns.models import MessageTemplate
from campaigns.selectors.routes import most_generous_rules

SAMPLE_PERSON = {"name": "Li Wei", "city": "Hangzhou", "country": "CN", "language": "zh-Hans"}
SAMPLE_LINK = "https://heed.example.com/u/preview"
MONOSPACED = {"class": "font-mono", "spellcheck": "false"}


class TemplateForm(forms.ModelForm):
    class Meta:
        model = MessageTemplate
        fields = ["key", "name", "kind", "language", "subject", "text", "html"]
        widgets = {
            "text": UnfoldAdminTextareaWidget(attrs={"rows": 12, **MONOSPACED}),
            "html": UnfoldAdminTextareaWidget(attrs={"rows": 18, **MONOSPACED}),
        }
        help_texts = {
            "text": _(
                "Liquid. Variables: profile.name, profile.city, profile.attributes.NAME, campaign.name and "
                "unsubscribe_url. In a mail the last must appear, beside a link as call to action; an SMS gets the "
                "opt-out text of its channel behind it."
            ),
            "subject": _("For e-mail and in-app messages."),
            "html": _(
                "The same in HTML, for e-mail only; CSS in a style element is put into the elements when the mail is "
                "built."
            ),
        }

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if {"subject", "text", "kind"} <= values.keys():
            parts = {name: values.get(name, "") for name in ("subject", "text", "html")}
            try:
                rendering.validate(**parts, rules=most_generous_rules(values["kind"]))
            except rendering.TemplateError as error:
                self.add_error(error.field, error.reason)
        return values


@admin.register(MessageTemplate)
class MessageTemplateAdmin(ModelAdmin):
    """What is said. A campaign approved with this template is not sent once the template has changed."""

    form = TemplateForm
    list_display = ["name", "key", "kind", "language", "subject", "updated_at"]
    list_filter = ["kind", "language"]
    search_fields = ["name", "key", "subject"]
    actions_detail = ["preview"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["key"] if obj else []

    @action(description=_("Preview"), permissions=["view"], url_path="preview")
    def preview(self, request: HttpRequest, object_id: int) -> HttpResponse:
        template = get_object_or_404(MessageTemplate, pk=object_id)
        values = rendering.variables(
            profile=SAMPLE_PERSON | {"attributes": {}}, campaign_name=template.name, unsubscribe_url=SAMPLE_LINK
        )
        context = {
            **self.admin_site.each_context(request),
            "title": _("Preview"),
            "opts": self.opts,
            "template": template,
        }
        try:
            compiled = rendering.compile_content(subject=template.subject, text=template.text, html=template.html)
            context["rendered"] = compiled.render(values, most_generous_rules(template.kind))
        except rendering.TemplateError as error:
            context["error"] = str(error)
        return render(request, "campaigns/admin/preview.html", context)
