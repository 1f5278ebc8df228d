from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from segments.models.segment import Segment


class SegmentVersion(models.Model):
    """A definition that a segment once had."""

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="versions", verbose_name=_("segment"))
    version = models.PositiveIntegerField(_("version"))
    definition = models.JSONField(_("rule tree"))
    created_at = models.DateTimeField(_("created at"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("created by")
    )

    class Meta:
        verbose_name = _("segment version")
        verbose_name_plural = _("segment versions")
        ordering = ["-version"]
        constraints = [models.UniqueConstraint(fields=["segment", "version"], name="segment_version_unique")]

    def __str__(self) -> str:
        return f"{self.segment_id} v{self.version}"
