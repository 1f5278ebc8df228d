"""The way of a campaign from draft to approval, and its end by hand. Two people are needed to send anything."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from campaigns import rendering
from campaigns.adapters import fits
from campaigns.channels import SUPPORTED
from campaigns.content import digest, timing_of
from campaigns.crontabs import FIELDS, CrontabError, read
from campaigns.models import Batch, Campaign, CampaignKind, Delivery, Run
from campaigns.months import month_of
from campaigns.reasons import ExclusionReason
from campaigns.selectors import moments
from campaigns.selectors.routes import rules_of
from campaigns.services import alarms
from campaigns.states import (
    CAMPAIGN_TRANSITIONS,
    DELIVERY_TRANSITIONS,
    RUN_TRANSITIONS,
    BatchState,
    CampaignState,
    DeliveryState,
    RunState,
    TransitionError,
    sources,
)
from compliance import actors
from compliance.channels import Channel
from compliance.services import audit
from segments.models import SegmentKind
from segments.rules import RuleError, parse

APPROVE = "campaigns.approve_campaign"
UNAPPROVED: Mapping[str, Any] = {"approved_at": None, "approved_by": None, "approved_content": ""}
UNSUBMITTED: Mapping[str, Any] = {"submitted_at": None, "submitted_by": None, "next_at": None, **UNAPPROVED}


class CampaignError(ValueError):
    """The campaign cannot be submitted; `field` names what must be changed."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class ApprovalError(Exception):
    """This person may not approve, or not this; the message says why."""


@transaction.atomic
def submit(*, campaign: Campaign, user: User, now: datetime) -> Campaign:
    """Ask for approval. Raises `CampaignError` for what could not be sent, `TransitionError` unless it is a draft."""
    locked = lock(campaign)
    _check(locked, now)
    move(locked, CampaignState.SUBMITTED, submitted_at=now, submitted_by=user)
    leaf(locked, "campaign.submitted", actor=actors.user(user), now=now, content_sha256=digest(locked))
    return locked


@transaction.atomic
def approve(*, campaign: Campaign, user: User, now: datetime, seen: str | None = None) -> Campaign:
    """Let the campaign go out at its time, or its times after now, with exactly the content it has now.

    `seen` is the `content.digest` of what was shown to the approver, when known. Raises `ApprovalError` for the person
    who submitted, for somebody without the permission and when the content is not what was seen; `CampaignError` for
    what could not be sent; `TransitionError` unless it waits for approval.
    """
    locked = lock(campaign)
    _check_approver(locked, user)
    _check(locked, now)
    content = digest(locked)
    if seen is not None and seen != content:
        raise ApprovalError(_("The campaign was changed after you looked at it."))
    move(
        locked,
        CampaignState.APPROVED,
        approved_at=now,
        approved_by=user,
        approved_content=content,
        next_at=next_time(locked, now),
    )
    alarms.settle(locked)
    leaf(locked, "campaign.approved", actor=actors.user(user), now=now, content_sha256=content)
    return locked


@transaction.atomic
def send_back(*, campaign: Campaign, user: User, now: datetime) -> Campaign:
    """Make it a draft again: an approver's refusal, or its author thinking again.

    Raises `ApprovalError` for anybody else, `TransitionError` once it runs, or while a run of a recurring one does.
    """
    locked = lock(campaign)
    if locked.submitted_by_id != user.pk and not user.has_perm(APPROVE):
        raise ApprovalError(_("Only the person who submitted it, or an approver, may send a campaign back."))
    if is_being_sent(locked):
        raise TransitionError(_("It is being sent, and can be changed when that is done."))
    move(locked, CampaignState.DRAFT, **UNSUBMITTED)
    alarms.settle(locked)
    leaf(locked, "campaign.sent_back", actor=actors.user(user), now=now)
    return locked


@transaction.atomic
def cancel(*, campaign: Campaign, user: User, now: datetime) -> Campaign:
    """Stop it for good: whatever no worker has taken in hand yet is not sent.

    Messages being handed over at this moment (some tens per worker) still go out. Raises `TransitionError` when the
    campaign is over.
    """
    locked = lock(campaign)
    move(locked, CampaignState.CANCELLED, next_at=None)
    alarms.settle(locked)
    going = Run.objects.filter(campaign=locked, state__in=sources(RUN_TRANSITIONS, RunState.CANCELLED))
    runs = list(going.select_for_update())  # a plan being written is waited for
    going.update(state=RunState.CANCELLED, finished_at=now)
    Batch.objects.filter(run__in=runs, state=BatchState.PENDING).update(state=BatchState.DONE)
    stopped = _cancel_deliveries(runs, now)
    leaf(locked, "campaign.cancelled", actor=actors.user(user), now=now, deliveries_stopped=stopped)
    return locked


