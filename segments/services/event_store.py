"""Storing events: rows and statistics in one statement, each event once.

Callers bring lines in the text format of COPY (`segments.event_line`), checked, with the person already found.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction

from segments.event_line import COLUMNS
from segments.models import Source
from segments.partitions import ensure_months, next_month, start_of
from segments.services import touches

EVENT_TABLE = "segments_event"
INCOMING = """
    CREATE TEMPORARY TABLE incoming_event (
        profile_id bigint, occurred_at timestamptz, dedup uuid, name varchar, amount numeric(14, 2), currency varchar,
        category varchar, properties jsonb
    ) ON COMMIT DROP
"""
# Whoever adds events of a person first locks that person's statistics, in the order of ids. So no two transactions
# count one order twice, none stores what another one is storing, and none wait for each other in a circle.
LOCK = """
    SELECT count(*) FROM (
        SELECT FROM segments_profilestats stats
        JOIN (SELECT DISTINCT profile_id FROM incoming_event) AS wanted USING (profile_id)
        ORDER BY profile_id FOR NO KEY UPDATE OF stats
    ) AS locked
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
KNOWN = """
    DELETE FROM incoming_event USING segments_event stored
    WHERE stored.profile_id = incoming_event.profile_id AND stored.occurred_at = incoming_event.occurred_at
      AND stored.dedup = incoming_event.dedup AND stored.occurred_at >= %(first)s AND stored.occurred_at < %(end)s
"""
# Counted and stored by one statement, whose look at segments_event sees it as it was before. An order is the set of
# purchases of one person at one instant: new only if no line of it is stored yet. Where all of somebody's new purchases
# lie after or before those known, nothing needs to be looked up; else in the partitions from `first` to `end` alone.
STORE = f"""
    WITH did AS (
        SELECT profile_id, count(*) AS events, min(occurred_at) AS first_at, max(occurred_at) AS last_at,
               array_agg(DISTINCT occurred_at) FILTER (WHERE name = 'purchase') AS orders,
               sum(amount) FILTER (WHERE name = 'purchase') AS amount
        FROM incoming_event GROUP BY profile_id
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
                          AND earlier.occurred_at >= %(first)s AND earlier.occurred_at < %(end)s
                          AND earlier.name = 'purchase'
                    )) FROM unnest(did.orders) AS ordered (at)
                ) END,
            order_amount = stats.order_amount + coalesce(did.amount, 0),
            first_order_at = LEAST(stats.first_order_at, did.orders[1]),
            last_order_at = GREATEST(stats.last_order_at, did.orders[cardinality(did.orders)])
        FROM did
        WHERE stats.profile_id = did.profile_id
    ), stored AS (
        INSERT INTO segments_event ({COLUMNS}, source_id, received_at)
        SELECT {COLUMNS}, %(source)s, %(now)s FROM incoming_event ORDER BY profile_id, occurred_at, dedup
    ), touched AS (
        INSERT INTO segments_touch (profile_id, cause, touched_at)
        SELECT profile_id, 'event:' || name, %(now)s::timestamptz FROM incoming_event
        WHERE NOT %(is_vast)s GROUP BY profile_id, name
        UNION ALL
        SELECT NULL, 'event:' || name, %(now)s::timestamptz FROM incoming_event WHERE %(is_vast)s GROUP BY name
    ), gained AS (
        INSERT INTO segments_pendinggain (profile_id, tag_id, category, occurred_at, gain)
        SELECT incoming.profile_id, gain.tag_id, incoming.category, incoming.occurred_at, gain.gain
        FROM incoming_event incoming JOIN segments_taggain gain ON gain.event_name = incoming.name
        JOIN segments_tag tag ON tag.id = gain.tag_id AND tag.is_active AND tag.rhythm = 'at_once'
        WHERE incoming.category <> '' AND NOT %(is_bulk)s
    )
"""  # noqa: S608  # put together from constants only
STORE_EACH = f"{STORE} SELECT dedup FROM incoming_event"  # noqa: S608
STORE_AND_COUNT = f"{STORE} SELECT count(*) FROM incoming_event"  # noqa: S608
INTERESTS_WAIT = timedelta(minutes=5)
INTERESTS_DUE = """
    UPDATE segments_tag SET due_at = %(soon)s
    WHERE kind = 'interest' AND is_active AND (due_at IS NULL OR due_at > %(soon)s)
"""


def store(
    *, source: Source, lines: Mapping[str, str], months: Collection[date], now: datetime,
    take_out: Callable[[], None] | None = None,
) -> set[str]:  # fmt: skip
    """Store lines by their dedup keys and count them; returns the keys of those that were new.

    `take_out` may delete rows of incoming_event once their people are locked; it may be called again after a rollback.
    """
    if not lines:
        return set()
    given = _parameters(source, months, now)
    with transaction.atomic(), _incoming("\n".join(lines.values()), months):
        return {dedup.hex for (dedup,) in _stored(STORE_EACH, given, take_out, are_new=False)}


def store_and_count(
    *, source: Source, lines: bytes, count: int, months: Collection[date], now: datetime, are_new: bool,
    take_out: Callable[[], None] | None = None,
) -> int:  # fmt: skip
    """As `store`, for the many lines of a file, `count` in all; returns how many were new.

    With `are_new`, which is a guess, it is tried first whether none is stored yet: looking each up costs as much as
    storing it. Interests are not fed event by event but computed for everybody some minutes later, which costs less.
    """
    if not count:
        return 0
    given = _parameters(source, months, now) | {"is_bulk": True, "is_vast": count > touches.VAST}
    with transaction.atomic(), _incoming(lines, months):
        ((new,),) = _stored(STORE_AND_COUNT, given, take_out, are_new=are_new)
        if new:
            _rows(INTERESTS_DUE, {"soon": now + INTERESTS_WAIT})
    return int(new)


def _parameters(source: Source, months: Collection[date], now: datetime) -> dict[str, Any]:
    return {
        "source": source.pk, "now": now, "is_bulk": False, "is_vast": False,
        "first": start_of(min(months)), "end": start_of(next_month(max(months))),
    }  # fmt: skip


def _rows(sql: str, params: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall() if cursor.description else []


@contextmanager
def _incoming(lines: str | bytes, months: Collection[date]) -> Iterator[None]:
    """The table incoming_event with these lines."""
    ensure_months(EVENT_TABLE, months)
    with connection.cursor() as cursor:
        cursor.execute(INCOMING)
        with cursor.copy(f"COPY incoming_event ({COLUMNS}) FROM STDIN") as copy:
            copy.write(lines)
    yield
    _rows("DROP TABLE incoming_event")


class _AbsorbedError(Exception):
    """Somebody was merged into another since they were looked up."""


def _stored(
    statement: str, given: Mapping[str, Any], take_out: Callable[[], None] | None, *, are_new: bool
) -> list[tuple[Any, ...]]:
    """The answer of the statement that stores what is incoming. Who was merged gives way to the survivor.

    People are locked and changed in one savepoint: changing in another one than the lock's makes PostgreSQL keep both,
    which costs more than the change. A merge takes the same locks, so nobody is merged once they are held; they are
    given back before the survivor's, which may come first in the order of ids, are taken.
    """
    while True:
        try:
            with transaction.atomic():
                _rows(LOCK)
                ((are_absorbed,),) = _rows(ABSORBED)
                if are_absorbed:
                    raise _AbsorbedError
                if take_out is not None:
                    take_out()
                if not are_new:
                    _rows(KNOWN, given)
                return _rows(statement, given)
        except _AbsorbedError:
            _rows(REDIRECT)
        except IntegrityError:
            if not are_new:
                raise
            are_new = False
