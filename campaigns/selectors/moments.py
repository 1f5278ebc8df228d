"""When each person may be reached: hours of their own time zone, as SQL for everybody and in Python for a few.

For planning, PostgreSQL works out the allowed stretches of the next week once for each time zone that occurs (some
dozens) as a multirange, and each person takes the first moment of their zone, or the first after a cap lets them. A
zone's clock is constant between two changes, so the stretches of a local week are shifted by what it is then ahead of
UTC, and cut at the changes: local times that do not exist fall out, those that come twice come in twice. The rules
are those of `campaigns.hours.next_allowed`, with which tests compare it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from campaigns.hours import LONGEST_WAIT, Hours, Range, parse_ranges
from campaigns.models import QuietHours
from campaigns.reasons import ExclusionReason
from campaigns.selectors.caps import CappedSql
from segments.models import Profile

REACH = """
WITH zone AS (
    SELECT DISTINCT coalesce(nullif(timezone, ''), %s) AS name FROM segments_profile
), known AS MATERIALIZED (  -- a name that PostgreSQL does not know must not stop everybody's plan
    SELECT zone.name, coalesce(pg_timezone_names.name, %s) AS rules
    FROM zone LEFT JOIN pg_timezone_names ON pg_timezone_names.name = zone.name
), sample AS (
    SELECT name, rules, at, (at AT TIME ZONE rules) - (at AT TIME ZONE 'UTC') AS ahead
    FROM known, generate_series(%s::timestamptz, %s::timestamptz, interval '6 hours') AS at
), paired AS (
    SELECT *, lag(ahead) OVER (PARTITION BY name ORDER BY at) AS before FROM sample
), change AS MATERIALIZED (
    SELECT name, ahead, coalesce((
        SELECT min(minute) FROM generate_series(at - interval '6 hours', at, interval '1 minute') AS minute
        WHERE (minute AT TIME ZONE rules) - (minute AT TIME ZONE 'UTC') <> before
    ), at) AS begins
    FROM paired WHERE before IS DISTINCT FROM ahead
), constant AS (
    SELECT name, ahead, begins, lead(begins, 1, %s::timestamptz) OVER (PARTITION BY name ORDER BY begins) AS ends
    FROM change
), stretch AS (
    SELECT name, GREATEST(constant.begins, (monday + open.begins * interval '1 minute' - ahead) AT TIME ZONE 'UTC')
                 AS begins,
           LEAST(constant.ends, (monday + open.ends * interval '1 minute' - ahead) AT TIME ZONE 'UTC') AS ends
    FROM constant, generate_series(%s::timestamp, %s::timestamp, interval '7 days') AS monday,
         unnest(%s::int[], %s::int[]) AS open (begins, ends)
), allowed AS (
    SELECT name, range_agg(tstzrange(begins, ends)) AS times FROM stretch WHERE begins < ends GROUP BY name
), reach AS MATERIALIZED (
    SELECT name, times, lower(times * tstzmultirange(tstzrange(%s, %s, '[]'))) AS first FROM allowed
)
"""
# OFFSET 0 keeps PostgreSQL from asking the gate anew wherever the reason is mentioned.
IN_ZONES = """
    SELECT member.profile_id, member.digest, member.reason, reach.first, reach.times
    FROM ({people} OFFSET 0) AS member (profile_id, digest, reason, timezone)
    LEFT JOIN reach ON reach.name = coalesce(nullif(member.timezone, ''), %s)
"""
AT_ONCE = (
    "SELECT profile_id, digest, reason, %s::timestamptz, NULL::tstzmultirange "
    "FROM ({people} OFFSET 0) AS member (profile_id, digest, reason, timezone)"
)
PLANNED = """
{reach}
SELECT profile_id, digest,
       CASE WHEN reason <> '' THEN reason WHEN capped THEN %s WHEN moment IS NULL THEN %s ELSE '' END,
       coalesce(moment, %s),
       coalesce(extract(epoch FROM first - %s) / 60, 0)::smallint
