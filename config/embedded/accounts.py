"""The user the servers run as, their private folders and, for root, programs which that user may read."""

import contextlib
import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from config.embedded.layout import SYSTEM_ROOT, EmbeddedError, Instance

SERVICE_USER = "heed"
# What may lie in a data folder before its first start. A folder with anything else in it is not ours to open.
FIRST_ENTRIES = ("locks", "secrets.json", ".secrets.")


@dataclass(frozen=True)
class Account:
    """The system user the servers run as."""

    uid: int
    gid: int

    @property
    def switched(self) -> bool:
        """Whether the servers run as somebody else than this process."""
        return self.uid != os.geteuid()

    def run(
        self, command: list[str | Path], *, check: bool = True, **options: Any
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program as this user, with nothing but the base of the environment, and wait for it."""
        if self.switched:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        if "input" not in options:
            options.setdefault("stdin", subprocess.DEVNULL)
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
        return subprocess.run(  # noqa: S603  (the programs are the wheels' own)
            [str(part) for part in command], env=environment, umask=0o077, check=check, **options
        )


def account_of(instance: Instance) -> Account:
    """This process's own user; for root a system user: the owner of the data, else `heed`, else `nobody`."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    for folder in (instance.postgres_home, instance.valkey_home):
        with contextlib.suppress(FileNotFoundError):
            owner = folder.stat()
            return Account(owner.st_uid, owner.st_gid)
    return _service_account()


def _service_account() -> Account:
    if shutil.which("useradd"):
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"]
        with contextlib.suppress(OSError):
            # It fails when the user exists, which is as good.
            subprocess.run([*command, SERVICE_USER], capture_output=True, check=False)  # noqa: S603
    for name in (SERVICE_USER, "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    raise EmbeddedError("root cannot run PostgreSQL, and there is neither a user 'heed' nor a user 'nobody'")


def prepare_home(instance: Instance) -> None:
    """Make the data folder and the folder of locks, both closed to others. Raises `EmbeddedError`."""
    home = instance.home
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        instance.locks.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(f"the data folder {home} cannot be used: {error.strerror}") from None


def open_home(instance: Instance, account: Account) -> None:
    """Let the servers' user, and nobody else, pass through the data folder. Raises `EmbeddedError`."""
    home = instance.home
    if not account.switched:
        return
    if SYSTEM_ROOT in home.parents:
        SYSTEM_ROOT.chmod(0o755)  # lists nothing but digests; everything below is closed
    others = [entry.name for entry in home.iterdir() if not entry.name.startswith(FIRST_ENTRIES)]
    ours = SYSTEM_ROOT in home.parents or not others
    if ours and home.stat().st_gid != account.gid:
        os.chown(home, -1, account.gid)
        home.chmod(0o710)
    if account.run(["test", "-x", home], check=False).returncode != 0:
        name = pwd.getpwuid(account.uid).pw_name
        raise EmbeddedError(
            f"as root the servers run as the user '{name}', who cannot reach {home}: leave HEED_HOME unset "
            "or choose a folder whose parents that user may pass and which holds nothing else"
        )


def private_folder(path: Path, account: Account) -> None:
    """Make sure that `path` is this account's folder and closed to all others. Raises `EmbeddedError`."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
        os.chown(path, account.uid, account.gid, follow_symlinks=False)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid or stat.S_IMODE(found.st_mode) & 0o077:
        raise EmbeddedError(f"{path} is not a private folder of user id {account.uid}; remove it and start again")


def program(package: str, part: str, account: Account) -> Path:
    """The folder `part` of an installed wheel, as a place from where the servers' user can run it.

    A root's wheel may lie under a folder closed to that user. Then the part is copied, once per release, to
    `/var/lib/heed`; no permission is loosened.
    """
    wheel = distribution(package)
    source = Path(str(wheel.locate_file(part)))
    if not source.exists():
        raise EmbeddedError(f"{package} {wheel.version} does not contain {part}; is this platform supported?")
    if not account.switched:
        return source
    record = (wheel.read_text("RECORD") or "").splitlines()
    listing = "\n".join([part, *(line for line in record if line.startswith(part))])
    digest = hashlib.sha256(listing.encode()).hexdigest()[:8]
    target = SYSTEM_ROOT / f"{package}-{wheel.version}-{digest}"
    if not target.exists():
        _copy(source, Path(str(wheel.locate_file(""))), target)
    return target / part


def _copy(source: Path, root: Path, target: Path) -> None:
    """Copy `source` and the libraries its wheel keeps beside it into `target`: whole or not at all."""
    SYSTEM_ROOT.mkdir(exist_ok=True)
    SYSTEM_ROOT.chmod(0o755)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=SYSTEM_ROOT))
    try:
        unneeded = shutil.ignore_patterns("include", "pgxs", "*.a")
        libraries = root / f"{source.relative_to(root).parts[0]}.libs"
        for folder in (source, libraries):
            if folder.exists():
                shutil.copytree(folder, draft / folder.relative_to(root), ignore=unneeded, symlinks=True)
        for path in [draft, *draft.rglob("*")]:
            if not path.is_symlink():
                runs = path.is_dir() or path.stat().st_mode & 0o111
                path.chmod(0o755 if runs else 0o644)
        with contextlib.suppress(OSError):  # another process was first
            draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
