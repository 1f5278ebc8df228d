from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.models.run import Run
from campaigns.states import DeliveryState
from compliance.channels import Channel
from segments.models import Profile


class Delivery(models.Model):
    """One message to one person, or the reason why there is none. Partitioned by month (0002_partitioned_delivery).

    The database's key is (run, profile, step, month); `month` is the first day of the run's scheduled month, the same
    for every row of a run. It serves uniqueness and the claim of a batch as a range of profiles. Django's admin needs a
    single key, so `id` plays that part. The foreign keys carry no database constraint: rows are planned set-based from
    rows just read, and a delivery outlives an erased profile. A trigger touches the people of deliveries that come to
    count as received, or do so no more (0005_touch_when_delivery_changes).

    `wave` tells when the clocks of the person's time zone first allow a message: in minutes after the run's time. Those
    of one wave are sent together. `put_off_from` is when a message was due that came too late for its hours.
    """

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(
        Run, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="deliveries",
        verbose_name=_("run"),
    )  # fmt: skip
    profile = models.ForeignKey(
        Profile, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="deliveries",
        verbose_name=_("profile"),
    )  # fmt: skip
    step = models.PositiveSmallIntegerField(_("step"), default=0)
    wave = models.PositiveSmallIntegerField(_("wave"), default=0, db_default=0)
    month = models.DateField(_("month"))
    channel = models.CharField(_("channel"), max_length=12, choices=Channel.choices)
    state = models.CharField(_("state"), max_length=12, choices=DeliveryState.choices)
    reason = models.CharField(_("reason"), max_length=64, blank=True)
    address_digest = models.BinaryField(_("address digest"), max_length=32, null=True, editable=False)
    due_at = models.DateTimeField(_("due at"))
    put_off_from = models.DateTimeField(_("put off from"), null=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    changed_at = models.DateTimeField(_("changed at"))
    sent_at = models.DateTimeField(_("sent at"), null=True)
    error = models.CharField(_("error"), max_length=240, blank=True)

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        constraints = [
            models.UniqueConstraint(fields=["run", "profile", "step", "month"], name="delivery_key"),
        ]
        indexes = [
            BrinIndex(fields=["id"], name="delivery_id_brin"),
            # Frequency caps ask it before each message; planned rows are not in it, so that planning stays fast.
            models.Index(
                fields=["profile", "month"],
                name="delivery_reached_person",
                condition=models.Q(state__in=["claimed", "sent", "unknown", "delivered", "bounced"]),
            ),
            # Rules ask each minute what entered or left a rolling window.
            models.Index(fields=["sent_at"], name="delivery_sent_at", condition=models.Q(sent_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}/{self.profile_id}: {self.get_state_display()}"
