"""Messages as lines of JSON in a file, for trials: `HEED_HOME/outbox/CHANNEL.jsonl`, for Heed's account only."""

import fcntl
import json
import os
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings

from campaigns.channels.base import ChannelDownError, ChannelError, ManyAtOnceAdapter, Outgoing

FOLDER = "outbox"
AT_ONCE = 500


def path_of(channel_key: str) -> Path:
    """Where the messages of a channel go."""
    home: Path = settings.INSTANCE.home
    return home / FOLDER / f"{channel_key}.jsonl"


class FileAdapter(ManyAtOnceAdapter):
    """Workers take turns by a lock; what cannot be written whole (a full disk) is cut off again."""

    at_once = AT_ONCE

    def __init__(self, channel_key: str) -> None:
        self._path = path_of(channel_key)
        self._file = -1

    def open(self) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ChannelDownError(f"{self._path}: {error.strerror}") from error

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def send_many(self, messages: Sequence[Outgoing]) -> list[ChannelError | None]:
        if self._file < 0:
            self.open()
        data = b"".join(_line(message) for message in messages)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                self._append(data)
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)
        except OSError as error:
            return [ChannelDownError(f"{self._path}: {error.strerror}")] * len(messages)
        return [None] * len(messages)

    def _append(self, data: bytes) -> None:
        before, rest = os.fstat(self._file).st_size, memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            os.ftruncate(self._file, before)
            raise


def _line(message: Outgoing) -> bytes:
    shown = {
        "key": message.key,
        "to": message.to_address,
        "name": message.to_name,
        "subject": message.subject,
        "text": message.text,
        "html": message.html,
        "date": message.date.isoformat(),
    }
    return json.dumps(shown, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
