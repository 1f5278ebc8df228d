"""The states of campaigns, runs, batches and deliveries, and which may follow which. Pure: no database.

A change of state is always compare-and-set: `UPDATE .. WHERE state IN sources(to)` and a look at the row count.
"""

from collections.abc import Mapping

from django.db import models
from django.utils.translation import gettext_lazy as _


class TransitionError(Exception):
    """The change of state is not allowed from where the row is."""


class CampaignState(models.TextChoices):
    DRAFT = "draft", _("Draft")
    SUBMITTED = "submitted", _("Waiting for approval")
    APPROVED = "approved", _("Approved")
    RUNNING = "running", _("Running")
    PAUSED = "paused", _("Paused")
    FINISHED = "finished", _("Finished")
    CANCELLED = "cancelled", _("Cancelled")


class RunState(models.TextChoices):
    PLANNING = "planning", _("Planning")
    SENDING = "sending", _("Sending")
    FINISHED = "finished", _("Finished")
    CANCELLED = "cancelled", _("Cancelled")
    SKIPPED = "skipped", _("Skipped")


class BatchState(models.TextChoices):
    PENDING = "pending", _("Pending")
    CLAIMED = "claimed", _("Claimed")
    DONE = "done", _("Done")


class DeliveryState(models.TextChoices):
    EXCLUDED = "excluded", _("Left out")
    PLANNED = "planned", _("Planned")
    CLAIMED = "claimed", _("Being sent")
    SENT = "sent", _("Sent")
    FAILED = "failed", _("Failed")
    UNKNOWN = "unknown", _("Unknown: may have been sent")
    DELIVERED = "delivered", _("Delivered")
    BOUNCED = "bounced", _("Bounced")
    CANCELLED = "cancelled", _("Cancelled")


CAMPAIGN_TRANSITIONS: Mapping[str, frozenset[str]] = {
    "draft": frozenset({"submitted", "cancelled"}),
    "submitted": frozenset({"approved", "draft", "cancelled"}),
    "approved": frozenset({"running", "paused", "draft", "cancelled"}),
    "running": frozenset({"paused", "finished", "draft", "cancelled"}),
    "paused": frozenset({"running", "finished", "draft", "cancelled"}),
}
RUN_TRANSITIONS: Mapping[str, frozenset[str]] = {
    "planning": frozenset({"sending", "cancelled"}),
    "sending": frozenset({"finished", "cancelled"}),
}
BATCH_TRANSITIONS: Mapping[str, frozenset[str]] = {
    "pending": frozenset({"claimed", "done"}),
    "claimed": frozenset({"pending", "done"}),
}
DELIVERY_TRANSITIONS: Mapping[str, frozenset[str]] = {
    "planned": frozenset({"claimed", "excluded", "failed", "cancelled"}),
    "claimed": frozenset({"sent", "failed", "unknown", "planned"}),
    "unknown": frozenset({"sent", "failed", "delivered", "bounced"}),
    "sent": frozenset({"delivered", "bounced"}),
    "delivered": frozenset({"bounced"}),
}


def sources(transitions: Mapping[str, frozenset[str]], to: str) -> list[str]:
    """The states from which `to` may be reached, sorted. Raises `TransitionError` when there is none."""
    found = sorted(state for state, targets in transitions.items() if to in targets)
    if not found:
        raise TransitionError(f"no state leads to {to}")
    return found
