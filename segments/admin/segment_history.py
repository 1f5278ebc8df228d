from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.decorators import display

from compliance.admin.base import ReadOnlyAdmin
from segments import causes, masking
from segments.models import SegmentChange
from segments.selectors.profiles import names
from segments.selectors.segment_history import cause_in_words

CHANGE_COLOURS = {"entered": "success", "left": "warning"}


class CauseFilter(admin.SimpleListFilter):
    """By what kind of thing moved the person: asking which causes there are would read the whole history."""

    title = _("cause")
    parameter_name = "cause"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [
            (causes.event(""), _("An event")),
            (causes.attribute(""), _("An attribute")),
            (causes.tag(""), _("A tag")),
            (causes.segment(""), _("Another segment")),
            (causes.CLOCK, _("Time passed")),
            (causes.REFRESH, _("A refresh by hand")),
            (causes.DEFINITION, _("A new rule")),
            (causes.SNAPSHOT, _("A snapshot")),
            (causes.UPLOAD, _("An uploaded list")),
            (causes.MERGE, _("A merge of profiles")),
            ("other", _("RFM, consent or messages")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[SegmentChange]) -> QuerySet[SegmentChange]:
        value = self.value()
        if value == "other":
            return queryset.filter(cause__in=[causes.RFM, causes.CONSENT, causes.DELIVERY])
        if value and value.endswith(":"):
            return queryset.filter(cause__startswith=value)
        return queryset.filter(Q(cause=value)) if value else queryset


class DayFilter(RangeDateFilter):
    """Days of the installation's zone, both included; a day that is none is passed over."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[SegmentChange]) -> QuerySet[SegmentChange]:
        first, last = (_day(self.used_parameters.get(f"{self.parameter_name}_{end}")) for end in ("from", "to"))
        if first:
            queryset = queryset.filter(at__gte=_midnight(first))
        return queryset.filter(at__lt=_midnight(last + timedelta(days=1))) if last else queryset


@admin.register(SegmentChange)
class SegmentChangeAdmin(ReadOnlyAdmin):
    """Who entered and left segments, when and why; the latest first."""

    list_display = ["at", "segment", "profile", "masked_name", "change", "why", "version"]
    list_filter = ["segment", "kind", CauseFilter, ("at", DayFilter)]
    list_filter_submit = True
    list_select_related = ["segment"]
    show_full_result_count = False
    list_per_page = 50
    fields = ["at", "segment", "profile", "masked_name", "change", "why", "version"]
    readonly_fields = fields

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        _add_names(changelist.result_list)
        return changelist

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> SegmentChange | None:
        change: SegmentChange | None = super().get_object(request, object_id, from_field)
        if change is not None:
            _add_names([change])
        return change

    @display(description=_("name"))
    def masked_name(self, obj: SegmentChange) -> str:
        return masking.mask_name(obj.person_name)  # type: ignore[attr-defined]

    @display(description=_("change"), label=CHANGE_COLOURS)
    def change(self, obj: SegmentChange) -> tuple[str, str]:
        return obj.kind, obj.get_kind_display()

    @display(description=_("cause"))
    def why(self, obj: SegmentChange) -> str:
        return cause_in_words(obj.cause)


def _day(text: Any) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _add_names(changes: Any) -> None:
    found = names([change.profile_id for change in changes])
    for change in changes:
        change.person_name = found.get(change.profile_id, "")
