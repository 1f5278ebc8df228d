"""SMTP servers for tests: one that keeps what it receives, and one that misbehaves by a script."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, cast

from aiosmtpd.controller import Controller


class _Controller(Controller):
    """Listens on a port that the system chooses."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        super()._trigger_server()


class Mailbox:
    """A real SMTP server on loopback. `before_answer` runs when a message has come and is not confirmed yet."""

    def __init__(self, before_answer: Callable[[int], None] | None = None) -> None:
        self.contents: list[bytes] = []
        self.recipients: list[str] = []
        self._before_answer = before_answer
        self._controller = _Controller(self, hostname="127.0.0.1", port=0)

    @property
    def port(self) -> int:
        return cast(int, self._controller.port)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def messages(self) -> list[EmailMessage]:
        return [cast(EmailMessage, message_from_bytes(one, policy=policy.default)) for one in list(self.contents)]

    @property
    def message_ids(self) -> list[str]:
        return [str(message["Message-ID"]).strip("<>") for message in self.messages]

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.contents.append(envelope.content)
        self.recipients.append(envelope.rcpt_tos[0])
        if self._before_answer:
            await asyncio.to_thread(self._before_answer, len(self.contents))
        return "250 OK"

    def __enter__(self) -> "Mailbox":
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()


CLOSE = "CLOSE"
"""An answer that is none: the server hangs up."""
RESET = "RESET"
"""The server tears the connection down with a TCP reset."""
SILENCE = "SILENCE"
"""The server says nothing until the client gives up."""


class ScriptedServer:
    """An SMTP server that gives, for each connection, the next script's answers; the last script repeats.

    A script maps a step (`connect`, `MAIL`, `RCPT`, `DATA`, `message`, `RSET`) to the answer of it; what it leaves out
    is answered well. `seen` lists all steps, connections apart.
    """

    WELL = {"connect": "220 hi", "EHLO": "250 hi", "DATA": "354 go", "QUIT": "221 bye"}

    def __init__(self, *scripts: dict[str, str]) -> None:
        self._scripts: Sequence[dict[str, str]] = scripts or ({},)
        self.seen: list[list[str]] = []
        self.messages: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "ScriptedServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread; closing alone would leave it listening
        self._socket.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            script = self._scripts[min(len(self.seen), len(self._scripts) - 1)]
            self.seen.append([])
            with connection, contextlib.suppress(OSError, EOFError):
                for step in self._steps(connection):
                    self.seen[-1].append(step)
                    self._answer(connection, script.get(step) or self.WELL.get(step, "250 ok"))

    def _steps(self, connection: socket.socket) -> Iterator[str]:
        yield "connect"
        with connection.makefile("rb") as lines:
            for line in lines:
                step = line.split()[0].decode().upper() if line.split() else ""
                yield step
                if step == "QUIT":
                    return
                if step == "DATA" and self._going_on:
                    self.messages.append(b"".join(iter(lines.readline, b".\r\n")))
                    yield "message"

    def _answer(self, connection: socket.socket, answer: str) -> None:
        self._going_on = answer.startswith("354")
        if answer == CLOSE:
            raise EOFError
        if answer == RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            raise EOFError
        if answer == SILENCE:
            connection.recv(1)  # returns when the client hangs up
            raise EOFError
        connection.sendall(answer.encode() + b"\r\n")
