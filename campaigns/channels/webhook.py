"""Messages as signed webhooks (Standard Webhooks): one POST for a message, or for up to `per_call` of them.

The receiver is told the person by public id, and nothing else about them but what the text says: it knows its own
address for them. 2xx is sent; the other outcomes are those of `campaigns.channels.http`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

from campaigns.channels.base import ChannelDownError, ChannelError, ManyAtOnceAdapter, Outgoing
from campaigns.channels.gateway import call_key
from campaigns.channels.http import CALLS_AT_ONCE, Call, Poster, StatusRules
from compliance import webhooks


@dataclass(frozen=True, slots=True)
class WebhookConfig:
    """Where to, how many messages in a POST, and how many seconds to wait for the answer."""

    url: str
    per_call: int = 1
    timeout: float = 20

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        """Raises `TypeError` when there is no url."""
        return cls(**{field.name: stored[field.name] for field in fields(cls) if field.name in stored})


class WebhookAdapter(ManyAtOnceAdapter):
    """`webhook-id` is the idempotency key; with several messages in a POST, each also carries its own."""

    def __init__(self, config: WebhookConfig, secret: str) -> None:
        self.at_once = config.per_call if config.per_call > 1 else CALLS_AT_ONCE
        self._config = config
        self._secret = secret
        self._rules = StatusRules()
        self._poster = Poster(seconds=config.timeout)

    def open(self) -> None:
        self._poster.open()

    def close(self) -> None:
        self._poster.close()

    def send_many(self, messages: Sequence[Outgoing]) -> list[ChannelError | None]:
        size = self._config.per_call
        parts = [messages[start : start + size] for start in range(0, len(messages), size)]
        try:
            calls = [self._call(part) for part in parts]
        except webhooks.SignatureError as error:
            return [ChannelDownError(str(error))] * len(messages)
        results: list[ChannelError | None] = []
        for part, answer in zip(parts, self._poster.post(calls), strict=True):
            judged = answer if isinstance(answer, ChannelError) else self._rules.judge(answer)
            results += [judged] * len(part)
        return results

    def _call(self, part: Sequence[Outgoing]) -> Call:
        many, sent_at = self._config.per_call > 1, part[0].date
        listed = [_shown(message) for message in part]
        payload = {
            "type": "messages" if many else "message",
            "timestamp": sent_at.isoformat(),
            "data": {"messages": listed} if many else listed[0],
        }
        body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
        # What is signed joins id, time and body by full stops, so the id holds none.
        message_id = call_key(part).replace(".", "-")
        signed = webhooks.headers(secret=self._secret, message_id=message_id, body=body, now=sent_at)
        return Call(self._config.url, body, signed)


def _shown(message: Outgoing) -> dict[str, str]:
    return {
        "key": message.key,
        "profile": message.to_address,
        "subject": message.subject,
        "text": message.text,
        "unsubscribe_url": message.unsubscribe_url,
    }
