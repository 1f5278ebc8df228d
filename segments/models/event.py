from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _

from segments.models.profile import Profile
from segments.models.source import Source


class Event(models.Model):
    """Something a person did. Partitioned by month of `occurred_at` (migration 0002_partitioned_event).

    The database's key is (profile, occurred_at, dedup): it serves the time line, the partition and idempotency with one
    index. `dedup` is a hash of source and event id. Django's admin needs a single key, so `id` plays that part. The
    foreign keys carry no database constraint: rows are inserted set-based from rows just looked up, and checking each
    again costs more than the insert.
    """

    id = models.BigAutoField(primary_key=True)
    profile = models.ForeignKey(
        Profile, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="events",
        verbose_name=_("profile"),
    )  # fmt: skip
    occurred_at = models.DateTimeField(_("occurred at"))
    dedup = models.UUIDField(_("hash of source and event id"), editable=False)
    name = models.CharField(_("event"), max_length=64)
    source = models.ForeignKey(
        Source, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+",
        verbose_name=_("source"),
    )  # fmt: skip
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=2, null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True, help_text=_("ISO 4217"))
    category = models.CharField(_("category"), max_length=80, blank=True)
    properties = models.JSONField(_("properties"), null=True, blank=True)
    received_at = models.DateTimeField(_("received at"))

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        constraints = [
            models.UniqueConstraint(fields=["profile", "occurred_at", "dedup"], name="event_key"),
        ]
        indexes = [BrinIndex(fields=["id"], name="event_id_brin")]

    def __str__(self) -> str:
        return f"{self.name} {self.occurred_at:%Y-%m-%d %H:%M}"
