"""What a source may say of something a person did, checked field by field. Pure."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from segments.profile_input import CONTROL, InputError, has_control

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
CURRENCY = re.compile(r"[A-Z]{3}")
MAX_AMOUNT = Decimal("1e12")
MAX_EVENT_ID = 200
MAX_CATEGORY = 80
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
CLOCK_TOLERANCE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class EventInput:
    """One event. The person is named by `identifier` (external_id, email, phone, wechat or device) and `value`, or by
    `uid`, the profile's public id. `amount` is in units of `currency` (ISO 4217), rounded to cents by the sender; a
    negative one is a return."""

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
    check_event_id(given.event_id)
    check_name(given.name)
    check_moment(given.occurred_at, now=now)
    if given.amount is not None:
        check_amount(given.amount)
    check_currency(given.currency, needed=given.amount is not None)
    check_category(given.category)
    if given.properties and has_control(given.properties):
        raise InputError("properties", "contain control characters")


def check_event_id(event_id: str) -> None:
    if not event_id or len(event_id) > MAX_EVENT_ID or CONTROL.search(event_id):
        raise InputError("event_id", f"is empty, longer than {MAX_EVENT_ID} characters or has control characters")


def check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise InputError("name", "is not a name such as add_to_cart: small letters, digits and underscores")


def check_moment(occurred_at: datetime, *, now: datetime) -> None:
    if not EARLIEST <= occurred_at <= now + CLOCK_TOLERANCE:
        raise InputError("occurred_at", "lies in the future or before 1990")


def check_amount(amount: Decimal) -> None:
    if not (amount.is_finite() and abs(amount) < MAX_AMOUNT):
        raise InputError("amount", "is not a number below 1,000,000,000,000")


def check_currency(currency: str, *, needed: bool) -> None:
    if needed and not currency:
        raise InputError("currency", "an amount needs a currency")
    if currency and not CURRENCY.fullmatch(currency):
        raise InputError("currency", "is not an ISO 4217 code such as CNY")


def check_category(category: str) -> None:
    if len(category) > MAX_CATEGORY or CONTROL.search(category):
        raise InputError("category", f"is longer than {MAX_CATEGORY} characters or has control characters")


def dedup_key(source_key: str, event_id: str) -> str:
    """The hash of source and event id under which an event is stored once: 32 hexadecimal digits."""
    return hashlib.blake2b(f"{source_key}\0{event_id}".encode(), digest_size=16).hexdigest()


def dedup_keys(source_key: str, event_ids: Iterable[str]) -> list[str]:
    """`dedup_key` of many event ids of one source."""
    prefix = f"{source_key}\0"
    return [hashlib.blake2b((prefix + event_id).encode(), digest_size=16).hexdigest() for event_id in event_ids]
