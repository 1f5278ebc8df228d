from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaign import Campaign
from campaigns.reasons import SkipReason
from campaigns.states import RunState
from compliance.uuid7 import uuid7


class Run(models.Model):
    """One execution of a campaign, keyed by campaign and scheduled time, so a repeated tick makes no second one.

    A time of a recurring campaign at which nothing was sent is kept as a run in state `skipped`, with the reason.
    """

    uid = models.UUIDField(_("public id"), unique=True, default=uuid7, editable=False)
    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="runs", verbose_name=_("campaign"))
    scheduled_at = models.DateTimeField(_("scheduled at"))
    state = models.CharField(_("state"), max_length=12, choices=RunState.choices, default=RunState.PLANNING)
    reason = models.CharField(_("reason"), max_length=24, choices=SkipReason.choices, blank=True, default="")
    content = models.JSONField(_("content"), default=dict, editable=False)
    timing = models.JSONField(_("hours"), default=dict, editable=False)
    planned = models.PositiveIntegerField(_("planned"), default=0)
    excluded = models.PositiveIntegerField(_("left out"), default=0)
    created_at = models.DateTimeField(_("created at"))
    planned_at = models.DateTimeField(_("planned at"), null=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="run_skipped_for_a_reason",
                condition=models.Q(state="skipped") & ~models.Q(reason="")
                | ~models.Q(state="skipped") & models.Q(reason=""),
            ),
            models.UniqueConstraint(fields=["campaign", "scheduled_at"], name="run_once_per_campaign_and_time"),
        ]

    def __str__(self) -> str:
        return f"{self.campaign} {self.scheduled_at:%Y-%m-%d %H:%M}"
