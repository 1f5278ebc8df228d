"""DuckDB on the same rows in Parquet files: `python -m tests.benchmarks.segment_suite.duck FOLDER`.

A process of its own, so that its memory is not taken for Heed's. Reads questions by key as JSON from standard input,
writes for each the seconds of the best of three rounds with count, sum and exclusive or of the people's ids.
"""

import json
import sys
import time
from pathlib import Path

import duckdb

TABLES = (
    "segments_profile", "segments_profilestats", "segments_profiletag", "segments_tag", "segments_event",
    "compliance_consentstate", "compliance_purpose",
)  # fmt: skip
ROUNDS = 3
SUM = """SELECT count(*), coalesce(sum(person), 0)::bigint, coalesce(bit_xor(person * 1000003 % 2147483647), 0)
         FROM found"""


def main(folder: Path) -> None:
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    for table in TABLES:
        database.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet('{folder / table}.parquet')")
    results = {}
    for key, question in json.load(sys.stdin).items():
        seconds = min(_timed(database, question) for _ in range(ROUNDS))
        results[key] = [seconds, *(int(value) for value in database.execute(SUM).fetchone() or ())]
    json.dump(results, sys.stdout)


def _timed(database: duckdb.DuckDBPyConnection, question: str) -> float:
    start = time.perf_counter()
    database.execute(f"CREATE OR REPLACE TEMPORARY TABLE found AS SELECT * FROM ({question}) AS q (person)")
    return time.perf_counter() - start


if __name__ == "__main__":
    main(Path(sys.argv[1]))
