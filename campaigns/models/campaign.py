from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.hours import LATEST_HOURS
from campaigns.models.recurrence import RECURRENCE_CONSTRAINTS, Recurrence
from campaigns.models.send_window import SendWindow
from campaigns.models.sending_channel import SendingChannel
from campaigns.models.template import MessageTemplate
from campaigns.states import CampaignState
from compliance.models import Purpose
from compliance.uuid7 import uuid7
from segments.models import Segment


class CampaignKind(models.TextChoices):
    ONCE = "once", _("Once")
    RECURRING = "recurring", _("Recurring, by a crontab")


class Campaign(Recurrence):
    """Who gets what, on which channel, for which purpose and when; sent only after a second person approved it.

    `approved_content` is the SHA-256 of all that was approved; a campaign that was changed since is not launched.
    """

    uid = models.UUIDField(_("public id"), unique=True, default=uuid7, editable=False)
    key = models.SlugField(_("key"), unique=True)
    name = models.CharField(_("name"), max_length=120)
    purpose = models.ForeignKey(Purpose, on_delete=models.PROTECT, related_name="+", verbose_name=_("purpose"))
    segment = models.ForeignKey(Segment, on_delete=models.PROTECT, related_name="+", verbose_name=_("segment"))
    template = models.ForeignKey(
        MessageTemplate, on_delete=models.PROTECT, related_name="campaigns", verbose_name=_("template")
    )
    channel = models.ForeignKey(
        SendingChannel, on_delete=models.PROTECT, related_name="campaigns", verbose_name=_("sending channel")
    )
    kind = models.CharField(_("kind"), max_length=12, choices=CampaignKind.choices, default=CampaignKind.ONCE)
    scheduled_at = models.DateTimeField(_("send at"), null=True, blank=True)
    # Not `window`: inside a form with fields shown on condition, that would hide the browser's own from its scripts.
    send_window = models.ForeignKey(
        SendWindow, null=True, blank=True, on_delete=models.PROTECT, related_name="campaigns",
        verbose_name=_("send window"), help_text=_("in each person's own time zone; empty for any hour"),
    )  # fmt: skip
    latest_hours = models.PositiveSmallIntegerField(
        _("not later than"), default=LATEST_HOURS, validators=[MinValueValidator(1)],
        help_text=_("so many hours after its time, a message that was held up is not sent any more"),
    )  # fmt: skip
    state = models.CharField(
        _("state"), max_length=12, choices=CampaignState.choices, default=CampaignState.DRAFT, editable=False
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    submitted_at = models.DateTimeField(_("submitted at"), null=True, editable=False)
    submitted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+", editable=False,
        verbose_name=_("submitted by"),
    )  # fmt: skip
    approved_at = models.DateTimeField(_("approved at"), null=True, editable=False)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+", editable=False,
        verbose_name=_("approved by"),
    )  # fmt: skip
    approved_content = models.CharField(_("SHA-256 of what was approved"), max_length=64, blank=True, editable=False)

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        ordering = ["-id"]
        permissions = [
            ("approve_campaign", _("Can approve campaigns")),
            ("pause_campaign", _("Can pause and resume campaigns")),
        ]
        constraints = [
            *RECURRENCE_CONSTRAINTS,
            models.CheckConstraint(
                name="campaign_approved_by_another_person",
                condition=models.Q(approved_by__isnull=True) | ~models.Q(approved_by=models.F("submitted_by")),
            ),
            models.CheckConstraint(
                name="campaign_submitted_pair",
                condition=models.Q(submitted_at__isnull=True, submitted_by__isnull=True)
                | models.Q(submitted_at__isnull=False, submitted_by__isnull=False),
            ),
            models.CheckConstraint(
                name="campaign_approved_pair",
                condition=models.Q(approved_at__isnull=True, approved_by__isnull=True, approved_content="")
                | (models.Q(approved_at__isnull=False, approved_by__isnull=False) & ~models.Q(approved_content="")),
            ),
            models.CheckConstraint(
                name="campaign_sends_only_approved",
                condition=~models.Q(state__in=["approved", "running", "paused", "finished"])
                | models.Q(approved_by__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["scheduled_at"], name="campaign_due", condition=models.Q(state="approved")),
            models.Index(fields=["next_at"], name="campaign_next", condition=models.Q(next_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.name
