"""Each rule against SQL written by hand and against DuckDB: the same people, and how long each takes."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

from django.db import connection, transaction

from segments.models import Segment
from segments.rules import parse
from segments.services import refreshing, segments
from tests.benchmarks.segment_suite.rules import Case
from tests.benchmarks.segment_suite.stage import ROOT, execute, rows, say, timed

ACTOR = "benchmark"
ROUNDS = 3
SLOWEST_DUCKDB = 170  # seconds for all of it
SUM = "SELECT count(*), coalesce(sum(person), 0)::bigint, coalesce(bit_xor(person * 1000003 % 2147483647), 0) FROM {of}"
EXCHANGE = [
    "CREATE TEMPORARY TABLE wanted (person) ON COMMIT DROP AS {question}",
    "ANALYZE wanted",
    """DELETE FROM segments_segmentmembership m WHERE segment_id = {segment}
       AND NOT EXISTS (SELECT FROM wanted WHERE person = m.profile_id)""",
    """INSERT INTO segments_segmentmembership (segment_id, profile_id, entered_at)
       SELECT {segment}, person, {now} FROM wanted
       WHERE NOT EXISTS (
           SELECT FROM segments_segmentmembership m WHERE segment_id = {segment} AND profile_id = person)""",
    """UPDATE segments_segment SET refreshed_at = {now},
       member_count = (SELECT count(*) FROM wanted) WHERE id = {segment}""",
]
Table = dict[str, dict[str, Any]]
Pairs = Mapping[str, tuple[Segment, Segment]]


class DifferentPeopleError(AssertionError):
    """Two ways to ask the same question gave different answers."""


def prepare(cases: Sequence[Case], now: datetime) -> Pairs:
    """A segment and its twin for each rule; those that other rules ask for have their members of `now`."""
    pairs = {case.key: (_segment(case, now), _twin(case, now)) for case in cases}
    asked = {key for case in cases for key in parse(case.definition).depends_on().segments}
    for case in cases:
        if case.key in asked:
            segments.refresh(segment=pairs[case.key][0], now=now, actor=ACTOR)
            _exchange(case, pairs[case.key][1], now)
    return pairs


def questions(cases: Sequence[Case], now: datetime) -> Table:
    """Seconds for the bare question: Heed's, the hand-written one, their ratio, and how many people it finds."""
    table: Table = {}
    for case in cases:
        sql, params = parse(case.definition).queryset(now).query.sql_with_params()
        by_hand = case.postgres(now)
        people = _same_people(case, (sql, params), by_hand)
        heed, hand = _race(lambda sql=sql, params=params: _ask(sql, params), lambda by_hand=by_hand: _ask(by_hand))
        table[case.key] = {"people": people[0], "digest": people, "heed_s": heed, "sql_s": hand, "ratio": heed / hand}
        say(f"{case.key}: {people[0]} people, {heed:.3f} s, by hand {hand:.3f} s")
    return table


def refreshes(cases: Sequence[Case], pairs: Pairs, now: datetime, table: Table) -> dict[str, float]:
    """Adds to the table the seconds of refreshing a segment and of writing the same by hand; returns those of all.

    Both start from the members of yesterday and find who is in today, three times.
    """
    yesterday = now - timedelta(days=1)
    fill = {"fill_s": 0.0, "fill_by_sql_s": 0.0}
    for case in cases:
        segment, twin = pairs[case.key]
        fill["fill_s"] += timed(lambda s=segment: segments.refresh(segment=s, now=yesterday, actor=ACTOR))
        fill["fill_by_sql_s"] += timed(lambda c=case, t=twin: _exchange(c, t, yesterday))
    execute("VACUUM ANALYZE segments_segmentmembership")
    seconds: dict[str, list[tuple[float, float]]] = {case.key: [] for case in cases}
    for turn in range(2 * ROUNDS):
        moment = now if turn % 2 == 0 else yesterday
        for case in cases:
            segment, twin = pairs[case.key]
            heed = timed(lambda s=segment, m=moment: segments.refresh(segment=s, now=m, actor=ACTOR))
            seconds[case.key].append((heed, timed(lambda c=case, t=twin, m=moment: _exchange(c, t, m))))
    for case in cases:
        heed, hand = (median(side) for side in zip(*seconds[case.key], strict=True))
        table[case.key] |= {"refresh_s": heed, "refresh_by_sql_s": hand, "refresh_ratio": heed / hand}
        _check_members(case, *pairs[case.key])
    say("refreshes of one segment each done")
    everything = timed(lambda: refreshing.refresh_all(now=now, actor=ACTOR))
    by_hand = sum(timed(lambda c=case: _exchange(c, pairs[c.key][1], now)) for case in cases)
    return {**fill, "refresh_all_s": everything, "refresh_all_by_sql_s": by_hand}


