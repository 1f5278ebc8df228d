"""Events as lines of text for PostgreSQL's COPY, and the cells of files as parts of such lines. Pure."""

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from segments import event_input
from segments.cells import is_missing, text
from segments.event_input import EventInput
from segments.profile_input import InputError, has_control

COLUMNS = "profile_id, occurred_at, dedup, name, amount, currency, category, properties"
NULL = "\\N"
CENT = Decimal("0.01")
# Whatever ends a column or a line, and the escape itself (PostgreSQL, COPY, text format).
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def line(event: EventInput, *, profile_id: int, dedup: str) -> str:
    """An event that was checked, in the order of `COLUMNS`."""
    properties = dict(event.properties)
    parts = (
        str(profile_id), utc(event.occurred_at).isoformat(), dedup, event.name,
        NULL if event.amount is None else f"{event.amount:f}", event.currency, escape(event.category),
        escape(json.dumps(properties, ensure_ascii=False)) if properties else NULL,
    )  # fmt: skip
    return "\t".join(parts)


def escape(text: str) -> str:
    """A text as it stands in a column."""
    return text.translate(ESCAPES)


def utc(moment: datetime) -> datetime:
    """The same moment in UTC."""
    return moment.astimezone(UTC)


def moment(cell: Any, *, zone: ZoneInfo, now: datetime) -> datetime:
    """The time in a cell, in UTC; one without an offset is local to `zone`. Raises `InputError`."""
    if not isinstance(cell, datetime):
        try:
            cell = datetime.fromisoformat(str(cell))
        except ValueError:
            raise InputError("occurred_at", "is not an ISO 8601 time such as 2026-03-02T12:00:00+08:00") from None
    read: datetime = cell if cell.tzinfo else cell.replace(tzinfo=zone)
    event_input.check_moment(read, now=now)
    return utc(read)


def amount(cell: Any) -> str:
    """The amount in a cell, rounded to cents; `NULL` when it is missing. Raises `InputError`."""
    if cell is None or cell == "":
        return NULL
    try:
        read = Decimal(str(cell)).quantize(CENT)
    except InvalidOperation:
        raise InputError("amount", "is not a number") from None
    event_input.check_amount(read)
    return f"{read:f}"


def category(cell: Any) -> str:
    """The category in a cell. Raises `InputError`."""
    read = text(cell)
    event_input.check_category(read)
    return escape(read)


def member(name: str, cell: Any) -> str:
    """One property as a member of a JSON object; '' when the cell is missing. Raises `InputError`."""
    if is_missing(cell):
        return ""
    if isinstance(cell, date):
        cell = cell.isoformat()
    if has_control(cell):
        raise InputError(f"properties.{name}", "contains control characters")
    try:
        return escape(json.dumps({name: cell}, ensure_ascii=False, allow_nan=False, default=str)[1:-1])
    except ValueError:
        raise InputError(f"properties.{name}", "is not a finite number") from None


def properties(members: Iterable[str]) -> str:
    """Members as an object; `NULL` when there are none."""
    joined = ", ".join(filter(None, members))
    return f"{{{joined}}}" if joined else NULL
