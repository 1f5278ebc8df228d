"""E-mail through a Django backend other than SMTP: to the console or into files, for trials."""

from email import message_from_bytes
from email.message import Message

from django.conf import settings
from django.core.mail import get_connection

from campaigns.channels.base import ChannelAdapter, ChannelDownError, Outgoing, UnknownOutcomeError
from campaigns.channels.email import parts_of
from campaigns.mime import Sender, Skeleton


class _Prepared:
    """The part of Django's `EmailMessage` that the console and file backends use."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def message(self) -> Message:
        return message_from_bytes(self._content)


class DjangoBackendAdapter(ChannelAdapter):
    """Hands messages to `settings.EMAIL_BACKEND`."""

    def __init__(self, sender: Sender) -> None:
        self._skeleton = Skeleton(sender)
        self._backend = get_connection()

    def open(self) -> None:
        try:
            self._backend.open()
        except OSError as error:
            raise ChannelDownError(f"{settings.EMAIL_BACKEND}: {error.strerror}") from error

    def close(self) -> None:
        self._backend.close()

    def send(self, message: Outgoing) -> None:
        prepared = _Prepared(self._skeleton.fill(parts_of(message)))
        try:
            self._backend.send_messages([prepared])  # type: ignore[list-item]
        except OSError as error:
            raise UnknownOutcomeError(f"{settings.EMAIL_BACKEND}: {error.strerror}") from error
