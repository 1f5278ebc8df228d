"""Messages over an HTTP gateway whose fields, credential and answers are described by settings, many in a call."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

from campaigns.channels.base import (
    ChannelError,
    ManyAtOnceAdapter,
    Outgoing,
    PermanentError,
    RetryableError,
    UnknownOutcomeError,
)
from campaigns.channels.http import CALLS_AT_ONCE, Answer, Call, Poster, StatusRules

CODE = re.compile(r"(?!.*\d{7})[\w.:-]{1,40}")  # what may be stored of an answer: no text, no phone number


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """How a gateway is spoken to. A field name may be a path with dots. `..._statuses` and `..._codes` are lists with
    commas between; `..._statuses` left empty have their usual meaning (`campaigns.channels.http`).

    With `per_call` 1 the body is `{recipient, text, key, sender}`; with more it is `{sender, messages: [{recipient,
    text, key}, ..]}`. A field whose name is empty is left out.
    """

    url: str
    per_call: int = 1
    timeout: float = 20  # seconds
    recipient_field: str = "to"
    text_field: str = "text"
    key_field: str = "id"
    sender_field: str = "from"
    messages_field: str = "messages"
    auth_header: str = "Authorization"
    auth_scheme: str = "Bearer"
    success_statuses: str = ""
    retryable_statuses: str = ""
    unknown_statuses: str = ""
    down_statuses: str = ""
    code_field: str = ""
    success_codes: str = ""
    retryable_codes: str = ""
    results_field: str = ""
    result_key_field: str = ""
    result_code_field: str = ""

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        """Raises `TypeError` when there is no url."""
        return cls(**{field.name: stored[field.name] for field in fields(cls) if field.name in stored})

    def status_rules(self) -> StatusRules:
        given = {
            name: frozenset(int(one) for one in listed(getattr(self, f"{name}_statuses")))
            for name in ("success", "retryable", "unknown", "down")
        }
        return StatusRules(**{name: found for name, found in given.items() if found})


class GatewayAdapter(ManyAtOnceAdapter):
    """One call takes up to `per_call` messages; with 1, up to `CALLS_AT_ONCE` calls are under way at once."""

    def __init__(self, config: GatewayConfig, *, credential: str, sender: str) -> None:
        self.at_once = config.per_call if config.per_call > 1 else CALLS_AT_ONCE
        self._config = config
        self._sender = sender
        self._rules = config.status_rules()
        self._good, self._later = listed(config.success_codes), listed(config.retryable_codes)
        scheme = f"{config.auth_scheme} " if config.auth_scheme else ""
        self._headers = {config.auth_header: scheme + credential} if credential and config.auth_header else {}
        self._poster = Poster(seconds=config.timeout)

    def open(self) -> None:
        self._poster.open()

    def close(self) -> None:
        self._poster.close()

    def send_many(self, messages: Sequence[Outgoing]) -> list[ChannelError | None]:
        size = self._config.per_call
        parts = [messages[start : start + size] for start in range(0, len(messages), size)]
        answers = self._poster.post([self._call(part) for part in parts])
        return [result for part, answer in zip(parts, answers, strict=True) for result in self._results(part, answer)]

    def _call(self, part: Sequence[Outgoing]) -> Call:
        config = self._config
        body: dict[str, Any] = {}
        if config.sender_field and self._sender:
            _put(body, config.sender_field, self._sender)
        if config.per_call > 1:
            _put(body, config.messages_field, [self._message(message) for message in part])
        else:
            body |= self._message(part[0])
        headers = {**self._headers, "Idempotency-Key": call_key(part)}
        return Call(config.url, json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(), headers)

    def _message(self, message: Outgoing) -> dict[str, Any]:
        config, made = self._config, dict[str, Any]()
        for name, value in (
            (config.recipient_field, message.to_address),
            (config.text_field, message.text),
            (config.key_field, message.key),
        ):
            if name:
                _put(made, name, value)
        return made

    def _results(self, part: Sequence[Outgoing], answer: Answer | ChannelError) -> list[ChannelError | None]:
        if isinstance(answer, ChannelError):
            return [answer] * len(part)
        refused = self._rules.judge(answer)
        config = self._config
        if not config.code_field and not config.results_field:
            return [refused] * len(part)
        data = _json(answer.body)
        if refused is None and data is None:
            return [UnknownOutcomeError(f"answered {answer.status} without JSON")] * len(part)
        if config.results_field and isinstance(listing := _get(data, config.results_field), list):
            return self._each(part, listing)
        if refused is None and config.code_field:
            refused = self._judge(_get(data, config.code_field))
        if refused is None and config.results_field:
            refused = UnknownOutcomeError("taken, but the answer has no results")
        return [refused] * len(part)

    def _each(self, part: Sequence[Outgoing], listing: list[Any]) -> list[ChannelError | None]:
        """The result of each message: found by its key, or else in the order of the messages."""
        config = self._config
        if config.result_key_field:
            by_key = {str(_get(one, config.result_key_field)): one for one in listing}
            found = [by_key.get(message.key) for message in part]
        else:
            found = [*listing[: len(part)], *[None] * (len(part) - len(listing))]
        silent = UnknownOutcomeError("the answer says nothing of this message")
        return [
            silent
            if one is None
            else self._judge(_get(one, config.result_code_field) if isinstance(one, dict) else one)
            for one in found
        ]

    def _judge(self, code: Any) -> ChannelError | None:
        text = "" if code is None else json.dumps(code) if isinstance(code, bool) else str(code)
        if text in self._good:
            return None
        if not text:
            return UnknownOutcomeError("answered without a code")
        said = f"code {text}" if CODE.fullmatch(text) else "an unknown code"
        return RetryableError(said) if text in self._later else PermanentError(said)


def call_key(part: Sequence[Outgoing]) -> str:
    """The idempotency key of a call: the message's own, or one made from those of all, the same for the same ones."""
    if len(part) == 1:
        return part[0].key
    return hashlib.sha256("\n".join(message.key for message in part).encode()).hexdigest()


def listed(text: str) -> list[str]:
    """The parts of a list with commas between."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _put(target: dict[str, Any], path: str, value: Any) -> None:
    *folders, name = path.split(".")
    for folder in folders:
        target = target.setdefault(folder, {})
    target[name] = value


def _get(data: Any, path: str) -> Any:
    for name in path.split(".") if path else ():
        data = data.get(name) if isinstance(data, dict) else None
    return data


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
