"""The tables as Parquet files, by way of CSV, a stretch of rows at a time."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from django.db import connection

from tests.benchmarks.segment_suite.duck import TABLES
from tests.benchmarks.segment_suite.stage import rows

TYPES = {
    "bigint": pa.int64(), "integer": pa.int32(), "smallint": pa.int16(), "date": pa.date32(), "boolean": pa.bool_(),
    "timestamp with time zone": pa.timestamp("us", tz="UTC"),
}  # fmt: skip
SKIPPED = ("bytea", "uuid")
COLUMNS = """
    SELECT column_name, data_type, numeric_precision, numeric_scale FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name = %s ORDER BY ordinal_position
"""
TIME = "to_char({name} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') AS {name}"


def export(folder: Path) -> None:
    """Write the tables that the suite asks about."""
    for table in TABLES:
        _export(table, folder)


def _export(table: str, folder: Path) -> None:
    types = {
        name: pa.decimal128(precision, scale) if kind == "numeric" else TYPES.get(kind, pa.string())
        for name, kind, precision, scale in rows(COLUMNS, [table])
        if kind not in SKIPPED
    }
    shown = ", ".join(TIME.format(name=name) if pa.types.is_timestamp(types[name]) else name for name in types)
    path = folder / f"{table}.csv"
    sql = f"COPY (SELECT {shown} FROM {table}) TO STDOUT (FORMAT csv, HEADER)"
    with connection.cursor() as cursor, path.open("wb") as file, cursor.copy(sql) as copy:
        for data in copy:
            file.write(data)
    options = pyarrow.csv.ConvertOptions(
        column_types=types, strings_can_be_null=True, quoted_strings_can_be_null=False, true_values=["t"],
        false_values=["f"],
    )  # fmt: skip
    with (
        pyarrow.csv.open_csv(path, convert_options=options) as reader,
        pyarrow.parquet.ParquetWriter(folder / f"{table}.parquet", reader.schema) as writer,
    ):
        for batch in reader:
            writer.write_batch(batch)
    path.unlink()
