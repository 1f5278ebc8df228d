"""Where the benchmark plays: a database of its own on the installation's server, a broker, a web server, clocks."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection, connections

from config.supervisor import server_processes
from tests.journeys.processes import ROOT, Broker, Processes, database_url, wait_for

NAME = "heed_benchmark"


def say(text: str) -> None:
    """Progress for whoever waits; the results go to standard output."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


@contextmanager
def database() -> Iterator[None]:
    """An empty, migrated database; dropped at the end. One left over from a killed run is replaced."""
    usual = connection.settings_dict["NAME"]
    connection.settings_dict["TEST"]["NAME"] = NAME
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield
    finally:
        connections.close_all()
        connection.creation.destroy_test_db(usual, verbosity=0)


@contextmanager
def worker_and_beat(log: Path) -> Iterator[list[int]]:
    """A broker, a worker with two processes and a beat on the benchmark's database; gives their process ids."""
    broker = Broker()
    try:
        with Processes(broker=broker, email_url="smtp://127.0.0.1:1025", log=log) as processes:
            yield [processes.worker().pid, processes.beat().pid]
    finally:
        broker.stop()


@contextmanager
def web_server(log: Path) -> Iterator[tuple[int, int]]:
    """The web server as `manage.py up` runs it, on a free port; gives its process id and the port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    web = next(process for process in server_processes(port=port) if process.name == "web")
    environment = os.environ | {"DATABASE_URL": database_url()}
    with log.open("ab") as output:
        process = subprocess.Popen(list(web.command), cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        wait_for("the web server", lambda: _answers(port))
        yield process.pid, port
    finally:
        process.terminate()
        process.wait(20)


def timed(act: Callable[[], Any]) -> float:
    """Seconds that something takes."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def execute(sql: str, params: Any = None) -> None:
    """One statement in a transaction of its own."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def rows(sql: str, params: Any = None) -> list[tuple[Any, ...]]:
    """The rows of a question."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
