from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.models.run import Run
from campaigns.states import BatchState


class Batch(models.Model):
    """A range of profile ids within a run that one worker claims at once, for as long as its lease lasts.

    Of the deliveries in the range, those of its wave are its own; ranges of other waves may overlap.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="batches", verbose_name=_("run"))
    step = models.PositiveSmallIntegerField(_("step"), default=0)
    wave = models.PositiveSmallIntegerField(_("wave"), default=0, db_default=0)
    first_profile = models.BigIntegerField(_("first profile"))
    last_profile = models.BigIntegerField(_("last profile"))
    due_at = models.DateTimeField(_("due at"))
    state = models.CharField(_("state"), max_length=12, choices=BatchState.choices, default=BatchState.PENDING)
    lease_until = models.DateTimeField(_("lease ends"), null=True)
    claimed_by = models.CharField(_("claimed by"), max_length=120, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)

    class Meta:
        verbose_name = _("batch")
        verbose_name_plural = _("batches")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["run", "step", "first_profile"], name="batch_range_unique"),
            models.CheckConstraint(
                name="batch_range_in_order", condition=models.Q(last_profile__gte=models.F("first_profile"))
            ),
            models.CheckConstraint(
                name="batch_lease_while_claimed",
                condition=models.Q(state="claimed", lease_until__isnull=False)
                | (~models.Q(state="claimed") & models.Q(lease_until__isnull=True)),
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], name="batch_pending", condition=models.Q(state="pending")),
            models.Index(fields=["lease_until"], name="batch_claimed", condition=models.Q(state="claimed")),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.first_profile}-{self.last_profile}"
