"""What PostgreSQL and Valkey have in common: start once, detached, alive exactly as long as their lock."""

import contextlib
import os
import socket
import time
from abc import ABC, abstractmethod
from pathlib import Path

from config.embedded.accounts import Account, account_of, private_folder
from config.embedded.keeper import POLL_SECONDS, Running, try_lock
from config.embedded.layout import EmbeddedError, Instance

START_SECONDS = 120.0  # PostgreSQL may have to replay its log after a crash
LEFTOVER_SECONDS = 2.0
LOG_TAIL = 4000


class Server(ABC):
    """One server of an instance."""

    name: str
    log_name = "server.log"

    def __init__(self, instance: Instance) -> None:
        self.instance = instance

    @property
    @abstractmethod
    def running(self) -> Running:
        """How its processes are found."""

    @property
    @abstractmethod
    def home(self) -> Path:
        """Its own folder, private to the account it runs as."""

    @property
    @abstractmethod
    def socket_path(self) -> Path: ...

    @abstractmethod
    def _launch(self, account: Account, lock: int) -> None:
        """Start it detached, with the descriptor `lock` inherited. Raises `EmbeddedError`."""

    @abstractmethod
    def _greet(self, connection: socket.socket) -> bool:
        """Whether it answers on a fresh connection. May raise OSError."""

    def answers(self) -> bool:
        """Whether the server takes connections now."""
        if self.instance.sockets.is_symlink():
            return False
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(2.0)
            connection.connect(str(self.socket_path))
            return self._greet(connection)
        return False

    def ensure(self) -> None:
        """Start the server unless it answers. Call under the start mutex. Raises `EmbeddedError`."""
        running = self.running
        if running.is_alive():
            if self._becomes_ready(orphaned_within=LEFTOVER_SECONDS):
                return
            if running.is_alive() and not running.end():
                raise self._error("is running but does not answer; another container may be using its folder")
        account = account_of(self.instance)
        private_folder(self.home, account)
        running.end_removed()
        lock = try_lock(running.lock)
        if lock is None:
            raise self._error("was started by something else at the same time")
        try:
            self.socket_path.unlink(missing_ok=True)
            self._launch(account, lock)
        finally:
            os.close(lock)
        if not self._becomes_ready(orphaned_within=START_SECONDS):
            running.end()
            raise self._error("did not start")

    def _becomes_ready(self, *, orphaned_within: float) -> bool:
        """Wait until it answers. False when it ended, took too long, or long had no main process.

        The last is what a `kill -9` of the main process leaves: children that mostly end by themselves.
        """
        started = seen = time.monotonic()
        while not self.answers():
            now = time.monotonic()
            if self.running.main_process() is not None:
                seen = now
            if not self.running.is_alive() or now - started > START_SECONDS or now - seen > orphaned_within:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def _error(self, what: str) -> EmbeddedError:
        log = self.home / self.log_name
        with contextlib.suppress(OSError):
            tail = log.read_bytes()[-LOG_TAIL:].decode(errors="replace").strip()
            return EmbeddedError(f"{self.name} {what}. The end of {log}:\n{tail}")
        return EmbeddedError(f"{self.name} {what} (there is no log at {log})")
