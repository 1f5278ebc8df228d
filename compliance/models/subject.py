from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from compliance.uuid7 import uuid7


class Subject(models.Model):
    """A person as the law sees one: no name, no address, only the key that makes the rest of their data readable.

    Erasure destroys `wrapped_key`; every value encrypted under it, in backups too, is then unreadable, while consent
    records, suppressions and audit leaves that refer to this row stay valid.

    A subject who turned out to be the same person as another is merged into that one, the survivor, who is never merged
    themselves; its ledger stays, and what is decided for it counts for the survivor as well.
    """

    uid = models.UUIDField(_("public id"), unique=True, default=uuid7, editable=False)
    wrapped_key = models.BinaryField(_("wrapped data key"), null=True, editable=False)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    erased_at = models.DateTimeField(_("erased at"), null=True, editable=False)
    merged_into = models.ForeignKey(
        "self", null=True, editable=False, on_delete=models.PROTECT, db_index=False, related_name="absorbed",
        verbose_name=_("merged into"),
    )  # fmt: skip

    class Meta:
        verbose_name = _("subject")
        verbose_name_plural = _("subjects")
        indexes = [
            models.Index(fields=["merged_into"], name="subject_merged", condition=models.Q(merged_into__isnull=False)),
        ]
        constraints = [
            models.CheckConstraint(
                name="subject_not_merged_into_itself", condition=~models.Q(merged_into=models.F("id"))
            ),
            models.CheckConstraint(
                name="subject_erased_iff_key_destroyed",
                condition=models.Q(erased_at__isnull=True, wrapped_key__isnull=False)
                | models.Q(erased_at__isnull=False, wrapped_key__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return str(self.uid)
