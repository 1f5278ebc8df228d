"""Frequency caps as SQL: from when on a person may be written to again, cap by cap.

For each person the time of the `most`-th newest message counts (the anchor): whatever is newer is one message less than
the cap allows. So the person may have another one period after the anchor (rolling), or in the period of the calendar
after the anchor's, and however far it is put off, the cap holds. Messages count by the time they were sent, or are
planned to be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Q

from campaigns.models import CapAction, CapClock, CapUnit, FrequencyCap
from campaigns.states import DeliveryState
from segments.partitions import month_of

REACHED = (
    DeliveryState.CLAIMED, DeliveryState.SENT, DeliveryState.UNKNOWN, DeliveryState.DELIVERED, DeliveryState.BOUNCED,
)  # fmt: skip
"""States in which a message was, or may have been, sent."""

LONGEST_DEFERRAL = timedelta(days=7)
SPANS = {CapUnit.HOUR: timedelta(hours=1), CapUnit.DAY: timedelta(days=1), CapUnit.WEEK: timedelta(weeks=1)}
LONGEST_PERIOD = {CapUnit.DAY: timedelta(days=3), CapUnit.WEEK: timedelta(days=9), CapUnit.MONTH: timedelta(days=33)}
"""A calendar period and a day on either side, for time zones."""

ANCHOR = """
    SELECT counted.profile_id, {anchor} AS at
    FROM (
        SELECT coalesce(absorbed.merged_into_id, delivery.profile_id) AS profile_id, coalesce(sent_at, due_at) AS at
        FROM campaigns_delivery delivery
        LEFT JOIN segments_profile absorbed
          ON absorbed.subject_id = delivery.profile_id AND absorbed.merged_into_id IS NOT NULL
        WHERE month >= %s AND state = ANY(%s) AND (%s = '' OR channel = %s) {people}
    ) AS counted
    WHERE counted.at > %s
    GROUP BY counted.profile_id
    HAVING count(*) >= %s
"""

LIMITED = """AND delivery.profile_id IN (
    SELECT unnest(%s::bigint[]) UNION ALL SELECT subject_id FROM segments_profile WHERE merged_into_id = ANY(%s)
)"""
"""What was sent to a profile that was merged into another was sent to that person."""

PROFILE_JOIN = "LEFT JOIN segments_profile AS capped_profile ON capped_profile.subject_id = person.profile_id"


@dataclass(frozen=True)
class CappedSql:
    """Joins to a relation `person` with columns `profile_id` and `at`, with their parameters, and two expressions.

    `dropped`: whether a cap leaves the person out at that time. `allowed_at`: from when on the person may be
    written to by the caps that put off; null where none does.
    """

    joins: str
    joins_params: list[Any]
    dropped: str
    allowed_at: str


def active(channel: str) -> list[FrequencyCap]:
    """The caps that concern messages on the channel."""
    return list(FrequencyCap.objects.filter(Q(channel="") | Q(channel=channel), is_active=True).order_by("pk"))


def capped(
    caps: Sequence[FrequencyCap], *, at: datetime, states: Sequence[str], people: Sequence[int] | None = None
) -> CappedSql:
    """What the caps say of a message at the time `person.at`, which is not before `at`.

    Messages in `states` count; `people` limits the question to these.
    """
    limited = LIMITED if people is not None else ""
    joins, params = [PROFILE_JOIN], list[Any]()
    dropping, deferring = list[str](), list[str]()
    for number, cap in enumerate(caps):
        alias = f"cap_{number}"
        rows = ANCHOR.format(people=limited, anchor=_anchor(cap))
        joins.append(f"LEFT JOIN ({rows}) AS {alias} ON {alias}.profile_id = person.profile_id {_concerned(cap)}")
        since = at - _reach(cap)
        month = month_of((since - LONGEST_DEFERRAL).astimezone(UTC))
        params += [month, list(states), cap.channel, cap.channel]
        params += [list(people), list(people)] if people is not None else []
        params += [since, cap.most]
        (dropping if cap.action == CapAction.DROP else deferring).append(_allowed_at(cap, f"{alias}.at"))
    return CappedSql(
        joins="\n".join(joins),
        joins_params=params,
        dropped=" OR ".join(f"coalesce({allowed} > person.at, false)" for allowed in dropping) or "false",
        allowed_at=f"GREATEST({', '.join(deferring)})" if deferring else "NULL::timestamptz",
    )


def held(caps: Sequence[FrequencyCap], *, people: Sequence[int], now: datetime) -> dict[int, datetime | None]:
    """Who of these people may not be written to now by what was sent to them: until when, or None to leave them out."""
    asked = capped(caps, at=now, states=REACHED, people=people)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT person.profile_id, {asked.dropped}, {asked.allowed_at} "  # noqa: S608  (put together here)
            f"FROM (SELECT unnest(%s::bigint[]), %s::timestamptz) AS person (profile_id, at) {asked.joins}",
            [list(people), now, *asked.joins_params],
        )
        rows = cursor.fetchall()
    return {
        person: None if dropped or allowed_at - now > LONGEST_DEFERRAL else allowed_at
        for person, dropped, allowed_at in rows
        if dropped or (allowed_at is not None and allowed_at > now)
    }


def _concerned(cap: FrequencyCap) -> str:
    if cap.segment_id is None:
        return ""
    return (
        "AND EXISTS (SELECT FROM segments_segmentmembership member "
        f"WHERE member.segment_id = {int(cap.segment_id)} AND member.profile_id = person.profile_id)"
    )


def _anchor(cap: FrequencyCap) -> str:
    """The newest message of a person needs no sorting of all of them."""
    if cap.most == 1:
        return "max(counted.at)"
    return f"(array_agg(counted.at ORDER BY counted.at DESC))[{int(cap.most)}]"


def _reach(cap: FrequencyCap) -> timedelta:
    """How far back messages matter."""
    if cap.clock == CapClock.ROLLING:
        return SPANS[CapUnit(cap.unit)] * cap.periods
    return LONGEST_PERIOD[CapUnit(cap.unit)]


def _allowed_at(cap: FrequencyCap, anchor: str) -> str:
    if cap.clock == CapClock.ROLLING:
        return f"({anchor} + interval '{int(_reach(cap).total_seconds())} seconds')"
    default = settings.TIME_ZONE.replace("'", "")
    zone = f"'{default}'"
    if cap.clock == CapClock.CALENDAR_OF_PERSON:
        zone = f"coalesce(nullif(capped_profile.timezone, ''), {zone})"
    unit = CapUnit(cap.unit).value
    return f"((date_trunc('{unit}', {anchor} AT TIME ZONE {zone}) + interval '1 {unit}') AT TIME ZONE {zone})"
