"""Storing events: rows and statistics in one statement, each event once.

Callers bring lines in the text format of COPY (`segments.event_line`), checked, with the person already found.
"""

from collections.abc import Callable, Iterable, Mapping
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
    WHERE profile_id IN (SELECT profile_id FROM incoming_event) ORDER BY profile_id FOR NO KEY UPDATE
"""
# An order is the set of purchases of one person at one instant: new only if no line of it is stored yet. Where all of
# somebody's new purchases lie after or before those known, nothing needs to be looked up; else the look at
# segments_event sees it as it was before this statement.
STORE = f"""
    WITH stored AS (
        INSERT INTO segments_event ({COLUMNS}, source_id, received_at)
        SELECT {COLUMNS}, %(source)s, %(now)s FROM incoming_event ORDER BY profile_id, occurred_at, dedup
        ON CONFLICT (profile_id, occurred_at, dedup) DO NOTHING
        RETURNING profile_id, occurred_at, dedup, name, amount, category
    ), did AS (
        SELECT profile_id, count(*) AS events, min(occurred_at) AS first_at, max(occurred_at) AS last_at,
               array_agg(DISTINCT occurred_at) FILTER (WHERE name = 'purchase') AS orders,
               sum(amount) FILTER (WHERE name = 'purchase') AS amount
        FROM stored GROUP BY profile_id
    ), counted AS (
        UPDATE segments_profilestats stats SET
            event_count = stats.event_count + did.events,
            first_event_at = LEAST(stats.first_event_at, did.first_at),
            last_event_at = GREATEST(stats.last_event_at, did.last_at),
            order_count = stats.order_count + CASE
                WHEN did.orders IS NULL THEN 0
                WHEN stats.order_count = 0 OR did.orders[1] > stats.last_order_at
                    OR did.orders[cardinality(did.orders)] < stats.first_order_at THEN cardinality(did.orders)
                ELSE (
                    SELECT count(*) FILTER (WHERE NOT EXISTS (
                        SELECT FROM segments_event earlier
                        WHERE earlier.profile_id = stats.profile_id AND earlier.occurred_at = ordered.at
                          AND earlier.name = 'purchase'
                    )) FROM unnest(did.orders) AS ordered (at)
                ) END,
            order_amount = stats.order_amount + coalesce(did.amount, 0),
            first_order_at = LEAST(stats.first_order_at, did.orders[1]),
            last_order_at = GREATEST(stats.last_order_at, did.orders[cardinality(did.orders)])
        FROM did
        WHERE stats.profile_id = did.profile_id
    ), touched AS (
        INSERT INTO segments_touch (profile_id, cause, touched_at)
        SELECT profile_id, 'event:' || name, %(now)s::timestamptz FROM stored GROUP BY profile_id, name
    ), gained AS (
        INSERT INTO segments_pendinggain (profile_id, tag_id, category, occurred_at, gain)
        SELECT stored.profile_id, gain.tag_id, stored.category, stored.occurred_at, gain.gain
        FROM stored JOIN segments_taggain gain ON gain.event_name = stored.name
        JOIN segments_tag tag ON tag.id = gain.tag_id AND tag.is_active AND tag.rhythm = 'at_once'
        WHERE stored.category <> ''
    )
"""  # noqa: S608  # put together from constants only


def store(
    *, source: Source, lines: Mapping[str, str], months: Iterable[date], now: datetime,
    take_out: Callable[[], None] | None = None,
) -> set[str]:  # fmt: skip
    """Store lines by their dedup keys and count them; returns the keys of those that were new.

    `take_out` may delete rows of incoming_event once their people are locked.
    """
    if not lines:
        return set()
    with transaction.atomic():
        _incoming(lines.values(), months, take_out)
        return {dedup.hex for (dedup,) in _stored("SELECT dedup FROM stored", source, now)}


def store_and_count(
    *, source: Source, lines: Mapping[str, str], months: Iterable[date], now: datetime,
    take_out: Callable[[], None] | None = None,
) -> int:  # fmt: skip
    """As `store`, for many lines; returns how many were new."""
    if not lines:
        return 0
    with transaction.atomic():
        _incoming(lines.values(), months, take_out)
        ((new,),) = _stored("SELECT count(*) FROM stored", source, now)
    return int(new)


def _incoming(lines: Iterable[str], months: Iterable[date], take_out: Callable[[], None] | None) -> None:
    ensure_months(EVENT_TABLE, months)
    with connection.cursor() as cursor:
        cursor.execute(INCOMING)
        with cursor.copy(f"COPY incoming_event ({COLUMNS}) FROM STDIN") as copy:
            copy.write("\n".join(lines))
        cursor.execute(LOCK)
    if take_out is not None:
        take_out()


def _stored(answer: str, source: Source, now: datetime) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(STORE + answer, {"source": source.pk, "now": now})
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        cursor.execute("DROP TABLE incoming_event")
    return rows
