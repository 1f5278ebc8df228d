"""What a source may say of something a person did, checked field by field. Pure."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from segments.profile_input import CONTROL, InputError, has_control

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
CURRENCY = re.compile(r"[A-Z]{3}")
MAX_AMOUNT = Decimal("1e12")
MAX_EVENT_ID = 200
MAX_CATEGORY = 80
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
CLOCK_TOLERANCE = timedelta(hours=1)
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class EventInput:
    """One event. The person is named by `identifier` (external_id, email, phone, wechat or device) and `value`, or by
    `uid`, the profile's public id. `amount` is in units of `currency` (ISO 4217), rounded to cents by the sender."""

    event_id: str
    name: str
    occurred_at: datetime
    identifier: str = ""
    value: str = ""
    uid: UUID | None = None
    amount: Decimal | None = None
    currency: str = ""
    category: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)


def check(given: EventInput, *, now: datetime) -> None:
    """Refuse an event whose fields do not fit. Raises `InputError` with the first bad field."""
    if not given.event_id or len(given.event_id) > MAX_EVENT_ID or CONTROL.search(given.event_id):
        raise InputError("event_id", f"is empty, longer than {MAX_EVENT_ID} characters or has control characters")
    if not NAME.fullmatch(given.name):
        raise InputError("name", "is not a name such as add_to_cart: small letters, digits and underscores")
    if not EARLIEST <= given.occurred_at <= now + CLOCK_TOLERANCE:
        raise InputError("occurred_at", "lies in the future or before 1990")
    if given.amount is not None and not (given.amount.is_finite() and abs(given.amount) < MAX_AMOUNT):
        raise InputError("amount", "is not a number below 1,000,000,000,000")
    if given.currency and not CURRENCY.fullmatch(given.currency):
        raise InputError("currency", "is not an ISO 4217 code such as CNY")
    if given.amount is not None and not given.currency:
        raise InputError("currency", "an amount needs a currency")
    if len(given.category) > MAX_CATEGORY or CONTROL.search(given.category):
        raise InputError("category", f"is longer than {MAX_CATEGORY} characters or has control characters")
    if given.properties and has_control(given.properties):
        raise InputError("properties", "contain control characters")


def dedup_key(source_key: str, event_id: str) -> UUID:
    """The hash of source and event id under which an event is stored once."""
    return UUID(bytes=hashlib.blake2b(f"{source_key}\0{event_id}".encode(), digest_size=16).digest())


def moment(value: Any, zone: ZoneInfo) -> datetime:
    """A time from a cell; one without an offset is local to `zone`. Raises `InputError`."""
    if not isinstance(value, datetime):
        try:
            value = datetime.fromisoformat(str(value))
        except ValueError:
            raise InputError("occurred_at", "is not an ISO 8601 time such as 2026-03-02T12:00:00+08:00") from None
    read: datetime = value
    return read if read.tzinfo else read.replace(tzinfo=zone)


def amount(value: Any) -> Decimal | None:
    """An amount from a cell, rounded to cents. Raises `InputError`."""
    if value is None or value == "":
        return None
    try:
        return Decimal(str(value)).quantize(CENT)
    except InvalidOperation:
        raise InputError("amount", "is not a number") from None
