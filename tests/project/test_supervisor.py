"""The supervisor over small programs, and over the real ones through `manage.py up`."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from config import supervisor
from config.embedded import EmbeddedError, instance
from config.supervisor import Process, Supervisor, server_processes

REPOSITORY = Path(__file__).resolve().parents[2]
SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPER
PARENT = "import subprocess, sys; print(subprocess.Popen(['sleep', '600']).pid, flush=True); sys.exit(3)"

pytestmark = pytest.mark.processes


def program(name: str, script: str) -> Process:
    return Process(name, [sys.executable, "-c", script])


def eventually(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait until the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Whether the process is there and not merely waiting to be collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Lines(list[tuple[str, str]]):
    def __call__(self, name: str, line: str) -> None:
        self.append((name, line))


@pytest.fixture
def lines() -> Lines:
    return Lines()


@contextmanager
def supervising_script(*programs: tuple[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that supervises the programs until a signal."""
    script = (
        "import sys; from config import supervisor; from config.supervisor import Process, Supervisor\n"
        "supervisor.STOP_SECONDS = 600\n"
        f"Supervisor([Process(n, [sys.executable, '-c', s]) for n, s in {programs!r}]).run_until_signal()"
    )
    process = subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_output_is_prefixed_with_the_name(capfd: pytest.CaptureFixture[str]) -> None:
    seen = ""

    def has_both() -> bool:
        nonlocal seen
        seen += capfd.readouterr().out
        return "one    | up\n" in seen and "longer | up\n" in seen

    with Supervisor([program("one", SLEEPER), program("longer", SLEEPER)], stream=sys.stdout):
        eventually(has_both)


def test_dead_program_is_started_again_with_a_clear_line(lines: Lines) -> None:
    with Supervisor([program("one", SLEEPER)], on_line=lines) as running:
        eventually(lambda: ("one", "up") in lines)
        first = running.pids()["one"]
        os.kill(first, signal.SIGKILL)
        eventually(lambda: lines.count(("one", "up")) == 2)
        assert running.pids()["one"] != first
    assert ("heed", "one was ended by SIGKILL; starting it again in 1 s") in lines


def test_pauses_grow_up_to_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    child = supervisor._Child(program("one", "pass"))
    child.started = time.monotonic()
    assert [child.plan_restart() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    child.started -= supervisor.STABLE_SECONDS + 1
    assert child.plan_restart() == 1


def test_what_a_dead_program_left_behind_is_ended(lines: Lines) -> None:
    with Supervisor([program("one", PARENT)], on_line=lines):
        eventually(lambda: ("heed", "one ended with status 3; starting it again in 1 s") in lines)
        left = int(next(line for name, line in lines if name == "one"))
        eventually(lambda: not is_running(left))


def test_programs_end_when_it_stops(lines: Lines) -> None:
    running = Supervisor([program("one", SLEEPER), program("two", SLEEPER)], on_line=lines)
    running.start()
    eventually(lambda: lines.count(("one", "up")) + lines.count(("two", "up")) == 2)
    pids = running.pids().values()
    running.stop()
    running.stop()
    assert not any(is_running(pid) for pid in pids)
    assert not [line for name, line in lines if name == "heed"]


def test_stubborn_program_is_killed_in_the_end(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 0.2)
    running = Supervisor([program("one", STUBBORN)], on_line=lines)
    running.start()
    eventually(lambda: ("one", "up") in lines)
    pid = running.pids()["one"]
    running.stop()
    assert not is_running(pid)


def test_check_is_repeated_and_its_error_told_once(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "CHECK_SECONDS", 0.01)
    calls: list[None] = []

    def check() -> None:
        calls.append(None)
        raise EmbeddedError("PostgreSQL did not start")

    with Supervisor([program("one", SLEEPER)], on_line=lines, check=check):
        eventually(lambda: len(calls) > 3)
    assert lines.count(("heed", "PostgreSQL did not start")) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_everything_with_status_zero(number: signal.Signals) -> None:
    with supervising_script(("one", "import os; print(os.getpid(), flush=True)\n" + SLEEPER)) as process:
        assert process.stdout
        pid = int(process.stdout.readline().split("|")[1])
        process.send_signal(number)
        assert process.wait(60) == 0
        assert not is_running(pid)


def test_second_signal_kills_at_once() -> None:
    with supervising_script(("one", STUBBORN)) as process:
        assert process.stdout
        assert process.stdout.readline() == "one  | up\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "heed | stopping; the same again kills at once\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def test_killed_supervisor_takes_its_programs_along() -> None:
    with supervising_script(("one", "import os; print(os.getpid(), flush=True)\n" + SLEEPER)) as process:
        assert process.stdout
        pid = int(process.stdout.readline().split("|")[1])
        process.kill()
        eventually(lambda: not is_running(pid))


def test_installation_is_web_worker_and_beat() -> None:
    names = [process.name for process in server_processes(host="0.0.0.0", port=8800)]
    assert names == ["web", "worker", "beat"]


def test_up_serves_the_admin_restarts_services_and_ends_cleanly(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    home = Path(f"/tmp/heed-up-{os.getpid()}")
    environment = {k: v for k, v in os.environ.items() if not re.fullmatch("(DATABASE|BROKER|CACHE)_URL", k)}
    process = subprocess.Popen(
        [sys.executable, str(REPOSITORY / "manage.py"), "up", "--port", str(_free_port())],
        cwd="/",
        env=environment | {"HEED_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: list[str] = []
    assert process.stdout
    reader = threading.Thread(target=lines.extend, args=(process.stdout,))
    reader.start()
    try:
        eventually(lambda: any("/admin/" in line for line in lines))
        address = next(line.split()[1] for line in lines if line.startswith("Admin:"))
        eventually(lambda: _status(address) == 200)
        postmaster = int((home / "postgresql/data/postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGKILL)
        eventually(lambda: _postmaster(home) not in (0, postmaster))
        eventually(lambda: _status(address) == 200)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert any("Created the administrator 'admin'" in line for line in lines)
        eventually(lambda: _postmaster(home) == 0)
    finally:
        process.kill()
        reader.join()
    _remove_when_stopped(home)


def _postmaster(home: Path) -> int:
    try:
        return int((home / "postgresql/data/postmaster.pid").read_text().split()[0])
    except (FileNotFoundError, IndexError):
        return 0


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _status(address: str) -> int:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return int(answer.status)
    except OSError:
        return 0


def _remove_when_stopped(home: Path) -> None:
    shutil.rmtree(home)
    shutil.rmtree(instance(REPOSITORY, home).sockets, ignore_errors=True)
