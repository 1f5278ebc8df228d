"""In-app messages: rows that an app or shop of ours reads over the API and shows."""

from collections.abc import Sequence
from datetime import timedelta

from django.db import DatabaseError, transaction

from campaigns import inbox
from campaigns.channels.base import ChannelError, ManyAtOnceAdapter, Outgoing, PermanentError, RetryableError
from campaigns.models import InboxMessage
from compliance.services import subjects

KEYS_AT_ONCE = 500


class InboxAdapter(ManyAtOnceAdapter):
    """Writes many rows in one statement. A message that is there already is there once, so every failure is harmless
    to repeat."""

    DAYS = 30
    at_once = KEYS_AT_ONCE

    def __init__(self, *, days: int) -> None:
        self._shown_for = timedelta(days=days)

    def open(self) -> None:
        """The database is open."""

    def close(self) -> None:
        """Nothing was taken."""

    def send_many(self, messages: Sequence[Outgoing]) -> list[ChannelError | None]:
        try:
            with transaction.atomic():
                keys = subjects.data_keys([message.profile_id for message in messages])
                living = [message for message in messages if message.profile_id in keys]
                rows = [self._row(message, keys[message.profile_id]) for message in living]
                InboxMessage.objects.bulk_create(rows, ignore_conflicts=True)
        except DatabaseError as error:
            return [RetryableError(type(error).__name__)] * len(messages)
        erased = PermanentError("there is no such person any more")
        return [None if message.profile_id in keys else erased for message in messages]

    def _row(self, message: Outgoing, data_key: bytes) -> InboxMessage:
        return InboxMessage(
            profile_id=message.profile_id,
            delivery_key=message.key,
            content_encrypted=inbox.seal(data_key, delivery_key=message.key, title=message.subject, body=message.text),
            created_at=message.date,
            expires_at=message.date + self._shown_for,
        )
