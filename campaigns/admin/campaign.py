from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm

from campaigns import reasons
from campaigns.admin import campaign_form, timing
from campaigns.admin.campaign_form import SCHEDULE, CampaignForm
from campaigns.content import digest
from campaigns.models import Campaign, CampaignKind
from campaigns.selectors import deliveries
from campaigns.services import campaigns, recurrence
from campaigns.services.campaigns import ApprovalError, CampaignError
from campaigns.states import CampaignState, DeliveryState, TransitionError
from compliance.admin.base import done

STATE_COLOURS = {
    "submitted": "warning", "approved": "info", "running": "info", "paused": "warning", "finished": "success",
    "cancelled": "danger",
}  # fmt: skip
NEXT_STEPS = {
    CampaignState.DRAFT: _("Check segment and template, then submit it. A second person has to approve it."),
    CampaignState.SUBMITTED: _("An approver other than the person who submitted it has to look at it."),
    CampaignState.APPROVED: _("Nothing to do: it starts by itself at its time. A change makes it a draft again."),
    CampaignState.RUNNING: _("Messages are going out. Cancelling stops whatever is not in hand yet."),
    CampaignState.PAUSED: _("Nothing goes out until it is resumed. Times that pass meanwhile are left out."),
    CampaignState.FINISHED: _("All is done. The figures below stay."),
    CampaignState.CANCELLED: _("It was stopped. What had been sent stays recorded."),
}
RUNNING_AGAIN_AND_AGAIN = _("It runs at each of its times. To change it, send it back between two runs.")
LATEST_RUNS = 20


class ApproveForm(BaseDialogForm):
    """Carries what the approver was shown, so that nobody approves what was changed in between."""

    seen = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        campaign = Campaign.objects.filter(pk=self.object_id).first()
        self.fields["seen"].initial = digest(campaign) if campaign else ""


def _dialog(title: Any, description: Any, submit: Any) -> dict[str, Any]:
    return {"title": title, "description": description, "form_class": None, "form_submit_text": submit}


