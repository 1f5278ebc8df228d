"""Leases on the running servers of an instance."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from config.embedded import keeper
from config.embedded.accounts import account_of, open_home, prepare_home, private_folder
from config.embedded.layout import EmbeddedError, Instance
from config.embedded.postgresql import PostgreSQL
from config.embedded.server import Server
from config.embedded.valkey import Valkey

WAIT_SECONDS = 120.0


class Lease:
    """A claim on an instance's running servers; the kernel keeps it until this process and its forks end."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self._descriptor: int | None = _locked(instance.locks / "lease", shared=True)

    def ensure(self, *, postgres: bool, valkey: bool) -> None:
        """Make sure that the servers answer; start or restart those that do not. Raises `EmbeddedError`."""
        if self._descriptor is None:
            raise EmbeddedError("the lease was released")
        servers: list[Server] = [
            server
            for wanted, server in ((postgres, PostgreSQL(self.instance)), (valkey, Valkey(self.instance)))
            if wanted
        ]
        if self._is_kept() and all(server.answers() for server in servers):
            return
        with _mutex(self.instance.locks / "start"):
            open_home(self.instance, account_of(self.instance))
            private_folder(self.instance.sockets, account_of(self.instance))
            self._start_keeper()
            for server in servers:
                server.ensure()

    def is_current(self) -> bool:
        """Whether the lease is still on the data folder that its path names."""
        return self._descriptor is not None and keeper.is_same_file(
            self._descriptor, str(self.instance.locks / "lease")
        )

    def release(self) -> None:
        """Give the claim up. Forks that share it keep it. Harmless when repeated."""
        if self._descriptor is not None:
            # Closed, not unlocked: an unlock would take the claim from the forks as well.
            os.close(self._descriptor)
            self._descriptor = None
        _leases.pop(self.instance.home, None)

    def _is_kept(self) -> bool:
        descriptor = keeper.try_lock(str(self.instance.locks / "keeper"), shared=True)
        if descriptor is not None:
            os.close(descriptor)
        return descriptor is None

    def _start_keeper(self) -> None:
        own_lock = keeper.try_lock(str(self.instance.locks / "keeper"))
        if own_lock is None:
            return
        lease = str(self.instance.locks / "lease")
        servers = [server(self.instance).running.as_argument() for server in (PostgreSQL, Valkey)]
        # `-I -S`: only the standard library; a few megabytes, and no use of the project folder.
        command = [sys.executable, "-I", "-S", keeper.__file__, str(own_lock), lease, *servers]
        try:
            with open(self.instance.locks / "keeper.log", "ab", opener=_private) as log:
                subprocess.run(  # noqa: S603
                    command, pass_fds=[own_lock], stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True
                )
        except (OSError, subprocess.CalledProcessError) as error:
            raise EmbeddedError(f"the keeper of the embedded services cannot start: {error}") from error
        finally:
            os.close(own_lock)


_leases: dict[Path, Lease] = {}


def hold(instance: Instance, *, postgres: bool, valkey: bool) -> Lease | None:
    """Take this process's lease on the instance, with the servers asked for up and answering.

    May be repeated: there is one lease per process, and each call checks the servers anew. With neither
    server asked for nothing happens, and the answer is None. Raises `EmbeddedError`.
    """
    if not (postgres or valkey):
        return None
    lease = _leases.get(instance.home)
    if lease is not None and not lease.is_current():
        lease.release()
        lease = None
    if lease is None:
        prepare_home(instance)
        lease = _leases[instance.home] = Lease(instance)
    lease.ensure(postgres=postgres, valkey=valkey)
    return lease


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@contextlib.contextmanager
def _mutex(path: Path) -> Iterator[None]:
    descriptor = _locked(path, shared=False)
    try:
        yield
    finally:
        os.close(descriptor)


def _locked(path: Path, *, shared: bool) -> int:
    """A locked descriptor. Waits while the keeper stops the servers, or another process starts them."""
    deadline = time.monotonic() + WAIT_SECONDS
    while (descriptor := keeper.try_lock(str(path), shared=shared)) is None:
        if time.monotonic() > deadline:
            raise EmbeddedError(f"another process has kept {path} locked for {WAIT_SECONDS:.0f} s")
        time.sleep(keeper.POLL_SECONDS)
    return descriptor
