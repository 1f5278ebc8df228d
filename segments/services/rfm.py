"""RFM: how recently, how often and for how much each person bought, in fifths of all who bought.

Rank based: a person's quintile is that of the share of buyers with a strictly lower value, `floor(5 * percent_rank)`
plus 1, and at most 5. Equal values share the quintile of the first of them, so no two equal people are told apart.
5 is the best fifth. (Hughes, "Strategic Database Marketing", 1994.)
"""

from datetime import datetime
from typing import Any

from django.db import connection, transaction

from compliance.services import audit
from segments import causes
from segments.selectors import tag_dependencies
from segments.services import touches

# A person whose cell changed is touched if a tag or segment asks for it, so that it follows; when they are vast in
# number, everybody is.
RECOMPUTE = """
    WITH ranked AS (
        SELECT profile_id,
               LEAST(5, 1 + floor(5 * percent_rank() OVER (ORDER BY last_order_at)))::smallint AS recency,
               LEAST(5, 1 + floor(5 * percent_rank() OVER (ORDER BY order_count)))::smallint AS frequency,
               LEAST(5, 1 + floor(5 * percent_rank() OVER (ORDER BY order_amount)))::smallint AS monetary
        FROM segments_profilestats
        WHERE order_count > 0
    ), changed AS (
        UPDATE segments_profilestats stats
        SET rfm_recency = recency, rfm_frequency = frequency, rfm_monetary = monetary, rfm_at = %(now)s
        FROM ranked
        WHERE stats.profile_id = ranked.profile_id
          AND (rfm_recency, rfm_frequency, rfm_monetary) IS DISTINCT FROM (recency, frequency, monetary)
        RETURNING stats.profile_id
    ), touched AS (
        INSERT INTO segments_touch (profile_id, cause, touched_at)
        SELECT profile_id, %(cause)s, %(now)s FROM changed
        WHERE %(is_watched)s AND (SELECT count(*) FROM changed) <= %(vast)s
        UNION ALL
        SELECT NULL, %(cause)s, %(now)s WHERE %(is_watched)s AND (SELECT count(*) FROM changed) > %(vast)s
    )
    SELECT count(*) FROM changed
"""


def recompute(*, now: datetime, actor: str) -> int:
    """Rank all buyers anew in one statement. Returns how many people changed their cell."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            is_watched = tag_dependencies.is_cause_watched(causes.RFM)
            params: dict[str, Any] = {"now": now, "cause": causes.RFM, "is_watched": is_watched, "vast": touches.VAST}
            cursor.execute(RECOMPUTE, params)
            changed: int = cursor.fetchone()[0]
        if changed:
            audit.append(
                action="rfm.recomputed", actor=actor, object_type="rfm", object_id="all",
                details={"changed": changed}, now=now,
            )  # fmt: skip
        return changed
