from datetime import datetime

from django.db import models
from django.db.models import Case, DecimalField, F, FloatField, OuterRef, Q, Subquery, Sum, Value, When, lookups
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce, Exp, Extract, Greatest, Least, Ln, Power, Round
from django.utils.translation import gettext_lazy as _

from segments.models.profile import Profile
from segments.models.tag import Tag
from segments.models.tag_boost import TagBoost, TagBoostQuerySet

MAX_HALF_LIVES = 200.0
"""Fading is not followed further, for a weight that small would underflow (1e-60 of what it was)."""
MAX_WEIGHT = 1e12
SECONDS_A_DAY = 86_400


def faded(now: datetime) -> Combinable:
    """The weight of a row of `ProfileTag` that is left of it at `now`: halved every half-life since `weighed_at`."""
    age = Extract(Value(now, output_field=models.DateTimeField()) - F("weighed_at"), "epoch", output_field=FloatField())
    half_lives = Least(Greatest(age / (F("tag__half_life_days") * SECONDS_A_DAY), 0.0), MAX_HALF_LIVES)
    return Case(
        When(tag__half_life_days__isnull=True, then=F("weight")),
        When(weighed_at__isnull=True, then=F("weight")),
        default=F("weight") * Power(Value(0.5), half_lives, output_field=FloatField()),
        output_field=FloatField(),
    )


def boost(now: datetime, boosts: TagBoostQuerySet) -> Combinable:
    """The product of the factors of all `boosts` that run at `now`, to six decimals; 1 when none does."""
    product = Round(
        Exp(Sum(Ln(F("factor")), output_field=DecimalField()), output_field=DecimalField()),
        precision=6,
        output_field=DecimalField(),
    )
    running = boosts.running(now).order_by().annotate(every=Value(1)).values("every").annotate(product=product)
    return Coalesce(Cast(Subquery(running.values("product")), FloatField()), 1.0)


class ProfileTagQuerySet(models.QuerySet["ProfileTag"]):
    def carried(self, now: datetime) -> "ProfileTagQuerySet":
        """Those that have not expired at `now`."""
        return self.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now))

    def weighed(self, now: datetime, *, boosts: TagBoostQuerySet | None = None) -> "ProfileTagQuerySet":
        """With `effective_weight`: what is left of the weight at `now`, times every boost of the tag that runs then.

        `boosts`, when all rows are of one tag, are that tag's: PostgreSQL then looks at them once, not once a row.
        """
        if boosts is None:
            boosts = TagBoost.objects.filter(tag=OuterRef("tag"))
        return self.annotate(effective_weight=faded(now) * boost(now, boosts))

    def weighing_at_least(self, weight: float, now: datetime, *, boosts: TagBoostQuerySet) -> "ProfileTagQuerySet":
        """Those, all of one tag whose boosts are `boosts`, with at least this effective weight."""
        at_least = lookups.GreaterThanOrEqual(F("effective_weight"), Value(weight, output_field=FloatField()))
        return self.weighed(now, boosts=boosts).filter(at_least)


class ProfileTag(models.Model):
    """A tag that a person carries, until `expires_at` when that is set.

    `weight` is as of `weighed_at`; the effective weight at a moment comes of decay and boosts (`weighed`). `group` is
    the exclusive group that the tag belongs to, of which a person carries one tag. Rows that are `is_given` came from
    outside (by hand, import, model) and are left alone by computations. `evidence` holds figures.
    """

    profile = models.ForeignKey(
        Profile, on_delete=models.CASCADE, related_name="tags", verbose_name=_("profile"), db_index=False
    )
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="+", verbose_name=_("tag"))
    group = models.ForeignKey(
        Tag, null=True, blank=True, on_delete=models.CASCADE, related_name="+", verbose_name=_("exclusive group"),
        db_index=False,
    )  # fmt: skip
    weight = models.FloatField(_("weight"), default=1.0)
    weighed_at = models.DateTimeField(_("weighed at"), null=True, blank=True)
    confidence = models.DecimalField(_("confidence"), max_digits=4, decimal_places=3, default=1)
    source = models.CharField(_("source"), max_length=120, help_text=_("staff, rule, import or model, and which"))
    is_given = models.BooleanField(_("given from outside"), default=False)
    evidence = models.JSONField(_("evidence"), null=True, blank=True)
    assigned_at = models.DateTimeField(_("assigned at"))
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)

    objects = ProfileTagQuerySet.as_manager()

    class Meta:
        verbose_name = _("tag of a person")
        verbose_name_plural = _("tags of people")
        constraints = [
            models.UniqueConstraint(fields=["profile", "tag"], name="profile_tag_unique"),
            models.UniqueConstraint(
                fields=["profile", "group"], name="profile_tag_one_of_group", condition=Q(group__isnull=False)
            ),
            models.CheckConstraint(
                name="profile_tag_weight_not_negative", condition=Q(weight__gte=0, weight__lte=MAX_WEIGHT)
            ),
            models.CheckConstraint(name="profile_tag_confidence_is_share", condition=Q(confidence__range=(0, 1))),
        ]

    def __str__(self) -> str:
        return f"#{self.profile_id} {self.tag_id}"
