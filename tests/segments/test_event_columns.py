"""Columns that Arrow reads say what each of their cells says by itself."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from segments import event_columns, event_input, event_line
from segments.cells import text
from segments.event_columns import Column
from segments.imports.batch import ArrowBatch, Encoded, encode
from segments.profile_input import InputError

PATIENT = settings(deadline=None)  # the first time in a process imports pandas
NOW = datetime(2026, 7, 1, tzinfo=UTC)
ZONES = [ZoneInfo(name) for name in ("Asia/Shanghai", "America/New_York", "UTC")]
SOONEST, LATEST = datetime(1985, 1, 1), datetime(2027, 1, 1)  # noqa: DTZ001  # cells without a zone
NUMBERS = st.one_of(
    st.from_regex(r"-?[0-9]{1,13}(\.[0-9]{1,3})?", fullmatch=True),
    st.sampled_from(["", " 5", "1e3", "NaN", "1_000", "５"]),
)
DAY, CLOCK = r"(19|20)[0-9]{2}-[01][0-9]-[0-3][0-9]", r"[0-2][0-9]:[0-5][0-9]:[0-5][0-9]"
TIMES = st.one_of(
    st.from_regex(rf"{DAY}[T ]{CLOCK}(\.[0-9]{{1,6}})?(Z|[+-][01][0-9](:[0-5][0-9])?)?", fullmatch=True),
    # No time; an hour that New York's clocks leave out, one that they show twice; no day; the last moment there is.
    st.sampled_from(["", "noon", "2026-03-08T02:30:00", "2025-11-02T01:30:00", "2026-02-30T00:00:00", "2026-03-01"]),
    st.sampled_from(["2026-07-01T01:00:00Z", "2026-07-01T01:00:00.000001Z"]),
)


def encoded(cells: list[Any], kind: Any = None) -> Encoded:
    return ArrowBatch(1, pa.record_batch([pa.array(cells, kind)], names=["a"])).encoded("a")


def each(cells: list[Any], one: Callable[[Any], str]) -> list[str | tuple[str, str]]:
    found: list[str | tuple[str, str]] = []
    for cell in cells:
        try:
            found.append(one(cell))
        except InputError as error:
            found.append((error.field, error.reason))
    return found


def said(column: Column) -> list[str | tuple[str, str]]:
    texts = column.texts.to_pylist()
    errors = {place: (error.field, error.reason) for place, error in column.errors.items()}
    assert [place for place, written in enumerate(texts) if written is None] == sorted(errors)
    return [errors.get(place, written) for place, written in enumerate(texts)]


@PATIENT
@given(cells=st.lists(NUMBERS, min_size=1, max_size=8))
@example(cells=["999999999999.99", "1000000000000"])
def test_amounts(cells: list[str]) -> None:
    assert amounts_of(said(event_columns.amounts(encoded(cells)))) == amounts_of(each(cells, event_line.amount))


@PATIENT
@given(cells=st.lists(st.one_of(st.none(), st.floats(-1e13, 1e13), st.just(float("nan"))), min_size=1, max_size=8))
@example(cells=[0.005, 0.015, 1e12, 12.5])
def test_amounts_that_are_numbers(cells: list[float | None]) -> None:
    column = event_columns.amounts(encoded(cells, pa.float64()))
    assert amounts_of(said(column)) == amounts_of(each(cells, event_line.amount))


def amounts_of(found: list[Any]) -> list[Any]:
    """Zero has no sign for PostgreSQL."""
    return ["0.00" if written == "-0.00" else written for written in found]


@PATIENT
@given(cells=st.lists(TIMES, min_size=1, max_size=8), zone=st.sampled_from(ZONES))
def test_times(cells: list[str], zone: ZoneInfo) -> None:
    def one(cell: Any) -> str:
        return event_columns.moment_text(event_line.moment(cell, zone=zone, now=NOW))

    assert said(event_columns.moments(encoded(cells), zone=zone, now=NOW)) == each(cells, one)


@PATIENT
@given(
    cells=st.lists(st.datetimes(SOONEST, LATEST), min_size=1, max_size=8),
    zone=st.sampled_from(ZONES),
)
def test_times_that_have_the_type(cells: list[datetime], zone: ZoneInfo) -> None:
    def one(cell: Any) -> str:
        return event_columns.moment_text(event_line.moment(cell, zone=zone, now=NOW))

    found = event_columns.moments(encoded(cells, pa.timestamp("us")), zone=zone, now=NOW)
    assert said(found) == each(cells, one)


@PATIENT
@given(cells=st.lists(st.one_of(st.text(max_size=4), st.just("x" * 201)), min_size=1, max_size=8))
def test_hashes_of_event_ids(cells: list[str]) -> None:
    def one(cell: Any) -> str:
        event_input.check_event_id(text(cell))
        return event_input.dedup_key("shop", text(cell))

    assert said(event_columns.dedups(encoded(cells), "shop")) == each(cells, one)


@PATIENT
@given(
    rows=st.lists(st.tuples(*[st.sampled_from(["", '"a": 1', '"b": "x, "', '"c": ", "'])] * 3), min_size=1, max_size=5)
)
def test_members_become_objects(rows: list[tuple[str, ...]]) -> None:
    members = [Column(pa.array(column), {}) for column in zip(*rows, strict=True)]
    assert event_columns.properties(members, len(rows)).to_pylist() == [event_line.properties(row) for row in rows]


def test_without_members_there_is_no_object() -> None:
    assert event_columns.properties([], 2).to_pylist() == [event_line.NULL] * 2


@pytest.mark.parametrize("cells", [[1, 1.0, True, "1"], [[1], [1], {"a": 1}]])
def test_cells_of_any_type_are_kept_apart(cells: list[Any]) -> None:
    found = encode(cells)
    assert [found.cells()[place] for place in found.places.to_pylist()] == cells
    assert len(found.cells()) == len(cells)
