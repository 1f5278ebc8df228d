"""Who is in a segment: all of it found out anew, or the few people about whom something changed."""

import logging
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.db.models import F

from compliance.services import audit
from segments import causes
from segments.models import ChangeKind, Segment, SegmentMembership, UploadMode
from segments.rules import Rule, RuleError, parse
from segments.services import segment_sizes, shared_rows
from segments.services.touches import VAST

logger = logging.getLogger(__name__)

LOCK_NAMESPACE = 0x53454700
"""The first key of the advisory locks that keep two changes of one segment's members apart; the second is its id."""

WORTH_SHARING = 100
"""For fewer people, a table of what segments count in common costs more than counting it again."""

# One statement, and people as one array: as parameters of their own, a thousand of them cost more than the question.
EXCHANGE_SOME = """
    , why (profile_id, cause) AS MATERIALIZED (
        SELECT person, (%(causes)s::text[])[place]
        FROM unnest(%(people)s::bigint[], %(places)s::int[]) AS touched (person, place)
    ), gone AS (
        DELETE FROM segments_segmentmembership m
        WHERE m.segment_id = %(segment)s AND m.profile_id = ANY(%(people)s::bigint[])
          AND NOT EXISTS (SELECT FROM wanted w WHERE w.profile_id = m.profile_id)
        RETURNING profile_id
    ), come AS (
        INSERT INTO segments_segmentmembership (segment_id, profile_id, entered_at)
        SELECT %(segment)s, w.profile_id, %(now)s FROM wanted w
        WHERE NOT EXISTS (
            SELECT FROM segments_segmentmembership m
            WHERE m.segment_id = %(segment)s AND m.profile_id = w.profile_id
        )
        RETURNING profile_id
    ), told AS (
        INSERT INTO segments_segmentchange (segment_id, profile_id, kind, cause, version, at)
        SELECT %(segment)s, changed.profile_id, changed.kind, why.cause, %(version)s, %(now)s
        FROM (
            SELECT profile_id, 'entered' AS kind FROM come UNION ALL SELECT profile_id, 'left' FROM gone
        ) changed JOIN why USING (profile_id)
    )
    SELECT (SELECT count(*) FROM come), (SELECT count(*) FROM gone)
"""

# The history is written by the statement that changes the members, from the rows that it changed.
TELL = """
    told AS (
        INSERT INTO segments_segmentchange (segment_id, profile_id, kind, cause, version, at)
        SELECT %(segment)s, profile_id, %(kind)s, %(cause)s, %(version)s, %(now)s FROM changed
    )
    SELECT count(*) FROM changed
"""
LET_OUT = """
    WITH changed AS (
        DELETE FROM segments_segmentmembership m
        WHERE m.segment_id = %(segment)s
          AND {is_in} (SELECT FROM pg_temp.segment_wanted w WHERE w.profile_id = m.profile_id)
        RETURNING profile_id
    ), """
LET_IN = """
    WITH changed AS (
        INSERT INTO segments_segmentmembership (segment_id, profile_id, entered_at)
        SELECT %(segment)s, w.profile_id, %(now)s FROM pg_temp.segment_wanted w
        WHERE NOT EXISTS (
            SELECT FROM segments_segmentmembership m
            WHERE m.segment_id = %(segment)s AND m.profile_id = w.profile_id
        )
        ORDER BY w.profile_id
        RETURNING profile_id
    ), """


# Of the people named, the profiles that they are now; a merge under way is waited for, and the next one waits.
LIVING = """
    CREATE TEMPORARY TABLE segment_wanted (profile_id) AS
    WITH held AS MATERIALIZED (
        SELECT coalesce(p.merged_into_id, p.subject_id) AS profile_id FROM segments_profile p
        WHERE p.subject_id IN (SELECT n.profile_id FROM pg_temp.segment_named n)
        ORDER BY p.subject_id FOR SHARE OF p
    )
    SELECT DISTINCT profile_id FROM held
"""
# Whom a rule names as a segment is found in the text of its tree, in one statement however many rules there are.
TOUCH = """
    INSERT INTO segments_touch (profile_id, cause, touched_at)
    SELECT DISTINCT CASE WHEN vast.are THEN NULL ELSE profile_id END, %(cause)s, %(now)s::timestamptz
    FROM segments_segmentchange, LATERAL (
        SELECT count(*) > %(vast)s AS are FROM (
            SELECT FROM segments_segmentchange WHERE segment_id = %(segment)s AND at = %(now)s LIMIT %(vast)s + 1
        ) changed
    ) vast
    WHERE segment_id = %(segment)s AND at = %(now)s AND (
        EXISTS (
            SELECT FROM segments_segment s WHERE s.is_active AND s.kind = 'dynamic'
            AND jsonb_path_exists(s.definition, '$.**.segment ? (@ == $key)', jsonb_build_object('key', %(key)s::text))
        ) OR EXISTS (
            SELECT FROM segments_tag t WHERE t.is_active
            AND jsonb_path_exists(t.rule, '$.**.segment ? (@ == $key)', jsonb_build_object('key', %(key)s::text))
        )
    )
"""


