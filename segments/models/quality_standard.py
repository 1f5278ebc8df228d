from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from segments.models.source import Source

DEFAULT_LATENESS_HOURS = 24


class QualityStandard(models.Model):
    """What is expected of a source's data, beyond being valid and sent once. A source without one has the defaults."""

    source = models.OneToOneField(
        Source, primary_key=True, on_delete=models.CASCADE, related_name="quality_standard", verbose_name=_("source")
    )
    event_fields = ArrayField(
        models.CharField(max_length=80), default=list, blank=True, verbose_name=_("fields of a complete event"),
        help_text=_("With commas between, such as category,properties.sku; empty: completeness is not asked."),
    )  # fmt: skip
    profile_fields = ArrayField(
        models.CharField(max_length=80), default=list, blank=True, verbose_name=_("fields of a complete profile"),
        help_text=_("With commas between, such as city,attributes.income; empty: completeness is not asked."),
    )  # fmt: skip
    lateness_hours = models.PositiveIntegerField(
        _("hours until an event is late"), null=True, blank=True, default=DEFAULT_LATENESS_HOURS,
        validators=[MinValueValidator(1), MaxValueValidator(24 * 366)],
        help_text=_("From when it happened to when it was received; empty: timeliness is not asked."),
    )  # fmt: skip

    class Meta:
        verbose_name = _("quality standard")
        verbose_name_plural = _("quality standards")
        ordering = ["source"]
        constraints = [
            models.CheckConstraint(
                name="quality_standard_lateness_is_hours",
                condition=Q(lateness_hours__isnull=True) | Q(lateness_hours__range=(1, 24 * 366)),
            ),
        ]

    def __str__(self) -> str:
        return str(self.source)
