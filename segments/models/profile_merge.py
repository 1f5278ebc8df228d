from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from compliance.uuid7 import uuid7
from segments.models.identity import IdentityKind
from segments.models.profile import Profile


class MergeCause(models.TextChoices):
    IDENTIFIER = "identifier", _("Shared identifier")
    REVIEW = "review", _("Review of a conflicting join")
    STAFF = "staff", _("By hand")
    API = "api", _("Partner system")


class ProfileMerge(models.Model):
    """Two profiles turned out to be one person: who went into whom, when, by whom and why; undone or not.

    `snapshot_encrypted` holds what it takes to undo the merge: the absorbed profile as it was, and what of it went
    where. It is encrypted under the survivor's key, so that erasing the person reaches it.
    """

    uid = models.UUIDField(_("public id"), unique=True, default=uuid7, editable=False)
    survivor = models.ForeignKey(
        Profile, on_delete=models.CASCADE, related_name="merges", verbose_name=_("surviving profile")
    )
    absorbed = models.ForeignKey(
        Profile, on_delete=models.CASCADE, related_name="merges_into", verbose_name=_("absorbed profile")
    )
    cause = models.CharField(_("cause"), max_length=12, choices=MergeCause.choices)
    shared_kinds = ArrayField(
        models.CharField(max_length=12, choices=IdentityKind.choices), default=list, blank=True,
        verbose_name=_("kinds of the shared identifiers"),
    )  # fmt: skip
    note = models.CharField(_("note"), max_length=240, blank=True)
    events_moved = models.PositiveIntegerField(_("events moved"), default=0)
    identities_moved = models.PositiveIntegerField(_("identifiers moved"), default=0)
    snapshot_encrypted = models.BinaryField(_("snapshot"), editable=False)
    merged_at = models.DateTimeField(_("merged at"))
    merged_by = models.CharField(_("merged by"), max_length=200)
    undone_at = models.DateTimeField(_("undone at"), null=True, blank=True)
    undone_by = models.CharField(_("undone by"), max_length=200, blank=True)
    undone_note = models.CharField(_("why it was undone"), max_length=240, blank=True)

    class Meta:
        verbose_name = _("merge")
        verbose_name_plural = _("merges")
        ordering = ["-id"]
        permissions = [
            ("merge_profiles", _("Can merge profiles and decide conflicting joins")),
            ("undo_profilemerge", _("Can undo merges")),
        ]
        constraints = [
            models.CheckConstraint(name="merge_of_two_profiles", condition=~models.Q(survivor=models.F("absorbed"))),
            models.UniqueConstraint(
                fields=["absorbed"], name="merge_absorbs_once", condition=models.Q(undone_at__isnull=True)
            ),
            models.CheckConstraint(
                name="merge_undone_by_someone",
                condition=models.Q(undone_at__isnull=True, undone_by="", undone_note="")
                | (models.Q(undone_at__isnull=False) & ~models.Q(undone_by="")),
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.absorbed_id} → #{self.survivor_id}"
