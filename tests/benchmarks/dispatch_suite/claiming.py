"""Claiming every batch and all its deliveries, with the gate asked again, against the bare changes of state.

The bare side makes the same rows claimed by one statement for each batch, and asks nothing.
"""

import time
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from campaigns.models import Batch, Delivery, Run
from campaigns.months import month_of
from campaigns.services import dispatch, groups, runs
from campaigns.states import BatchState, DeliveryState, RunState
from segments.models import Segment
from tests.benchmarks.dispatch_suite.content import launch
from tests.benchmarks.segment_suite.stage import execute, say

ROUNDS = 2
RAW = """
    WITH batch AS (
        UPDATE campaigns_batch SET state = 'claimed', lease_until = %(until)s, claimed_by = 'raw'
        WHERE id = %(batch)s AND state = 'pending'
    )
    UPDATE campaigns_delivery SET state = 'claimed', attempts = attempts + 1, changed_at = %(now)s
    WHERE run_id = %(run)s AND month = %(month)s AND step = 0 AND profile_id BETWEEN %(first)s AND %(last)s
      AND state = 'planned'
"""


def measure(listed: Segment) -> dict[str, Any]:
    """Deliveries claimed per second, and their share of those claimed by bare statements, in turns."""
    heed, raw, count = 0.0, 0.0, 0
    for _ in range(ROUNDS):
        heed += _timed(_planned(listed), _by_heed)
        run = _planned(listed)
        raw += _timed(run, _bare)
        count += run.planned
    say(f"claimed {count:,} deliveries: {count / heed:,.0f}/s, by bare statements {count / raw:,.0f}/s")
    return {"claim_rows_per_s": count / heed, "claim_share_of_raw": raw / heed}


def _timed(run: Run, act: Any) -> float:
    started = time.perf_counter()
    act(run)
    taken = time.perf_counter() - started
    claimed = Delivery.objects.filter(run=run.pk, state=DeliveryState.CLAIMED).count()
    batches = Batch.objects.filter(run=run).exclude(state=BatchState.CLAIMED).count()
    if claimed != run.planned or batches:
        raise RuntimeError(f"{claimed} of {run.planned} deliveries were claimed, {batches} batches were not")
    Run.objects.filter(pk=run.pk).update(state=RunState.FINISHED)
    return taken


def _by_heed(run: Run) -> None:
    while batch := dispatch.claim_batch(now=timezone.now(), worker="benchmark"):
        while groups.turn(batch, outcomes=[], size=dispatch.MAX_GROUP, now=timezone.now()):
            pass


def _bare(run: Run) -> None:
    now = timezone.now()
    common = {"run": run.pk, "month": month_of(run), "now": now, "until": now + timedelta(minutes=3)}
    with connection.cursor() as cursor:
        for batch in Batch.objects.filter(run=run).order_by("pk"):
            ends = {"batch": batch.pk, "first": batch.first_profile, "last": batch.last_profile}
            cursor.execute(RAW, {**common, **ends})


def _planned(listed: Segment) -> Run:
    run = launch(listed, at=timezone.now())
    runs.plan(run=run, now=timezone.now(), actor="benchmark")
    execute("VACUUM ANALYZE campaigns_delivery")
    return run
