"""Events that rules hold: taken out of those about to be stored, and kept for a decision.

This works inside the transaction of `event_store.store`, after the people of the batch are locked: whoever adds events
of a person waits for that lock, so the count of a person's day is right however many senders there are.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection

from segments.cleaning import DailyLimit, Verdict
from segments.models import CleaningRule, QuarantinedEvent, Source
from segments.services import quarantine

BATCH = 2_000
# An event in quarantine that is sent again is a duplicate, whatever was decided about it.
KNOWN = """
    DELETE FROM incoming_event USING segments_quarantinedevent waiting
    WHERE waiting.dedup = incoming_event.dedup AND waiting.occurred_at = incoming_event.occurred_at
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
    RETURNING incoming.dedup, incoming.profile_id
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
    RETURNING incoming_event.dedup, incoming_event.profile_id
"""  # noqa: S608  # put together from constants only


@dataclass(frozen=True)
class Kept:
    """An event that was held: why, and the person it belongs to, who may not be the one it was sent for: two people
    may have been merged meanwhile."""

    verdict: Verdict
    profile_id: int


@dataclass
class Holding:
    """What rules hold of one batch. Pass `take_out` to `event_store.store`; then `kept` has what it held, by dedup."""

    judged: Mapping[str, Verdict]
    limits: Sequence[DailyLimit]
    kept: dict[str, Kept] = field(default_factory=dict)

    def take_out(self) -> None:
        """Take what is held, or was held before, out of the incoming events; again after a rollback."""
        self.kept.clear()
        with connection.cursor() as cursor:
            cursor.execute(KNOWN)
            if self.judged:
                cursor.execute(JUDGED, {"dedups": list(self.judged)})
                self.kept |= {dedup.hex: Kept(self.judged[dedup.hex], owner) for dedup, owner in cursor.fetchall()}
            for limit in self.limits:
                cursor.execute(BEYOND, _parameters(limit))
                self.kept |= {dedup.hex: Kept(limit.verdict, owner) for dedup, owner in cursor.fetchall()}

    def keep(
        self, *, source: Source, lines: Mapping[str, str], came: Callable[[str], Mapping[str, Any]], now: datetime
    ) -> None:
        """Put what was held into quarantine; `came` gives the event as it came by its dedup."""
        wanted = {kept.verdict.rule_id for kept in self.kept.values()}
        rules = set(CleaningRule.objects.filter(pk__in=wanted).values_list("pk", flat=True)) if wanted else set()
        rows = [_row(source, lines[dedup], kept, rules, came(dedup), now) for dedup, kept in self.kept.items()]
        # A conflict is an event id that another sender uses for another person at this moment: it waits once.
        QuarantinedEvent.objects.bulk_create(rows, batch_size=BATCH, ignore_conflicts=True)


def _parameters(limit: DailyLimit) -> dict[str, Any]:
    return {
        "zone": settings.TIME_ZONE, "names": sorted(limit.events), "all_names": not limit.events,
        "limit": limit.per_day, "source": limit.source_id,
    }  # fmt: skip


def _row(
    source: Source, line: str, kept: Kept, rules: Container[int], came: Mapping[str, Any], now: datetime
) -> QuarantinedEvent:
    _owner, described = line.split("\t", 1)
    occurred_at, dedup, name, _rest = described.split("\t", 3)
    verdict = kept.verdict
    return QuarantinedEvent(
        profile_id=kept.profile_id, occurred_at=datetime.fromisoformat(occurred_at), dedup=dedup, name=name,
        source=source, field=verdict.field, reason=verdict.reason, received_at=now,
        rule_id=verdict.rule_id if verdict.rule_id in rules else None,  # it may have been deleted this moment
        event_encrypted=quarantine.seal(came=came, line=described, dedup=dedup),
    )  # fmt: skip
