from django.contrib import admin

from compliance.admin.base import ReadOnlyAdmin
from segments.models import Event


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """What people did, newest received first."""

    list_display = ["occurred_at", "name", "profile", "amount", "currency", "category", "source"]
    list_filter = ["name", "source"]
    list_select_related = ["source"]
    ordering = ["-id"]
    show_full_result_count = False
    list_per_page = 50
