from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from segments.models.import_job import ImportJob
from segments.models.segment import Segment


class UploadMode(models.TextChoices):
    ADD = "add", _("Add: those in the list become members too")
    REPLACE = "replace", _("Replace: exactly those in the list are members")
    REMOVE = "remove", _("Remove: those in the list are members no longer")


class SegmentUpload(models.Model):
    """A list of people for an uploaded segment. Its import job tells the progress, and why rows were rejected.

    `file_encrypted` holds the list until it is taken in, and is empty then. Nobody enters or leaves before the whole
    list is read.
    """

    job = models.OneToOneField(
        ImportJob, on_delete=models.CASCADE, primary_key=True, related_name="upload", verbose_name=_("import")
    )
    segment = models.ForeignKey(
        Segment, on_delete=models.CASCADE, related_name="uploads", verbose_name=_("segment")
    )  # fmt: skip
    mode = models.CharField(_("mode"), max_length=8, choices=UploadMode.choices)
    file_encrypted = models.BinaryField(_("list"), editable=False)
    uploaded_by = models.CharField(_("uploaded by"), max_length=200)
    entered = models.PositiveIntegerField(_("entered"), default=0)
    left = models.PositiveIntegerField(_("left"), default=0)

    class Meta:
        verbose_name = _("uploaded list")
        verbose_name_plural = _("uploaded lists")
        ordering = ["-job"]
        constraints = [
            models.CheckConstraint(name="segment_upload_mode_known", condition=Q(mode__in=UploadMode.values)),
            models.CheckConstraint(name="segment_upload_add_lets_nobody_out", condition=~Q(mode="add") | Q(left=0)),
            models.CheckConstraint(
                name="segment_upload_remove_lets_nobody_in", condition=~Q(mode="remove") | Q(entered=0)
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.job_id}"
