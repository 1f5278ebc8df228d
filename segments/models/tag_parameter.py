from django.db import models
from django.utils.translation import gettext_lazy as _

from segments.models.tag import Tag


class TagParameter(models.Model):
    """A figure that rules of the tag, and of the tags below it, name as `{"parameter": "name"}`."""

    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="parameters", verbose_name=_("tag"))
    name = models.SlugField(_("name"))
    value = models.DecimalField(_("value"), max_digits=12, decimal_places=2)
    description = models.CharField(_("meaning"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("parameter of a tag")
        verbose_name_plural = _("parameters of tags")
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["tag", "name"], name="tag_parameter_unique")]

    def __str__(self) -> str:
        return f"{self.name} = {self.value}"