FROM (
    SELECT person.profile_id, person.digest, person.reason, person.at AS first,
           {dropped} OR coalesce({allowed_at} > %s, false) AS capped,
           CASE WHEN {allowed_at} > person.at THEN {put_off} ELSE person.at END AS moment
    FROM ({people}) AS person (profile_id, digest, reason, at, times)
    {joins}
) AS judged
"""
PUT_OFF_AND_ALLOWED = "lower(person.times * tstzmultirange(tstzrange(LEAST({allowed_at}, %s), %s, '[]')))"
NO_CAPS = CappedSql(joins="", joins_params=[], dropped="false", allowed_at="NULL::timestamptz")


def quiet(channel: str) -> tuple[Range, ...]:
    """The quiet hours of messages on the channel."""
    rules = QuietHours.objects.filter(channel__in=("", channel), is_active=True).order_by("pk")
    return tuple(one for hours in rules.values_list("hours", flat=True) for one in parse_ranges(hours))


def planned(
    people: str, params: list[Any], *, hours: Hours, capped: CappedSql = NO_CAPS, at: datetime
) -> tuple[str, list[Any]]:
    """SQL of profile id, address digest, '' or the reason to leave them out, when to send, and the wave.

    `people` is SQL of the first three and the time zone. The time is the first at or after `at` that hours and caps
    allow; who would have to wait for more than a week is left out.
    """
    latest = at + LONGEST_WAIT
    reach, reach_params = ("", []) if hours.any_time else (REACH, _reach_params(hours, at))
    if hours.any_time:
        timed, put_off, put_off_params = AT_ONCE, capped.allowed_at, list[Any]()
        timed_params = [at, *params]
    else:
        timed, put_off_params = IN_ZONES, [latest, latest]
        put_off = PUT_OFF_AND_ALLOWED.format(allowed_at=capped.allowed_at)
        timed_params = [*params, settings.TIME_ZONE]
    sql = PLANNED.format(
        reach=reach, dropped=capped.dropped, allowed_at=capped.allowed_at, put_off=put_off,
        people=timed.format(people=people), joins=capped.joins,
    )  # fmt: skip
    reasons = [ExclusionReason.FREQUENCY_CAP.value, ExclusionReason.NO_MOMENT.value]
    return sql, [*reach_params, *reasons, at, at, latest, *put_off_params, *timed_params, *capped.joins_params]


def next_moments(hours: Hours, asked: Mapping[int, datetime]) -> dict[int, datetime | None]:
    """For each of these people the first allowed moment at or after the one given; None where none comes in a week."""
    if hours.any_time or not asked:
        return dict(asked)
    named = dict(Profile.objects.filter(pk__in=asked).values_list("pk", "timezone"))
    known: dict[tuple[str, datetime], datetime | None] = {}
    for person, at in asked.items():
        key = (named.get(person, ""), at)
        if key not in known:
            known[key] = hours.next_allowed(at, zone_of(key[0]))
    return {person: known[named.get(person, ""), at] for person, at in asked.items()}


def zone_of(name: str) -> tzinfo:
    """The time zone of that name; the installation's for none, and for one that is not known."""
    try:
        return ZoneInfo(name or settings.TIME_ZONE)
    except (KeyError, ValueError, OSError):
        return ZoneInfo(settings.TIME_ZONE)


def _reach_params(hours: Hours, at: datetime) -> list[Any]:
    begins = at.replace(second=0, microsecond=0)
    ends = begins + LONGEST_WAIT + timedelta(days=1)
    week = hours.week()
    monday = (begins - timedelta(days=begins.weekday() + 7)).replace(hour=0, minute=0, tzinfo=None)
    return [
        settings.TIME_ZONE, settings.TIME_ZONE, begins, ends, ends, monday, monday + timedelta(days=28),
        [first for first, _ in week], [last for _, last in week], at, at + LONGEST_WAIT,
    ]  # fmt: skip
