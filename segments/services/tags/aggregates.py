"""Tags from a figure over events: orders in the last 30 days, the favourite category."""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import connection

from segments.models import Event, Measure, Output, Profile, Tag
from segments.services.tags import categories
from segments.services.tags.rule_tags import expiry
from segments.services.tags.writing import Sql

_MEASURES = {
    Measure.COUNT: "count(*)",
    Measure.OCCASIONS: "count(DISTINCT e.occurred_at)",
    Measure.SUM: "coalesce(sum(e.amount), 0)",
}
_EVIDENCE = """
    jsonb_build_object('measure', %(measure)s::text, 'event', %(event)s::text, 'figure', figure::float8, 'last',
                       to_char(last AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
"""
_WEIGHT = """
    SELECT profile_id, %(definition)s::bigint AS tag_id, figure::float8 AS weight, NULL::timestamptz AS weighed_at,
           %(confidence)s::numeric(4, 3) AS confidence, %(expires)s::timestamptz AS expires_at, {evidence} AS evidence
    FROM (
        SELECT e.profile_id, {measure} AS figure, max(e.occurred_at) AS last FROM {events} GROUP BY e.profile_id
    ) figures WHERE figure >= %(minimum)s
"""
_BY_CATEGORY = """
    SELECT f.profile_id, tag.id AS tag_id, figure::float8 AS weight, NULL::timestamptz AS weighed_at,
           {confidence} AS confidence, %(expires)s::timestamptz AS expires_at,
           {evidence} || jsonb_build_object('category', f.category, 'of', total::float8) AS evidence
    FROM ({figures}) f JOIN segments_tag tag ON tag.parent_id = %(definition)s AND tag.kind = 'category'
                                            AND tag.category = f.category
    WHERE figure >= %(minimum)s
"""
_FIGURES = """
    SELECT g.*, sum(g.figure) OVER (PARTITION BY g.profile_id) AS total FROM (
        SELECT e.profile_id, e.category, {measure} AS figure, max(e.occurred_at) AS last
        FROM {events} AND e.category <> '' GROUP BY e.profile_id, e.category
    ) g
"""
# Of equal figures the one with the later event is the favourite, then the first by name.
_TOP = """
    SELECT DISTINCT ON (profile_id) * FROM ({figures}) figures
    ORDER BY profile_id, figure DESC, last DESC, category COLLATE "C"
"""


def is_by_category(definition: Tag) -> bool:
    """Whether people carry tags of categories below the definition, not the definition itself."""
    return definition.output in (Output.TOP_CATEGORY, Output.EACH_CATEGORY)


def prepare(definition: Tag, now: datetime, only: Collection[int] | None) -> None:
    """Make the tags of the categories that occur."""
    if is_by_category(definition):
        source = _events(definition, now, only)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT DISTINCT e.category FROM {source.text}", source.params)  # noqa: S608  # constants
            categories.ensure(definition=definition, categories=[row[0] for row in cursor.fetchall()])


def wanted(definition: Tag, now: datetime, only: Collection[int] | None) -> Sql:
    """Who carries which tag with which weight: the figure. The confidence in a favourite is its share of the total."""
    source = _events(definition, now, only)
    parts = {"measure": _MEASURES[Measure(definition.measure)], "events": source.text, "evidence": _EVIDENCE}
    params = {
        **source.params, "definition": definition.pk, "minimum": definition.minimum, "measure": definition.measure,
        "confidence": definition.given_confidence, "expires": expiry(definition, now),
    }  # fmt: skip
    if not is_by_category(definition):
        return Sql(_WEIGHT.format(**parts), params)
    figures = _FIGURES.format(**parts)
    confidence = "%(confidence)s::numeric(4, 3)"
    if definition.output == Output.TOP_CATEGORY:
        figures = _TOP.format(figures=figures)
        confidence = "LEAST(figure / NULLIF(GREATEST(total, figure), 0), 1)::numeric(4, 3)"
    return Sql(_BY_CATEGORY.format(figures=figures, confidence=confidence, evidence=_EVIDENCE), params)


def touched_by_clock(definition: Tag, since: datetime, now: datetime) -> set[int]:
    """The people of whom an event left the window between the two moments."""
    if definition.window_days is None:
        return set()
    window = timedelta(days=definition.window_days)
    left = Event.objects.filter(
        name=definition.event_name, occurred_at__gt=since - window, occurred_at__lte=now - window
    )
    people = Profile.objects.filter(pk__in=left.values("profile")).values_list("pk", flat=True)
    return set(people)


def _events(definition: Tag, now: datetime, only: Collection[int] | None) -> Sql:
    """FROM and WHERE: the events in the window, of people who exist. Times are constants, so months are pruned."""
    text = "segments_event e JOIN segments_profile ON subject_id = e.profile_id WHERE e.name = %(event)s"
    params: dict[str, object] = {"event": definition.event_name}
    if definition.window_days is not None:
        text += " AND e.occurred_at > %(start)s AND e.occurred_at <= %(now)s"
        params |= {"start": now - timedelta(days=definition.window_days), "now": now}
    if only is not None:
        text += " AND e.profile_id = ANY(%(only)s)"
        params["only"] = sorted(only)
    return Sql(text, params)
