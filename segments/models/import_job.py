from django.db import models
from django.utils.translation import gettext_lazy as _

from compliance.uuid7 import uuid7
from segments.models.source import Source


class ImportKind(models.TextChoices):
    PROFILES = "profiles", _("Profiles")
    EVENTS = "events", _("Events")
    MEMBERS = "members", _("Members of a segment")


class ImportState(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    RUNNING = "running", _("Running")
    FINISHED = "finished", _("Finished")
    FAILED = "failed", _("Failed")


class ImportJob(models.Model):
    """One file being taken in. `rows_done` moves in the transaction of the rows it counts, so a job that was
    interrupted goes on from there when the same file is imported again with the same source, kind and mapping."""

    uid = models.UUIDField(_("public id"), unique=True, default=uuid7, editable=False)
    kind = models.CharField(_("kind"), max_length=12, choices=ImportKind.choices)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="+", verbose_name=_("source"))
    file_name = models.CharField(_("file"), max_length=240)
    fingerprint = models.CharField(
        _("fingerprint"), max_length=64, help_text=_("SHA-256 of file, kind, source, mapping and event name")
    )
    mapping = models.JSONField(_("mapping"), default=dict)
    state = models.CharField(_("state"), max_length=12, choices=ImportState.choices, default=ImportState.RUNNING)
    error = models.TextField(_("error"), blank=True)
    rows_total = models.PositiveBigIntegerField(_("rows"), default=0)
    rows_done = models.PositiveBigIntegerField(_("rows done"), default=0)
    accepted = models.PositiveBigIntegerField(_("accepted"), default=0)
    duplicates = models.PositiveBigIntegerField(_("duplicates"), default=0)
    rejected = models.PositiveBigIntegerField(_("rejected"), default=0)
    held = models.PositiveBigIntegerField(_("held"), default=0, help_text=_("waiting in quarantine"))
    started_at = models.DateTimeField(_("started at"))
    finished_at = models.DateTimeField(_("finished at"), null=True)

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["fingerprint"], name="import_job_once_per_file"),
            models.CheckConstraint(
                name="import_job_rows_add_up",
                condition=models.Q(
                    rows_done=models.F("accepted") + models.F("duplicates") + models.F("rejected") + models.F("held")
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.file_name} ({self.get_kind_display()})"


class RejectedRow(models.Model):
    """A row that could not be taken in, kept as it came (encrypted: it may hold personal data) with the reason."""

    job = models.ForeignKey(ImportJob, on_delete=models.CASCADE, related_name="rejected_rows", verbose_name=_("import"))
    row_number = models.PositiveBigIntegerField(_("row"), help_text=_("counted from 1, without the header"))
    field = models.CharField(_("field"), max_length=64)
    reason = models.CharField(_("reason"), max_length=240)
    row_encrypted = models.BinaryField(_("row as it came"), editable=False)

    class Meta:
        verbose_name = _("rejected row")
        verbose_name_plural = _("rejected rows")
        ordering = ["job", "row_number"]
        constraints = [models.UniqueConstraint(fields=["job", "row_number"], name="rejected_row_unique")]

    def __str__(self) -> str:
        return f"{self.job_id}:{self.row_number} {self.field}"
