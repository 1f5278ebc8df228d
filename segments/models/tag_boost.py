from datetime import datetime

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from segments.models.tag import Tag


class TagBoostQuerySet(models.QuerySet["TagBoost"]):
    def running(self, now: datetime) -> "TagBoostQuerySet":
        """Those that have begun and not ended at `now`."""
        return self.filter(starts_at__lte=now, ends_at__gt=now)


class TagBoost(models.Model):
    """A factor on the weight of a tag for a time, for a business goal.

    Boosts that run at the same time multiply. `ends_at` is excluded. A boost that has begun is not changed any more
    but for an earlier end, so that what was effective at a moment stays known.
    """

    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="boosts", verbose_name=_("tag"))
    factor = models.DecimalField(
        _("factor"), max_digits=6, decimal_places=3, validators=[MinValueValidator(0.001), MaxValueValidator(100)]
    )
    goal = models.CharField(_("business goal"), max_length=200)
    starts_at = models.DateTimeField(_("starts at"))
    ends_at = models.DateTimeField(_("ends at"))
    created_at = models.DateTimeField(_("created at"), editable=False)

    objects = TagBoostQuerySet.as_manager()

    class Meta:
        verbose_name = _("boost of a tag")
        verbose_name_plural = _("boosts of tags")
        ordering = ["starts_at"]
        constraints = [
            models.CheckConstraint(name="tag_boost_factor_in_range", condition=models.Q(factor__gt=0, factor__lte=100)),
            models.CheckConstraint(
                name="tag_boost_ends_not_before_start", condition=models.Q(ends_at__gte=models.F("starts_at"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tag_id} x{self.factor}"
