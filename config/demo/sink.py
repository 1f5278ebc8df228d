"""A real SMTP server on loopback that keeps a log of what it received, one JSON object a line."""

import json
import socket
import threading
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

HOST = "127.0.0.1"


class Sink:
    """Receives mail and appends Message-ID, recipient and unsubscribe address of each to `log`.

    The log outlives the process, so that a second demo on the same data can show that nothing was sent twice.
    """

    def __init__(self, *, log: Path) -> None:
        self.log = log
        self._lock = threading.Lock()
        self._port = _free_port()
        self._controller = Controller(self, hostname=HOST, port=self._port)

    def start(self) -> str:
        """Start the server in a thread of its own and return its address as an `EMAIL_URL`."""
        self._controller.start()
        return f"smtp://{HOST}:{self._port}"

    def stop(self) -> None:
        self._controller.stop()

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        message = message_from_bytes(envelope.content)
        entry = {
            "message_id": str(message["Message-ID"]).strip("<>"),
            "to": envelope.rcpt_tos[0],
            "unsubscribe": str(message["List-Unsubscribe"]).strip("<>"),
        }
        with self._lock, self.log.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        return "250 Message accepted"

    def received(self, run_uid: str) -> Iterator[dict[str, str]]:
        """Every message received for one run, repeats included, oldest first."""
        if not self.log.exists():
            return
        for line in self.log.read_text().splitlines():
            entry: dict[str, str] = json.loads(line)
            if entry["message_id"].startswith(run_uid.replace("-", "")):
                yield entry


def _free_port() -> int:
    # The controller cannot tell which port it was given when it asks for any.
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
