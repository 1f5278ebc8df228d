"""The figures on the admin's first page."""

from datetime import timedelta
from typing import Any

from django.db.models import Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns.models import Campaign, Run
from campaigns.states import CampaignState
from compliance.models import (
    Checkpoint,
    ConsentAction,
    ConsentRecord,
    ConsentState,
    RequestState,
    SubjectRequest,
)
from compliance.services import propagation
from segments.models import Profile, QuarantinedEvent, QuarantineState, Segment

DAYS = 30


def counts(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Cards for what the person may see, each a link to where the figure comes from."""
    since = timezone.now() - timedelta(days=DAYS)
    waiting = Campaign.objects.filter(state=CampaignState.SUBMITTED).count()
    sums = Run.objects.filter(scheduled_at__gte=since).aggregate(planned=Sum("planned"), excluded=Sum("excluded"))
    withdrawn = ConsentRecord.objects.filter(recorded_at__gte=since, action=ConsentAction.WITHDRAWN).count()
    last = Checkpoint.objects.order_by("-id").first()
    cards = [
        ("segments.view_profile", _("People"), Profile.objects.living().count(), "admin:segments_profile_changelist"),
        ("segments.view_segment", _("Segments"), Segment.objects.count(), "admin:segments_segment_changelist"),
        (
            "segments.view_quarantinedevent",
            _("Events in quarantine"),
            QuarantinedEvent.objects.filter(state=QuarantineState.HELD).count(),
            "admin:segments_quarantinedevent_changelist",
        ),
        (
            "compliance.view_consentstate",
            _("Consents in effect"),
            ConsentState.objects.filter(action=ConsentAction.GIVEN).exclude(expires_at__lte=timezone.now()).count(),
            "admin:compliance_consentstate_changelist",
        ),
        (
            "campaigns.view_campaign",
            _("Campaigns waiting for approval"),
            waiting,
            "admin:campaigns_campaign_changelist",
        ),
        (
            "campaigns.view_run",
            _("Messages planned in 30 days"),
            sums["planned"] or 0,
            "admin:campaigns_run_changelist",
        ),
        (
            "campaigns.view_run",
            _("People left out in 30 days"),
            sums["excluded"] or 0,
            "admin:campaigns_run_changelist",
        ),
        (
            "compliance.view_consentrecord",
            _("Withdrawals in 30 days"),
            withdrawn,
            "admin:compliance_consentrecord_changelist",
        ),
        (
            "compliance.view_subjectrequest",
            _("Requests of people to answer"),
            SubjectRequest.objects.filter(state=RequestState.OPEN).count(),
            "admin:compliance_subjectrequest_changelist",
        ),
        (
            "compliance.view_propagationtask",
            _("Withdrawals not acknowledged downstream"),
            propagation.open_tasks().count(),
            "admin:compliance_propagationtask_changelist",
        ),
        (
            "compliance.view_checkpoint",
            _("Audit leaves sealed"),
            last.tree_size if last else 0,
            "admin:compliance_checkpoint_changelist",
        ),
    ]
    context["cards"] = [
        {"title": title, "value": value, "link": reverse(name)}
        for permission, title, value, name in cards
        if request.user.has_perm(permission)
    ]
    return context
