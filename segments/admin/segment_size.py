from django.contrib import admin

from compliance.admin.base import ReadOnlyAdmin
from segments.models import SegmentSize


@admin.register(SegmentSize)
class SegmentSizeAdmin(ReadOnlyAdmin):
    """How many people each segment had, day by day; the page of a segment draws it."""

    list_display = ["day", "segment", "members", "entered", "left"]
    list_filter = ["segment"]
    list_select_related = ["segment"]
    date_hierarchy = "day"