def against_duckdb(cases: Sequence[Case], now: datetime, table: Table, folder: Path) -> float:
    """Adds DuckDB's seconds to the table; returns the geometric mean of Heed's seconds to its."""
    asked = {case.key: case.duckdb(now) for case in cases}
    command = [sys.executable, "-m", "tests.benchmarks.segment_suite.duck", str(folder)]
    done = subprocess.run(command, input=json.dumps(asked), cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    for key, (seconds, *digest) in json.loads(done.stdout).items():
        if digest != table[key]["digest"]:
            raise DifferentPeopleError(f"{key}: DuckDB finds {digest}, Heed {table[key]['digest']}")
        table[key] |= {"duckdb_s": seconds, "ratio_to_duckdb": table[key]["heed_s"] / seconds}
    return geometric_mean([row["ratio_to_duckdb"] for row in table.values()])


def _race(heed: Callable[[], Any], hand: Callable[[], Any]) -> tuple[float, float]:
    """The best of some rounds each, in turns, so that a busy moment of the machine hits both."""
    turns = [(timed(heed), timed(hand)) for _ in range(ROUNDS)]
    return min(turn[0] for turn in turns), min(turn[1] for turn in turns)


def _ask(sql: str, params: Sequence[Any] | None = None) -> None:
    with transaction.atomic():
        execute(f"CREATE TEMPORARY TABLE found (person) ON COMMIT DROP AS {sql}", params or None)


def _same_people(case: Case, heed: tuple[str, Any], by_hand: str) -> list[int]:
    """Count, sum and exclusive or of the people's ids. Raises `DifferentPeopleError`."""
    with transaction.atomic():
        execute(f"CREATE TEMPORARY TABLE by_heed (person) ON COMMIT DROP AS {heed[0]}", heed[1] or None)
        execute(f"CREATE TEMPORARY TABLE by_hand (person) ON COMMIT DROP AS {by_hand}")
        differing = rows("(TABLE by_heed EXCEPT ALL TABLE by_hand) UNION ALL (TABLE by_hand EXCEPT ALL TABLE by_heed)")
        if differing:
            raise DifferentPeopleError(f"{case.key}: {len(differing)} people differ, such as {differing[:3]}")
        ((count, total, mixed),) = rows(SUM.format(of="by_heed"))
    return [count, int(total), int(mixed)]


def _check_members(case: Case, segment: Segment, twin: Segment) -> None:
    members = "SELECT profile_id FROM segments_segmentmembership WHERE segment_id = "
    of, other = f"{members}{segment.pk}", f"{members}{twin.pk}"
    differing = rows(f"({of} EXCEPT {other}) UNION ALL ({other} EXCEPT {of})")
    if differing:
        raise DifferentPeopleError(f"{case.key}: after the refreshes {len(differing)} members differ")


def _segment(case: Case, now: datetime) -> Segment:
    return segments.create(key=case.key, name=case.key, definition=case.definition, actor=ACTOR, now=now)


def _twin(case: Case, now: datetime) -> Segment:
    """An idle segment whose members are written by hand: the same table, the same keys and indexes."""
    return Segment.objects.create(key=f"by-hand-{case.key}", name=case.key, definition={"any": []}, is_active=False)


def _exchange(case: Case, twin: Segment, now: datetime) -> None:
    values = {"question": case.postgres(now), "segment": twin.pk, "now": f"TIMESTAMPTZ '{now.isoformat()}'"}
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in EXCHANGE:
            cursor.execute(statement.format(**values))
