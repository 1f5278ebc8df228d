"""Stops an instance's servers once nobody holds a lease. Run by path and detached; standard library only.

Each server, with all its children, holds an exclusive `flock` inherited from whoever started it. So the
kernel itself tells whether any part of a server is alive: after a `kill -9`, with a reused process id, and to
a process in another container alike.
"""

import contextlib
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass

POLL_SECONDS = 0.01
APPEAR_SECONDS = 2.0
REMOVED = " (deleted)"  # what Linux appends to the name of a removed file


@dataclass(frozen=True)
class Running:
    """How to find and end one server: by its lock, working folder, program and file with the process id."""

    lock: str
    folder: str
    program: str
    pid_file: str

    def is_alive(self) -> bool:
        """Whether any process of the server is left."""
        descriptor = try_lock(self.lock)
        if descriptor is None:
            return True
        os.close(descriptor)
        return False

    def main_process(self) -> int | None:
        """The id of the server's main process, when it is really this server's."""
        try:
            with open(self.pid_file) as file:
                pid = int(file.readline())
        except (OSError, ValueError):
            return None
        return pid if self._owns(pid, self.folder) else None

    def processes(self, *, removed: bool = False) -> list[int]:
        """All visible processes of the server, or those of a former one whose folder was `removed`."""
        if not os.path.isdir("/proc/self"):
            pid = self.main_process()
            return [] if pid is None or removed else [pid]
        folder = self.folder + (REMOVED if removed else "")
        return [int(name) for name in os.listdir("/proc") if name.isdigit() and self._owns(int(name), folder)]

    def _owns(self, pid: int, folder: str) -> bool:
        if not os.path.isdir("/proc/self"):
            return self.is_alive()
        try:
            program = os.readlink(f"/proc/{pid}/exe").removesuffix(REMOVED)
            return os.readlink(f"/proc/{pid}/cwd") == folder and os.path.basename(program) == self.program
        except OSError:
            return False

    def end(self) -> bool:
        """End the server, cleanly if possible. False when some of it cannot be ended from here."""
        for number, seconds in ((signal.SIGINT, 60), (signal.SIGQUIT, 10), (signal.SIGKILL, 10)):
            started = time.monotonic()
            told: set[int] = set()
            while self.is_alive():
                fresh = self._targets(number) - told
                _send(number, fresh)
                told |= fresh
                # A server that is just being started has the lock before it can be seen.
                if time.monotonic() - started > (seconds if told else APPEAR_SECONDS):
                    break
                time.sleep(POLL_SECONDS)
            else:
                return True
        return False

    def _targets(self, number: signal.Signals) -> set[int]:
        """Whom to send the signal: the main process, which ends the others, or all if there is none."""
        main = self.main_process()
        if main is not None and number != signal.SIGKILL:
            return {main}
        # To an orphaned child of PostgreSQL an interrupt would mean other things.
        return set() if number == signal.SIGINT else set(self.processes())

    def end_removed(self) -> None:
        """Kill what runs on in a removed folder of the same name: it has no data to lose, but the socket."""
        deadline = time.monotonic() + 10
        while (left := self.processes(removed=True)) and time.monotonic() < deadline:
            _send(signal.SIGKILL, left)
            time.sleep(POLL_SECONDS)

    def as_argument(self) -> str:
        return json.dumps(asdict(self))


def _send(number: signal.Signals, pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def is_same_file(descriptor: int, path: str) -> bool:
    """Whether the path still leads to the open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except OSError:
        return False


def try_lock(path: str, *, shared: bool = False) -> int | None:
    """Lock a file without waiting; the descriptor keeps the lock. None when another lock is in the way."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def main(arguments: list[str]) -> None:
    """Wait for the last lease, then stop the servers. Arguments: descriptor of the lock, lease, servers."""
    own_lock = int(arguments[0])
    if os.fork():
        os._exit(0)  # so that the keeper is nobody's child, and no one has to reap it
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.chdir("/")
    lease = os.open(arguments[1], os.O_RDWR | os.O_CLOEXEC)
    fcntl.flock(lease, fcntl.LOCK_EX)
    if is_same_file(lease, arguments[1]):  # else the data folder was removed, and what is there now has its own keeper
        for server in [Running(**json.loads(text)) for text in arguments[2:]]:
            server.end()
    # In this order: whoever gets the lease next must not take this process for a keeper that still waits.
    os.close(own_lock)
    os.close(lease)


if __name__ == "__main__":
    main(sys.argv[1:])
