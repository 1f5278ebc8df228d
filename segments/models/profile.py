from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _

from compliance.models import Subject


class Gender(models.TextChoices):
    FEMALE = "female", _("Female")
    MALE = "male", _("Male")
    OTHER = "other", _("Other")


class ProfileQuerySet(models.QuerySet["Profile"]):
    def living(self) -> "ProfileQuerySet":
        """Those that stand for a person: not merged into another."""
        return self.filter(merged_into__isnull=True)


class Profile(models.Model):
    """What is known of one person. Erasing the profile leaves its subject, consents and suppressions standing.

    Names and addresses are encrypted under the subject's key; what segments ask about stands in the clear, in typed
    columns where common and in `attributes` for the rest. A profile that was merged into another is empty and counts
    nowhere; the one it was merged into is never merged itself, so one step leads from an old public id to the person.
    """

    subject = models.OneToOneField(
        Subject, primary_key=True, on_delete=models.PROTECT, related_name="profile", verbose_name=_("subject")
    )
    name_encrypted = models.BinaryField(_("name"), null=True, editable=False)
    gender = models.CharField(_("gender"), max_length=8, choices=Gender.choices, blank=True)
    birth_date = models.DateField(_("date of birth"), null=True, blank=True)
    language = models.CharField(_("language"), max_length=12, blank=True, help_text=_("BCP 47 tag"))
    country = models.CharField(_("country"), max_length=2, blank=True, help_text=_("ISO 3166-1 alpha-2"))
    region = models.CharField(_("region"), max_length=80, blank=True)
    city = models.CharField(_("city"), max_length=80, blank=True)
    timezone = models.CharField(_("time zone"), max_length=64, blank=True, help_text=_("IANA name"))
    attributes = models.JSONField(_("further attributes"), default=dict, blank=True)
    merged_into = models.ForeignKey(
        "self", null=True, editable=False, on_delete=models.CASCADE, db_index=False, related_name="absorbed",
        verbose_name=_("merged into"),
    )  # fmt: skip
    created_at = models.DateTimeField(_("created at"), editable=False)
    updated_at = models.DateTimeField(_("updated at"), editable=False)

    objects = ProfileQuerySet.as_manager()

    class Meta:
        verbose_name = _("profile")
        verbose_name_plural = _("profiles")
        permissions = [("view_personal_data", _("Can see names and addresses in full"))]
        indexes = [
            GinIndex(fields=["attributes"], name="profile_attributes", opclasses=["jsonb_path_ops"]),
            models.Index(fields=["city"], name="profile_city"),
            models.Index(fields=["birth_date"], name="profile_birth_date"),
            models.Index(fields=["merged_into"], name="profile_merged", condition=models.Q(merged_into__isnull=False)),
        ]
        constraints = [
            models.CheckConstraint(
                name="profile_not_merged_into_itself", condition=~models.Q(merged_into=models.F("subject"))
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
