"""What a source may say of a person, checked field by field. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any
from zoneinfo import available_timezones

from segments.cells import is_missing, text

GENDERS = ("female", "male", "other")
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
COUNTRY = re.compile(r"[A-Z]{2}")
IDENTIFIERS = ("external_id", "email", "phone", "wechat", "device")
TEXT_LIMITS = {"name": 120, "language": 12, "region": 80, "city": 80, "timezone": 64}
ATTRIBUTE_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
MAX_ATTRIBUTES = 200
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|[\ud800-\udfff]")
_ZONES = available_timezones()


class InputError(ValueError):
    """An input is wrong; `field` and `reason` say where and why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


@dataclass(frozen=True)
class ProfileInput:
    """What a source says of one person. None means: says nothing of it; an empty text empties the field."""

    external_id: str | None = None
    email: str | None = None
    phone: str | None = None
    wechat: str | None = None
    device: str | None = None
    name: str | None = None
    gender: str | None = None
    birth_date: date | None = None
    language: str | None = None
    country: str | None = None
    region: str | None = None
    city: str | None = None
    timezone: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


FIELDS = tuple(item.name for item in fields(ProfileInput) if item.name != "attributes")


def check(given: ProfileInput, *, today: date) -> None:
    """Refuse an input whose fields do not fit. Raises `InputError` with the first bad field."""
    if not any(getattr(given, name) for name in IDENTIFIERS):
        raise InputError("external_id", f"one of {', '.join(IDENTIFIERS)} is needed")
    for name, limit in TEXT_LIMITS.items():
        written = getattr(given, name)
        if written is not None and len(written) > limit:
            raise InputError(name, f"is longer than {limit} characters")
        if written is not None and CONTROL.search(written):
            raise InputError(name, "contains control characters")
    if given.gender and given.gender not in GENDERS:
        raise InputError("gender", f"is none of {', '.join(GENDERS)}")
    if given.language and not LANGUAGE.fullmatch(given.language):
        raise InputError("language", "is not a BCP 47 tag such as zh-Hans")
    if given.country and not COUNTRY.fullmatch(given.country):
        raise InputError("country", "is not an ISO 3166-1 code of two capital letters")
    if given.timezone and given.timezone not in _ZONES:
        raise InputError("timezone", "is not an IANA time zone such as Asia/Shanghai")
    if given.birth_date and not date(1850, 1, 1) <= given.birth_date <= today:
        raise InputError("birth_date", "lies in the future or before 1850")
    _check_attributes(given.attributes)


def from_texts(row: Mapping[str, Any]) -> ProfileInput:
    """An input from the cells of a file; keys are field names or `attributes.NAME`. Raises `InputError`."""
    values: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    for name, value in row.items():
        if is_missing(value):
            continue
        if name.startswith("attributes."):
            attributes[name.removeprefix("attributes.")] = _plain(value)
        elif name == "birth_date":
            values[name] = _date(value)
        else:
            values[name] = text(value)
    return ProfileInput(**values, attributes=attributes)


def _check_attributes(attributes: Mapping[str, Any]) -> None:
    if len(attributes) > MAX_ATTRIBUTES:
        raise InputError("attributes", f"has more than {MAX_ATTRIBUTES} entries")
    for key, value in attributes.items():
        if not ATTRIBUTE_KEY.fullmatch(key):
            raise InputError(f"attributes.{key[:64]}", "name it with letters, digits and underscores")
        if has_control(value):
            raise InputError(f"attributes.{key}", "contains control characters")


def has_control(value: Any) -> bool:
    """Whether any text inside a JSON value holds characters that PostgreSQL or a reader would choke on."""
    if isinstance(value, str):
        return CONTROL.search(value) is not None
    if isinstance(value, dict):
        return any(has_control(key) or has_control(part) for key, part in value.items())
    return isinstance(value, list) and any(has_control(part) for part in value)


def _plain(value: Any) -> Any:
    """A cell as JSON keeps it: numbers and booleans stay, dates become ISO 8601 text."""
    return value if isinstance(value, bool | int | float | str) else str(value)


def _date(value: Any) -> date:
    if isinstance(value, date):
        return date(value.year, value.month, value.day)
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        raise InputError("birth_date", "is not a date like 1990-12-31") from None
