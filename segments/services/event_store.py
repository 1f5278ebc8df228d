"""Storing events: rows and statistics in one statement, each event once.

Callers bring lines in the text format of COPY (`segments.event_line`), checked, with the person already found.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from django.db import connection, transaction

from segments.event_line import COLUMNS
from segments.models import Source
from segments.partitions import ensure_months

EVENT_TABLE = "segments_event"
INCOMING = """
    CREATE TEMPORARY TABLE incoming_event (
        profile_id bigint, occurred_at timestamptz, dedup uuid, name varchar, amount numeric(14, 2), currency varchar,
        category varchar, properties jsonb
    ) ON COMMIT DROP
"""
# Whoever adds events of a person first locks that person's statistics, in the order of ids. So no two transactions
# count one order twice, and none wait for each other in a circle.
LOCK = """
    SELECT FROM segments_profilestats
    WHERE profile_id IN (SELECT profile_id FROM incoming_event) ORDER BY profile_id FOR UPDATE
"""
ABSORBED = """
    SELECT EXISTS (
        SELECT FROM incoming_event JOIN segments_profile ON subject_id = profile_id WHERE merged_into_id IS NOT NULL
    )
"""
REDIRECT = """
    UPDATE incoming_event SET profile_id = merged_into_id
    FROM segments_profile WHERE subject_id = profile_id AND merged_into_id IS NOT NULL
"""
# An order is the set of purchases of one person at one instant: new only if no line of it is stored yet. The look at
# segments_event sees it as it was before this statement.
STORE = f"""
    WITH stored AS (
        INSERT INTO segments_event ({COLUMNS}, source_id, received_at)
        SELECT {COLUMNS}, %(source)s, %(now)s FROM incoming_event ORDER BY profile_id, occurred_at, dedup
        ON CONFLICT (profile_id, occurred_at, dedup) DO NOTHING
        RETURNING profile_id, occurred_at, dedup, name, amount
    ), orders AS (
        SELECT profile_id, occurred_at, sum(amount) AS amount, NOT EXISTS (
            SELECT FROM segments_event earlier
            WHERE earlier.profile_id = stored.profile_id AND earlier.occurred_at = stored.occurred_at
              AND earlier.name = 'purchase'
        ) AS is_new
        FROM stored WHERE name = 'purchase' GROUP BY profile_id, occurred_at
    ), bought AS (
        SELECT profile_id, count(*) FILTER (WHERE is_new) AS orders, coalesce(sum(amount), 0) AS amount,
               min(occurred_at) AS first_at, max(occurred_at) AS last_at
        FROM orders GROUP BY profile_id
    ), did AS (
        SELECT profile_id, count(*) AS events, min(occurred_at) AS first_at, max(occurred_at) AS last_at
        FROM stored GROUP BY profile_id
    ), counted AS (
        UPDATE segments_profilestats stats SET
            event_count = stats.event_count + did.events,
            first_event_at = LEAST(stats.first_event_at, did.first_at),
            last_event_at = GREATEST(stats.last_event_at, did.last_at),
            order_count = stats.order_count + coalesce(bought.orders, 0),
            order_amount = stats.order_amount + coalesce(bought.amount, 0),
            first_order_at = LEAST(stats.first_order_at, bought.first_at),
            last_order_at = GREATEST(stats.last_order_at, bought.last_at)
        FROM did LEFT JOIN bought USING (profile_id)
        WHERE stats.profile_id = did.profile_id
    ), touched AS (
        INSERT INTO segments_touch (profile_id, cause, touched_at)
        SELECT DISTINCT profile_id, 'event:' || name, %(now)s::timestamptz FROM stored
    )
"""  # noqa: S608  # put together from constants only


def store(*, source: Source, lines: Mapping[str, str], months: Iterable[date], now: datetime) -> set[str]:
    """Store lines by their dedup keys and count them; returns the keys of those that were new."""
    if not lines:
        return set()
    with transaction.atomic():
        _incoming(lines.values(), months)
        return {dedup.hex for (dedup,) in _stored("SELECT dedup FROM stored", source, now)}


def store_and_count(*, source: Source, lines: Mapping[str, str], months: Iterable[date], now: datetime) -> int:
    """As `store`, for many lines; returns how many were new."""
    if not lines:
        return 0
    with transaction.atomic():
        _incoming(lines.values(), months)
        ((new,),) = _stored("SELECT count(*) FROM stored", source, now)
    return int(new)


def _incoming(lines: Iterable[str], months: Iterable[date]) -> None:
    ensure_months(EVENT_TABLE, months)
    with connection.cursor() as cursor:
        cursor.execute(INCOMING)
        with cursor.copy(f"COPY incoming_event ({COLUMNS}) FROM STDIN") as copy:
            copy.write("\n".join(lines))
    _lock()


def _lock() -> None:
    """Lock the people of the incoming events; who was merged since they were looked up gives way to the survivor.

    A merge takes the same locks, so nobody is merged once they are held. They are given back before the survivor's,
    which may come first in the order of ids, are taken.
    """
    with connection.cursor() as cursor:
        while True:
            before = transaction.savepoint()
            cursor.execute(LOCK)
            cursor.execute(ABSORBED)
            if not cursor.fetchone()[0]:
                transaction.savepoint_commit(before)
                return
            transaction.savepoint_rollback(before)
            cursor.execute(REDIRECT)


def _stored(answer: str, source: Source, now: datetime) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(STORE + answer, {"source": source.pk, "now": now})
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        cursor.execute("DROP TABLE incoming_event")
    return rows
