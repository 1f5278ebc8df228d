"""Planning a run with all gates against the same INSERT written by hand, and against writing the rows alone.

All three write into an empty partition, in a transaction of their own, in turns. Heed's time includes what the others
do not do: its batches, the counts by reason and the audit leaf.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from django.conf import settings
from django.db import transaction

from campaigns.models import Batch, Run
from campaigns.services import runs
from campaigns.states import RunState
from segments.models import Segment
from segments.partitions import ensure_months, month_of
from tests.benchmarks.dispatch_suite.content import launch
from tests.benchmarks.segment_suite.stage import execute, rows, say, timed

ACTOR = "benchmark"
ROUNDS = 3
BY_HAND = """
    INSERT INTO campaigns_delivery (run_id, profile_id, step, month, channel, state, reason, address_digest, due_at,
        attempts, changed_at, error)
    SELECT %(run)s, profile_id, 0, %(month)s, 'email', CASE reason WHEN '' THEN 'planned' ELSE 'excluded' END, reason,
        digest, due_at, 0, %(now)s, ''
    FROM (
        SELECT m.profile_id, i.digest, CASE
                WHEN s.erased_at IS NOT NULL THEN 'erased'
                WHEN s.merged_into_id IS NOT NULL THEN 'merged'
                WHEN EXISTS (
                    SELECT FROM compliance_suppression x
                    WHERE x.digest = i.digest AND x.lifted_at IS NULL AND x.channel IN ('', 'email')
                      AND (x.purpose_id IS NULL OR x.purpose_id = %(purpose)s)) THEN 'suppressed'
                WHEN c.action IS NULL THEN 'no_consent'
                WHEN c.action = 'withdrawn' THEN 'consent_withdrawn'
                WHEN c.action = 'expired' OR c.expires_at <= %(now)s THEN 'consent_expired'
                WHEN i.digest IS NULL THEN 'no_address'
                WHEN got.second > %(at)s::timestamptz - interval '7 days' THEN 'frequency_cap'
                ELSE '' END AS reason,
            GREATEST(%(at)s::timestamptz,
                (date_trunc('day', got.newest AT TIME ZONE coalesce(nullif(p.timezone, ''), %(zone)s))
                    + interval '1 day') AT TIME ZONE coalesce(nullif(p.timezone, ''), %(zone)s)) AS due_at
        FROM segments_segmentmembership m
        JOIN compliance_subject s ON s.id = m.profile_id
        JOIN segments_profile p ON p.subject_id = m.profile_id
        LEFT JOIN segments_identity i ON i.profile_id = m.profile_id AND i.kind = 'email' AND i.is_primary
        LEFT JOIN compliance_consentstate c
            ON c.subject_id = m.profile_id AND c.purpose_id = %(purpose)s AND c.channel = 'email'
        LEFT JOIN (
            SELECT coalesce(absorbed.merged_into_id, d.profile_id) AS person, max(coalesce(sent_at, due_at)) AS newest,
                (array_agg(coalesce(sent_at, due_at) ORDER BY coalesce(sent_at, due_at) DESC))[2] AS second
            FROM campaigns_delivery d
            LEFT JOIN segments_profile absorbed
                ON absorbed.subject_id = d.profile_id AND absorbed.merged_into_id IS NOT NULL
            WHERE d.month >= %(since)s AND coalesce(sent_at, due_at) > %(at)s::timestamptz - interval '7 days'
              AND d.state IN ('planned', 'claimed', 'sent', 'unknown', 'delivered', 'bounced')
            GROUP BY 1
        ) got ON got.person = m.profile_id
        WHERE m.segment_id = %(segment)s
    ) AS person
    ORDER BY profile_id
