from django.db import models
from django.utils.translation import gettext_lazy as _

from segments.models.profile import Profile
from segments.models.segment import Segment


class SegmentMembership(models.Model):
    """A person who is in a segment now."""

    segment = models.ForeignKey(
        Segment, on_delete=models.CASCADE, related_name="memberships", verbose_name=_("segment"), db_index=False
    )
    profile = models.ForeignKey(
        Profile, on_delete=models.CASCADE, related_name="memberships", verbose_name=_("profile")
    )
    entered_at = models.DateTimeField(_("entered at"))

    class Meta:
        verbose_name = _("segment member")
        verbose_name_plural = _("segment members")
        constraints = [models.UniqueConstraint(fields=["segment", "profile"], name="segment_member_unique")]

    def __str__(self) -> str:
        return f"{self.segment_id}: #{self.profile_id}"
