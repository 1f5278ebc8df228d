from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from campaigns.admin.timing import weekdays_in_words
from campaigns.models import QuietHours, SendWindow, Weekday
from campaigns.services import hours
from compliance import actors


class SendWindowForm(forms.ModelForm):
    weekdays = forms.TypedMultipleChoiceField(
        label=_("weekdays"), choices=Weekday.choices, coerce=int, initial=Weekday.values,
        widget=UnfoldAdminCheckboxSelectMultipleWidget, help_text=_("days on which the ranges begin"),
    )  # fmt: skip


@admin.register(SendWindow)
class SendWindowAdmin(ModelAdmin):
    """Hours of each person's own day in which campaigns reach them."""

    form = SendWindowForm
    list_display = ["name", "hours", "days"]
    fields = ["name", "hours", "weekdays"]
    search_fields = ["name"]
    actions = None

    @display(description=_("weekdays"))
    def days(self, obj: SendWindow) -> str:
        return weekdays_in_words(obj.weekdays)

    def save_model(self, request: HttpRequest, obj: SendWindow, form: Any, change: bool) -> None:
        hours.save_window(window=obj, actor=actors.user(request.user), now=timezone.now())

    def delete_model(self, request: HttpRequest, obj: SendWindow) -> None:
        hours.delete_window(window=obj, actor=actors.user(request.user), now=timezone.now())


@admin.register(QuietHours)
class QuietHoursAdmin(ModelAdmin):
    """Hours in which nobody is written to, whatever a window says."""

    list_display = ["where", "hours", "is_active"]
    fields = ["channel", "hours", "is_active"]
    actions = None

    @display(description=_("channel"))
    def where(self, obj: QuietHours) -> Any:
        return obj.get_channel_display() if obj.channel else _("all channels")

    def save_model(self, request: HttpRequest, obj: QuietHours, form: Any, change: bool) -> None:
        hours.save_quiet(quiet=obj, actor=actors.user(request.user), now=timezone.now())

    def delete_model(self, request: HttpRequest, obj: QuietHours) -> None:
        hours.delete_quiet(quiet=obj, actor=actors.user(request.user), now=timezone.now())
