"""The chart over the table of data quality: a line per source, or the parts of the score when there is one source."""

import json
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from django.db.models import Max, QuerySet
from django.utils.translation import gettext as _

from segments.models import QualityDay
from segments.quality_score import GOAL, Score, score

DAYS = 90
MAX_LINES = 8
COLOURS = ["#2563eb", "#d97706", "#059669", "#db2777", "#7c3aed", "#0891b2", "#65a30d", "#57534e"]
GOAL_COLOUR = "#9ca3af"
OPTIONS = {
    "responsive": True,
    "maintainAspectRatio": False,
    "animation": False,
    "plugins": {"legend": {"display": True, "position": "top", "align": "end"}},
    "scales": {"x": {"grid": {"display": False}}, "y": {"max": 100, "grid": {"display": True}}},
}


def context(days: QuerySet[QualityDay]) -> dict[str, Any]:
    """What the template needs: the last 90 days of those in the list; empty without any."""
    last = days.aggregate(last=Max("day"))["last"]
    if last is None:
        return {}
    rows = list(days.filter(day__gt=last - timedelta(days=DAYS)).select_related("source").order_by("day"))
    labels = sorted({row.day for row in rows})
    sources = sorted({row.source_id: str(row.source) for row in rows}.items(), key=lambda item: item[1])
    if len(sources) == 1:
        lines = _parts({row.day: score(row) for row in rows}, labels)
        title = _("Data quality of %(source)s, in percent") % {"source": sources[0][1]}
    else:
        by_source = {source: {row.day: score(row) for row in rows if row.source_id == source} for source, _n in sources}
        lines = [(name, [_shown(by_source[source].get(day)) for day in labels]) for source, name in sources[:MAX_LINES]]
        title = _("Data quality score by source, in percent")
    goal = {
        "label": _("Goal"), "data": [100 * GOAL] * len(labels), "borderColor": GOAL_COLOUR, "borderDash": [4, 4],
        "pointRadius": 1,
    }  # fmt: skip
    chart = {
        "labels": [day.isoformat() for day in labels],
        "datasets": [*[_line(*line, colour) for line, colour in zip(lines, COLOURS, strict=False)], goal],
    }
    return {"quality_chart": json.dumps(chart), "quality_options": json.dumps(OPTIONS), "quality_title": title}


def _parts(scores: dict[date, Score], labels: Sequence[date]) -> list[tuple[str, list[float | None]]]:
    found = [scores[day] for day in labels]
    return [
        (_("Score"), [_percent(item.total) for item in found]),
        (_("Valid"), [_percent(item.validity) for item in found]),
        (_("Complete"), [_percent(item.completeness) for item in found]),
        (_("Unique"), [_percent(item.uniqueness) for item in found]),
        (_("Timely"), [_percent(item.timeliness) for item in found]),
    ]


def _line(label: str, data: list[float | None], colour: str) -> dict[str, Any]:
    return {"label": label, "data": data, "borderColor": colour, "backgroundColor": colour, "spanGaps": True}


def _shown(found: Score | None) -> float | None:
    return _percent(found.total) if found else None


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 2)