@dataclass(frozen=True)
class RefreshResult:
    """How many people were let in and out, and how many are members now."""

    entered: int
    left: int
    members: int


@dataclass(frozen=True)
class Question:
    """People to be asked about, with the cause, by the rule of a segment."""

    segment: Segment
    rule: Rule
    people: Mapping[int, str]


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
    *, segment_id: int, rule: Rule, now: datetime, cause: str, version: int, is_to_stay: bool = False,
    tables: Mapping[Hashable, str] | None = None,
) -> RefreshResult:  # fmt: skip
    """Write the difference between the members and the people of the rule; as many statements for a million.

    The people go through a temporary table: making it may use parallel workers, which no INSERT .. SELECT
    does, and once analysed it keeps the planner from treating a million rows as the few it guessed. `is_to_stay`: no
    touch will correct the members, so merges are waited for. `tables`: see `Rule.queryset`.
    """
    sql, params = rule.queryset(now, tables=tables).query.sql_with_params()
    found = "segment_named" if is_to_stay else "segment_wanted"
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.segment_named, pg_temp.segment_wanted")
        cursor.execute(f"CREATE TEMPORARY TABLE {found} (profile_id) AS {sql}", params)
        members = cursor.rowcount
        if is_to_stay:
            cursor.execute("ANALYZE pg_temp.segment_named")
            cursor.execute(LIVING)
            members = cursor.rowcount
            cursor.execute("DROP TABLE pg_temp.segment_named")
        cursor.execute("ANALYZE pg_temp.segment_wanted")
        given = {"segment": segment_id, "now": now, "cause": cause, "version": version}
        left = _changed(cursor, LET_OUT.format(is_in="NOT EXISTS"), {**given, "kind": ChangeKind.LEFT.value})
        entered = _changed(cursor, LET_IN, {**given, "kind": ChangeKind.ENTERED.value})
        cursor.execute("DROP TABLE pg_temp.segment_wanted")
    return RefreshResult(entered=entered, left=left, members=members)


def apply_list(
    *, segment: Segment, people: Iterable[int], mode: UploadMode, now: datetime, cause: str
) -> RefreshResult:
    """Let the people of a list in, out, or exactly them be members; those who were erased meanwhile are passed over.

    In the caller's transaction, which holds the lock of the segment. The same list again changes nothing.
    """
    given = {"segment": segment.pk, "now": now, "cause": cause, "version": segment.version}
    entered = left = 0
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.segment_named, pg_temp.segment_wanted")
        cursor.execute("CREATE TEMPORARY TABLE segment_named (profile_id bigint)")
        with cursor.copy("COPY segment_named (profile_id) FROM STDIN") as copy:
            for person in people:
                copy.write_row((person,))
        cursor.execute(LIVING)
        cursor.execute("ANALYZE pg_temp.segment_wanted")
        if mode != UploadMode.ADD:
            is_in = "NOT EXISTS" if mode == UploadMode.REPLACE else "EXISTS"
            left = _changed(cursor, LET_OUT.format(is_in=is_in), {**given, "kind": ChangeKind.LEFT.value})
        if mode != UploadMode.REMOVE:
            entered = _changed(cursor, LET_IN, {**given, "kind": ChangeKind.ENTERED.value})
        cursor.execute("DROP TABLE pg_temp.segment_named, pg_temp.segment_wanted")
    members = SegmentMembership.objects.filter(segment=segment).count()
    return RefreshResult(entered=entered, left=left, members=members)


