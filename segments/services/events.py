"""Taking in events: stored once, counted in the person's statistics in the same transaction."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from segments import identities
from segments.event_input import EventInput, check, dedup_key
from segments.identities import IdentityKey
from segments.models import Identity, Profile, Source
from segments.partitions import ensure_months, month_of
from segments.profile_input import InputError

EVENT_TABLE = "segments_event"
INCOMING = """
    CREATE TEMPORARY TABLE incoming_event (
        profile_id bigint, occurred_at timestamptz, dedup uuid, name varchar, source_id bigint, amount numeric(14, 2),
        currency varchar, category varchar, properties jsonb, received_at timestamptz
    ) ON COMMIT DROP
"""
# Constants of this module: no statement below is put together from outside text.
COLUMNS = "profile_id, occurred_at, dedup, name, source_id, amount, currency, category, properties, received_at"
# Whoever adds events of a person first locks that person's statistics, in the order of ids. So no two transactions
# count one order twice, and none wait for each other in a circle.
LOCK = """
    SELECT FROM segments_profilestats
    WHERE profile_id IN (SELECT profile_id FROM incoming_event) ORDER BY profile_id FOR UPDATE
"""
# An order is the set of purchases of one person at one instant: new only if no line of it is stored yet. The look at
# segments_event sees it as it was before this statement.
STORE = f"""
    WITH stored AS (
        INSERT INTO segments_event ({COLUMNS})
        SELECT {COLUMNS} FROM incoming_event ORDER BY profile_id, occurred_at, dedup
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
    )
"""


@dataclass(frozen=True)
class EventResult:
    """What became of one event: `accepted`, `duplicate` or `rejected` with the field and the reason."""

    status: str
    field: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Located:
    """An event whose person is known."""

    profile_id: int
    dedup: UUID
    event: EventInput


def ingest(*, source: Source, events: Sequence[EventInput], actor: str, now: datetime) -> list[EventResult]:
    """Store events of people who are known, in one transaction. Returns a result for each, in their order.

    An event that the same source sent before (same event id) is a `duplicate` and counts nothing. `actor` is who sends;
    events are too many for an audit leaf each, and each row names its source and time of receipt.
    """
    located = locate(source=source, events=events, now=now)
    good = [item for item in located if isinstance(item, Located)]
    with transaction.atomic():
        stored = store(source=source, located=good, now=now)
    results: list[EventResult] = []
    for item in located:
        if isinstance(item, EventResult):
            results.append(item)
        else:
            # The first of equal ones in the batch was stored, the others were not.
            status = "accepted" if item.dedup in stored else "duplicate"
            stored.discard(item.dedup)
            results.append(EventResult(status))
    return results


def locate(*, source: Source, events: Sequence[EventInput], now: datetime) -> list[Located | EventResult]:
    """Check events and find their people: one look-up for all identifiers."""
    keys: dict[tuple[str, str], IdentityKey | InputError] = {}
    for event in events:
        name = (event.identifier, event.value)
        if event.uid is None and name not in keys:
            keys[name] = _key(event, source)
    owners = _owners(key for key in keys.values() if isinstance(key, IdentityKey))
    by_uid = dict(
        Profile.objects.filter(subject__uid__in={event.uid for event in events if event.uid}).values_list(
            "subject__uid", "pk"
        )
    )
    return [_locate(event, source, keys, owners, by_uid, now) for event in events]


def store(*, source: Source, located: Sequence[Located], now: datetime) -> set[UUID]:
    """Store events in the caller's transaction and count them; returns the keys of those that were new."""
    if not located:
        return set()
    ensure_months(EVENT_TABLE, {month_of(_utc(item.event.occurred_at)) for item in located})
    with connection.cursor() as cursor:
        cursor.execute(INCOMING)
        with cursor.copy(f"COPY incoming_event ({COLUMNS}) FROM STDIN") as copy:
            for item in located:
                copy.write_row(_row(item, source, now))
        cursor.execute(LOCK)
        cursor.execute(STORE + "SELECT dedup FROM stored")
        stored = {dedup for (dedup,) in cursor.fetchall()}
        cursor.execute("DROP TABLE incoming_event")
    return stored


def _key(event: EventInput, source: Source) -> IdentityKey | InputError:
    if event.identifier not in identities.FIELD_KINDS:
        return InputError("identifier", f"is none of {', '.join(identities.FIELD_KINDS)}")
    try:
        return identities.key_of(event.identifier, event.value, source)[0]
    except InputError as error:
        return error


def _owners(keys: Iterable[IdentityKey]) -> dict[IdentityKey, int]:
    rows = Identity.objects.filter(digest__in=[key.digest for key in keys])
    return {
        IdentityKey(kind, bytes(digest)): profile_id
        for kind, digest, profile_id in rows.values_list("kind", "digest", "profile_id")
    }


def _locate(
    event: EventInput,
    source: Source,
    keys: Mapping[tuple[str, str], IdentityKey | InputError],
    owners: Mapping[IdentityKey, int],
    by_uid: Mapping[UUID, int],
    now: datetime,
) -> Located | EventResult:
    try:
        check(event, now=now)
    except InputError as error:
        return EventResult("rejected", error.field, error.reason)
    if event.uid is not None:
        profile_id = by_uid.get(event.uid)
        field = "uid"
    else:
        key = keys[event.identifier, event.value]
        if isinstance(key, InputError):
            return EventResult("rejected", key.field, key.reason)
        profile_id, field = owners.get(key), event.identifier
    if profile_id is None:
        return EventResult("rejected", field, "no person with this identifier is known")
    return Located(profile_id, dedup_key(source.key, event.event_id), event)


def _row(item: Located, source: Source, now: datetime) -> tuple[Any, ...]:
    event = item.event
    properties = json.dumps(dict(event.properties), ensure_ascii=False) if event.properties else None
    return (
        item.profile_id, event.occurred_at, item.dedup, event.name, source.pk, event.amount, event.currency,
        event.category, properties, now,
    )  # fmt: skip


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
