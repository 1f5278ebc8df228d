"""What becomes of a message that comes later than planned: is it sent now, at a later hour, or not at all?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from campaigns.hours import Timing
from campaigns.reasons import ExclusionReason
from campaigns.selectors import moments


class Waiting(Protocol):
    """A planned delivery that is due. `put_off_from`: when it was due before it was put off for coming late."""

    @property
    def profile_id(self) -> int: ...
    @property
    def due_at(self) -> datetime: ...
    @property
    def put_off_from(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class PutOff:
    """Until when a message waits, and since when it is late; None when a cap, and not lateness, is the reason."""

    until: datetime
    late_since: datetime | None


def judge(
    rows: Sequence[Waiting], *, timing: Timing, channel: str, held: Mapping[int, datetime | None], now: datetime
) -> dict[int, ExclusionReason | PutOff]:
    """Who of these people may not be written to now, by profile id: why never, or until when.

    `held` is what the frequency caps say (`caps.held`). A message put off by a cap is due anew, so its lateness counts
    from there.
    """
    asked = {row.profile_id: held.get(row.profile_id, now) or now for row in rows}
    found = moments.next_moments(timing.with_quiet(moments.quiet(channel)), asked)
    answers = {row.profile_id: _one(row, timing, held.get(row.profile_id, now), found, now) for row in rows}
    return {person: answer for person, answer in answers.items() if answer is not None}


def _one(
    row: Waiting, timing: Timing, capped_until: datetime | None, found: Mapping[int, datetime | None], now: datetime
) -> ExclusionReason | PutOff | None:
    late_since = row.put_off_from or row.due_at
    last = late_since + timing.latest
    if capped_until is None:
        return ExclusionReason.FREQUENCY_CAP
    if now > last:
        return ExclusionReason.TOO_LATE
    moment = found[row.profile_id]
    if moment is None:
        return ExclusionReason.NO_MOMENT
    if moment <= now:
        return None
    if capped_until > now:
        return PutOff(moment, None)
    return PutOff(moment, late_since) if moment <= last else ExclusionReason.TOO_LATE
