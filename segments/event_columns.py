"""Columns of a file as they stand in lines for PostgreSQL's COPY. What is written in the usual way is read by Arrow, a
column at a time; any other cell by the functions of `segments.event_line`, which alone know what is wrong with it.
Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from segments import event_input, event_line
from segments.cells import text
from segments.imports.batch import Encoded
from segments.profile_input import InputError

MOMENT = pa.timestamp("us")
# As ISO 8601 has it, with an offset and without.
ZONED = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d(:\d\d)?)$"
LOCAL = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?$"
AMOUNT = r"^-?\d{1,12}(\.\d{1,2})?$"
CENTS = pa.decimal128(14, 2)
EVENT_ID = r"^[ -\x{7e}]{1,200}$"
Usual = Callable[[pa.Array], pa.Array | None]
"""Reads the cells that are written in the usual way; null for the others, None when it can read none of the column."""


@dataclass(frozen=True)
class Column:
    """A text for each row, null where `errors` says why there is none."""

    texts: pa.Array
    errors: Mapping[int, InputError]

    @classmethod
    def constant(cls, written: str | InputError, size: int) -> "Column":
        """The same in each of so many rows."""
        if isinstance(written, InputError):
            return cls(pa.nulls(size, pa.string()), dict.fromkeys(range(size), written))
        return cls(pa.repeat(pa.scalar(written, pa.string()), size), {})


def read(encoded: Encoded, one: Callable[[Any], str], usual: Usual | None = None) -> Column:
    """The texts of a column: `one` reads a cell or raises `InputError`."""
    errors: Mapping[int, InputError]
    texts = usual(encoded.distinct) if usual and isinstance(encoded.distinct, pa.Array) else None
    if texts is None:
        found = [_tried(one, cell) for cell in encoded.cells()]
        errors = {place: answer for place, answer in enumerate(found) if isinstance(answer, InputError)}
        texts = pa.array([None if isinstance(answer, InputError) else answer for answer in found], pa.string())
    else:
        texts, errors = _completed(texts, encoded.distinct, one)
    return Column(texts.take(encoded.places), by_row(errors, encoded.places))


def moments(encoded: Encoded, *, zone: ZoneInfo, now: datetime) -> Column:
    """Times in UTC, all with microseconds, so that they sort as texts; one without an offset is local to `zone`."""

    def usual(cells: pa.Array) -> pa.Array | None:
        try:
            found = _times(cells, zone)
        except pa.ArrowInvalid:  # the thirty-first of June, an hour that the clocks leave out
            return None
        if found is None:
            return None
        earliest = event_input.EARLIEST.replace(tzinfo=None)
        latest = (event_line.utc(now) + event_input.CLOCK_TOLERANCE).replace(tzinfo=None)
        fits = pc.and_(pc.greater_equal(found, earliest), pc.less_equal(found, latest))
        known = pc.if_else(fits, found, pa.scalar(None, MOMENT))
        return pc.binary_join_element_wise(known.cast(pa.string()), "Z", "")

    return read(encoded, lambda cell: moment_text(event_line.moment(cell, zone=zone, now=now)), usual)


def moment_text(moment: datetime) -> str:
    """A time as `moments` writes it."""
    return f"{event_line.utc(moment):%Y-%m-%d %H:%M:%S.%f}Z"


def amounts(encoded: Encoded) -> Column:
    """Amounts, rounded to cents; `event_line.NULL` for a missing one."""
    return read(encoded, event_line.amount, _amounts)


def dedups(encoded: Encoded, source_key: str) -> Column:
    """Hashes of the event ids of a source (`event_input.dedup_key`)."""

    def one(cell: Any) -> str:
        event_id = text(cell)
        event_input.check_event_id(event_id)
        return event_input.dedup_key(source_key, event_id)

    def usual(cells: pa.Array) -> pa.Array | None:
        if not _is_text(cells) or not pc.all(pc.match_substring_regex(cells, EVENT_ID)).as_py():
            return None
        return pa.array(event_input.dedup_keys(source_key, cells.to_pylist()), pa.string())

    return read(encoded, one, usual)


def properties(members: list[Column], size: int) -> pa.Array:
    """Members as `event_line.member` writes them, '' for a missing one, as objects; `event_line.NULL` without any."""
    if not members:
        return Column.constant(event_line.NULL, size).texts
    parts = [
        pc.if_else(pc.equal(member.texts, ""), "", pc.binary_join_element_wise(member.texts, ", ", ""))
        for member in members
    ]
    inside = pc.utf8_rtrim(pc.binary_join_element_wise(*parts, ""), ", ")  # no member ends in either
    return pc.if_else(pc.equal(inside, ""), event_line.NULL, pc.binary_join_element_wise("{", inside, "}", ""))


def by_row(errors: Mapping[int, InputError], places: pa.Array) -> Mapping[int, InputError]:
    """What is wrong with rows, by what is wrong with the cells at their places."""
    if not errors:
        return {}
    rows = pc.indices_nonzero(pc.is_in(places, value_set=pa.array(list(errors), pa.int32())))
    return dict(zip(rows.to_pylist(), map(errors.__getitem__, places.take(rows).to_pylist()), strict=True))


def _completed(
    texts: pa.Array, cells: pa.Array, one: Callable[[Any], str]
) -> tuple[pa.Array, Mapping[int, InputError]]:
    """The texts with those that are null read one by one, and what is wrong with cells, by their place."""
    if not texts.null_count:
        return texts, {}
    unusual = pc.is_null(texts)
    places = pc.indices_nonzero(unusual).to_pylist()
    found = [_tried(one, cell) for cell in cells.filter(unusual).to_pylist()]
    errors = {place: answer for place, answer in zip(places, found, strict=True) if isinstance(answer, InputError)}
    others = pa.array([None if isinstance(answer, InputError) else answer for answer in found], pa.string())
    return pc.replace_with_mask(texts, unusual, others), errors


def _tried(one: Callable[[Any], str], cell: Any) -> str | InputError:
    try:
        return one(cell)
    except InputError as error:
        return error


def _times(cells: pa.Array, zone: ZoneInfo) -> pa.Array | None:
    """Times in UTC without saying so; null where a text is none. Raises `ArrowInvalid`."""
    if pa.types.is_timestamp(cells.type):
        return (cells if cells.type.tz else _local(cells, zone)).cast(MOMENT)
    if not _is_text(cells):
        return None
    none = pa.scalar(None, cells.type)
    zoned = pc.if_else(pc.match_substring_regex(cells, ZONED), cells, none).cast(pa.timestamp("us", "UTC"))
    if not zoned.null_count:
        return zoned.cast(MOMENT)
    local = pc.if_else(pc.match_substring_regex(cells, LOCAL), cells, none).cast(MOMENT)
    return pc.coalesce(zoned.cast(MOMENT), _local(local, zone).cast(MOMENT))


def _local(times: pa.Array, zone: ZoneInfo) -> pa.Array:
    """The earlier of two moments that the clock showed one time at, as Python has it; an hour left out is invalid."""
    return pc.assume_timezone(times, zone.key, ambiguous="earliest", nonexistent="raise")


def _amounts(cells: pa.Array) -> pa.Array | None:
    if not (_is_text(cells) or pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type)):
        return None
    written = cells.cast(pa.string())
    plain = pc.if_else(pc.match_substring_regex(written, AMOUNT), written, pa.scalar(None, pa.string()))
    missing = pc.or_kleene(pc.is_null(written), pc.equal(written, ""))
    return pc.if_else(pc.fill_null(missing, True), event_line.NULL, plain.cast(CENTS).cast(pa.string()))


def _is_text(cells: pa.Array) -> bool:
    return bool(pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type))
