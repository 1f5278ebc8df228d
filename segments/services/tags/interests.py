"""Interests that decay: each event adds its gain to the interest in its category, and all of it halves each half-life.

A weight w as of a moment t stands for the events counted so far. One more with gain g at the moment u makes it
w * 0.5^((m - t) / h) + g * 0.5^((m - u) / h) as of m, the later of both: the same figure in whatever order events come,
and the same as `wanted` finds from all events, to the digits of floating point. Events further back than `REACH`
half-lives count nothing.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import connection

from segments import causes
from segments.models import PendingGain, Tag, TagKind
from segments.services.tags import categories, writing
from segments.services.tags.writing import Sql

REACH = 60
"""Half-lives after which an event is forgotten: 2^-60 is below the precision of the figures."""
MAX_HALF_LIVES = 200
BATCH = 20_000

_HALF_LIVES = "LEAST(extract(epoch FROM {later} - {earlier})::float8 / (86400 * {half_life}), {most})"
# From the weight down to the floor takes log2(weight / floor) half-lives.
_EXPIRES = """
    {at} + make_interval(secs => 86400 * {half_life} * GREATEST(ln({weight} / {floor}) / ln(2::float8), 0))
"""
COUNTED = """
    counted AS (DELETE FROM segments_pendinggain p WHERE p.tag_id = %(definition)s AND {about}),
"""
"""Happens in the snapshot of a full computation: what that sees among the events is pending no longer."""


def _faded(weight: str, later: str, earlier: str, half_life: str) -> str:
    lives = _HALF_LIVES.format(later=later, earlier=earlier, half_life=half_life, most=MAX_HALF_LIVES)
    return f"{weight} * power(0.5::float8, {lives})"


_ALL = f"""
    SELECT profile_id, tag_id, weight, weighed_at, confidence, evidence,
           {_EXPIRES.format(at="weighed_at", half_life="%(half_life)s", weight="weight", floor="%(floor)s")}
           AS expires_at
    FROM (
        SELECT e.profile_id, tag.id AS tag_id, sum({_faded("e.gain", "e.last", "e.occurred_at", "%(half_life)s")})
               AS weight, e.last AS weighed_at, %(confidence)s::numeric(4, 3) AS confidence, NULL::jsonb AS evidence
        FROM (
            SELECT e.profile_id, e.category, e.occurred_at, g.gain::float8,
                   max(e.occurred_at) OVER (PARTITION BY e.profile_id, e.category) AS last
            FROM segments_event e JOIN segments_taggain g ON g.tag_id = %(definition)s AND g.event_name = e.name
            JOIN segments_profile ON subject_id = e.profile_id
            WHERE e.occurred_at > %(start)s AND e.category <> '' AND {{about}}
        ) e JOIN segments_tag tag ON tag.parent_id = %(definition)s AND tag.kind = 'category'
                                 AND tag.category = e.category
        GROUP BY e.profile_id, tag.id, e.last
    ) weighed
"""  # noqa: S608  # put together from constants only

_CATEGORIES = """
    SELECT DISTINCT e.category FROM segments_event e
    JOIN segments_taggain g ON g.tag_id = %(definition)s AND g.event_name = e.name
    WHERE e.occurred_at > %(start)s AND e.category <> '' AND {about}
"""
_CLAIM = """
    DELETE FROM segments_pendinggain WHERE id IN (
        SELECT id FROM segments_pendinggain WHERE tag_id = ANY(%s) ORDER BY id LIMIT %s
    ) RETURNING profile_id, tag_id, category, occurred_at, gain
