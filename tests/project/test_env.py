"""The environment is read strictly: what is unknown, malformed or missing is named, and nothing starts."""

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KEY = base64.b64encode(bytes(32)).decode()


def start(**variables: str) -> subprocess.CompletedProcess[str]:
    """Load the settings in a process of its own."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HEED_", "DATABASE_", "BROKER_", "EMAIL_", "CACHE_"))
    }
    code = "import config.settings as s; print(s.MASTER_KEY.hex())"
    return subprocess.run(
        [sys.executable, "-c", code], env=inherited | variables, cwd=ROOT, text=True, capture_output=True, check=False
    )


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"HEED_COLOUR": "red"}, "HEED_COLOUR"),
        ({"HEED_MODE": "staging"}, "HEED_MODE"),
        ({"HEED_BASE_URL": "example.com"}, "HEED_BASE_URL"),
        ({"HEED_SECRET_KEY": "short"}, "HEED_SECRET_KEY"),
        ({"HEED_MASTER_KEY": "not base64"}, "HEED_MASTER_KEY"),
        ({"HEED_TIME_ZONE": "Mars/Olympus"}, "HEED_TIME_ZONE"),
        ({"DATABASE_URL": "mysql://127.0.0.1/heed"}, "DATABASE_URL"),
        ({"BROKER_URL": "carrier-pigeon://"}, "BROKER_URL"),
        ({"EMAIL_URL": "http://127.0.0.1"}, "EMAIL_URL"),
    ],
)
def test_a_wrong_variable_stops_start_up_and_is_named(tmp_path: Path, variables: dict[str, str], name: str) -> None:
    result = start(**({"HEED_HOME": str(tmp_path)} | variables))
    assert result.returncode != 0
    assert name in result.stderr


def test_production_needs_every_secret(tmp_path: Path) -> None:
    result = start(HEED_HOME=str(tmp_path), HEED_MODE="production", HEED_SECRET_KEY="x" * 50)
    assert result.returncode != 0
    for name in ("HEED_MASTER_KEY", "HEED_DIGEST_KEY", "HEED_TOKEN_KEY", "HEED_AUDIT_KEY"):
        assert name in result.stderr
    assert "HEED_SECRET_KEY" not in result.stderr
    assert not (tmp_path / "secrets.json").exists()


def test_production_starts_with_every_secret(tmp_path: Path) -> None:
    keys = {f"HEED_{name}_KEY": KEY for name in ("MASTER", "DIGEST", "TOKEN", "AUDIT")}
    result = start(
        HEED_HOME=str(tmp_path), HEED_MODE="production", HEED_SECRET_KEY="x" * 50, HEED_MAIL_DOMAIN="example.com",
        HEED_BASE_URL="https://heed.example.com", HEED_CONTROLLER="Example Ltd", **keys,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == bytes(32).hex()


def test_development_generates_secrets_once_and_keeps_them_private(tmp_path: Path) -> None:
    first, second = (start(HEED_HOME=str(tmp_path)) for _ in range(2))
    assert first.returncode == second.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600
