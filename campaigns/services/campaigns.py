"""The way of a campaign from draft to approval, and its end by hand. Two people are needed to send anything."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from campaigns import rendering
from campaigns.channels import SUPPORTED
from campaigns.content import digest, timing_of
from campaigns.models import Batch, Campaign, Delivery, Run
from campaigns.months import month_of
from campaigns.reasons import ExclusionReason
from campaigns.selectors import moments
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
from compliance.services import audit
from segments.rules import RuleError, parse

APPROVE = "campaigns.approve_campaign"
UNAPPROVED: Mapping[str, Any] = {"approved_at": None, "approved_by": None, "approved_content": ""}
UNSUBMITTED: Mapping[str, Any] = {"submitted_at": None, "submitted_by": None, **UNAPPROVED}


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
    _check(locked)
    move(locked, CampaignState.SUBMITTED, submitted_at=now, submitted_by=user)
    leaf(locked, "campaign.submitted", actor=actors.user(user), now=now, content_sha256=digest(locked))
    return locked


@transaction.atomic
def approve(*, campaign: Campaign, user: User, now: datetime, seen: str | None = None) -> Campaign:
    """Let the campaign go out at its time, with exactly the content it has now.

    `seen` is the `content.digest` of what was shown to the approver, when known. Raises `ApprovalError` for the person
    who submitted, for somebody without the permission and when the content is not what was seen; `CampaignError` for
    what could not be sent; `TransitionError` unless it waits for approval.
    """
    locked = lock(campaign)
    _check_approver(locked, user)
    _check(locked)
    content = digest(locked)
    if seen is not None and seen != content:
        raise ApprovalError(_("The campaign was changed after you looked at it."))
    move(locked, CampaignState.APPROVED, approved_at=now, approved_by=user, approved_content=content)
    leaf(locked, "campaign.approved", actor=actors.user(user), now=now, content_sha256=content)
    return locked


@transaction.atomic
def send_back(*, campaign: Campaign, user: User, now: datetime) -> Campaign:
    """Make it a draft again, before it runs: an approver's refusal, or its author thinking again.

    Raises `ApprovalError` for anybody else, `TransitionError` once it runs.
    """
    locked = lock(campaign)
    if locked.submitted_by_id != user.pk and not user.has_perm(APPROVE):
        raise ApprovalError(_("Only the person who submitted it, or an approver, may send a campaign back."))
    move(locked, CampaignState.DRAFT, **UNSUBMITTED)
    leaf(locked, "campaign.sent_back", actor=actors.user(user), now=now)
    return locked


@transaction.atomic
def cancel(*, campaign: Campaign, user: User, now: datetime) -> Campaign:
    """Stop it for good: whatever no worker has taken in hand yet is not sent.

    Messages being handed over at this moment (some tens per worker) still go out. Raises `TransitionError` when the
    campaign is over.
    """
    locked = lock(campaign)
    move(locked, CampaignState.CANCELLED)
    going = Run.objects.filter(campaign=locked, state__in=sources(RUN_TRANSITIONS, RunState.CANCELLED))
    runs = list(going.select_for_update())  # a plan being written is waited for
    going.update(state=RunState.CANCELLED, finished_at=now)
    Batch.objects.filter(run__in=runs, state=BatchState.PENDING).update(state=BatchState.DONE)
    stopped = _cancel_deliveries(runs, now)
    leaf(locked, "campaign.cancelled", actor=actors.user(user), now=now, deliveries_stopped=stopped)
    return locked


def lock(campaign: Campaign) -> Campaign:
    """The campaign as it is stored now, locked until the transaction ends, with what it is made of."""
    related = Campaign.objects.select_related("template", "channel", "segment", "purpose", "window")
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


def _check(campaign: Campaign) -> None:
    """Refuse what could not be sent, while somebody is there to mend it."""
    template, channel = campaign.template, campaign.channel
    if channel.kind not in SUPPORTED:
        raise CampaignError("channel", _("Heed cannot send on this kind of channel yet."))
    if template.kind != channel.kind:
        raise CampaignError("template", _("The template is for another kind of channel."))
    if not campaign.purpose.is_active:
        raise CampaignError("purpose", _("The purpose is not in use any more."))
    if not timing_of(campaign).with_quiet(moments.quiet(channel.kind)).week():
        raise CampaignError("window", _("All hours of the window are quiet hours."))
    try:
        rendering.validate(subject=template.subject, text=template.text, html=template.html)
    except rendering.TemplateError as error:
        raise CampaignError("template", str(error)) from None
    try:
        parse(campaign.segment.definition)
    except RuleError as error:
        raise CampaignError("segment", str(error)) from None


def _check_approver(campaign: Campaign, user: User) -> None:
    if not user.has_perm(APPROVE):
        raise ApprovalError(_("You do not have the permission to approve campaigns."))
    if campaign.submitted_by_id == user.pk:
        raise ApprovalError(_("A campaign is approved by somebody else than the person who submitted it."))
