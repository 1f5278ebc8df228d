"""A run: launched when its campaign is due, planned set-based, finished when nothing is left to do."""

import logging
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Exists, OuterRef

from campaigns.content import content_of, timing_of
from campaigns.hours import Hours, Timing
from campaigns.models import Batch, Campaign, CampaignKind, Run
from campaigns.months import month_of
from campaigns.selectors import audience, deliveries, moments
from campaigns.selectors import caps as cap_selectors
from campaigns.services import campaigns
from campaigns.states import RUN_TRANSITIONS, BatchState, CampaignState, DeliveryState, RunState, sources
from compliance import actors
from compliance.services import audit
from segments.partitions import ensure_months
from segments.services import segments

logger = logging.getLogger(__name__)

OPEN = [RunState.PLANNING, RunState.SENDING]

INSERT = """
INSERT INTO campaigns_delivery (run_id, profile_id, step, wave, month, channel, state, reason, address_digest, due_at,
                                attempts, changed_at, error)
SELECT %s, person.profile_id, 0, person.wave, %s, %s, CASE person.reason WHEN '' THEN 'planned' ELSE 'excluded' END,
       person.reason, person.digest, person.due_at, 0, %s, ''
FROM ({people}) AS person (profile_id, digest, reason, due_at, wave)
ORDER BY person.profile_id
ON CONFLICT DO NOTHING
"""
PLAN_LOCK = 0x48454544_06
SMALLEST_BLOCK = 5000  # people
# The people of one wave (see `Delivery`) lie scattered among the others. To claim some of them is to read a range, so
# the ranges are kept short: batches are made within blocks of people. Without hours there is one wave and one block,
# which spares PostgreSQL a sort.
DIVIDE = """
INSERT INTO campaigns_batch (run_id, step, wave, first_profile, last_profile, due_at, state, claimed_by, attempts)
SELECT %(run)s, 0, wave, min(profile_id), max(profile_id), min(due_at), 'pending', '', 0
FROM (
    SELECT profile_id, wave, due_at, block,
           (row_number() OVER (PARTITION BY block, wave ORDER BY profile_id) - 1) / %(size)s AS place
    FROM (
        SELECT profile_id, {wave} AS wave, due_at, {block} AS block
        FROM campaigns_delivery WHERE run_id = %(run)s AND month = %(month)s AND step = 0 AND state = 'planned'
    ) AS planned
) AS placed
GROUP BY block, wave, place
ORDER BY block, wave, place
ON CONFLICT DO NOTHING
"""
BLOCK = "(row_number() OVER (ORDER BY profile_id) - 1) / %(block)s"


def launch_due(*, now: datetime, actor: str) -> list[Run]:
    """Start a run of every approved campaign whose time has come; returns the new runs.

    A campaign that is not what was approved any more becomes a draft again instead. Safe to run concurrently: a
    campaign is launched by whoever locks it first. One that cannot be launched is logged and holds up no other.
    """
    due = Campaign.objects.filter(state=CampaignState.APPROVED, scheduled_at__lte=now).order_by("scheduled_at", "pk")
    launched = []
    for pk in due.values_list("pk", flat=True):
        try:
            run = _launch(pk, now=now, actor=actor)
        except Exception:
            logger.exception("campaign %s could not be launched", pk)
            continue
        if run is not None:
            launched.append(run)
    return launched


@transaction.atomic
def _launch(pk: int, *, now: datetime, actor: str) -> Run | None:
    waiting = Campaign.objects.select_related("template", "channel", "segment", "purpose", "send_window").filter(
        pk=pk, state=CampaignState.APPROVED
    )
    campaign = waiting.select_for_update(of=("self",), skip_locked=True).first()
    if campaign is None or campaign.scheduled_at is None or campaign.scheduled_at > now:
        return None
    if campaigns.draft_if_changed(campaign, now=now, actor=actor):
        return None
    campaigns.move(campaign, CampaignState.RUNNING)
    return start(campaign=campaign, scheduled_at=campaign.scheduled_at, now=now, actor=actor)


def start(*, campaign: Campaign, scheduled_at: datetime, now: datetime, actor: str) -> Run:
    """A run of the campaign as it was approved, in the transaction of the caller, who holds the campaign's lock."""
    run = Run.objects.create(
        campaign=campaign,
        scheduled_at=scheduled_at,
        content=content_of(campaign).to_json(),
        timing=timing_of(campaign).to_json(),
        created_at=now,
    )
    approved = campaign.approved_content
    _leaf(run, "run.launched", actor=actor, now=now, campaign=campaign.key, content_sha256=approved)
    return run


