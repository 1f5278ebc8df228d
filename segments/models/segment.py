from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from compliance.uuid7 import uuid7


class SegmentKind(models.TextChoices):
    DYNAMIC = "dynamic", _("Dynamic: members follow the rule")
    SNAPSHOT = "snapshot", _("Snapshot: who matched the rule when it was taken")
    UPLOADED = "uploaded", _("Uploaded: a list of people, without a rule")


class SegmentQuerySet(models.QuerySet["Segment"]):
    def following(self) -> "SegmentQuerySet":
        """Those whose members follow their rule by themselves."""
        return self.filter(is_active=True, kind=SegmentKind.DYNAMIC)


class Segment(models.Model):
    """A group of people: those for whom a rule tree (see `segments.rules`) holds now, those for whom it held when the
    snapshot was taken, or a list that somebody uploaded.

    A dynamic one is checked by the clock for the people whom time moves: `checked_at` is up to when, and null asks for
    everybody to be looked at anew, which `refreshed_at` says was done last. `refreshed_version` is the version of the
    rule that the members were found by, 0 before the first time.
    """

    uid = models.UUIDField(_("public id"), unique=True, default=uuid7, editable=False)
    key = models.SlugField(_("key"), unique=True)
    name = models.CharField(_("name"), max_length=120)
    description = models.TextField(_("description"), blank=True)
    kind = models.CharField(_("kind"), max_length=12, choices=SegmentKind.choices, default=SegmentKind.DYNAMIC)
    definition = models.JSONField(_("rule tree"), blank=True)
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    is_active = models.BooleanField(_("active"), default=True)
    member_count = models.PositiveIntegerField(_("members"), default=0, editable=False)
    refreshed_at = models.DateTimeField(_("refreshed at"), null=True, editable=False)
    refreshed_version = models.PositiveIntegerField(_("version of the members"), default=0, editable=False)
    checked_at = models.DateTimeField(_("checked at"), null=True, editable=False)
    taken_at = models.DateTimeField(_("taken at"), null=True, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    objects = SegmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")
        ordering = ["key"]
        permissions = [
            ("restore_segment", _("Can restore versions of segments")),
            ("upload_segment", _("Can upload members of segments")),
        ]
        constraints = [
            models.CheckConstraint(name="segment_kind_known", condition=Q(kind__in=SegmentKind.values)),
            models.CheckConstraint(
                name="segment_without_rule_iff_uploaded",
                condition=Q(kind=SegmentKind.UPLOADED, definition={})
                | (~Q(kind=SegmentKind.UPLOADED) & ~Q(definition={})),
            ),
            models.CheckConstraint(
                name="segment_taken_iff_snapshot",
                condition=Q(kind=SegmentKind.SNAPSHOT, taken_at__isnull=False)
                | (~Q(kind=SegmentKind.SNAPSHOT) & Q(taken_at__isnull=True)),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_following(self) -> bool:
        """Whether it is one of `SegmentQuerySet.following`."""
        return self.is_active and self.kind == SegmentKind.DYNAMIC
