"""A run: launched when its campaign is due, planned set-based, finished when nothing is left to do."""

import logging
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Exists, OuterRef

from campaigns.content import content_of, digest
from campaigns.models import Batch, Campaign, Run
from campaigns.months import month_of
from campaigns.reasons import ExclusionReason
from campaigns.selectors import audience, deliveries
from campaigns.selectors import caps as cap_selectors
from campaigns.services import campaigns
from campaigns.states import RUN_TRANSITIONS, BatchState, CampaignState, DeliveryState, RunState, sources
from compliance import actors
from compliance.services import audit
from segments.partitions import ensure_months
from segments.services import segments

logger = logging.getLogger(__name__)

# OFFSET 0 keeps PostgreSQL from asking the gate anew wherever the reason is mentioned.
INSERT = """
INSERT INTO campaigns_delivery (run_id, profile_id, step, month, channel, state, reason, address_digest, due_at,
                                attempts, changed_at, error)
SELECT %s, person.profile_id, 0, %s, %s, CASE person.reason WHEN '' THEN 'planned' ELSE 'excluded' END, person.reason,
       person.digest, person.due_at, 0, %s, ''
FROM ({people} OFFSET 0) AS person (profile_id, digest, reason, due_at)
ORDER BY person.profile_id
ON CONFLICT DO NOTHING
"""
# A person whom a cap would put off for longer than a week is left out.
CAPPED = """
SELECT person.profile_id, person.digest,
       CASE WHEN person.reason = '' AND ({dropped} OR coalesce({allowed_at} > %s, false)) THEN %s
            ELSE person.reason END,
       GREATEST(%s, {allowed_at})
FROM ({people} OFFSET 0) AS person (profile_id, digest, reason)
{joins}
"""
PLAN_LOCK = 0x48454544_06
DIVIDE = """
INSERT INTO campaigns_batch (run_id, step, first_profile, last_profile, due_at, state, claimed_by, attempts)
SELECT %s, 0, min(profile_id), max(profile_id), %s, 'pending', '', 0
FROM (
    SELECT profile_id, (row_number() OVER (ORDER BY profile_id) - 1) / %s AS place
    FROM campaigns_delivery WHERE run_id = %s AND month = %s AND step = 0 AND state = 'planned'
) AS planned
GROUP BY place
ORDER BY place
ON CONFLICT DO NOTHING
"""


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
    waiting = Campaign.objects.select_related("template", "channel", "segment", "purpose").filter(
        pk=pk, state=CampaignState.APPROVED
    )
    campaign = waiting.select_for_update(of=("self",), skip_locked=True).first()
    if campaign is None or campaign.scheduled_at > now:
        return None
    current = digest(campaign)
    if current != campaign.approved_content:
        campaigns.leaf(
            campaign, "campaign.changed_since_approval", actor=actor, now=now, content_sha256=current,
            approved_sha256=campaign.approved_content,
        )  # fmt: skip
        campaigns.move(campaign, CampaignState.DRAFT, **campaigns.UNSUBMITTED)
        return None
    campaigns.move(campaign, CampaignState.RUNNING)
    run = Run.objects.create(
        campaign=campaign,
        scheduled_at=campaign.scheduled_at,
        content=content_of(campaign).to_json(),
        created_at=now,
    )
    _leaf(run, "run.launched", actor=actor, now=now, campaign=campaign.key, content_sha256=current)
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
    people, params = _people(run, campaign, now)
    month = month_of(run)
    with connection.cursor() as cursor:
        cursor.execute(INSERT.format(people=people), [run.pk, month, campaign.channel.kind, now, *params])
        cursor.execute(DIVIDE, [run.pk, run.scheduled_at, campaign.channel.batch_size, run.pk, month])
    reasons = _reasons(run)
    run.planned = reasons.pop("", 0)
    run.excluded = sum(reasons.values())
    run.planned_at = now
    run.state = RunState.SENDING
    run.save(update_fields=["planned", "excluded", "planned_at", "state"])
    _leaf(run, "run.planned", actor=actor, now=now, planned=run.planned, excluded=reasons)


def _people(run: Run, campaign: Campaign, now: datetime) -> tuple[str, list[Any]]:
    """SQL of everybody in the segment: profile id, address digest, '' or the reason to leave them out, when to send.

    With frequency caps, runs are planned one after the other, so that each counts what the others planned.
    """
    people, params = audience.people(campaign, now).query.sql_with_params()
    caps = cap_selectors.active(campaign.channel.kind)
    if not caps:
        return f"SELECT person.*, %s::timestamptz FROM ({people}) AS person", [run.scheduled_at, *params]  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [PLAN_LOCK])
    at = run.scheduled_at
    states = [DeliveryState.PLANNED, *cap_selectors.REACHED]
    capped = cap_selectors.capped(caps, at=at, states=states)
    sql = CAPPED.format(people=people, joins=capped.joins, dropped=capped.dropped, allowed_at=capped.allowed_at)
    latest = at + cap_selectors.LONGEST_DEFERRAL
    reason = ExclusionReason.FREQUENCY_CAP.value
    return sql, [*capped.dropped_params, latest, reason, at, *params, *capped.joins_params]


def finish_done(*, now: datetime) -> list[Run]:
    """Finish every run, and with it its campaign, that has nothing left to send; returns these runs.

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
    campaigns.move(campaign, CampaignState.FINISHED)
    counts = deliveries.counts_by_state(deliveries.of_run(run))
    _leaf(run, "run.finished", actor=actors.SYSTEM, now=now, deliveries=counts)
    return True


def _reasons(run: Run) -> dict[str, int]:
    rows = deliveries.of_run(run).values_list("reason").annotate(Count("pk"))
    return dict(rows)


def _leaf(run: Run, action: str, *, actor: str, now: datetime, **details: object) -> None:
    audit.append(action=action, actor=actor, object_type="run", object_id=str(run.uid), details=details, now=now)
