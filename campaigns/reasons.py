"""Why a person of the segment got no message. The gate's reasons come from `compliance.reasons`."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from compliance.reasons import GateReason


class ExclusionReason(models.TextChoices):
    NO_ADDRESS = "no_address", _("No address on this channel")
    FREQUENCY_CAP = "frequency_cap", _("Would get too many messages")
    NO_MOMENT = "no_moment", _("No allowed hour within a week")
    TOO_LATE = "too_late", _("Held up for too long")
    CAMPAIGN_CANCELLED = "campaign_cancelled", _("Campaign was cancelled")


class SkipReason(models.TextChoices):
    """Why nothing was sent at a time of a recurring campaign."""

    STILL_SENDING = "still_sending", _("The run before was still sending")
    TOO_LATE = "too_late", _("Noticed too late")
    OVERTAKEN = "overtaken", _("Missed, and a later time had come")


LABELS = {**dict(GateReason.choices), **dict(ExclusionReason.choices)}


def label(reason: str) -> str:
    """The reason in the reader's language; an unknown one as it is."""
    return str(LABELS.get(reason, reason))