def plan(*, run: Run, now: datetime, actor: str) -> Run:
    """Write one delivery for each person of the segment, planned or left out with the reason, and the batches.

    All of it is one transaction, so a crash leaves the run as it was, to be planned anew. Planning a planned run
    changes nothing.
    """
    ensure_months("campaigns_delivery", [month_of(run)])
    with transaction.atomic():
        locked = Run.objects.select_for_update(skip_locked=True).filter(pk=run.pk, state=RunState.PLANNING).first()
        if locked is not None:
            _write_plan(locked, now=now, actor=actor)
    run.refresh_from_db()
    return run


def _write_plan(run: Run, *, now: datetime, actor: str) -> None:
    campaign = Campaign.objects.select_related("channel", "segment").get(pk=run.campaign_id)
    if campaign.segment.is_active:
        segments.refresh(segment=campaign.segment, now=now, actor=actor)
    hours = Timing(**run.timing).with_quiet(moments.quiet(campaign.channel.kind))
    people, params = _people(run, campaign, hours, now)
    month = month_of(run)
    with connection.cursor() as cursor:
        cursor.execute(INSERT.format(people=people), [run.pk, month, campaign.channel.kind, now, *params])
        size = campaign.channel.batch_size
        divide = DIVIDE.format(**({"wave": "0", "block": "0"} if hours.any_time else {"wave": "wave", "block": BLOCK}))
        block = max(size * 10, SMALLEST_BLOCK)
        cursor.execute(divide, {"run": run.pk, "month": month, "size": size, "block": block})
    reasons = _reasons(run)
    run.planned = reasons.pop("", 0)
    run.excluded = sum(reasons.values())
    run.planned_at = now
    run.state = RunState.SENDING
    run.save(update_fields=["planned", "excluded", "planned_at", "state"])
    _leaf(run, "run.planned", actor=actor, now=now, planned=run.planned, excluded=reasons)


def _people(run: Run, campaign: Campaign, hours: Hours, now: datetime) -> tuple[str, list[Any]]:
    """SQL of everybody in the segment, see `moments.planned`.

    With frequency caps, runs are planned one after the other, so that each counts what the others planned.
    """
    people, params = audience.people(campaign, now).query.sql_with_params()
    caps = cap_selectors.active(campaign.channel.kind)
    at = run.scheduled_at
    if not caps:
        return moments.planned(people, [*params], hours=hours, at=at)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [PLAN_LOCK])
    states = [DeliveryState.PLANNED, *cap_selectors.REACHED]
    capped = cap_selectors.capped(caps, at=at, states=states)
    return moments.planned(people, [*params], hours=hours, capped=capped, at=at)


def finish_done(*, now: datetime) -> list[Run]:
    """Finish every run that has nothing left to send, and with it a campaign sent once; returns these runs.

    Batches tell cheaply that work is left; before a run is called finished its deliveries are looked at as well.
    """
    open_batches = Batch.objects.filter(run=OuterRef("pk")).exclude(state=BatchState.DONE)
    candidates = Run.objects.filter(~Exists(open_batches), state=RunState.SENDING)
    return [run for run in candidates if _finish(run, now=now)]


@transaction.atomic
def _finish(run: Run, *, now: datetime) -> bool:
    campaign = campaigns.lock(run.campaign)  # in the order in which cancelling locks
    unsettled = deliveries.of_run(run).filter(state__in=[DeliveryState.PLANNED, DeliveryState.CLAIMED])
    if unsettled.exists():
        logger.error("run %s has unsettled deliveries and no batch to send them", run.pk)
        return False
    going = Run.objects.filter(pk=run.pk, state__in=sources(RUN_TRANSITIONS, RunState.FINISHED))
    if not going.update(state=RunState.FINISHED, finished_at=now):
        return False  # somebody else was first
    if campaign.kind == CampaignKind.ONCE:
        campaigns.move(campaign, CampaignState.FINISHED)
    counts = deliveries.counts_by_state(deliveries.of_run(run))
    _leaf(run, "run.finished", actor=actors.SYSTEM, now=now, deliveries=counts)
    return True


def _reasons(run: Run) -> dict[str, int]:
    rows = deliveries.of_run(run).values_list("reason").annotate(Count("pk"))
    return dict(rows)


def _leaf(run: Run, action: str, *, actor: str, now: datetime, **details: object) -> None:
    audit.append(action=action, actor=actor, object_type="run", object_id=str(run.uid), details=details, now=now)
