"""The events of a merge: those of the absorbed profile go to the survivor, and back when it is undone."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from segments.models import MergedEvent, ProfileMerge

BATCH = 10_000
Key = tuple[datetime, UUID]

# An event that both sent under the same id is one event of the person now. The survivor's row stays.
MOVE = """
    UPDATE segments_event moved SET profile_id = %(survivor)s
    WHERE profile_id = %(absorbed)s AND NOT EXISTS (
        SELECT FROM segments_event same WHERE same.profile_id = %(survivor)s
          AND same.occurred_at = moved.occurred_at AND same.dedup = moved.dedup
    )
    RETURNING occurred_at, dedup
"""
TAKE = "DELETE FROM segments_event WHERE profile_id = %s RETURNING to_jsonb(segments_event)"
MOVE_BACK = """
    UPDATE segments_event event SET profile_id = %(absorbed)s
    FROM segments_mergedevent moved
    WHERE moved.merge_id = %(merge)s AND event.profile_id = %(survivor)s
      AND event.occurred_at = moved.occurred_at AND event.dedup = moved.dedup
"""
PUT_BACK = """
    INSERT INTO segments_event
    SELECT row.* FROM jsonb_array_elements(%s::jsonb) AS kept (event),
        jsonb_populate_record(NULL::segments_event, kept.event) AS row
    ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True)
class Moved:
    """The keys of the events that went over, and the rows of those that the survivor had already."""

    moved: Sequence[Key]
    kept: Sequence[Any]


def move(*, survivor_id: int, absorbed_id: int) -> Moved:
    """Give the survivor all events of the absorbed profile, in the caller's transaction, who has locked both."""
    with connection.cursor() as cursor:
        cursor.execute(MOVE, {"survivor": survivor_id, "absorbed": absorbed_id})
        moved = cursor.fetchall()
        cursor.execute(TAKE, [absorbed_id])
        kept = [_parsed(row) for (row,) in cursor.fetchall()]
    return Moved(moved, kept)


def remember(*, merge: ProfileMerge, moved: Sequence[Key]) -> None:
    """Note which events the merge moved, so that it can be undone."""
    rows = [MergedEvent(merge=merge, occurred_at=occurred_at, dedup=dedup) for occurred_at, dedup in moved]
    MergedEvent.objects.bulk_create(rows, batch_size=BATCH)


def move_back(*, merge: ProfileMerge, kept: Sequence[Any]) -> None:
    """Give the events of a merge back to the absorbed profile, those too that both had."""
    with connection.cursor() as cursor:
        cursor.execute(
            MOVE_BACK, {"merge": merge.pk, "survivor": merge.survivor_id, "absorbed": merge.absorbed_id}
        )  # fmt: skip
        cursor.execute(PUT_BACK, [json.dumps(kept)])


def _parsed(row: Any) -> Any:
    return json.loads(row) if isinstance(row, str) else row
