from django.db import models
from django.utils.translation import gettext_lazy as _

from segments.models.profile_merge import ProfileMerge


class MergedEvent(models.Model):
    """An event that a merge moved from the absorbed profile to the survivor, by the key it has within a person."""

    merge = models.ForeignKey(
        ProfileMerge, on_delete=models.CASCADE, related_name="moved_events", db_index=False, verbose_name=_("merge")
    )
    occurred_at = models.DateTimeField(_("occurred at"))
    dedup = models.UUIDField(_("hash of source and event id"))

    class Meta:
        verbose_name = _("event moved by a merge")
        verbose_name_plural = _("events moved by merges")
        constraints = [
            models.UniqueConstraint(fields=["merge", "occurred_at", "dedup"], name="merged_event_once"),
        ]

    def __str__(self) -> str:
        return f"{self.merge_id}: {self.occurred_at:%Y-%m-%d %H:%M}"