"""
COLUMNS = "profile_id, step, month, channel, state, reason, address_digest, due_at, attempts, changed_at, error"
BARE = f"INSERT INTO campaigns_delivery (run_id, {COLUMNS}) SELECT %s, {COLUMNS} FROM planned_rows ORDER BY profile_id"
KEEP = f"CREATE TABLE planned_rows AS SELECT {COLUMNS} FROM campaigns_delivery WHERE run_id = %s ORDER BY profile_id"
DIFFERING = f"""
    SELECT count(*) FROM (
        (SELECT {COLUMNS} FROM campaigns_delivery WHERE run_id = %(run)s EXCEPT TABLE planned_rows)
        UNION ALL
        (TABLE planned_rows EXCEPT SELECT {COLUMNS} FROM campaigns_delivery WHERE run_id = %(run)s)
    ) AS differing
"""


class DifferentRowsError(AssertionError):
    """The hand-written statement and Heed planned different rows."""


def measure(listed: Segment, *, at: datetime, now: datetime) -> dict[str, Any]:
    """Rows per second and the ratios of seconds, of medians over some rounds. Raises `DifferentRowsError`."""
    ensure_months("campaigns_delivery", [month_of(at)])
    run, other = launch(listed, at=at), launch(listed, at=at)
    _plan(run, now)  # brings everything into memory, for all sides alike, and keeps the rows to compare with
    execute(KEEP, [run.pk])
    ((count,),) = rows("SELECT count(*) FROM planned_rows")
    reasons = dict(rows("SELECT reason, count(*) FROM planned_rows GROUP BY reason"))
    deferred = rows("SELECT count(*) FROM planned_rows WHERE reason = '' AND due_at > %s", [at])[0][0]
    say(f"planned {count:,} rows: {reasons}, of the planned {deferred:,} put off")
    values = {
        "run": other.pk, "segment": listed.pk, "purpose": run.campaign.purpose_id, "now": now, "at": at,
        "month": month_of(at), "since": month_of(at - timedelta(days=14)), "zone": settings.TIME_ZONE,
    }  # fmt: skip
    sides: dict[str, Callable[[], Any]] = {
        "heed": lambda: _plan(run, now),
        "hand": lambda: _write(BY_HAND, values),
        "bare": lambda: _write(BARE, [other.pk]),
    }
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(ROUNDS):
        for side, act in sides.items():
            _empty(at, run)
            seconds[side].append(timed(act))
            _compare(run if side == "heed" else other, side)
        say("plan, s: " + ", ".join(f"{side} {taken[-1]:.2f}" for side, taken in seconds.items()))
    _empty(at, run)
    execute("DROP TABLE planned_rows")
    Run.objects.filter(pk__in=[run.pk, other.pk]).update(state=RunState.FINISHED)
    heed, hand, bare = (median(taken) for taken in seconds.values())
    return {
        "plan_rows_per_s": count / heed, "plan_ratio_to_sql": heed / hand, "plan_ratio_to_bare_insert": heed / bare,
        "plan_s": heed, "plan_by_sql_s": hand, "plan_reasons": reasons, "plan_deferred": deferred,
    }  # fmt: skip


def _plan(run: Run, now: datetime) -> None:
    runs.plan(run=run, now=now, actor=ACTOR)
    if run.state != RunState.SENDING:
        raise RuntimeError(f"the run was not planned but is {run.state}")


def _write(sql: str, params: Any) -> None:
    with transaction.atomic():
        execute(sql, params)


def _empty(at: datetime, run: Run) -> None:
    """The partition as it was before anything was planned, and the run to be planned anew."""
    execute(f"TRUNCATE campaigns_delivery_{month_of(at):%Y_%m}")
    Batch.objects.filter(run=run).delete()
    Run.objects.filter(pk=run.pk).update(state=RunState.PLANNING)
    execute("VACUUM ANALYZE campaigns_batch")


def _compare(run: Run, side: str) -> None:
    ((differing,),) = rows(DIFFERING, {"run": run.pk})
    if differing:
        raise DifferentRowsError(f"{side}: {differing} rows differ")
