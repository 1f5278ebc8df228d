from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Greatest, Least
from django.utils.translation import gettext_lazy as _

from compliance.uuid7 import uuid7
from segments.models.identity import IdentityKind
from segments.models.profile import Profile
from segments.models.source import Source


class ReviewState(models.TextChoices):
    OPEN = "open", _("To be decided")
    MERGED = "merged", _("One person")
    KEPT_APART = "kept_apart", _("Two people")


class JoinReview(models.Model):
    """An input named identifiers of two profiles that contradict each other: are they one person? Staff decide.

    What the input says was taken for `profile`, whom its strongest identifier names; `other` is whom a weaker one
    names. The latest such input is kept, encrypted under the key of `profile`. A pair that was kept apart is not asked
    about again.
    """

    uid = models.UUIDField(_("public id"), unique=True, default=uuid7, editable=False)
    profile = models.ForeignKey(
        Profile, on_delete=models.CASCADE, related_name="join_reviews", verbose_name=_("profile")
    )
    other = models.ForeignKey(
        Profile, on_delete=models.CASCADE, related_name="join_reviews_as_other", verbose_name=_("other profile")
    )
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="+", verbose_name=_("source"))
    shared_kinds = ArrayField(
        models.CharField(max_length=12, choices=IdentityKind.choices),
        verbose_name=_("kinds of identifiers that lead to the other"),
    )
    contradicting_kinds = ArrayField(
        models.CharField(max_length=12, choices=IdentityKind.choices), verbose_name=_("kinds that contradict")
    )
    input_encrypted = models.BinaryField(_("input"), editable=False)
    inputs = models.PositiveIntegerField(_("inputs so far"), default=1)
    created_at = models.DateTimeField(_("first seen"))
    last_at = models.DateTimeField(_("last seen"))
    state = models.CharField(_("state"), max_length=12, choices=ReviewState.choices, default=ReviewState.OPEN)
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    decided_by = models.CharField(_("decided by"), max_length=200, blank=True)
    note = models.CharField(_("note"), max_length=240, blank=True)

    class Meta:
        verbose_name = _("conflicting join")
        verbose_name_plural = _("conflicting joins")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(name="join_review_of_two_profiles", condition=~models.Q(profile=models.F("other"))),
            models.UniqueConstraint(
                Least("profile", "other"), Greatest("profile", "other"), name="join_review_once_while_open",
                condition=models.Q(state=ReviewState.OPEN),
            ),
            models.CheckConstraint(
                name="join_review_decided_iff_not_open",
                condition=models.Q(state=ReviewState.OPEN, decided_at__isnull=True, decided_by="")
                | (~models.Q(state=ReviewState.OPEN) & models.Q(decided_at__isnull=False) & ~models.Q(decided_by="")),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"#{self.profile_id} / #{self.other_id}"
