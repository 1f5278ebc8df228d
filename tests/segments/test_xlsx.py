"""Workbooks: cells keep their types, and a broken file is refused by name."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from segments.imports.readers import ReaderError, open_file
from segments.models import Event
from segments.selectors.profiles import find_by_identifier
from segments.services import imports
from tests.factories.segments import SourceFactory, make_profile

pytestmark = pytest.mark.django_db


def workbook(path: Path, *rows: Sequence[Any]) -> Path:
    with xlsxwriter.Workbook(path, {"default_date_format": "yyyy-mm-dd hh:mm:ss"}) as book:
        sheet = book.add_worksheet("Orders")
        for number, row in enumerate(rows):
            for column, cell in enumerate(row):
                sheet.write(number, column, cell)
        book.add_worksheet("Notes").write(0, 0, "not read")
    return path


def import_orders(path: Path, now: datetime, **mapping: str) -> Any:
    return imports.import_events(
        path=path, source_key="shop", mapping=mapping, name="purchase", currency="CNY", timezone="Asia/Shanghai",
        actor="test", now=now,
    )  # fmt: skip


def test_events_keep_the_types_of_their_cells(tmp_path: Path, now: datetime) -> None:
    make_profile(1, external_id="7")
    path = workbook(
        tmp_path / "orders.xlsx",
        [" event_id ", "external_id", "occurred_at", "amount", "sale", "n", "category"],
        [1, 7, datetime.fromisoformat("2026-02-01T12:00"), 9.9, True, 1, "茶"],
        [],
        [2, "7", "2026-02-02T12:00:00Z", "5", False, 1.5, None],
        [3, "9", "2026-02-02", 1],
        [4, "7", "noon", 1],
    )
    job = import_orders(path, now, **{"properties.sale": "sale", "properties.n": "n"})
    assert (job.rows_total, job.accepted, job.rejected) == (4, 2, 2)
    assert [(row.row_number, row.field) for row in job.rejected_rows.order_by("row_number")] == [
        (3, "external_id"), (4, "occurred_at"),
    ]  # fmt: skip
    first, second = Event.objects.order_by("occurred_at")
    assert (first.occurred_at, first.amount, first.category) == (
        datetime(2026, 2, 1, 4, 0, tzinfo=UTC), Decimal("9.90"), "茶",
    )  # fmt: skip
    assert (first.properties, second.properties) == ({"sale": True, "n": 1}, {"sale": False, "n": 1.5})


def test_an_interrupted_workbook_goes_on(tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "EVENT_BATCH", 4)
    make_profile(1)
    rows = [["C1", date(2026, 2, 1 + number)] for number in range(10)]
    path = workbook(tmp_path / "orders.xlsx", ["external_id", "occurred_at"], *rows)

    def unplug(done: int, _total: int) -> None:
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        imports.import_events(
            path=path, source_key="shop", mapping={}, name="purchase", currency="CNY", timezone="Asia/Shanghai",
            actor="test", now=now, progress=unplug,
        )  # fmt: skip
    job = import_orders(path, now)
    assert (job.accepted, job.rows_done, Event.objects.count()) == (10, 10, 10)


def test_people(tmp_path: Path, now: datetime) -> None:
    path = workbook(
        tmp_path / "people.xlsx",
        ["external_id", "birth_date", "income", "email"],
        [12, date(1990, 12, 31), 5000, "li@example.com"],
        [13, "?", 1],
    )
    job = imports.import_profiles(
        path=path, source_key="shop", mapping={"attributes.income": "income"}, actor="test", now=now
    )
    assert (job.accepted, job.rejected) == (1, 1)
    found = find_by_identifier("external_id", "12", SourceFactory())
    assert found is not None
    assert (found.birth_date, found.attributes) == (date(1990, 12, 31), {"income": 5000})


def test_what_is_no_workbook_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.xlsx"
    broken.write_bytes(b"PK\x03\x04 no workbook")
    with pytest.raises(ReaderError, match=r"broken\.xlsx: not an XLSX workbook"):
        open_file(broken)
    with pytest.raises(ReaderError, match="no header row"):
        open_file(workbook(tmp_path / "empty.xlsx"))