def is_being_sent(campaign: Campaign) -> bool:
    """Whether what was approved is still needed: by a run under way, or by a campaign sent once that has begun."""
    begun = campaign.state in (CampaignState.RUNNING, CampaignState.PAUSED)
    if campaign.kind == CampaignKind.ONCE and begun:
        return True
    return campaign.runs.filter(state__in=sources(RUN_TRANSITIONS, RunState.CANCELLED)).exists()


def next_time(campaign: Campaign, now: datetime) -> datetime | None:
    """The next time of a recurring campaign after now; None when its end comes first, and for one sent once."""
    return next(campaign.times(after=now), None) if campaign.kind == CampaignKind.RECURRING else None


def draft_if_changed(campaign: Campaign, *, now: datetime, actor: str) -> bool:
    """Make a locked campaign a draft again if it is not what was approved any more; returns whether it was so."""
    current = digest(campaign)
    if current == campaign.approved_content:
        return False
    leaf(
        campaign, "campaign.changed_since_approval", actor=actor, now=now, content_sha256=current,
        approved_sha256=campaign.approved_content,
    )  # fmt: skip
    move(campaign, CampaignState.DRAFT, **UNSUBMITTED)
    alarms.settle(campaign)
    return True


def check_schedule(campaign: Campaign, now: datetime) -> None:
    """Raises `CampaignError` for a recurring campaign that would never be sent, or too often."""
    if campaign.kind != CampaignKind.RECURRING:
        return
    try:
        read({field: getattr(campaign, field) for field in (*FIELDS, "timezone")})
    except CrontabError as error:
        raise CampaignError(error.field, error.reason) from None
    if next_time(campaign, now) is None:
        raise CampaignError("ends_at", _("None of its times comes before this end."))


def lock(campaign: Campaign) -> Campaign:
    """The campaign as it is stored now, locked until the transaction ends, with what it is made of."""
    related = Campaign.objects.select_related("template", "channel", "segment", "purpose", "send_window")
    return related.select_for_update(of=("self",)).get(pk=campaign.pk)


def move(campaign: Campaign, to: CampaignState, **fields: object) -> None:
    """Change the state by compare-and-set, in the caller's transaction. Raises `TransitionError`."""
    allowed = Campaign.objects.filter(pk=campaign.pk, state__in=sources(CAMPAIGN_TRANSITIONS, to))
    if not allowed.update(state=to, **fields):
        message = _("The campaign is in state “%(from)s” and cannot become “%(to)s”.")
        raise TransitionError(message % {"from": campaign.get_state_display(), "to": to.label})
    for name, value in {"state": to, **fields}.items():
        setattr(campaign, name, value)


def leaf(campaign: Campaign, action: str, *, actor: str, now: datetime, **details: object) -> None:
    """The audit leaf of an act on a campaign, in the caller's transaction."""
    audit.append(
        action=action,
        actor=actor,
        object_type="campaign",
        object_id=str(campaign.uid),
        details={"key": campaign.key, **details},
        now=now,
    )


def _cancel_deliveries(runs: list[Run], now: datetime) -> int:
    planned = Delivery.objects.filter(
        run__in=runs,
        month__in={month_of(run) for run in runs},
        state__in=sources(DELIVERY_TRANSITIONS, DeliveryState.CANCELLED),
    )
    return planned.update(state=DeliveryState.CANCELLED, reason=ExclusionReason.CAMPAIGN_CANCELLED, changed_at=now)


def _check(campaign: Campaign, now: datetime) -> None:
    """Refuse what could not be sent, while somebody is there to mend it."""
    check_schedule(campaign, now)
    template, channel = campaign.template, campaign.channel
    if channel.kind not in SUPPORTED:
        raise CampaignError("channel", _("Heed cannot send on this kind of channel yet."))
    if template.kind != channel.kind:
        raise CampaignError("template", _("The template is for another kind of channel."))
    if not campaign.purpose.is_active:
        raise CampaignError("purpose", _("The purpose is not in use any more."))
    if not fits(channel.kind, channel.adapter):
        raise CampaignError("channel", _("The sending channel has no way out of its kind."))
    if channel.kind == Channel.SMS and not channel.optout_text:
        raise CampaignError("channel", _("The sending channel needs an opt-out text."))
    if not timing_of(campaign).with_quiet(moments.quiet(channel.kind)).week():
        raise CampaignError("send_window", _("All hours of the window are quiet hours."))
    try:
        rules = rules_of(channel)
        rendering.validate(subject=template.subject, text=template.text, html=template.html, rules=rules)
    except rendering.TemplateError as error:
        raise CampaignError("template", str(error)) from None
    if campaign.segment.kind == SegmentKind.UPLOADED:
        return  # a list of people has no rule
    try:
        parse(campaign.segment.definition)
    except RuleError as error:
        raise CampaignError("segment", str(error)) from None


def _check_approver(campaign: Campaign, user: User) -> None:
    if not user.has_perm(APPROVE):
        raise ApprovalError(_("You do not have the permission to approve campaigns."))
    if campaign.submitted_by_id == user.pk:
        raise ApprovalError(_("A campaign is approved by somebody else than the person who submitted it."))
