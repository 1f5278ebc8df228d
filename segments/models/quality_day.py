from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from segments.models.source import Source


class QualityDay(models.Model):
    """What one source sent on one day of the installation's zone, counted in the transactions that took it in.

    Counted are events and profiles together: `received` of any kind; `valid` are those not rejected; of the valid,
    `unique` were not sent before, `complete` of `asked_complete` have the stated fields, and `timely` of
    `asked_timely` came within the stated hours. The score is in `segments.quality_score`.
    """

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="quality_days", verbose_name=_("source"))
    day = models.DateField(_("day"))
    received = models.PositiveBigIntegerField(_("received"), default=0)
    valid = models.PositiveBigIntegerField(_("valid"), default=0)
    unique = models.PositiveBigIntegerField(_("unique"), default=0)
    asked_complete = models.PositiveBigIntegerField(_("asked for completeness"), default=0)
    complete = models.PositiveBigIntegerField(_("complete"), default=0)
    asked_timely = models.PositiveBigIntegerField(_("asked for timeliness"), default=0)
    timely = models.PositiveBigIntegerField(_("timely"), default=0)
    held = models.PositiveBigIntegerField(_("held"), default=0)

    class Meta:
        verbose_name = _("data quality of a day")
        verbose_name_plural = _("data quality")
        ordering = ["-day", "source"]
        constraints = [
            models.UniqueConstraint(fields=["source", "day"], name="quality_day_once"),
            models.CheckConstraint(name="quality_day_valid_were_received", condition=Q(valid__lte=F("received"))),
            models.CheckConstraint(
                name="quality_day_parts_were_valid",
                condition=Q(
                    unique__lte=F("valid"),
                    held__lte=F("valid"),
                    asked_complete__lte=F("valid"),
                    complete__lte=F("asked_complete"),
                    asked_timely__lte=F("valid"),
                    timely__lte=F("asked_timely"),
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.day}"
