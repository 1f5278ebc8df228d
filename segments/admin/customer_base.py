import json
from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from compliance.admin.base import ReadOnlyAdmin
from segments.models import ProfileStats
from segments.selectors import customer_base
from segments.selectors.customer_base import Cell, Share

GROUPS = ("lifecycle", "tier")
LYING_BARS = {"indexAxis": "y", "maintainAspectRatio": False, "plugins": {"legend": {"display": False}}}


@admin.register(ProfileStats)
class CustomerBaseAdmin(ReadOnlyAdmin):
    """One page about everybody, in place of a list of rows: RFM cells, lifecycle, value, segments."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        now = timezone.now()
        grid = customer_base.rfm_grid()
        bars = [
            (_("Lifecycle"), customer_base.tag_shares(GROUPS[0], now)),
            (_("Value tier"), customer_base.tag_shares(GROUPS[1], now)),
            (_("Segments"), customer_base.segment_sizes()),
        ]
        context = {
            **self.admin_site.each_context(request),
            "title": _("Customer base"),
            "opts": self.model._meta,
            "grid": [(row[0].recency, [(cell, _strength(cell, grid)) for cell in row]) for row in grid],
            "chart_options": json.dumps(LYING_BARS),
            "buyers": sum(cell.people for row in grid for cell in row),
            "charts": [(title, shares, _chart(title, shares)) for title, shares in bars if shares],
        }
        return TemplateResponse(request, "segments/admin/customer_base.html", context)


def _strength(cell: Cell, grid: Sequence[Sequence[Cell]]) -> int:
    """How dark the cell is drawn, in percent of the fullest one."""
    most = max(other.people for row in grid for other in row)
    return 100 * cell.people // most if most else 0


def _chart(title: str, shares: Sequence[Share]) -> str:
    """The bars as Chart.js takes them."""
    dataset = {
        "label": title,
        "data": [share.people for share in shares],
        "backgroundColor": "var(--color-primary-600)",
        "borderRadius": 4,
        "maxBarThickness": 24,
    }
    return json.dumps({"labels": [share.name for share in shares], "datasets": [dataset]})
