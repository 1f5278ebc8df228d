"""Events that rules hold: taken out of those about to be stored, and kept for a decision.

This works inside the transaction of `event_store.store`, after the people of the batch are locked: whoever adds events
of a person waits for that lock, so the count of a person's day is right however many senders there are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection

from segments.cleaning import DailyLimit, Verdict
from segments.models import QuarantinedEvent, Source
from segments.services import quarantine

BATCH = 2_000
# An event in quarantine that is sent again is a duplicate, whatever was decided about it.
KNOWN = """
    DELETE FROM incoming_event USING segments_quarantinedevent waiting
    WHERE waiting.profile_id = incoming_event.profile_id AND waiting.occurred_at = incoming_event.occurred_at
      AND waiting.dedup = incoming_event.dedup
"""
NOT_STORED = """
    NOT EXISTS (
        SELECT FROM segments_event stored
        WHERE stored.profile_id = incoming.profile_id AND stored.occurred_at = incoming.occurred_at
          AND stored.dedup = incoming.dedup
    )
"""
JUDGED = f"""
    DELETE FROM incoming_event incoming WHERE incoming.dedup = ANY(%(dedups)s::uuid[]) AND {NOT_STORED}
    RETURNING incoming.dedup
"""  # noqa: S608  # put together from constants only
# Of a person and day, the stored events count first, then the new ones in the order of their time. Only people whose
# lifetime count with this batch exceeds the limit are looked at in the table of events.
BEYOND = f"""
    WITH incoming AS (
        SELECT profile_id, occurred_at, dedup, (occurred_at AT TIME ZONE %(zone)s)::date AS day
        FROM incoming_event WHERE %(all_names)s OR name = ANY(%(names)s::varchar[])
    ), busy AS (
        SELECT profile_id, day
        FROM incoming JOIN segments_profilestats stats USING (profile_id)
        GROUP BY profile_id, day, stats.event_count
        HAVING stats.event_count + count(*) > %(limit)s
    ), counted AS (
        SELECT profile_id, day, (
            SELECT count(*) FROM segments_event earlier
            WHERE earlier.profile_id = busy.profile_id
              AND earlier.occurred_at >= (day::timestamp AT TIME ZONE %(zone)s)
              AND earlier.occurred_at < ((day + 1)::timestamp AT TIME ZONE %(zone)s)
              AND (%(all_names)s OR earlier.name = ANY(%(names)s::varchar[]))
              AND (%(source)s::bigint IS NULL OR earlier.source_id = %(source)s::bigint)
        ) AS stored
        FROM busy
    ), placed AS (
        SELECT dedup, counted.stored
            + row_number() OVER (PARTITION BY profile_id, day ORDER BY incoming.occurred_at, dedup) AS place
        FROM incoming JOIN counted USING (profile_id, day)
        WHERE {NOT_STORED}
    )
    DELETE FROM incoming_event USING placed
    WHERE placed.dedup = incoming_event.dedup AND placed.place > %(limit)s
    RETURNING incoming_event.dedup
"""  # noqa: S608  # put together from constants only


@dataclass
class Holding:
    """What rules hold of one batch. Pass `take_out` to `event_store.store`; then `kept` has what it held, by dedup."""

    judged: Mapping[str, Verdict]
    limits: Sequence[DailyLimit]
    kept: dict[str, Verdict] = field(default_factory=dict)

    def take_out(self) -> None:
        """Take what is held, or was held before, out of the incoming events."""
        with connection.cursor() as cursor:
            cursor.execute(KNOWN)
            if self.judged:
                cursor.execute(JUDGED, {"dedups": list(self.judged)})
                self.kept |= {dedup.hex: self.judged[dedup.hex] for (dedup,) in cursor.fetchall()}
            for limit in self.limits:
                cursor.execute(BEYOND, _parameters(limit))
                self.kept |= {dedup.hex: limit.verdict for (dedup,) in cursor.fetchall()}

    def keep(
        self, *, source: Source, lines: Mapping[str, str], came: Callable[[str], Mapping[str, Any]], now: datetime
    ) -> None:
        """Put what was held into quarantine; `came` gives the event as it came by its dedup."""
        rows = [_row(source, lines[dedup], verdict, came(dedup), now) for dedup, verdict in self.kept.items()]
        QuarantinedEvent.objects.bulk_create(rows, batch_size=BATCH)


def _parameters(limit: DailyLimit) -> dict[str, Any]:
    return {
        "zone": settings.TIME_ZONE, "names": sorted(limit.events), "all_names": not limit.events,
        "limit": limit.per_day, "source": limit.source_id,
    }  # fmt: skip


def _row(source: Source, line: str, verdict: Verdict, came: Mapping[str, Any], now: datetime) -> QuarantinedEvent:
    profile_id, occurred_at, dedup, name, _rest = line.split("\t", 4)
    return QuarantinedEvent(
        profile_id=int(profile_id), occurred_at=datetime.fromisoformat(occurred_at), dedup=dedup, name=name,
        source=source, rule_id=verdict.rule_id, field=verdict.field, reason=verdict.reason, received_at=now,
        event_encrypted=quarantine.seal(came=came, line=line.split("\t", 1)[1], dedup=dedup),
    )  # fmt: skip
