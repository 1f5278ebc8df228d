from django.db import models
from django.utils.translation import gettext_lazy as _

from segments.models.cleaning_rule import CleaningRule
from segments.models.profile import Profile
from segments.models.source import Source


class QuarantineState(models.TextChoices):
    HELD = "held", _("Held")
    ACCEPTED = "accepted", _("Accepted")
    REJECTED = "rejected", _("Rejected")


class QuarantinedEvent(models.Model):
    """An event that a rule held back: not stored and not counted until somebody decides. Decided rows stay, so that
    the same event sent again is known, also when its person was merged with another meanwhile: the key leaves the
    person out.

    `event_encrypted` has the event as it came and the line that acceptance stores (`segments.services.quarantine`).
    """

    profile = models.ForeignKey(
        Profile, on_delete=models.CASCADE, related_name="quarantined_events", verbose_name=_("profile")
    )
    occurred_at = models.DateTimeField(_("occurred at"))
    dedup = models.UUIDField(_("hash of source and event id"), editable=False)
    name = models.CharField(_("event"), max_length=64)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="+", verbose_name=_("source"))
    rule = models.ForeignKey(
        CleaningRule, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("rule")
    )
    field = models.CharField(_("field"), max_length=80)
    reason = models.CharField(_("reason"), max_length=240)
    event_encrypted = models.BinaryField(_("event as it came"), editable=False)
    received_at = models.DateTimeField(_("received at"))
    state = models.CharField(
        _("state"), max_length=12, choices=QuarantineState.choices, default=QuarantineState.HELD, db_index=True
    )
    decided_at = models.DateTimeField(_("decided at"), null=True)
    decided_by = models.CharField(_("decided by"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("quarantined event")
        verbose_name_plural = _("quarantine")
        ordering = ["-id"]
        permissions = [("decide_quarantinedevent", _("Can accept or reject quarantined events"))]
        constraints = [
            models.UniqueConstraint(fields=["dedup", "occurred_at"], name="quarantined_event_key"),
            models.CheckConstraint(
                name="quarantined_event_decided_by_someone",
                condition=models.Q(state=QuarantineState.HELD, decided_at__isnull=True, decided_by="")
                | (
                    models.Q(state__in=[QuarantineState.ACCEPTED, QuarantineState.REJECTED], decided_at__isnull=False)
                    & ~models.Q(decided_by="")
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.occurred_at:%Y-%m-%d %H:%M}"
