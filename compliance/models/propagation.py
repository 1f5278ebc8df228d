from django.db import models
from django.utils.translation import gettext_lazy as _

from compliance.models.consent import ConsentRecord
from compliance.models.downstream import DownstreamSystem
from compliance.uuid7 import uuid7


class PropagationState(models.TextChoices):
    PENDING = "pending", _("Not told yet")
    TOLD = "told", _("Told, not acknowledged")
    ACKNOWLEDGED = "acknowledged", _("Acknowledged")


class PropagationTask(models.Model):
    """A decision that one downstream system has to learn of before its deadline. The row is the queue.

    `due_at` is the time of the next attempt; a worker that takes the row moves it ahead, so that a crash delays and
    never loses. The `uid` is the webhook's message id, so that the receiver can tell a repeat.
    """

    uid = models.UUIDField(_("public id"), unique=True, default=uuid7, editable=False)
    system = models.ForeignKey(
        DownstreamSystem, on_delete=models.PROTECT, related_name="tasks", verbose_name=_("downstream system")
    )
    record = models.ForeignKey(
        ConsentRecord, on_delete=models.PROTECT, related_name="propagation", verbose_name=_("consent record")
    )
    state = models.CharField(
        _("state"), max_length=12, choices=PropagationState.choices, default=PropagationState.PENDING
    )
    created_at = models.DateTimeField(_("created at"))
    deadline_at = models.DateTimeField(_("deadline"))
    due_at = models.DateTimeField(_("next attempt"))
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    error = models.CharField(_("last error"), max_length=240, blank=True)
    told_at = models.DateTimeField(_("told at"), null=True)
    acknowledged_at = models.DateTimeField(_("acknowledged at"), null=True)
    escalated_at = models.DateTimeField(_("escalated at"), null=True)

    class Meta:
        verbose_name = _("propagation")
        verbose_name_plural = _("propagation")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["system", "record"], name="propagation_once_per_system"),
            models.CheckConstraint(
                name="propagation_acknowledged_has_time",
                condition=models.Q(state=PropagationState.ACKNOWLEDGED, acknowledged_at__isnull=False)
                | (~models.Q(state=PropagationState.ACKNOWLEDGED) & models.Q(acknowledged_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="propagation_told_has_time",
                condition=~models.Q(state=PropagationState.TOLD) | models.Q(told_at__isnull=False),
            ),
            models.CheckConstraint(
                name="propagation_deadline_after_creation", condition=models.Q(deadline_at__gt=models.F("created_at"))
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at"], name="propagation_open", condition=~models.Q(state=PropagationState.ACKNOWLEDGED)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.system_id}: {self.get_state_display()}"
