"""What the pages of segments say beside the definition: warnings, the size over time, the overlap of several."""

import csv
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET
from unfold.decorators import action, display

from segments.admin import segment_chart
from segments.models import Segment
from segments.selectors import segment_warnings
from segments.selectors.segment_overlap import MAX_SEGMENTS, Cell, Overlap, overlap
from segments.selectors.segment_warnings import LABELS, SegmentWarning

SHOWN_FIRST = 8
HEADINGS = ("segment", "members", "other_segment", "other_members", "shared_people", "share_of_segment", "jaccard")
DIGITS = 6


class WarningFilter(admin.SimpleListFilter):
    """The segments that have a certain warning."""

    title = gettext_lazy("warning")
    parameter_name = "warning"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(LABELS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Segment]) -> QuerySet[Segment]:
        if not self.value():
            return queryset
        found = _found(request).items()
        return queryset.filter(pk__in=[pk for pk, each in found if self.value() in {one.code for one in each}])


class InsightPages:
    """Mixed into the model admin of segments."""

    change_form_before_template = "segments/admin/segment_warnings.html"
    change_form_outer_after_template = "segments/admin/segment_sizes.html"

    def insight_urls(self) -> list[URLPattern]:
        """The URL patterns, to be put before those of the model admin."""
        view = self.admin_site.admin_view(require_GET(self.overlap))  # type: ignore[attr-defined]
        return [path("overlap/", view, name="segments_segment_overlap")]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        listed: Any = super().get_changelist_instance(request)  # type: ignore[misc]
        for segment in listed.result_list:
            segment.found_warnings = _found(request).get(segment.pk, [])
        return listed

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, obj: Any = None, **kwargs: Any) -> Any:
        if obj is not None:
            context |= {"segment_warnings": segment_warnings.of_segment(obj, timezone.now())}
            context |= segment_chart.context(obj)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)  # type: ignore[misc]

    @display(description=gettext_lazy("warnings"))
    def warnings(self, obj: Any) -> str:
        found: list[SegmentWarning] = getattr(obj, "found_warnings", [])
        return format_html_join(", ", '<span title="{}">{}</span>', [(one.message, LABELS[one.code]) for one in found])

    @action(description=gettext_lazy("Compare the selected segments"), permissions=["view"])
    def compare(self, request: HttpRequest, queryset: QuerySet[Segment]) -> HttpResponse | None:
        keys = list(queryset.order_by("key").values_list("key", flat=True)[: MAX_SEGMENTS + 1])
        if len(keys) > MAX_SEGMENTS:
            text = _("Choose at most %(most)d segments to compare.") % {"most": MAX_SEGMENTS}
            messages.error(request, text)
            return None
        return HttpResponseRedirect(f"{reverse('admin:segments_segment_overlap')}?{urlencode({'key': keys}, True)}")

    def overlap(self, request: HttpRequest) -> HttpResponse:
        """The matrix of the segments with the given keys, by default of the largest; as CSV if asked for."""
        pages: Any = self
        if not pages.has_view_permission(request):
            raise PermissionDenied
        keys = list(dict.fromkeys(key for key in request.GET.getlist("key") if "\0" not in key))
        known = {segment.key: segment for segment in Segment.objects.order_by("name", "key")}
        largest = sorted((each for each in known.values() if each.is_active), key=lambda each: -each.member_count)
        chosen = [known[key] for key in keys if key in known] if keys else largest[:SHOWN_FIRST]
        if len(chosen) > MAX_SEGMENTS:
            chosen = chosen[:MAX_SEGMENTS]
            messages.warning(request, _("Only the first %(most)d segments are compared.") % {"most": MAX_SEGMENTS})
        found = overlap(chosen)
        if request.GET.get("format") == "csv":
            return _as_csv(found)
        context = {
            **pages.admin_site.each_context(request),
            "title": _("Overlap of segments"),
            "opts": pages.model._meta,
            "choices": [(segment, segment in chosen) for segment in known.values()],
            "most": MAX_SEGMENTS,
            "chosen": chosen,
            "rows": [(row, found.size(row), _shown(found, row, cells)) for row, cells in found.rows()],
            "csv_query": urlencode({"key": [segment.key for segment in chosen], "format": "csv"}, doseq=True),
        }
        return TemplateResponse(request, "segments/admin/segment_overlap.html", context)


def _found(request: HttpRequest) -> dict[int, list[SegmentWarning]]:
    """The warnings of all segments, found once for a page that filters by them and shows them."""
    known: dict[int, list[SegmentWarning]] | None = getattr(request, "segment_warnings", None)
    if known is None:
        known = segment_warnings.of_all(timezone.now())
        request.segment_warnings = known  # type: ignore[attr-defined]
    return known


def _shown(found: Overlap, row: Segment, cells: list[Cell]) -> list[dict[str, Any]]:
    return [
        {
            "cell": cell,
            "percent": round(100 * cell.share),
            "title": _in_words(cell, row, column),
        }
        for column, cell in zip(found.segments, cells, strict=True)
    ]


def _in_words(cell: Cell, row: Segment, column: Segment) -> str:
    text = ngettext(
        "%(people)d person is both in “%(row)s” and in “%(column)s”: %(share).1f %% of “%(row)s”; Jaccard "
        "%(jaccard).2f",
        "%(people)d people are both in “%(row)s” and in “%(column)s”: %(share).1f %% of “%(row)s”; Jaccard "
        "%(jaccard).2f",
        cell.people,
    )
    shown = {"people": cell.people, "share": 100 * cell.share, "jaccard": cell.jaccard}
    return text % {**shown, "row": row.name, "column": column.name}


def _as_csv(found: Overlap) -> HttpResponse:
    """A line for each cell. Segments stand by their keys: names may hold what a spreadsheet takes for a formula."""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="segment-overlap.csv"'
    lines = csv.writer(response)
    lines.writerow(HEADINGS)
    for row, cells in found.rows():
        for column, cell in zip(found.segments, cells, strict=True):
            sizes = (row.key, found.size(row), column.key, found.size(column))
            lines.writerow([*sizes, cell.people, round(cell.share, DIGITS), round(cell.jaccard, DIGITS)])
    return response
