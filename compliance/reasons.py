"""Why a person may not be contacted."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class GateReason(models.TextChoices):
    ERASED = "erased", _("Person was erased")
    MERGED = "merged", _("Person goes on as another profile")
    SUPPRESSED = "suppressed", _("Address is suppressed")
    NO_CONSENT = "no_consent", _("No consent on record")
    CONSENT_WITHDRAWN = "consent_withdrawn", _("Consent withdrawn")
    CONSENT_EXPIRED = "consent_expired", _("Consent expired")
