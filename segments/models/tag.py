from decimal import Decimal

from django.db import models
from django.utils.translation import gettext_lazy as _

from segments.models.profile import Profile


class TagLayer(models.TextChoices):
    STATIC = "static", _("Static attribute")
    DYNAMIC = "dynamic", _("Dynamic behaviour")
    PREDICTIVE = "predictive", _("Predictive")


class Tag(models.Model):
    """The definition of a tag; definitions form a tree."""

    key = models.SlugField(_("key"), unique=True)
    name = models.CharField(_("name"), max_length=120)
    layer = models.CharField(_("layer"), max_length=12, choices=TagLayer.choices)
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="children", verbose_name=_("parent")
    )
    description = models.TextField(_("description"), blank=True)

    class Meta:
        verbose_name = _("tag")
        verbose_name_plural = _("tags")
        ordering = ["key"]
        constraints = [
            models.CheckConstraint(
                name="tag_not_its_own_parent",
                condition=models.Q(parent__isnull=True) | ~models.Q(parent=models.F("id")),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ProfileTag(models.Model):
    """A tag that a person carries, until `expires_at` when that is set."""

    profile = models.ForeignKey(
        Profile, on_delete=models.CASCADE, related_name="tags", verbose_name=_("profile"), db_index=False
    )
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="+", verbose_name=_("tag"))
    weight = models.DecimalField(_("weight"), max_digits=6, decimal_places=3, default=Decimal(1))
    confidence = models.DecimalField(_("confidence"), max_digits=4, decimal_places=3, default=Decimal(1))
    source = models.CharField(_("source"), max_length=120, help_text=_("staff, rule, import or model, and which"))
    assigned_at = models.DateTimeField(_("assigned at"))
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)

    class Meta:
        verbose_name = _("tag of a person")
        verbose_name_plural = _("tags of people")
        constraints = [
            models.UniqueConstraint(fields=["profile", "tag"], name="profile_tag_unique"),
            models.CheckConstraint(name="profile_tag_weight_not_negative", condition=models.Q(weight__gte=0)),
            models.CheckConstraint(
                name="profile_tag_confidence_is_share", condition=models.Q(confidence__range=(0, 1))
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.profile_id} {self.tag_id}"