def tell_followers(*, segment: Segment, now: datetime) -> None:
    """Let the rules that ask for this segment be asked again about those who entered or left it at `now`, or about
    everybody when these are very many. Does nothing when no rule asks for it.
    """
    given: dict[str, Any] = {
        "cause": causes.segment(segment.key), "key": segment.key, "segment": segment.pk, "now": now,
        "vast": VAST,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(TOUCH, given)


def recheck(*, touched: Mapping[str, Collection[int]], now: datetime, actor: str) -> None:
    """Let people in and out of the segments that mention what changed about them; `touched` is people by cause.

    Only dynamic segments follow their rule. One that cannot be evaluated is logged and does not stop the others. What
    several segments count of many people is counted once, so all are locked before.
    """
    questions = list(_questions(touched))
    for question in questions:
        lock(question.segment.pk)
    everybody = set().union(*(question.people for question in questions))
    tables: Mapping[Hashable, str] = {}
    if len(everybody) >= WORTH_SHARING:
        tables = shared_rows.prepare([question.rule for question in questions], now, only=everybody)
    for question in questions:
        try:
            with transaction.atomic():
                recheck_some(
                    segment=question.segment, rule=question.rule, people=question.people, now=now, actor=actor,
                    tables=tables,
                )  # fmt: skip
        except DatabaseError:
            _failed(question.segment)


def _questions(touched: Mapping[str, Collection[int]]) -> Iterator[Question]:
    for segment in Segment.objects.following().order_by("pk"):
        try:
            rule = parse(segment.definition)
        except RuleError:
            _failed(segment)
            continue
        depends_on = rule.depends_on()
        people = {
            person: causes.in_history(cause)
            for cause in sorted(touched, reverse=True)
            if depends_on.concern(cause)
            for person in touched[cause]
        }
        if people:
            yield Question(segment, rule, people)


def _failed(segment: Segment) -> None:
    """Say why, from within an `except`, and let everybody be asked later."""
    logger.exception("segment %s could not be rechecked", segment.key)
    Segment.objects.filter(pk=segment.pk).update(checked_at=None)


def recheck_some(
    *, segment: Segment, rule: Rule, people: Mapping[int, str], now: datetime, actor: str,
    tables: Mapping[Hashable, str] | None = None,
) -> tuple[int, int]:  # fmt: skip
    """Ask the rule about a few people, each with the cause of asking; returns how many entered and left.

    In the caller's transaction; waits for a refresh under way. `tables`: see `Rule.queryset`.
    """
    lock(segment.pk)
    ids = sorted(people)
    sql, params = rule.queryset(now, only=ids, tables=tables).query.sql_with_params()
    known = sorted(set(people.values()))
    place = {cause: number for number, cause in enumerate(known, 1)}
    given = {
        "people": _array(ids), "places": _array(place[people[person]] for person in ids), "causes": known,
        "segment": segment.pk, "now": now, "version": segment.version,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(*_named(f"WITH wanted (profile_id) AS MATERIALIZED ({sql})", params, EXCHANGE_SOME, given))
        ((entered, left),) = cursor.fetchall()
    if entered or left:
        Segment.objects.filter(pk=segment.pk).update(member_count=F("member_count") + entered - left)
        segment_sizes.record(segment_id=segment.pk, entered=entered, left=left, now=now)
        audit.append(
            action="segment.members_changed", actor=actor, object_type="segment", object_id=str(segment.uid),
            details={"key": segment.key, "version": segment.version, "entered": entered, "left": left}, now=now,
        )  # fmt: skip
        tell_followers(segment=segment, now=now)
    return entered, left


def _changed(cursor: Any, statement: str, given: Mapping[str, Any]) -> int:
    cursor.execute(statement + TELL, given)
    return int(cursor.fetchone()[0])


def _array(numbers: Iterable[int]) -> str:
    """Numbers as PostgreSQL writes an array: quicker by far than a list as a parameter."""
    return f"{{{','.join(map(str, numbers))}}}"


def _named(
    question: str, params: Sequence[Any], statement: str, given: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Django's question with its positional parameters, and a statement with named ones, as one."""
    places = {f"p{index}": value for index, value in enumerate(params)}
    asked = question.replace("%%", "%%%%") % tuple(f"%({name})s" for name in places)
    return asked + statement, {**places, **given}
