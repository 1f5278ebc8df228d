from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from compliance.models.append_only import APPEND_ONLY
from compliance.models.purpose import Purpose


class Notice(models.Model):
    """The exact words shown when consent was asked: one version, in one language. Never changed once stored."""

    purpose = models.ForeignKey(Purpose, on_delete=models.PROTECT, related_name="notices", verbose_name=_("purpose"))
    version = models.PositiveIntegerField(_("version"))
    language = models.CharField(_("language"), max_length=12, help_text=_("BCP 47 tag, such as zh-Hans or en"))
    text = models.TextField(_("text"))
    text_sha256 = models.CharField(_("SHA-256 of the text"), max_length=64, editable=False)
    published_at = models.DateTimeField(_("published at"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        ordering = ["purpose", "-version", "language"]
        constraints = [
            models.UniqueConstraint(fields=["purpose", "version", "language"], name="notice_version_unique"),
        ]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return f"{self.purpose.key} v{self.version} ({self.language})"
