"""Files for tests of imports."""

from datetime import datetime
from pathlib import Path
from typing import Any

from segments.models import ImportJob
from segments.services import imports

MAPPING = {"external_id": "customer", "occurred_at": "time", "amount": "total", "event_id": "order"}


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def orders(folder: Path, count: int) -> Path:
    rows = "".join(f"O{number},C1,2026-02-{number % 28 + 1:02} 12:00,9.90\n" for number in range(count))
    return write(folder / "orders.csv", "order,customer,time,total\n" + rows)


def import_events(path: Path, now: datetime, **options: Any) -> ImportJob:
    return imports.import_events(
        path=path, source_key="shop", mapping=MAPPING, name="purchase", currency="CNY", timezone="Asia/Shanghai",
        actor="test", now=now, **options,
    )  # fmt: skip
