"""How a sending channel fares: when it last took a message, and what it last said instead."""

from collections.abc import Sequence
from datetime import datetime

from campaigns.models import SendingChannel
from campaigns.services.groups import Outcome
from campaigns.states import DeliveryState


class Health:
    """What a worker learns of a channel while it sends a batch; written once, when the batch is over."""

    def __init__(self, channel_id: int) -> None:
        self._channel_id = channel_id
        self._success_at: datetime | None = None
        self._error: tuple[str, datetime | None] = ("", None)

    def see(self, outcomes: Sequence[Outcome]) -> None:
        """Note the last success and the last error among these outcomes."""
        for outcome in reversed(outcomes):
            if outcome.state == DeliveryState.SENT:
                self._success_at = outcome.at
                break
        for outcome in reversed(outcomes):
            if outcome.error:
                self._error = (outcome.error, outcome.at)
                break

    def succeeded(self, at: datetime) -> None:
        """Note that a message was taken."""
        self._success_at = at

    def failed(self, error: str, at: datetime) -> None:
        """Note what the channel said, or that it does not answer at all."""
        self._error = (error[:240], at)

    def write(self) -> None:
        """Store what was learned."""
        changes: dict[str, object] = {}
        if self._success_at is not None:
            changes["last_success_at"] = self._success_at
        error, error_at = self._error
        if error_at is not None:
            changes |= {"last_error": error, "last_error_at": error_at}
        if changes:
            SendingChannel.objects.filter(pk=self._channel_id).update(**changes)
