from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from campaigns.models import SendingChannel


@admin.register(SendingChannel)
class SendingChannelAdmin(ModelAdmin):
    list_display = ["name", "kind", "from_name", "from_address", "batch_size", "is_active"]
    prepopulated_fields = {"key": ["name"]}

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["key"] if obj else []

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, list[str]]:
        return {} if obj else self.prepopulated_fields
