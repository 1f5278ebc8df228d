"""Who is in a segment: all of it found out anew, or the few people about whom something changed."""

import logging
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError, connection, transaction
from django.db.models import F

from compliance.services import audit
from segments.models import Segment
from segments.rules import Rule, RuleError, parse

logger = logging.getLogger(__name__)

LOCK_NAMESPACE = 0x53454700
"""The first key of the advisory locks that keep two changes of one segment's members apart; the second is its id."""

# One statement, and people as one array: as parameters of their own, a thousand of them cost more than the question.
EXCHANGE_SOME = """
    , gone AS (
        DELETE FROM segments_segmentmembership m
        WHERE m.segment_id = %s AND m.profile_id = ANY(%s)
          AND NOT EXISTS (SELECT FROM wanted w WHERE w.profile_id = m.profile_id)
        RETURNING 1
    ), come AS (
        INSERT INTO segments_segmentmembership (segment_id, profile_id, entered_at)
        SELECT %s, w.profile_id, %s FROM wanted w
        WHERE NOT EXISTS (
            SELECT FROM segments_segmentmembership m WHERE m.segment_id = %s AND m.profile_id = w.profile_id
        )
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM come), (SELECT count(*) FROM gone)
"""


@dataclass(frozen=True)
class RefreshResult:
    """How many people were let in and out, and how many are members now."""

    entered: int
    left: int
    members: int


def lock(segment_id: int) -> None:
    """Wait until nobody else changes the members of the segment; until the transaction ends, nobody will."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK_NAMESPACE, segment_id])


def try_lock(segment_id: int) -> bool:
    """As `lock`, but False instead of waiting."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [LOCK_NAMESPACE, segment_id])
        return bool(cursor.fetchone()[0])


def exchange(
    *, segment_id: int, rule: Rule, now: datetime, tables: Mapping[Hashable, str] | None = None
) -> RefreshResult:
    """Write the difference between the members and the people of the rule; as many statements for a million.

    The people go through a temporary table: making it may use parallel workers, which no INSERT .. SELECT
    does, and once analysed it keeps the planner from treating a million rows as the few it guessed. `tables`: see
    `Rule.queryset`.
    """
    sql, params = rule.queryset(now, tables=tables).query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.segment_wanted")
        cursor.execute(f"CREATE TEMPORARY TABLE segment_wanted (profile_id) AS {sql}", params)
        members = cursor.rowcount
        cursor.execute("ANALYZE pg_temp.segment_wanted")
        cursor.execute(
            """
            DELETE FROM segments_segmentmembership m
            WHERE m.segment_id = %s
              AND NOT EXISTS (SELECT FROM pg_temp.segment_wanted w WHERE w.profile_id = m.profile_id)
            """,
            [segment_id],
        )
        left = cursor.rowcount
        cursor.execute(
            """
            INSERT INTO segments_segmentmembership (segment_id, profile_id, entered_at)
            SELECT %s, w.profile_id, %s FROM pg_temp.segment_wanted w
            WHERE NOT EXISTS (
                SELECT FROM segments_segmentmembership m
                WHERE m.segment_id = %s AND m.profile_id = w.profile_id
            )
            ORDER BY w.profile_id
            """,
            [segment_id, now, segment_id],
        )
        entered = cursor.rowcount
        cursor.execute("DROP TABLE pg_temp.segment_wanted")
    return RefreshResult(entered=entered, left=left, members=members)


def recheck(*, touched: Mapping[str, Collection[int]], now: datetime, actor: str) -> None:
    """Let people in and out of the active segments that mention what changed about them; `touched` is people by cause.

    A segment that cannot be evaluated is logged and does not stop the others.
    """
    for segment in Segment.objects.filter(is_active=True).order_by("pk"):
        try:
            with transaction.atomic():
                _recheck(segment, touched, now, actor)
        except (RuleError, DatabaseError):
            logger.exception("segment %s could not be rechecked", segment.key)


def _recheck(segment: Segment, touched: Mapping[str, Collection[int]], now: datetime, actor: str) -> None:
    rule = parse(segment.definition)
    depends_on = rule.depends_on()
    people = sorted({person for cause in touched if depends_on.concern(cause) for person in touched[cause]})
    if not people:
        return
    lock(segment.pk)
    sql, params = rule.queryset(now, only=people).query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH wanted (profile_id) AS MATERIALIZED ({sql}) {EXCHANGE_SOME}",
            [*params, segment.pk, people, segment.pk, now, segment.pk],
        )
        ((entered, left),) = cursor.fetchall()
    if entered or left:
        Segment.objects.filter(pk=segment.pk).update(member_count=F("member_count") + entered - left)
        audit.append(
            action="segment.members_changed", actor=actor, object_type="segment", object_id=str(segment.uid),
            details={"key": segment.key, "version": segment.version, "entered": entered, "left": left}, now=now,
        )  # fmt: skip
