from django.db import models
from django.utils.translation import gettext_lazy as _

from segments.value_types import ValueType

CHOICES = [
    (ValueType.TEXT.value, _("Text")),
    (ValueType.NUMBER.value, _("Number")),
    (ValueType.BOOLEAN.value, _("Yes or no")),
    (ValueType.TIME.value, _("Time")),
]


class AttributeType(models.Model):
    """The type of a further attribute of people. Attributes without one are kept as they come."""

    key = models.CharField(_("attribute"), max_length=64, unique=True)
    description = models.TextField(_("description"), blank=True)
    type = models.CharField(_("type"), max_length=12, choices=CHOICES)

    class Meta:
        verbose_name = _("attribute type")
        verbose_name_plural = _("attribute types")
        ordering = ["key"]
        constraints = [
            models.CheckConstraint(
                name="attribute_type_key_is_plain", condition=models.Q(key__regex=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")
            ),
        ]

    def __str__(self) -> str:
        return self.key
