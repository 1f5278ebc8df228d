"""Cells of files of events: what they become, and what is refused."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compliance.uuid7 import uuid7
from segments.event_input import dedup_key
from segments.models import Event, Profile
from segments.services import imports
from tests.factories.segments import make_profile
from tests.segments.files import import_events, orders, write

pytestmark = pytest.mark.django_db


def test_events_from_csv_with_local_times(tmp_path: Path, now: datetime) -> None:
    make_profile(1)
    path = write(
        tmp_path / "orders.csv",
        "order,customer,time,total\n1,C1,2026-02-01 12:00,9.90\n2,C9,2026-02-01,1\n3,C1,noon,1\n4,C1,2026-02-01,x\n",
    )
    job = import_events(path, now)
    assert (job.accepted, job.rejected) == (1, 3)
    assert [row.field for row in job.rejected_rows.order_by("row_number")] == ["external_id", "occurred_at", "amount"]
    assert Event.objects.get().occurred_at == datetime(2026, 2, 1, 4, 0, tzinfo=UTC)


def test_unknown_people_can_be_created(tmp_path: Path, now: datetime) -> None:
    job = import_events(orders(tmp_path, 3), now, create_missing=True)
    assert (job.accepted, Profile.objects.count()) == (3, 1)


def test_parquet_keeps_types(tmp_path: Path, now: datetime) -> None:
    make_profile(1)
    table = pa.table(
        {
            "external_id": ["C1", "C1"],
            "occurred_at": pa.array([1_767_600_000_000_000] * 2, pa.timestamp("us")),
            "amount": [1.5, None],
            "n": [3, None],
        }
    )
    pq.write_table(table, tmp_path / "orders.parquet")
    imports.import_events(
        path=tmp_path / "orders.parquet", source_key="shop", mapping={"properties.quantity": "n"}, name="browse",
        currency="USD", timezone="UTC", actor="test", now=now,
    )  # fmt: skip
    first, second = Event.objects.order_by("id")
    assert (first.properties, float(first.amount or 0), first.currency) == ({"quantity": 3}, 1.5, "USD")
    assert (second.properties, second.amount, second.currency) == (None, None, "")


def test_wrong_rows_create_nobody_and_the_first_wrong_cell_is_named(tmp_path: Path, now: datetime) -> None:
    text = "order,customer,time,total\n1,C1,2031-01-01,1\n2,C2,noon,x\n,C3,2026-02-01,1\n4,,2026-02-01,1\n5,C5\n"
    job = import_events(write(tmp_path / "orders.csv", text), now, create_missing=True)
    assert [row.field for row in job.rejected_rows.order_by("row_number")] == [
        "occurred_at", "occurred_at", "event_id", "identifier", "row",
    ]  # fmt: skip
    assert not Profile.objects.exists()


def test_a_row_belongs_to_the_first_identifier_that_it_gives(tmp_path: Path, now: datetime) -> None:
    first, second = make_profile(1), make_profile(2)
    text = "external_id,email,occurred_at\nC1,person-2@example.com,2026-02-01\n,person-2@example.com,2026-02-02\n"
    imports.import_events(
        path=write(tmp_path / "views.csv", text), source_key="shop", mapping={}, name="browse", currency="CNY",
        timezone="UTC", actor="test", now=now,
    )  # fmt: skip
    assert list(Event.objects.order_by("occurred_at").values_list("profile_id", flat=True)) == [first.pk, second.pk]


def test_a_row_may_have_a_currency_of_its_own(tmp_path: Path, now: datetime) -> None:
    make_profile(1)
    text = (
        "external_id,occurred_at,amount,currency\n"
        "C1,2026-02-01,1,USD\nC1,2026-02-02,-2.005,\nC1,2026-02-03,,USD\nC1,2026-02-04,1,yuan\n"
    )
    job = imports.import_events(
        path=write(tmp_path / "orders.csv", text), source_key="shop", mapping={}, name="purchase", currency="CNY",
        timezone="UTC", actor="test", now=now,
    )  # fmt: skip
    found = Event.objects.order_by("occurred_at").values_list("amount", "currency")
    assert list(found) == [(Decimal("1.00"), "USD"), (Decimal("-2.00"), "CNY"), (None, "")]
    assert job.rejected_rows.get().field == "currency"


AWKWARD = st.text(st.sampled_from(list("a\\\t\n\r\"'{}N,\N{SNOWMAN} ")), min_size=1, max_size=8)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(category=AWKWARD, value=AWKWARD)
def test_texts_arrive_as_they_were(tmp_path: Path, now: datetime, category: str, value: str) -> None:
    make_profile(1)
    Event.objects.all().delete()
    path = tmp_path / f"{uuid7()}.parquet"
    table = {"external_id": ["C1"], "at": ["2026-02-01"], "category": [category], "v": [value]}
    pq.write_table(pa.table(table), path)
    imports.import_events(
        path=path, source_key="shop", mapping={"occurred_at": "at", "properties.v": "v"}, name="browse",
        currency="CNY", timezone="UTC", actor="test", now=now,
    )  # fmt: skip
    event = Event.objects.get()
    assert (event.category, event.properties) == (category, {"v": value})


def test_parquet_columns_of_any_type(tmp_path: Path, now: datetime) -> None:
    make_profile(7, external_id="7")
    cells: dict[str, Any] = {
        "external_id": pa.array([7.0, 7.0]),  # whole numbers become floats where a gap is in their column
        "event_id": pa.array([0, 1]),
        "occurred_at": pa.array([1_767_600_000_000_000_001] * 2, pa.timestamp("ns", tz="Asia/Shanghai")),
        "category": pa.array(["fruit", None]).dictionary_encode(),
        "share": pa.array([float("nan"), float("inf")]),
        "day": pa.array([20_000, None], pa.date32()),
        "skus": pa.array([["a", "b"], None]),
    }
    pq.write_table(pa.table(cells), tmp_path / "orders.parquet")
    mapping = {f"properties.{name}": name for name in ("share", "day", "skus")}
    job = imports.import_events(
        path=tmp_path / "orders.parquet", source_key="shop", mapping=mapping, name="browse", currency="USD",
        timezone="UTC", actor="test", now=now,
    )  # fmt: skip
    event = Event.objects.get()
    assert (event.category, event.properties) == ("fruit", {"day": "2024-10-04", "skus": ["a", "b"]})
    assert event.occurred_at == datetime.fromtimestamp(1_767_600_000, UTC)
    assert event.dedup.hex == dedup_key("shop", "0")
    assert job.rejected_rows.get().field == "properties.share"


def test_without_event_ids_the_file_and_row_number_stand_for_them(tmp_path: Path, now: datetime) -> None:
    make_profile(1)
    text = "external_id,occurred_at\nC1,2026-02-01\nC1,2026-02-01\n"
    job = imports.import_events(
        path=write(tmp_path / "views.csv", text), source_key="shop", mapping={}, name="browse", currency="CNY",
        timezone="UTC", actor="test", now=now,
    )  # fmt: skip
    assert job.accepted == 2
