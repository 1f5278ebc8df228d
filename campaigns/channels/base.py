"""What every channel looks like to the dispatcher: hand over one message, and say truthfully what became of it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self


class ChannelError(Exception):
    """A message was not, or not certainly, taken. `str(error)` is stored and shown; it names no address."""


class PermanentError(ChannelError):
    """The provider refused this message for good; nothing was sent."""


class RetryableError(ChannelError):
    """Nothing was sent; the same message may succeed later, but not before `after`, when the provider says so."""

    def __init__(self, detail: str, after: timedelta | None = None) -> None:
        super().__init__(detail)
        self.after = after


class ChannelDownError(RetryableError):
    """Nothing was sent, and no other message would fare better now: the channel itself does not answer or refuses."""


class UnknownOutcomeError(ChannelError):
    """The message was handed over and no answer came: it may have been sent, so it is never sent again by itself."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One person's message, complete. `key` is the same whenever the same delivery is handed over again.

    On a channel without addresses (in-app, webhook) `to_address` is the person's public id.
    """

    key: str
    to_name: str
    to_address: str
    subject: str
    text: str
    html: str
    unsubscribe_url: str
    date: datetime
    profile_id: int = 0


class ChannelAdapter(ABC):
    """A way out, opened for one batch: `with adapter: adapter.send_many(messages)`.

    Entering connects and raises `ChannelDownError` when it cannot, so that no message is claimed for a dead channel.
    `at_once` is how many messages `send_many` likes to be given.
    """

    at_once = 1

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def open(self) -> None:
        """Make ready for sending. Raises `ChannelDownError`."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what `open` took; raises nothing."""

    @abstractmethod
    def send(self, message: Outgoing) -> None:
        """Hand over one message; returns once the provider has taken responsibility for it. Raises `ChannelError`."""

    def send_many(self, messages: Sequence[Outgoing]) -> list[ChannelError | None]:
        """Hand over messages; returns for each, in their order, None when it was taken, or what went wrong.

        Once the channel is down, the messages after are not tried: they have the same error.
        """
        results: list[ChannelError | None] = []
        for message in messages:
            try:
                self.send(message)
            except ChannelDownError as error:
                return results + [error] * (len(messages) - len(results))
            except ChannelError as error:
                results.append(error)
            else:
                results.append(None)
        return results


class ManyAtOnceAdapter(ChannelAdapter):
    """A way out that takes many messages in one go: `send` is `send_many` with one."""

    def send(self, message: Outgoing) -> None:
        (error,) = self.send_many([message])
        if error is not None:
            raise error

    @abstractmethod
    def send_many(self, messages: Sequence[Outgoing]) -> list[ChannelError | None]: ...
