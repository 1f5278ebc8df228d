from django.db import models
from django.utils.translation import gettext_lazy as _

from segments.models.segment import Segment


class SegmentSize(models.Model):
    """How many people a segment had on one day of the installation's zone, and how many entered and left that day.

    `members` is the last count of the day. Written by `segments.services.segment_sizes` with each change of members.
    """

    segment = models.ForeignKey(
        Segment, on_delete=models.CASCADE, db_index=False, related_name="sizes", verbose_name=_("segment")
    )
    day = models.DateField(_("day"))
    members = models.PositiveIntegerField(_("members"))
    entered = models.PositiveBigIntegerField(_("entered"), default=0)
    left = models.PositiveBigIntegerField(_("left"), default=0)

    class Meta:
        verbose_name = _("size of a segment")
        verbose_name_plural = _("sizes of segments")
        ordering = ["-day", "segment"]
        constraints = [models.UniqueConstraint(fields=["segment", "day"], name="segment_size_once_a_day")]

    def __str__(self) -> str:
        return f"{self.segment_id} {self.day}"
