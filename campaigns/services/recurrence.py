"""Recurring campaigns: a run for each time of the crontab, once, or a recorded reason why there is none."""

import logging
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from campaigns.models import Campaign, CampaignKind, Run
from campaigns.reasons import SkipReason
from campaigns.selectors import work
from campaigns.services import alarms, campaigns, runs
from campaigns.services.campaigns import ApprovalError
from campaigns.states import CAMPAIGN_TRANSITIONS, CampaignState, RunState, TransitionError, sources
from compliance import actors

logger = logging.getLogger(__name__)

PAUSE = "campaigns.pause_campaign"
LATEST = timedelta(hours=2)  # a time that was missed by more is skipped
KEPT = 100  # skipped times that a long stop leaves as runs; the audit leaf counts all


@transaction.atomic
def launch(*, campaign: Campaign, now: datetime, actor: str) -> Run | None:
    """Decide about every time of the campaign that has come: the last is launched, or skipped with a reason; those
    before it were missed and are skipped.

    Does nothing when no time has come that was not decided about: a repeated call makes no second run. A campaign that
    is not what was approved any more becomes a draft again. Returns the run that was launched.
    """
    locked = campaigns.lock(campaign)
    if locked.next_at is None or locked.next_at > now or campaigns.draft_if_changed(locked, now=now, actor=actor):
        return None
    due, following = _due(locked, locked.next_at, now)
    reason = _reason_to_skip(locked, due[-1], now)
    _skip(locked, due[:-1], SkipReason.OVERTAKEN, now=now, actor=actor)
    Campaign.objects.filter(pk=locked.pk).update(next_at=following)
    locked.next_at = following
    if locked.state == CampaignState.APPROVED:
        campaigns.move(locked, CampaignState.RUNNING)
    alarms.settle(locked)
    if locked.runs.filter(scheduled_at=due[-1]).exists():  # it had run before the campaign was changed
        return None
    if reason is not None:
        _skip(locked, due[-1:], reason, now=now, actor=actor)
        return None
    return runs.start(campaign=locked, scheduled_at=due[-1], now=now, actor=actor)


def launch_due(*, now: datetime, actor: str) -> list[Run]:
    """Launch whatever beat did not ring for; returns the new runs. One that cannot be launched holds up no other."""
    launched = []
    for campaign in work.recurring_due(now):
        try:
            run = launch(campaign=campaign, now=now, actor=actor)
        except Exception:
            logger.exception("campaign %s could not be launched", campaign.pk)
            continue
        if run is not None:
            launched.append(run)
    return launched


def finish_ended(*, now: datetime, actor: str) -> list[Campaign]:
    """Finish every recurring campaign whose end has passed and whose last run is done; returns them."""
    return [campaign for campaign in work.recurring_ended(now) if _finish(campaign, now=now, actor=actor)]


@transaction.atomic
def pause(*, campaign: Campaign, user: User, now: datetime) -> Campaign:
    """Hold everything until it is resumed: no run starts, and no further message of a run under way is taken in hand.

    Raises `ApprovalError`, and `TransitionError` unless it runs, or recurs and is approved.
    """
    _check_permission(user)
    locked = campaigns.lock(campaign)
    if locked.kind != CampaignKind.RECURRING and locked.state != CampaignState.RUNNING:
        raise TransitionError(_("Only a campaign that is running can be paused."))
    campaigns.move(locked, CampaignState.PAUSED, next_at=None)
    alarms.settle(locked)
    campaigns.leaf(locked, "campaign.paused", actor=actors.user(user), now=now)
    return locked


@transaction.atomic
def resume(*, campaign: Campaign, user: User, now: datetime) -> Campaign:
    """Go on with what is left of the runs, and with the next time after now: times that passed meanwhile are left out.

    Raises `ApprovalError`, and `TransitionError` unless it is paused.
    """
    _check_permission(user)
    locked = campaigns.lock(campaign)
    if locked.state != CampaignState.PAUSED:
        raise TransitionError(_("Only a paused campaign can be resumed."))
    campaigns.move(locked, CampaignState.RUNNING, next_at=campaigns.next_time(locked, now))
    alarms.settle(locked)
    campaigns.leaf(locked, "campaign.resumed", actor=actors.user(user), now=now)
    return locked


def _due(campaign: Campaign, first: datetime, now: datetime) -> tuple[list[datetime], datetime | None]:
    """The times from `first` to now, and the one that follows."""
    due = [first]
    for at in campaign.times(after=first):
        if at > now:
            return due, at
        due.append(at)
    return due, None


def _reason_to_skip(campaign: Campaign, at: datetime, now: datetime) -> SkipReason | None:
    if now - at > LATEST:
        return SkipReason.TOO_LATE
    if not campaign.may_overlap and campaign.runs.filter(state__in=runs.OPEN).exists():
        return SkipReason.STILL_SENDING
    return None


def _skip(campaign: Campaign, times: list[datetime], reason: SkipReason, *, now: datetime, actor: str) -> None:
    if not times:
        return
    skipped = [
        Run(campaign=campaign, scheduled_at=at, state=RunState.SKIPPED, reason=reason, created_at=now, finished_at=now)
        for at in times[-KEPT:]
    ]
    Run.objects.bulk_create(skipped, ignore_conflicts=True)
    campaigns.leaf(
        campaign, "campaign.run_skipped", actor=actor, now=now, reason=reason.value, times=len(times),
        first=times[0].isoformat(), last=times[-1].isoformat(),
    )  # fmt: skip


@transaction.atomic
def _finish(campaign: Campaign, *, now: datetime, actor: str) -> bool:
    locked = campaigns.lock(campaign)
    movable = locked.state in sources(CAMPAIGN_TRANSITIONS, CampaignState.FINISHED)
    if not movable or locked.runs.filter(state__in=runs.OPEN).exists():
        return False
    campaigns.move(locked, CampaignState.FINISHED, next_at=None)
    alarms.settle(locked)
    campaigns.leaf(locked, "campaign.finished", actor=actor, now=now)
    return True


def _check_permission(user: User) -> None:
    if not user.has_perm(PAUSE):
        raise ApprovalError(_("You do not have the permission to pause and resume campaigns."))
