"""The chart of a segment's size over time."""

import json
from typing import Any

from django.utils.translation import gettext as _

from segments.models import Segment
from segments.selectors import segment_sizes

COLOUR = "#2563eb"
OPTIONS = {
    "responsive": True,
    "maintainAspectRatio": False,
    "animation": False,
    "plugins": {"legend": {"display": False}},
    "scales": {"x": {"grid": {"display": False}}, "y": {"beginAtZero": True, "grid": {"display": True}}},
}


def context(segment: Segment) -> dict[str, Any]:
    """What the template needs: the last 90 known days as a line and as a table; no chart without any."""
    rows = segment_sizes.last_days(segment)
    if not rows:
        return {"sizes": []}
    line = {
        "label": _("members"), "data": [row.members for row in rows], "borderColor": COLOUR, "backgroundColor": COLOUR,
        "pointRadius": 2,
    }  # fmt: skip
    return {
        "sizes": rows[::-1],
        "size_chart": json.dumps({"labels": [row.day.isoformat() for row in rows], "datasets": [line]}),
        "size_options": json.dumps(OPTIONS),
    }
