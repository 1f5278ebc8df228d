"""Everything Heed reads from the environment, typed and checked before anything starts.

An unknown `HEED_*` variable, a malformed value, or a secret missing in production stops start-up with the variable's
name. Outside production, missing secrets are generated once into the instance's `secrets.json` (mode 0600).
"""

import base64
import functools
import json
import os
import secrets
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from config import embedded

BASE_DIR = Path(__file__).resolve().parent.parent

URL_SCHEMES = {
    "database_url": ("postgres", "postgresql"),
    "broker_url": ("redis", "rediss", "redis+socket", "amqp", "amqps"),
    "cache_url": ("redis", "rediss", "unix"),
    "email_url": ("smtp", "smtps", "smtp+tls", "smtp+ssl", "consolemail", "filemail"),
}
SECRET_NAMES = ("secret_key", "master_key", "digest_key", "token_key", "audit_key")

# Part of every message and consent record; the development values would be wrong without anybody noticing.
PRODUCTION_NAMES = ("base_url", "mail_domain", "controller")


class EnvError(SystemExit):
    """The environment cannot be used; the message names each variable and what is wrong with it."""


class Env(BaseSettings):
    """The variables, all prefixed `HEED_` but for the three conventional service URLs."""

    model_config = SettingsConfigDict(env_prefix="HEED_", frozen=True)

    mode: Literal["development", "production"] = "development"
    home: Path | None = Field(None, description="folder of embedded data and generated secrets")
    database_url: str | None = Field(None, validation_alias="DATABASE_URL")
    broker_url: str | None = Field(None, validation_alias="BROKER_URL")
    cache_url: str | None = Field(None, validation_alias="CACHE_URL")
    email_url: str = Field("smtp://127.0.0.1:1025", validation_alias="EMAIL_URL")
    base_url: str = Field("http://127.0.0.1:8000", pattern=r"^https?://[^/\s]+$")
    allowed_hosts: str = "127.0.0.1,localhost,[::1]"
    time_zone: str = "Asia/Shanghai"
    language: Literal["en", "zh-hans"] = "en"
    default_region: str = Field("CN", pattern=r"^[A-Z]{2}$", description="country of phone numbers without a prefix")
    mail_domain: str = Field("heed.localhost", pattern=r"^[A-Za-z0-9.-]+$", description="right side of Message-ID")
    controller: str = Field("Heed demonstration", description="name of the data controller, shown in consent records")
    alert_addresses: str = Field("", description="mail addresses of staff, with commas between, for what cannot wait")
    segment_history_days: int = Field(400, ge=1, le=36_500, description="days that entries and exits are kept")
    segment_small: int = Field(30, ge=1, description="segments of fewer people are too small")
    segment_everybody: float = Field(0.95, gt=0, le=1, description="a larger part of all people is no segment")
    segment_conditions: int = Field(20, ge=1, description="more conditions are too complex")
    segment_depth: int = Field(5, ge=1, description="more levels of groups are too complex")
    segment_cost: float = Field(
        5_000_000, gt=0, description="a higher cost, as PostgreSQL estimates it, is too complex"
    )
    segment_alike: float = Field(
        0.9, gt=0, le=1, description="Jaccard index from which two segments are nearly the same"
    )
    segment_unused_days: int = Field(90, ge=1, description="age from which a segment that nothing asks for is unused")
    segment_stale_minutes: int = Field(60, ge=1, description="time since the refresh from which a segment is stale")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    secret_key: str | None = Field(None, min_length=32)
    master_key: str | None = Field(None, description="base64 of 32 bytes; wraps the key of every subject")
    digest_key: str | None = Field(None, description="base64 of 32 bytes; keys address digests, never rotated")
    token_key: str | None = Field(None, description="base64 of 32 bytes; signs unsubscribe links")
    audit_key: str | None = Field(None, description="base64 of 32 bytes; Ed25519 seed that signs checkpoints")

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("not an IANA time zone")
        return value

    @field_validator("database_url", "broker_url", "cache_url", "email_url")
    @classmethod
    def _known_scheme(cls, value: str | None, info: ValidationInfo) -> str | None:
        allowed = URL_SCHEMES[str(info.field_name)]
        if value is not None and urlsplit(value).scheme not in allowed:
            raise ValueError(f"the address must start with one of {', '.join(f'{name}:' for name in allowed)}")
        return value

    def key(self, name: str) -> bytes:
        """The 32 bytes of one of the key variables. Raises `EnvError` naming the variable when malformed."""
        value = getattr(self, name)
        try:
            raw = base64.b64decode(value, validate=True)
        except (ValueError, TypeError):
            raw = b""
        if len(raw) != 32:  # noqa: PLR2004
            raise EnvError(f"HEED_{name.upper()}: must be the base64 form of 32 bytes")
        return raw


@functools.cache
def load_env() -> Env:
    """Read and check the environment once per process. Raises `EnvError`."""
    _refuse_unknown()
    try:
        env = Env()
    except ValidationError as error:
        lines = [f"{_variable(problem['loc'])}: {problem['msg']}" for problem in error.errors()]
        raise EnvError("\n".join(lines)) from None
    missing = [name for name in SECRET_NAMES if getattr(env, name) is None]
    if env.mode == "production":
        needed = missing + [name for name in PRODUCTION_NAMES if name not in env.model_fields_set]
        if needed:
            raise EnvError("\n".join(f"HEED_{name.upper()}: required when HEED_MODE=production" for name in needed))
    if missing:
        generated = _generated_secrets(embedded.instance(BASE_DIR, env.home).home)
        env = env.model_copy(update={name: generated[name] for name in missing})
    for name in SECRET_NAMES[1:]:
        env.key(name)
    return env


def _variable(location: tuple[int | str, ...]) -> str:
    name = str(location[0])
    return name if name.isupper() else f"HEED_{name.upper()}"


def _refuse_unknown() -> None:
    known = {f"HEED_{name.upper()}" for name, field in Env.model_fields.items() if field.validation_alias is None}
    unknown = sorted(name for name in os.environ if name.startswith("HEED_") and name not in known)
    if unknown:
        raise EnvError("\n".join(f"{name}: unknown variable" for name in unknown))


def _generated_secrets(home: Path) -> dict[str, str]:
    """Secrets of a development installation, made on the first run. The file is created whole or not at all."""
    path = home / "secrets.json"
    if not path.exists():
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        values = {"secret_key": secrets.token_urlsafe(48)}
        values |= {name: base64.b64encode(secrets.token_bytes(32)).decode() for name in SECRET_NAMES[1:]}
        draft = home / f".secrets.{os.getpid()}"
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(values, indent=1))
        try:
            os.link(draft, path)  # unlike rename, fails when another process was first
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    loaded: dict[str, str] = json.loads(path.read_text())
    return loaded
