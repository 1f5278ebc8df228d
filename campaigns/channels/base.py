"""What every channel looks like to the dispatcher: hand over one message, and say truthfully what became of it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self


class ChannelError(Exception):
    """A message was not, or not certainly, taken. `str(error)` is stored and shown; it names no address."""


class PermanentError(ChannelError):
    """The provider refused this message for good; nothing was sent."""


class RetryableError(ChannelError):
    """Nothing was sent; the same message may succeed later."""


class ChannelDownError(RetryableError):
    """Nothing was sent, and no other message would fare better now: the channel itself does not answer or refuses."""


class UnknownOutcomeError(ChannelError):
    """The message was handed over and no answer came: it may have been sent, so it is never sent again by itself."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One person's message, complete. `key` is the same whenever the same delivery is handed over again."""

    key: str
    to_name: str
    to_address: str
    subject: str
    text: str
    html: str
    unsubscribe_url: str
    date: datetime


class ChannelAdapter(ABC):
    """A way out, opened for one batch: `with adapter: adapter.send(message)`.

    Entering connects and raises `ChannelDownError` when it cannot, so that no message is claimed for a dead channel.
    """

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
