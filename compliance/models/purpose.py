from django.db import models
from django.utils.translation import gettext_lazy as _


class Purpose(models.Model):
    """What personal data is used for; consent is asked, recorded and withdrawn per purpose and channel."""

    key = models.SlugField(_("key"), unique=True)
    name = models.CharField(_("name"), max_length=120)
    description = models.TextField(_("description"), blank=True)
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("purpose")
        verbose_name_plural = _("purposes")
        ordering = ["key"]

    def __str__(self) -> str:
        return self.name
