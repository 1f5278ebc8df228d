from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from compliance.uuid7 import uuid7
from segments.models.profile import Profile


class Segment(models.Model):
    """A group of people given by a rule tree (see `segments.rules`), refreshed by the clock and on demand."""

    uid = models.UUIDField(_("public id"), unique=True, default=uuid7, editable=False)
    key = models.SlugField(_("key"), unique=True)
    name = models.CharField(_("name"), max_length=120)
    description = models.TextField(_("description"), blank=True)
    definition = models.JSONField(_("rule tree"))
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    is_active = models.BooleanField(_("active"), default=True)
    member_count = models.PositiveIntegerField(_("members"), default=0, editable=False)
    refreshed_at = models.DateTimeField(_("refreshed at"), null=True, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")
        ordering = ["key"]

    def __str__(self) -> str:
        return self.name


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
