"""Statistics of people, counted anew from their events where adding up does not do."""

from collections.abc import Sequence

from django.db import connection

LOCK = "SELECT FROM segments_profilestats WHERE profile_id = ANY(%s) ORDER BY profile_id FOR NO KEY UPDATE"
RECOUNT = """
    WITH counted AS (
        SELECT person.profile_id, count(event.dedup) AS events,
               min(occurred_at) AS first_at, max(occurred_at) AS last_at,
               count(DISTINCT occurred_at) FILTER (WHERE name = 'purchase') AS orders,
               coalesce(sum(amount) FILTER (WHERE name = 'purchase'), 0) AS amount,
               min(occurred_at) FILTER (WHERE name = 'purchase') AS first_order_at,
               max(occurred_at) FILTER (WHERE name = 'purchase') AS last_order_at
        FROM unnest(%s::bigint[]) AS person (profile_id) LEFT JOIN segments_event event USING (profile_id)
        GROUP BY person.profile_id
    )
    UPDATE segments_profilestats stats
    SET event_count = counted.events, first_event_at = counted.first_at, last_event_at = counted.last_at,
        order_count = counted.orders, order_amount = counted.amount,
        first_order_at = counted.first_order_at, last_order_at = counted.last_order_at
    FROM counted WHERE stats.profile_id = counted.profile_id
"""


def lock(*, profile_ids: Sequence[int]) -> None:
    """Keep others from adding events of these people until the transaction ends; in the order of `event_store`."""
    with connection.cursor() as cursor:
        cursor.execute(LOCK, [list(profile_ids)])


def recount(*, profile_ids: Sequence[int]) -> None:
    """Make the statistics those of the stored events, in the caller's transaction, who has locked these people.

    RFM quintiles compare people with each other, so they stay until `rfm.recompute`.
    """
    with connection.cursor() as cursor:
        cursor.execute(RECOUNT, [list(profile_ids)])
