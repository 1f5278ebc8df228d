from django.db import models
from django.utils.translation import gettext_lazy as _


class Source(models.Model):
    """A system that data comes from: a shop, an app, a file feed. External ids and event ids are unique within one."""

    key = models.SlugField(_("key"), unique=True)
    name = models.CharField(_("name"), max_length=120, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("source")
        verbose_name_plural = _("sources")
        ordering = ["key"]

    def __str__(self) -> str:
        return self.name or self.key
