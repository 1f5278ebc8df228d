from django.db import models
from django.utils.translation import gettext_lazy as _

from compliance.channels import Channel


class MessageTemplate(models.Model):
    """What is said: Liquid source of subject, text part and HTML part. Validated by `campaigns.rendering` on save."""

    key = models.SlugField(_("key"), unique=True)
    name = models.CharField(_("name"), max_length=120)
    kind = models.CharField(_("channel"), max_length=12, choices=Channel.choices, default=Channel.EMAIL)
    language = models.CharField(_("language"), max_length=12, default="en", help_text=_("BCP 47 tag"))
    subject = models.CharField(_("subject line"), max_length=240, blank=True)
    text = models.TextField(_("text part"))
    html = models.TextField(_("HTML part"), blank=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        verbose_name = _("message template")
        verbose_name_plural = _("message templates")
        ordering = ["key"]

    def __str__(self) -> str:
        return self.name
