from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display

from campaigns.models import CapClock, FrequencyCap
from campaigns.services import caps
from compliance import actors


@admin.register(FrequencyCap)
class FrequencyCapAdmin(ModelAdmin):
    """How many messages one person gets at most. The most restrictive cap wins."""

    list_display = ["name", "in_words", "segment", "channel", "action", "is_active"]
    list_filter = ["is_active", "channel", "action"]
    fields = ["name", "segment", "channel", "most", "periods", "unit", "clock", "action", "is_active"]
    list_select_related = ["segment"]
    actions = None

    @display(description=_("at most"))
    def in_words(self, obj: FrequencyCap) -> str:
        words = gettext("%(most)d in %(periods)d %(unit)s, rolling")
        if obj.clock != CapClock.ROLLING:
            words = gettext("%(most)d in %(periods)d %(unit)s of the calendar")
        return words % {"most": obj.most, "periods": obj.periods, "unit": obj.get_unit_display()}

    def save_model(self, request: HttpRequest, obj: FrequencyCap, form: Any, change: bool) -> None:
        caps.save(cap=obj, actor=actors.user(request.user), now=timezone.now())

    def delete_model(self, request: HttpRequest, obj: FrequencyCap) -> None:
        caps.delete(cap=obj, actor=actors.user(request.user), now=timezone.now())
