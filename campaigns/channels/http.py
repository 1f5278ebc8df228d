"""Posting to gateways and webhooks, several calls at a time, and what an HTTP answer says of the messages in it.

| what happens | outcome |
|---|---|
| no connection, no such host, TLS fails; 401, 403, 404, 405, 407, 410, a redirect | channel down |
| 2xx | taken |
| 408, 425, 429, 500, 503 and further 5xx | retryable, not before `Retry-After` |
| other 4xx | permanent |
| the request was written and no answer came; 502 and 504, where a proxy got none | unknown |

Each call has a connection of its own: on a kept one that breaks, nobody could tell whose request was lost.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import aiohttp

from campaigns.channels.base import (
    ChannelDownError,
    ChannelError,
    PermanentError,
    RetryableError,
    UnknownOutcomeError,
)

CALLS_AT_ONCE = 20
CONNECT_SECONDS = 5
MAX_ANSWER = 4_000_000  # bytes
LONGEST_PAUSE = timedelta(days=1)
NOT_SENT = (aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectorError, aiohttp.InvalidURL)


@dataclass(frozen=True, slots=True)
class Call:
    """One POST of a JSON body."""

    url: str
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `retry_after` as the server asks for it."""

    status: int
    body: bytes
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class StatusRules:
    """Statuses that mean something else than their hundred."""

    success: frozenset[int] = frozenset()
    retryable: frozenset[int] = frozenset({408, 425, 429})
    unknown: frozenset[int] = frozenset({502, 504})
    down: frozenset[int] = frozenset({401, 403, 404, 405, 407, 410})

    def judge(self, answer: Answer) -> ChannelError | None:
        """None when the call was taken. `success` empty is every 2xx."""
        status, said = answer.status, f"answered {answer.status}"
        if status in self.success or (not self.success and 200 <= status <= 299):  # noqa: PLR2004
            return None
        if status in self.unknown:
            return UnknownOutcomeError(said)
        if status in self.retryable or 500 <= status <= 599:  # noqa: PLR2004
            return RetryableError(said, answer.retry_after)
        if status in self.down or not 400 <= status <= 499:  # noqa: PLR2004
            return ChannelDownError(said)
        return PermanentError(said)


class Poster:
    """Keeps an event loop and a session from `open` to `close`."""

    def __init__(self, *, seconds: float) -> None:
        self._timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=min(CONNECT_SECONDS, seconds))
        self._runner: asyncio.Runner | None = None
        self._session: aiohttp.ClientSession | None = None

    def open(self) -> None:
        self._runner = asyncio.Runner()
        self._session = self._runner.run(self._new_session())

    def close(self) -> None:
        if self._runner is not None and self._session is not None:
            with contextlib.suppress(Exception):
                self._runner.run(self._session.close())
            self._runner.close()
        self._runner = self._session = None

    def post(self, calls: Sequence[Call]) -> list[Answer | ChannelError]:
        """Make the calls; returns the answer to each, in their order, or why there is none."""
        if self._runner is None:
            self.open()
        assert self._runner is not None  # noqa: S101  (just opened)
        return self._runner.run(self._post_all(calls))

    async def _new_session(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=CALLS_AT_ONCE, force_close=True)
        return aiohttp.ClientSession(connector=connector, timeout=self._timeout, trust_env=True)

    async def _post_all(self, calls: Sequence[Call]) -> list[Answer | ChannelError]:
        return await asyncio.gather(*[self._post(call) for call in calls])

    async def _post(self, call: Call) -> Answer | ChannelError:
        headers = {"Content-Type": "application/json", "User-Agent": "Heed", **call.headers}
        assert self._session is not None  # noqa: S101  (opened with the runner)
        try:
            async with self._session.post(call.url, data=call.body, headers=headers, allow_redirects=False) as response:
                return Answer(response.status, await _body(response), _retry_after(response))
        except NOT_SENT as error:
            return ChannelDownError(f"cannot connect: {_said(error)}")
        except TimeoutError:
            return UnknownOutcomeError("no answer in time")
        except (aiohttp.ClientError, OSError) as error:
            return UnknownOutcomeError(f"connection lost: {_said(error)}")


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """The body, or nothing of one that is too long or of a refusal that breaks off, whose status says enough."""
    try:
        body = await response.content.read(MAX_ANSWER)
        while chunk := await response.content.read(MAX_ANSWER):
            body += chunk
            if len(body) > MAX_ANSWER:
                return b""
    except (aiohttp.ClientError, TimeoutError, OSError):
        if response.ok:
            raise
        return b""
    return body


def _retry_after(response: aiohttp.ClientResponse) -> timedelta | None:
    """RFC 9110, section 10.2.3: seconds or a date."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=min(int(text), 10**6)), LONGEST_PAUSE)
    try:
        pause = parsedate_to_datetime(text).astimezone(UTC) - datetime.now(UTC)
    except (ValueError, TypeError):
        return None
    return min(max(pause, timedelta()), LONGEST_PAUSE)


def _said(error: BaseException) -> str:
    return type(error).__name__ if not isinstance(error, OSError) or not error.strerror else error.strerror
