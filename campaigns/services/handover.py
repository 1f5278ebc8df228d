"""Handing over a group of messages and judging each outcome. Writes nothing: the outcomes are recorded by `groups`."""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from campaigns.channels import (
    ChannelAdapter,
    ChannelDownError,
    Outgoing,
    PermanentError,
    RetryableError,
    UnknownOutcomeError,
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
    """Gives the messages of one group to the channel, one after the other.

    `outcomes` grows with each message, and holds one for each delivery of the group when `run` is over, also when it
    ends by an exception: then the message in the channel's hands is unknown, those after it are untried. `down` is the
    error when the channel turned out to be down.
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
            for claimed in group:
                if self.down or time.monotonic() > deadline:
                    break
                self.outcomes.append(self._one(claimed))
        finally:
            judged = {outcome.profile_id for outcome in self.outcomes}
            self.outcomes += [self._untried(claimed) for claimed in group if claimed.profile_id not in judged]

    def _one(self, claimed: Claimed) -> Outcome:
        try:
            message = self._people.message(claimed, self._clock())
        except UnreadableError:
            return self._later(claimed, _("the address could not be read, or has just changed"))
        except TemplateError as error:
            return self._outcome(claimed, DeliveryState.FAILED, str(error))
        except Exception as error:  # a fault of ours over one person's data must not hold up everybody behind
            logger.exception("delivery of profile %s could not be prepared", claimed.profile_id)
            return self._outcome(claimed, DeliveryState.FAILED, type(error).__name__)
        try:
            return self._send(claimed, message)
        except BaseException:  # a signal, or a fault of ours: nobody knows how far the message came
            logger.exception("delivery %s was interrupted while it was handed over", message.key)
            self.outcomes.append(
                self._outcome(claimed, DeliveryState.UNKNOWN, _("interrupted while it was handed over"))
            )
            raise

    def _send(self, claimed: Claimed, message: Outgoing) -> Outcome:
        try:
            self._adapter.send(message)
        except ChannelDownError as error:
            self.down = error
            return self._untried(claimed)
        except RetryableError as error:
            return self._later(claimed, str(error))
        except PermanentError as error:
            return self._outcome(claimed, DeliveryState.FAILED, str(error))
        except UnknownOutcomeError as error:
            return self._outcome(claimed, DeliveryState.UNKNOWN, str(error))
        return self._outcome(claimed, DeliveryState.SENT)

    def _later(self, claimed: Claimed, error: str) -> Outcome:
        """Planned again after a pause that grows, or failed when there were enough attempts."""
        if claimed.attempts > len(RETRY_AFTER):
            return self._outcome(claimed, DeliveryState.FAILED, error)
        now = self._clock()
        pause = RETRY_AFTER[claimed.attempts - 1]
        return Outcome(claimed.profile_id, DeliveryState.PLANNED, now, _storable(error), due_at=now + pause)

    def _untried(self, claimed: Claimed) -> Outcome:
        return Outcome(claimed.profile_id, DeliveryState.PLANNED, self._clock(), untried=True)

    def _outcome(self, claimed: Claimed, state: DeliveryState, error: str = "") -> Outcome:
        return Outcome(claimed.profile_id, state, self._clock(), _storable(error))


def _storable(error: str) -> str:
    """Text that PostgreSQL takes: a server's answer may hold anything, and an outcome must never be lost over it."""
    printable = "".join(character if character.isprintable() else " " for character in error)
    return printable.encode("utf-8", "replace").decode()[:MAX_ERROR]
