from django.db import models
from django.utils.translation import gettext_lazy as _

from compliance.channels import Channel
from compliance.models.purpose import Purpose


class SuppressionReason(models.TextChoices):
    UNSUBSCRIBED = "unsubscribed", _("Unsubscribed")
    HARD_BOUNCE = "hard_bounce", _("Address does not exist")
    COMPLAINT = "complaint", _("Complaint")
    STAFF = "staff", _("Entered by staff")
    ERASED = "erased", _("Person was erased")


class Suppression(models.Model):
    """An address that must not be written to. Keyed by digest, so it needs no profile and outlives it.

    An empty channel or purpose means all of them. Lifted rows are kept; only a fresh consent of the person may lift an
    `unsubscribed` row, and staff with a note any row.
    """

    digest = models.BinaryField(_("address digest"), max_length=32, editable=False)
    channel = models.CharField(_("channel"), max_length=12, choices=Channel.choices, blank=True)
    purpose = models.ForeignKey(
        Purpose, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("purpose")
    )
    reason = models.CharField(_("reason"), max_length=16, choices=SuppressionReason.choices)
    source = models.CharField(_("source"), max_length=120, blank=True)
    created_at = models.DateTimeField(_("created at"))
    created_by = models.CharField(_("created by"), max_length=200)
    lifted_at = models.DateTimeField(_("lifted at"), null=True, blank=True)
    lifted_by = models.CharField(_("lifted by"), max_length=200, blank=True)
    lifted_note = models.CharField(_("reason for lifting"), max_length=240, blank=True)

    class Meta:
        verbose_name = _("suppression")
        verbose_name_plural = _("suppressions")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["digest", "channel", "purpose"],
                name="suppression_unique_while_active",
                condition=models.Q(lifted_at__isnull=True),
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                name="suppression_lifted_by_someone",
                condition=models.Q(lifted_at__isnull=True, lifted_by="")
                | (models.Q(lifted_at__isnull=False) & ~models.Q(lifted_by="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{bytes(self.digest).hex()[:12]} {self.channel or '*'}: {self.get_reason_display()}"
