"""Taking in a file of purchases, statistics and all, beside PostgreSQL's COPY of as many finished rows.

Both go into the table that holds the population, so both meet the same indexes of the same depth.
"""

import time
from datetime import datetime
from pathlib import Path

import pyarrow
import pyarrow.csv
import pyarrow.parquet
from django.db import connection
from django.utils import timezone

from segments.event_line import COLUMNS
from segments.models import Source
from segments.services import imports
from tests.benchmarks.segment_suite.population import CATEGORIES, SOURCE
from tests.benchmarks.segment_suite.stage import execute, say, timed

LINES = """
    SELECT 'C' || person AS customer_no, 'file-' || %(name)s || '-' || n AS order_no,
        to_char(%(now)s::timestamptz - chance(n, 31) * interval '60 days', 'YYYY-MM-DD"T"HH24:MI:SSOF') AS ordered_at,
        round((5 + 100 * chance(n, 32))::numeric, 2) AS total,
        (%(categories)s::text[])[1 + floor(cardinality(%(categories)s::text[]) * chance(n, 33) ^ 2)::int] AS category
    FROM generate_series(1, %(count)s::bigint) n,
        LATERAL (SELECT 1 + floor(%(people)s * chance(n, 30) ^ 1.5)::bigint * 2147483647 %% %(people)s) AS p (person)
"""
FINISHED = """
    SELECT substr(customer_no, 2)::bigint, ordered_at, md5(order_no)::uuid, 'purchase', total, 'CNY', category,
        NULL::jsonb, {source}, now()
    FROM ({lines}) AS l
"""
MAPPING = {
    "external_id": "customer_no", "event_id": "order_no", "occurred_at": "ordered_at", "amount": "total",
}  # fmt: skip


def ratio_to_copy(*, people: int, count: int, now: datetime, folder: Path) -> dict[str, float]:
    """Rows per second of COPY, of importing a CSV and a Parquet file, and the slower import's share of COPY."""
    common = {"people": people, "count": count, "now": now, "categories": list(CATEGORIES)}
    source = Source.objects.get(key=SOURCE)
    finished = folder / "finished"
    _write(FINISHED.format(lines=LINES, source=source.pk), {**common, "name": "copy"}, finished, "")
    csv = folder / "orders.csv"
    _write(LINES, {**common, "name": "csv"}, csv, "(FORMAT csv, HEADER)")
    other = folder / "others.csv"
    _write(LINES, {**common, "name": "parquet"}, other, "(FORMAT csv, HEADER)")
    parquet = folder / "orders.parquet"
    pyarrow.parquet.write_table(pyarrow.csv.read_csv(other), parquet)
    pyarrow.array([now]).to_pylist()  # the first time of a process imports pandas
    execute("CHECKPOINT")  # before each, so that each writes as many pages in full to the log
    speeds = {
        "copy_rows_per_s": count / timed(lambda: _copy(finished)),
        "import_csv_rows_per_s": count / _import(csv, count),
        "import_parquet_rows_per_s": count / _import(parquet, count),
    }
    slower = min(speeds["import_csv_rows_per_s"], speeds["import_parquet_rows_per_s"])
    return {**speeds, "import_ratio_to_copy": slower / speeds["copy_rows_per_s"]}


def _write(question: str, params: object, path: Path, options: str) -> None:
    sql = f"COPY ({question}) TO STDOUT {options}"
    with connection.cursor() as cursor, path.open("wb") as file, cursor.copy(sql, params) as copy:
        for data in copy:
            file.write(data)


def _copy(path: Path) -> None:
    sql = f"COPY segments_event ({COLUMNS}, source_id, received_at) FROM STDIN"
    with connection.cursor() as cursor, path.open("rb") as file, cursor.copy(sql) as copy:
        while data := file.read(1 << 20):
            copy.write(data)


def _import(path: Path, count: int) -> float:
    execute("CHECKPOINT")
    start = time.perf_counter()
    job = imports.import_events(
        path=path, source_key=SOURCE, mapping=MAPPING, name="purchase", currency="CNY", timezone="UTC",
        actor="benchmark", now=timezone.now(),
    )  # fmt: skip
    taken = time.perf_counter() - start
    if job.accepted != count:
        raise RuntimeError(f"{path.name}: {job.accepted} of {count} rows were accepted")
    say(f"{path.name}: {count / taken:,.0f} rows/s")
    return taken