"""
_NEW_WEIGHT = (
    _faded("p.weight", "GREATEST(p.weighed_at, EXCLUDED.weighed_at)", "p.weighed_at", "d.half_life")
    + " + "
    + _faded("EXCLUDED.weight", "GREATEST(p.weighed_at, EXCLUDED.weighed_at)", "EXCLUDED.weighed_at", "d.half_life")
)
# The definition's half-life and floor stand in its children, see `categories.inherit`. ON CONFLICT sees only the row
# and EXCLUDED, hence the small look-ups by the primary key of the tag.
_HALF_LIFE_OF_ROW = "(SELECT half_life_days FROM segments_tag WHERE id = p.tag_id)"
_FLOOR_OF_ROW = "(SELECT floor FROM segments_tag WHERE id = p.tag_id)"
_WEIGHT_OF_ROW = _NEW_WEIGHT.replace("d.half_life", _HALF_LIFE_OF_ROW)
_ADD = f"""
    WITH claimed AS MATERIALIZED (
        SELECT * FROM unnest(
            %(profiles)s::bigint[], %(tags)s::bigint[], %(categories)s::text[], %(moments)s::timestamptz[],
            %(gains)s::float8[]
        ) given (profile_id, tag_id, category, occurred_at, gain)
    ), latest AS (
        SELECT c.*, max(occurred_at) OVER (PARTITION BY profile_id, tag_id, category) AS last FROM claimed c
    ), folded AS (
        SELECT l.profile_id, tag.id AS tag_id, tag.floor, tag.half_life_days AS half_life, l.last,
               definition.key AS source, definition.given_confidence AS confidence,
               sum({_faded("l.gain", "l.last", "l.occurred_at", "tag.half_life_days")}) AS weight
        FROM latest l
        JOIN segments_tag definition ON definition.id = l.tag_id
        JOIN segments_tag tag ON tag.parent_id = l.tag_id AND tag.kind = 'category' AND tag.category = l.category
        JOIN segments_profile ON subject_id = l.profile_id AND merged_into_id IS NULL
        WHERE NOT EXISTS (
            SELECT FROM segments_tagexclusion x WHERE x.profile_id = l.profile_id AND x.tag_id IN (tag.id, l.tag_id)
        )
        GROUP BY l.profile_id, tag.id, definition.id, l.last
    ), added AS (
        INSERT INTO segments_profiletag AS p (
            profile_id, tag_id, weight, weighed_at, confidence, expires_at, source, is_given, assigned_at
        )
        SELECT profile_id, tag_id, weight, last, confidence,
               {_EXPIRES.format(at="last", half_life="half_life", weight="weight", floor="floor")},
               'interest:' || source, false, %(now)s
        FROM folded ORDER BY profile_id, tag_id
        ON CONFLICT (profile_id, tag_id) DO UPDATE SET
            weight = {_WEIGHT_OF_ROW},
            weighed_at = GREATEST(p.weighed_at, EXCLUDED.weighed_at),
            expires_at = {
    _EXPIRES.format(
        at="GREATEST(p.weighed_at, EXCLUDED.weighed_at)",
        half_life=_HALF_LIFE_OF_ROW,
        weight=f"({_WEIGHT_OF_ROW})",
        floor=_FLOOR_OF_ROW,
    )
}
        WHERE NOT p.is_given
        RETURNING profile_id, tag_id
    )
    SELECT added.profile_id, tag.key FROM added JOIN segments_tag tag ON tag.id = added.tag_id
"""  # noqa: S608  # put together from constants only


def prepare(definition: Tag, scope: writing.Scope, now: datetime) -> None:
    """Make the tags of the categories in which somebody of the scope can have an interest."""
    params = {**scope.about.params, "definition": definition.pk, "start": now - _reach(definition)}
    with connection.cursor() as cursor:
        cursor.execute(_CATEGORIES.format(about=scope.about.text.format("e")), params)
        categories.ensure(definition=definition, categories=[row[0] for row in cursor.fetchall()])


def wanted(definition: Tag, scope: writing.Scope, now: datetime) -> Sql:
    """Everybody's interests found from all their events."""
    params = {
        **scope.about.params, "definition": definition.pk, "half_life": definition.half_life_days,
        "floor": definition.floor, "confidence": definition.given_confidence, "start": now - _reach(definition),
    }  # fmt: skip
    return Sql(_ALL.format(about=scope.about.text.format("e")), params)


def add_pending(*, now: datetime, limit: int = BATCH) -> dict[str, set[int]]:
    """Add up to `limit` events to the interests they concern, each once; returns the people by cause.

    In the caller's transaction. Definitions that are computed for everybody at this moment are passed over: what is
    pending for them either is seen by that computation, which removes it, or is added afterwards.
    """
    pending = PendingGain.objects.order_by().values_list("tag_id", flat=True).distinct()
    free = [tag_id for tag_id in sorted(set(pending)) if writing.try_lock(tag_id)]
    if not free:
        return {}
    changed: dict[str, set[int]] = defaultdict(set)
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [free, limit])
        claimed = cursor.fetchall()
        _ensure_categories({(tag_id, category) for _, tag_id, category, _, _ in claimed})
        profiles, tags, named, moments, gains = (list(column) for column in zip(*claimed, strict=True))
        cursor.execute(
            _ADD,
            {"profiles": profiles, "tags": tags, "categories": named, "moments": moments, "gains": gains, "now": now},
        )
        for profile_id, key in cursor.fetchall():
            changed[causes.tag(key)].add(profile_id)
    return dict(changed)


def _ensure_categories(occurring: set[tuple[int, str]]) -> None:
    for definition in Tag.objects.filter(pk__in={tag_id for tag_id, _ in occurring}, kind=TagKind.INTEREST):
        categories.ensure(
            definition=definition, categories=[category for tag_id, category in occurring if tag_id == definition.pk]
        )


def _reach(definition: Tag) -> timedelta:
    assert definition.half_life_days is not None, definition.key  # noqa: S101  # constraint tag_interest_decays
    return timedelta(days=min(REACH * definition.half_life_days, 36_500))


def about(people: Collection[int] | None) -> str:
    """The condition of `COUNTED` for some people or for everybody."""
    return "true" if people is None else "p.profile_id = ANY(%(only)s)"
