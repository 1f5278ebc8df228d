from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from segments.models.profile import Profile
from segments.models.segment import Segment


class ChangeKind(models.TextChoices):
    ENTERED = "entered", _("Entered")
    LEFT = "left", _("Left")


class SegmentChange(models.Model):
    """A person entered or left a segment: when, why (`segments.causes`) and by which version of the rule.

    Written in the statement that changes the memberships (`segments.services.memberships`). A million people may enter
    at once, so that neither foreign key carries a database constraint, as with events; memberships do. Rows stay with
    the profile they were written for when it is merged into another. They are removed after
    `HEED_SEGMENT_HISTORY_DAYS`.
    """

    segment = models.ForeignKey(
        Segment, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="changes",
        verbose_name=_("segment"),
    )  # fmt: skip
    profile = models.ForeignKey(
        Profile, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="segment_changes",
        verbose_name=_("profile"),
    )  # fmt: skip
    kind = models.CharField(_("change"), max_length=8, choices=ChangeKind.choices)
    cause = models.CharField(_("cause"), max_length=120)
    version = models.PositiveIntegerField(_("version"))
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("entry or exit")
        verbose_name_plural = _("entries and exits")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["profile", "at"], name="segment_change_of_person"),
            models.Index(fields=["segment", "at"], name="segment_change_of_segment"),
            BrinIndex(fields=["at"], name="segment_change_by_age", autosummarize=True),
        ]
        constraints = [
            models.CheckConstraint(name="segment_change_kind_known", condition=Q(kind__in=ChangeKind.values)),
            models.CheckConstraint(name="segment_change_has_cause", condition=~Q(cause="")),
        ]

    def __str__(self) -> str:
        return f"{self.segment_id}: #{self.profile_id} {self.kind}"
