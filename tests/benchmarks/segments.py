"""The benchmark of segments: `python -m tests.benchmarks.segments --profiles 1000000 --events 10000000`.

Everything in one run on the same tables, in a database of its own on the installation's server: twenty rules beside
hand-written SQL and DuckDB, refreshing, rechecking, taking in events over HTTP and from files, and the time until an
event has changed tags and segments. Progress goes to standard error. The last line of standard output is one JSON
object; ratios are seconds of Heed to seconds of the other, but `import_ratio_to_copy`, which is rows per second.
"""

import argparse
import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import geometric_mean
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
SMOKE_PROFILES, SMOKE_EVENTS = 2_000, 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures segments at a size of your choice.")
    parser.add_argument("--profiles", type=int, default=1_000_000, help="people (default: %(default)s)")
    parser.add_argument("--events", type=int, default=10_000_000, help="what they did (default: %(default)s)")
    parser.add_argument("--smoke", action="store_true", help="a tiny size, to see that everything still runs")
    options = parser.parse_args()
    if options.smoke:
        options.profiles, options.events = SMOKE_PROFILES, SMOKE_EVENTS
    from config.services import hold_services

    hold_services()
    import django

    django.setup()
    from tests.benchmarks.segment_suite import stage

    with tempfile.TemporaryDirectory() as folder, stage.database():
        report = _run(options.profiles, options.events, Path(folder))
    print(json.dumps(report))


def _run(profiles: int, events: int, folder: Path) -> dict[str, Any]:
    from tests.benchmarks.segment_suite import comparison, memory, population, recheck, stage
    from tests.benchmarks.segment_suite.newer_rules import SUITE

    now = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    made = stage.timed(lambda: population.make(population.Size(profiles, events), now=now, quiet=False))
    population.check_digests()
    stage.say(f"{profiles:,} people with {events:,} events made in {made:.0f} s")
    pairs = comparison.prepare(SUITE, now)
    table = comparison.questions(SUITE, now)
    ratio_to_duckdb = _duckdb(SUITE, now, table, folder)
    refreshed = comparison.refreshes(SUITE, pairs, now, table)
    wanted = recheck.SEGMENTS if events > SMOKE_EVENTS else len(SUITE)
    incremental = recheck.seconds(SUITE, now, wanted=wanted)
    stage.say(f"recheck: {incremental:.2f} s")
    taken_in, peak = _taking_in(profiles, events, folder)
    ratios = [row["refresh_ratio"] for row in table.values()]
    for row in table.values():
        row.pop("digest")
    return {
        "profiles": profiles, "events": events, "made_s": made, "rules": table,
        "question_ratio_to_sql": geometric_mean([row["ratio"] for row in table.values()]),
        "worst_question_ratio_to_sql": max(row["ratio"] for row in table.values()), **refreshed,
        "refresh_ratio_to_sql": geometric_mean(ratios), "worst_ratio_to_sql": max(ratios),
        "ratio_to_duckdb": ratio_to_duckdb, "incremental_seconds": incremental, **taken_in,
        "peak_mb": max(peak, memory.peak_mb()),
    }  # fmt: skip


def _duckdb(cases: Any, now: datetime, table: Any, folder: Path) -> float:
    from tests.benchmarks.segment_suite import comparison, export

    export.export(folder)
    return comparison.against_duckdb(cases, now, table, folder)


def _taking_in(profiles: int, events: int, folder: Path) -> tuple[dict[str, Any], float]:
    """Import, HTTP and the time until an event has its effect; and the peak of the processes that did it."""
    from django.utils import timezone

    from tests.benchmarks.segment_suite import importing, latency, memory, sending, stage

    rows = max(2_000, min(events // 10, 300_000))
    found: dict[str, Any] = importing.ratio_to_copy(people=profiles, count=rows, now=timezone.now(), folder=folder)
    log = folder / "processes.log"
    with stage.web_server(log) as (web, port):
        batches = max(4, min(events // 25_000, 60))
        found["ingest_events_per_s"] = sending.ingestion(people=profiles, batches=batches, port=port)
        stage.say(f"HTTP: {found['ingest_events_per_s']:,.0f} events/s")
        with stage.worker_and_beat(log) as processes:
            seconds = 3 if events <= SMOKE_EVENTS else 20
            found |= latency.latency(people=profiles, seconds=seconds, port=port)
            peak = memory.peak_mb([web, *processes])
    return found, peak


if __name__ == "__main__":
    main()
