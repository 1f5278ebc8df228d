"""The form of a campaign, which asks a recurring one for its crontab and shows the times that come of it."""

from datetime import datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget

from campaigns.crontabs import FIELDS, zones
from campaigns.models import Campaign, CampaignKind
from campaigns.services import campaigns
from campaigns.services.campaigns import CampaignError

SHOWN = 5
CRONTAB = [*FIELDS, "timezone"]
SCHEDULE = [*CRONTAB, "starts_at", "ends_at", "may_overlap"]
INITIAL = {"minute": "0", "hour": "9", **dict.fromkeys(["day_of_month", "month_of_year", "day_of_week"], "*")}
CONDITIONS = {
    "scheduled_at": "typeof kind === 'undefined' || kind == 'once'",
    **dict.fromkeys([*SCHEDULE, "next_times"], "typeof kind === 'undefined' || kind == 'recurring'"),
}


class CampaignForm(forms.ModelForm):
    timezone = forms.ChoiceField(
        label=_("time zone"),
        required=False,
        choices=lambda: [("", "---------"), *((name, name) for name in sorted(zones()))],
        widget=UnfoldAdminSelectWidget,
    )

    class Meta:
        model = Campaign
        fields = ["key", "name", "purpose", "segment", "template", "channel", "kind", "scheduled_at", *SCHEDULE]
        help_texts = {
            "minute": _("0 to 59; several with commas. At least 15 minutes lie between two times."),
            "hour": _("0 to 23, a range such as 9-17, every third as */3, or * for all"),
            "day_of_month": _("1 to 31, or *. Months without that day are passed over."),
            "month_of_year": _("1 to 12, or *"),
            "day_of_week": _("0 (Sunday) to 6, or * for all. A day has to suit day of month and day of week both."),
            "may_overlap": _("Otherwise such a time is skipped, and the reason recorded."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.kind != CampaignKind.RECURRING:  # what is offered when somebody makes it one
            offered = {**INITIAL, "timezone": settings.TIME_ZONE}
            self.initial.update({name: value for name, value in offered.items() if name in self.fields})

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if values.get("kind") == CampaignKind.RECURRING:
            values["scheduled_at"] = None
            self._check_schedule(values)
        elif "kind" in values:
            values.update({name: getattr(Campaign(), name) for name in SCHEDULE})
            if not values.get("scheduled_at") and "scheduled_at" not in self.errors:
                self.add_error("scheduled_at", gettext("A campaign that is sent once needs its time."))
        return values

    def _check_schedule(self, values: dict[str, Any]) -> None:
        if not self.errors.keys() & set(SCHEDULE):
            try:
                campaigns.check_schedule(_drafted(values), timezone.now())
            except CampaignError as error:
                self.add_error(error.field, error.reason)


class BoundsForm(forms.Form):
    """Start and end, as the campaign's form sends them."""

    starts_at = forms.SplitDateTimeField(required=False)
    ends_at = forms.SplitDateTimeField(required=False)


def next_times(campaign: Campaign, *, is_editable: bool) -> str:
    """The campaign's next times, read aloud; while it is edited they follow the form."""
    names = [*CRONTAB, *(f"{name}_{part}" for name in ("starts_at", "ends_at") for part in (0, 1))]
    context = {**_times(campaign, timezone.now()), "is_editable": is_editable, "params": ",".join(names)}
    return render_to_string("campaigns/admin/next_times.html", context)


def preview(request: HttpRequest) -> HttpResponse:
    """The next times of the schedule in the query string, for the form's script."""
    bounds = BoundsForm(request.GET)
    bounds.is_valid()  # what is half typed counts as nothing
    campaign = _drafted({**{name: request.GET.get(name, "") for name in CRONTAB}, **bounds.cleaned_data})
    return render(request, "campaigns/admin/next_times_list.html", _times(campaign, timezone.now()))


def _drafted(values: dict[str, Any]) -> Campaign:
    return Campaign(kind=CampaignKind.RECURRING, **{name: values[name] for name in SCHEDULE if name in values})


def _times(campaign: Campaign, now: datetime) -> dict[str, Any]:
    if campaign.kind != CampaignKind.RECURRING:
        return {"times": []}
    try:
        campaigns.check_schedule(campaign, now)
    except CampaignError as error:
        label = Campaign._meta.get_field(error.field).verbose_name  # type: ignore[union-attr]
        return {"times": [], "refused": f"{label}: {error.reason}"}
    zone = ZoneInfo(campaign.timezone)
    return {"times": [at.astimezone(zone) for at in islice(campaign.times(after=now), SHOWN)], "zone": zone.key}
