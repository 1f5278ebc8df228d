from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from segments.models.tag import Tag


class TagGain(models.Model):
    """What one event of a name adds to somebody's interest in the event's category."""

    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="gains", verbose_name=_("tag"))
    event_name = models.CharField(_("event"), max_length=64)
    gain = models.DecimalField(
        _("gain"), max_digits=6, decimal_places=2, validators=[MinValueValidator(Decimal("0.01"))]
    )

    class Meta:
        verbose_name = _("gain of an interest")
        verbose_name_plural = _("gains of interests")
        ordering = ["event_name"]
        constraints = [
            models.UniqueConstraint(fields=["tag", "event_name"], name="tag_gain_unique"),
            models.CheckConstraint(name="tag_gain_positive", condition=models.Q(gain__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.event_name} +{self.gain}"
