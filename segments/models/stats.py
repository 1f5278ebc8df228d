from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from segments.models.profile import Profile

QUINTILE = [MinValueValidator(1), MaxValueValidator(5)]


class ProfileStats(models.Model):
    """One row of statistics per person, changed in the transaction of the events it counts.

    An order is the set of purchase events of one person at one instant, so a basket sent as many lines counts once.
    RFM quintiles are 5 for the best fifth; they are empty for people who never bought.
    """

    profile = models.OneToOneField(
        Profile, primary_key=True, on_delete=models.CASCADE, related_name="stats", verbose_name=_("profile")
    )
    event_count = models.BigIntegerField(_("events"), default=0)
    first_event_at = models.DateTimeField(_("first event"), null=True)
    last_event_at = models.DateTimeField(_("last event"), null=True)
    order_count = models.BigIntegerField(_("orders"), default=0)
    order_amount = models.DecimalField(_("amount of all orders"), max_digits=16, decimal_places=2, default=0)
    first_order_at = models.DateTimeField(_("first order"), null=True)
    last_order_at = models.DateTimeField(_("last order"), null=True)
    rfm_recency = models.PositiveSmallIntegerField(_("recency quintile"), null=True, validators=QUINTILE)
    rfm_frequency = models.PositiveSmallIntegerField(_("frequency quintile"), null=True, validators=QUINTILE)
    rfm_monetary = models.PositiveSmallIntegerField(_("monetary quintile"), null=True, validators=QUINTILE)
    rfm_at = models.DateTimeField(_("RFM computed at"), null=True)

    class Meta:
        verbose_name = _("statistics of a person")
        verbose_name_plural = _("statistics of people")
        constraints = [
            models.CheckConstraint(
                name="stats_rfm_all_or_none",
                condition=models.Q(
                    rfm_recency__isnull=True,
                    rfm_frequency__isnull=True,
                    rfm_monetary__isnull=True,
                    rfm_at__isnull=True,
                )
                | models.Q(
                    rfm_recency__range=(1, 5),
                    rfm_frequency__range=(1, 5),
                    rfm_monetary__range=(1, 5),
                    rfm_at__isnull=False,
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
