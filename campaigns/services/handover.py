"""Handing over a group of messages and judging each outcome. Writes nothing: the outcomes are recorded by `groups`."""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from campaigns.channels import (
    ChannelAdapter,
    ChannelDownError,
    ChannelError,
    Outgoing,
    PermanentError,
    RetryableError,
)
from campaigns.rendering import TemplateError
from campaigns.services.groups import Claimed, Outcome
from campaigns.services.people import People, UnreadableError
from campaigns.states import DeliveryState

logger = logging.getLogger(__name__)

GROUP_LIMIT = 5.0  # seconds, after which the rest of a group goes back untried, so that the lease holds
# Greylisting servers want a quarter of an hour (RFC 6647, section 5).
RETRY_AFTER = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=20), timedelta(hours=1))
MAX_ERROR = 240


class Handover:
    """Gives the messages of one group to the channel, as many at once as it likes.

    `outcomes` grows with each message, and holds one for each delivery of the group when `run` is over, also when it
    ends by an exception: then the messages in the channel's hands are unknown, those after them are untried. `down` is
    the error when the channel turned out to be down.
    """

    def __init__(self, *, people: People, adapter: ChannelAdapter, clock: Callable[[], datetime]) -> None:
        self._people = people
        self._adapter = adapter
        self._clock = clock
        self.outcomes: list[Outcome] = []
        self.down: ChannelDownError | None = None

    def run(self, group: Sequence[Claimed]) -> None:
        deadline = time.monotonic() + GROUP_LIMIT
        try:
            for start in range(0, len(group), self._adapter.at_once):
                if self.down or time.monotonic() > deadline:
                    break
                self._some(group[start : start + self._adapter.at_once], deadline)
        finally:
            judged = {outcome.profile_id for outcome in self.outcomes}
            self.outcomes += [self._untried(claimed) for claimed in group if claimed.profile_id not in judged]

    def _some(self, part: Sequence[Claimed], deadline: float) -> None:
        """Prepare messages and hand them over together."""
        ready: list[tuple[Claimed, Outgoing]] = []
        for claimed in part:
            prepared = self._prepared(claimed)
            if isinstance(prepared, Outcome):
                self.outcomes.append(prepared)
            else:
                ready.append((claimed, prepared))
            if time.monotonic() > deadline:
                break
        if ready:
            self._send(ready)

    def _prepared(self, claimed: Claimed) -> Outgoing | Outcome:
        try:
            return self._people.message(claimed, self._clock())
        except UnreadableError:
            return self._later(claimed, _("the address could not be read, or has just changed"))
        except TemplateError as error:
            return self._outcome(claimed, DeliveryState.FAILED, str(error))
        except Exception as error:  # a fault of ours over one person's data must not hold up everybody behind
            logger.exception("delivery of profile %s could not be prepared", claimed.profile_id)
            return self._outcome(claimed, DeliveryState.FAILED, type(error).__name__)

    def _send(self, ready: Sequence[tuple[Claimed, Outgoing]]) -> None:
        try:
            results = self._adapter.send_many([message for _claimed, message in ready])
            judged = [self._judged(one, result) for (one, _message), result in zip(ready, results, strict=True)]
        except BaseException:  # a signal, or a fault of ours: nobody knows how far the messages came
            logger.exception("%s deliveries from %s on were interrupted", len(ready), ready[0][1].key)
            interrupted = _("interrupted while it was handed over")
            self.outcomes += [self._outcome(one, DeliveryState.UNKNOWN, interrupted) for one, _message in ready]
            raise
        self.outcomes += judged

    def _judged(self, claimed: Claimed, result: ChannelError | None) -> Outcome:
        match result:
            case None:
                return self._outcome(claimed, DeliveryState.SENT)
            case ChannelDownError():
                self.down = result
                return self._untried(claimed)
            case RetryableError():
                return self._later(claimed, str(result), result.after)
            case PermanentError():
                return self._outcome(claimed, DeliveryState.FAILED, str(result))
        return self._outcome(claimed, DeliveryState.UNKNOWN, str(result))

    def _later(self, claimed: Claimed, error: str, after: timedelta | None = None) -> Outcome:
        """Planned again after a pause that grows, not before `after`, or failed when there were enough attempts."""
        if claimed.attempts > len(RETRY_AFTER):
            return self._outcome(claimed, DeliveryState.FAILED, error)
        now = self._clock()
        pause = max(RETRY_AFTER[claimed.attempts - 1], after or timedelta())
        return Outcome(claimed.profile_id, DeliveryState.PLANNED, now, _storable(error), due_at=now + pause)

    def _untried(self, claimed: Claimed) -> Outcome:
        return Outcome(claimed.profile_id, DeliveryState.PLANNED, self._clock(), untried=True)

    def _outcome(self, claimed: Claimed, state: DeliveryState, error: str = "") -> Outcome:
        return Outcome(claimed.profile_id, state, self._clock(), _storable(error))


def _storable(error: str) -> str:
    """Text that PostgreSQL takes: a server's answer may hold anything, and an outcome must never be lost over it."""
    printable = "".join(character if character.isprintable() else " " for character in error)
    return printable.encode("utf-8", "replace").decode()[:MAX_ERROR]
