"""postfix's `smtp-sink`: a mail server that answers as fast as it can and throws everything away."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.journeys.processes import wait_for

PLACES = "/usr/sbin:/usr/local/sbin:/usr/lib/postfix/sbin"
BACKLOG = "1000"


def program() -> str | None:
    """Where `smtp-sink` is installed; None when it is not (Debian: it comes with the package postfix)."""
    return shutil.which("smtp-sink") or shutil.which("smtp-sink", path=PLACES)


@contextmanager
def running(command: str) -> Iterator[int]:
    """A sink on a free port of loopback; gives the port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    unprivileged = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen([command, *unprivileged, f"127.0.0.1:{port}", BACKLOG], stdout=subprocess.DEVNULL)
    try:
        wait_for("smtp-sink", lambda: _answers(port))
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            return connection.recv(3) == b"220"
    except OSError:
        return False
