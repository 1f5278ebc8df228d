"""Keeps the embedded PostgreSQL and Valkey running for as long as this process lives.

Nothing happens when `DATABASE_URL` and `BROKER_URL` are set: then the services are somebody else's.
"""

from config import embedded
from config.env import BASE_DIR, load_env

# Commands that neither read nor write data, and so need no service.
OFFLINE_COMMANDS = {
    "check", "collectstatic", "compilemessages", "diffsettings", "help", "makemessages", "spectacular", "startapp",
    "version", "--help", "--version", "-h",
}  # fmt: skip


def hold_services() -> None:
    """Start what is embedded and hold it until this process ends. Raises `EmbeddedError` when it cannot start."""
    env = load_env()
    embedded.hold(
        embedded.instance(BASE_DIR, env.home),
        postgres=env.database_url is None,
        valkey=env.broker_url is None,
    )


def hold_services_for_command(argv: list[str]) -> None:
    """Hold the services unless the management command named in `argv` works without them."""
    offline = len(argv) < 2 or argv[1] in OFFLINE_COMMANDS or "--help" in argv or "-h" in argv  # noqa: PLR2004
    if not offline:
        hold_services()