@admin.register(Campaign)
class CampaignAdmin(ModelAdmin):
    """Who gets what, when, and what came of it."""

    form = CampaignForm
    fields = [
        "key", "name", "purpose", "segment", "template", "channel", "kind", "scheduled_at", *SCHEDULE, "next_times",
        "send_window", "latest_hours",
    ]  # fmt: skip
    conditional_fields = campaign_form.CONDITIONS
    list_display = ["name", "kind", "status", "segment", "purpose", "next_time", "planned", "excluded"]
    list_filter = ["state", "kind", "purpose", "channel"]
    search_fields = ["name", "key"]
    list_select_related = ["segment", "purpose"]
    autocomplete_fields = ["segment", "template"]
    actions = None
    actions_detail = ["submit", "approve", "pause", "resume", "send_back", "cancel"]
    change_form_before_template = "campaigns/admin/overview.html"

    @display(description=_("state"), label=STATE_COLOURS)
    def status(self, obj: Campaign) -> tuple[str, str]:
        return obj.state, obj.get_state_display()

    @display(description=_("next time"), ordering=Coalesce("next_at", "scheduled_at"))
    def next_time(self, obj: Campaign) -> Any:
        return obj.next_at or obj.scheduled_at

    @display(description=_("planned"))
    def planned(self, obj: Campaign) -> int:
        return obj.planned_sum or 0  # type: ignore[attr-defined]

    @display(description=_("left out"))
    def excluded(self, obj: Campaign) -> int:
        return obj.excluded_sum or 0  # type: ignore[attr-defined]

    @display(description=_("next five times"))
    def next_times(self, obj: Campaign) -> str:
        is_editable = obj.pk is None or obj.state == CampaignState.DRAFT
        return campaign_form.next_times(obj, is_editable=is_editable)

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        return rows.annotate(planned_sum=Sum("runs__planned"), excluded_sum=Sum("runs__excluded"))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.preview_times)
        return [path("next-times/", view, name="campaigns_campaign_next_times"), *super().get_urls()]

    def preview_times(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return campaign_form.preview(request)

    def get_readonly_fields(self, request: HttpRequest, obj: Campaign | None = None) -> list[str]:
        return ["key", "next_times"] if obj else ["next_times"]

    def has_change_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        """Only a draft is edited: what is submitted is what gets approved, and what is being sent is what was."""
        editable = obj is None or (obj.state == CampaignState.DRAFT and not campaigns.is_being_sent(obj))
        return editable and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        only_draft = obj is None or (obj.state == CampaignState.DRAFT and not obj.runs.exists())
        return only_draft and super().has_delete_permission(request, obj)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        campaign = Campaign.objects.filter(pk=object_id).first() if object_id else None
        context = {**(extra_context or {}), **(_overview(campaign) if campaign else {})}
        return super().changeform_view(request, object_id, form_url, context)

    def has_approve_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm(campaigns.APPROVE) and _in_state(object_id, CampaignState.SUBMITTED)

    def has_submit_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("campaigns.change_campaign") and _in_state(object_id, CampaignState.DRAFT)

    def has_send_back_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        may = request.user.has_perm("campaigns.change_campaign") or request.user.has_perm(campaigns.APPROVE)
        before = _in_state(object_id, CampaignState.SUBMITTED, CampaignState.APPROVED)
        return may and (before or _recurs_in_state(object_id, CampaignState.RUNNING, CampaignState.PAUSED))

    def has_cancel_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        may = request.user.has_perm("campaigns.change_campaign") or request.user.has_perm(campaigns.APPROVE)
        going = (CampaignState.SUBMITTED, CampaignState.APPROVED, CampaignState.RUNNING, CampaignState.PAUSED)
        return may and _in_state(object_id, *going)

    def has_pause_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        going = _in_state(object_id, CampaignState.RUNNING) or _recurs_in_state(object_id, CampaignState.APPROVED)
        return request.user.has_perm(recurrence.PAUSE) and going

    def has_resume_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm(recurrence.PAUSE) and _in_state(object_id, CampaignState.PAUSED)

    @action(
        description=_("Submit for approval"),
        permissions=["submit"],
        dialog=_dialog(
            _("Submit this campaign"), _("It cannot be edited while it waits for a second person."), _("Submit")
        ),
    )
    def submit(self, request: HttpRequest, form: Any, object_id: int) -> HttpResponse:
        return self._act(request, object_id, campaigns.submit, gettext("Submitted. A second person has to approve it."))

    @action(
        description=_("Approve"),
        permissions=["approve"],
        dialog={
            **_dialog(
                _("Approve this campaign"),
                _("It goes out by itself at its time, with exactly the content it has now."),
                _("Approve"),
            ),
            "form_class": ApproveForm,
        },
    )
    def approve(self, request: HttpRequest, form: ApproveForm, object_id: int) -> HttpResponse:
        service = partial(campaigns.approve, seen=form.cleaned_data["seen"])
        return self._act(request, object_id, service, gettext("Approved. It starts by itself at its time."))

    @action(
        description=_("Pause"),
        permissions=["pause"],
        dialog=_dialog(
            _("Pause this campaign"), _("No run starts, and whatever is not in hand yet waits."), _("Hold it")
        ),
    )
    def pause(self, request: HttpRequest, form: Any, object_id: int) -> HttpResponse:
        return self._act(request, object_id, recurrence.pause, gettext("The campaign is paused."))

    @action(
        description=_("Resume"),
        permissions=["resume"],
        dialog=_dialog(
            _("Resume this campaign"),
            _("What waits goes out now; a recurring campaign goes on with its next time."),
            _("Go on"),
        ),
    )
    def resume(self, request: HttpRequest, form: Any, object_id: int) -> HttpResponse:
        return self._act(request, object_id, recurrence.resume, gettext("The campaign goes on."))

    @action(
        description=_("Send back"),
        permissions=["send_back"],
        dialog=_dialog(_("Send this campaign back"), _("It becomes a draft again."), _("Send back")),
    )
    def send_back(self, request: HttpRequest, form: Any, object_id: int) -> HttpResponse:
        return self._act(request, object_id, campaigns.send_back, gettext("It is a draft again."))

    @action(
        description=_("Cancel campaign"),
        permissions=["cancel"],
        dialog=_dialog(
            _("Stop this campaign for good"), _("Whatever is not in hand yet is not sent."), _("Stop the campaign")
        ),
    )
    def cancel(self, request: HttpRequest, form: Any, object_id: int) -> HttpResponse:
        return self._act(request, object_id, campaigns.cancel, gettext("The campaign is stopped."))

    def _act(self, request: HttpRequest, object_id: int, service: Callable[..., Campaign], text: str) -> HttpResponse:
        url = reverse("admin:campaigns_campaign_change", args=[object_id])
        try:
            service(campaign=Campaign.objects.get(pk=object_id), user=request.user, now=timezone.now())
        except (CampaignError, ApprovalError, TransitionError) as error:
            return done(request, url, str(error), error=True)
        return done(request, url, text)


def _in_state(object_id: Any, *states: CampaignState) -> bool:
    """Without an object (a list page) the permission alone counts."""
    return object_id is None or Campaign.objects.filter(pk=object_id, state__in=states).exists()


def _recurs_in_state(object_id: Any, *states: CampaignState) -> bool:
    recurring = Campaign.objects.filter(kind=CampaignKind.RECURRING, pk=object_id, state__in=states)
    return object_id is None or recurring.exists()


def _next_step(campaign: Campaign) -> Any:
    if campaign.kind == CampaignKind.RECURRING and campaign.state == CampaignState.RUNNING:
        return RUNNING_AGAIN_AND_AGAIN
    return NEXT_STEPS[CampaignState(campaign.state)]


def _overview(campaign: Campaign) -> dict[str, Any]:
    """What the panel at the top of the page shows."""
    rows = deliveries.of_campaign(campaign)
    by_state, by_reason = deliveries.counts_by_state(rows), deliveries.counts_by_reason(rows)
    open_ones = by_state.get(DeliveryState.PLANNED, 0) + by_state.get(DeliveryState.CLAIMED, 0)
    excluded = by_state.pop(DeliveryState.EXCLUDED, 0)
    planned = sum(by_state.values())
    labels = dict(DeliveryState.choices)
    return {
        "campaign": campaign,
        "next_step": _next_step(campaign),
        "members": campaign.segment.member_count,
        "planned": planned,
        "excluded": excluded,
        "share_done": 100 * (planned - open_ones) // planned if planned else 0,
        "states": [(state, labels[DeliveryState(state)], count) for state, count in by_state.items()],
        "reasons": [(code, reasons.label(code), count, 100 * count // excluded) for code, count in by_reason.items()],
        "timing": timing.context(campaign, rows),
        "runs": list(campaign.runs.order_by("-scheduled_at")[:LATEST_RUNS]),
    }
