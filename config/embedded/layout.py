"""Where an embedded instance keeps its files and sockets. Computing this touches nothing on disk."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

SYSTEM_ROOT = Path("/var/lib/heed")
ROLE = DATABASE = "heed"


class EmbeddedError(Exception):
    """An embedded service cannot be started; the message says why, with the end of its log."""


@dataclass(frozen=True)
class Instance:
    """One set of embedded services: its data folder and its socket folder."""

    home: Path
    sockets: Path

    @property
    def locks(self) -> Path:
        return self.home / "locks"

    @property
    def postgres_home(self) -> Path:
        return self.home / "postgresql"

    @property
    def postgres_data(self) -> Path:
        return self.postgres_home / "data"

    @property
    def postgres_socket(self) -> Path:
        return self.sockets / ".s.PGSQL.5432"

    @property
    def valkey_home(self) -> Path:
        return self.home / "valkey"

    @property
    def valkey_socket(self) -> Path:
        return self.sockets / "valkey.sock"

    @property
    def database_url(self) -> str:
        """For `environ.Env.db_url_config`. The socket folder is the path, as a URL's host loses its case."""
        return f"postgresql://{ROLE}@/{quote(str(self.sockets))}/{DATABASE}"

    @property
    def database_dsn(self) -> str:
        """The same for psycopg and libpq."""
        return f"host={self.sockets} user={ROLE} dbname={DATABASE}"

    @property
    def broker_url(self) -> str:
        """For Celery."""
        return f"redis+socket://{quote(str(self.valkey_socket))}?virtual_host=0"

    @property
    def cache_url(self) -> str:
        """For Django's RedisCache and redis-py."""
        return f"unix://{quote(str(self.valkey_socket))}?db=1"


def instance(base_dir: Path, home: Path | None) -> Instance:
    """The instance of the project in `base_dir`. `home` overrides the data folder.

    Without it an ordinary user's data lies in the project; root's in `/var/lib/heed`, because the servers
    then run as another user, to whom the project may be closed.
    """
    if home is None:
        own = SYSTEM_ROOT / _digest(base_dir) if os.geteuid() == 0 else base_dir / ".heed"
    else:
        own = home
    own = own.resolve()
    # One rule for all processes whatever their environment (TMPDIR and XDG_RUNTIME_DIR differ between login,
    # cron and su), and short enough for a socket path (107 bytes). `accounts.private_folder` makes it safe.
    return Instance(home=own, sockets=Path(f"/tmp/heed-{os.geteuid()}-{_digest(own)}"))  # noqa: S108


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:8]
