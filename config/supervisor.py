"""Runs several long-lived programs as one: in the foreground, with prefixed lines, restarts and a clean end.

honcho would give the prefixes, but ends all programs when one dies and leaves them behind when it is killed.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Self, TextIO

from config.embedded import EmbeddedError
from config.env import BASE_DIR

TICK_SECONDS = 0.1
CHECK_SECONDS = 1.0
STOP_SECONDS = 15.0
LONGEST_PAUSE = 30.0
STABLE_SECONDS = 60.0  # a program that lived so long starts again without a pause
COLOURS = ("36", "33", "35", "32", "34", "31")

# Linux then ends the program with its supervisor, however that ends (1 is PR_SET_PDEATHSIG). In an
# interpreter of its own, because code between fork and exec is not safe in a process with threads.
TETHER = """\
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() == int(sys.argv[1]):
    os.execvp(sys.argv[2], sys.argv[2:])
"""


@dataclass(frozen=True)
class Process:
    """A program to keep running, in the folder `cwd`; `env` is added to the supervisor's environment."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None


class _Child:
    """One process and its present incarnation."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.popen: subprocess.Popen[str] | None = None
        self.reader: threading.Thread | None = None
        self.started = self.due = 0.0
        self.pause = 0.0

    def start(self, on_line: Callable[[str, str], None]) -> None:
        """Start it in its own process group, so that a Ctrl-C at the terminal reaches only the supervisor."""
        command = [sys.executable, "-I", "-S", "-c", TETHER, str(os.getpid()), *self.process.command]
        self.started = time.monotonic()
        self.popen = subprocess.Popen(  # noqa: S603
            command,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **self.process.env},
            cwd=self.process.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            process_group=0,
        )
        self.reader = threading.Thread(target=self._read, args=(self.popen, on_line), daemon=True)
        self.reader.start()

    def _read(self, popen: subprocess.Popen[str], on_line: Callable[[str, str], None]) -> None:
        assert popen.stdout is not None  # noqa: S101  (a pipe was asked for)
        with popen.stdout:
            for line in popen.stdout:
                on_line(self.process.name, line.rstrip("\n"))

    def is_running(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    def signal(self, number: signal.Signals, *, group: bool = False) -> None:
        """Send a signal to the process, or to its whole group, which may outlive it."""
        if self.popen is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                (os.killpg if group else os.kill)(self.popen.pid, number)

    def plan_restart(self) -> float:
        """Set the time of the next start; returns the pause before it in seconds (1, 2, 4 ... 30)."""
        lived = time.monotonic() - self.started
        self.pause = 1.0 if lived > STABLE_SECONDS or not self.pause else min(self.pause * 2, LONGEST_PAUSE)
        self.due = time.monotonic() + self.pause
        return self.pause


class Supervisor:
    """Keeps processes running between `start` and `stop`, from a thread, so that its caller may do other
    things.

    `check` is called about every second and may restart what the processes depend on. `on_line(name, line)`
    gets each line of output; without it lines are printed to `stream` behind the name, in colour on a
    terminal, or dropped when `quiet`.
    """

    def __init__(
        self,
        processes: Sequence[Process],
        *,
        on_line: Callable[[str, str], None] | None = None,
        stream: TextIO | None = None,
        quiet: bool = False,
        check: Callable[[], object] | None = None,
    ) -> None:
        self._children = [_Child(process) for process in processes]
        self._stream = stream or sys.stdout
        self._on_line = on_line if on_line is not None else self._drop if quiet else self._print
        self._check = check
        self._check_failed = False
        self._stopping = threading.Event()
        self._killing = threading.Event()
        self._thread: threading.Thread | None = None
        self._print_lock = threading.Lock()
        self._width = max([len(process.name) for process in processes] + [len("heed")])

    def start(self) -> None:
        """Start all processes, and keep them running from now on."""
        # One thread starts everything, since Linux ties the children to the very thread that started them.
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._thread.start()

    def run_until_signal(self) -> None:
        """Wait for SIGINT, SIGTERM or SIGHUP, then stop; a second one kills at once. For the main thread
        only.

        Starts the processes unless `start` did.
        """
        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup ignores it on purpose
            numbers.append(signal.SIGHUP)
        previous = {number: signal.signal(number, self._on_signal) for number in numbers}
        try:
            if self._thread is None:
                self.start()
            while not self._stopping.wait(CHECK_SECONDS):
                pass
            self._on_line("heed", "stopping; the same again kills at once")
            self._join()
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def stop(self) -> None:
        """End all processes: SIGTERM, and SIGKILL to what is left after 15 s. Harmless when repeated."""
        self._stopping.set()
        self._join()

    def pids(self) -> dict[str, int]:
        """The process ids of what runs now, by name."""
        return {child.process.name: child.popen.pid for child in self._children if child.popen and child.is_running()}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        (self._killing if self._stopping.is_set() else self._stopping).set()

    def _join(self) -> None:
        # In short waits: a plain join would hold back the handler of a second signal.
        while self._thread is not None and self._thread.is_alive():
            self._thread.join(TICK_SECONDS)

    def _run(self) -> None:
        checked = time.monotonic()
        try:
            for child in self._children:
                child.start(self._on_line)
            while not self._stopping.wait(TICK_SECONDS):
                if time.monotonic() - checked >= CHECK_SECONDS:
                    self._run_check()
                    checked = time.monotonic()
                for child in self._children:
                    self._revive(child)
        finally:
            self._stopping.set()
            self._end_all()

    def _revive(self, child: _Child) -> None:
        if child.is_running():
            return
        if child.popen is not None:
            pause = child.plan_restart()
            child.signal(signal.SIGKILL, group=True)  # what it may have left behind
            status = child.popen.returncode
            how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
            self._on_line("heed", f"{child.process.name} {how}; starting it again in {pause:.0f} s")
            child.popen = None
        elif time.monotonic() >= child.due:
            child.start(self._on_line)

    def _run_check(self) -> None:
        if self._check is None:
            return
        try:
            self._check()
        except (EmbeddedError, OSError) as error:
            if not self._check_failed:
                self._on_line("heed", str(error))
            self._check_failed = True
        else:
            self._check_failed = False

    def _end_all(self) -> None:
        for child in self._children:
            child.signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while any(child.is_running() for child in self._children) and time.monotonic() < deadline:
            if self._killing.wait(TICK_SECONDS):
                break
        for child in self._children:
            child.signal(signal.SIGKILL, group=True)
            if child.popen is not None:
                child.popen.wait()
            if child.reader is not None:
                child.reader.join(timeout=1)

    def _drop(self, name: str, line: str) -> None:
        """Quiet mode."""

    def _print(self, name: str, line: str) -> None:
        prefix = f"{name:<{self._width}} | "
        if self._stream.isatty():
            names = [child.process.name for child in self._children]
            colour = COLOURS[names.index(name) % len(COLOURS)] if name in names else "1"
            prefix = f"\033[{colour}m{prefix}\033[0m"
        with self._print_lock, contextlib.suppress(OSError, ValueError):  # the terminal may be gone
            self._stream.write(f"{prefix}{line}\n")
            self._stream.flush()


def server_processes(*, host: str = "127.0.0.1", port: int = 8000) -> list[Process]:
    """What makes up a running Heed: web, worker and beat, sized for two cores."""
    module = [sys.executable, "-m"]
    web = [
        "granian",
        "--interface",
        "wsgi",
        "--host",
        host,
        "--port",
        str(port),
        "--blocking-threads",
        "4",
        "--no-ws",
    ]
    celery = ["celery", "--app", "config"]
    return [
        Process("web", [*module, *web, "config.wsgi:application"], cwd=BASE_DIR),
        Process("worker", [*module, *celery, "worker", "--concurrency", "2", "--loglevel", "INFO"], cwd=BASE_DIR),
        Process("beat", [*module, *celery, "beat", "--scheduler", "config.beat.SingleBeatScheduler"], cwd=BASE_DIR),
    ]
