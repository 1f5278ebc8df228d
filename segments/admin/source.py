from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from segments.models import Source


@admin.register(Source)
class SourceAdmin(ModelAdmin):
    list_display = ["key", "name", "created_at"]
    search_fields = ["key", "name"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        # Customer numbers are digested together with the key.
        return ["key"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
