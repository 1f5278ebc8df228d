"""Asking again about a thousand people in a hundred segments, as after a merge: every rule may answer differently."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median

from django.db import transaction

from segments import causes
from segments.models import Segment
from segments.services import memberships, segments
from tests.benchmarks.segment_suite.comparison import ACTOR
from tests.benchmarks.segment_suite.population import CITIES
from tests.benchmarks.segment_suite.rules import Case
from tests.benchmarks.segment_suite.stage import rows, timed

PEOPLE = 1_000
SEGMENTS = 100
TURNS = 4
SOME = "SELECT profile_id FROM segments_profilestats WHERE event_count > 0 ORDER BY chance(profile_id, 99) LIMIT %s"
PREFIX = "recheck-"


def seconds(cases: Sequence[Case], now: datetime, *, wanted: int = SEGMENTS) -> float:
    """The median of some rechecks of `wanted` segments. Between two a day passes, so people enter and leave."""
    missing = range(max(0, wanted - Segment.objects.filter(is_active=True).count()))
    for number in missing:
        case, city = cases[number % len(cases)], CITIES[number // len(cases)][0]
        segments.create(
            key=f"{PREFIX}{number}", name=case.key, actor=ACTOR, now=now,
            definition={"all": [case.definition, {"attribute": "city", "op": "ne", "value": city}]},
        )  # fmt: skip
    touched = {causes.IDENTITY: {person for (person,) in rows(SOME, [PEOPLE])}}
    taken = [_recheck(touched, now - timedelta(days=turn % 2)) for turn in range(TURNS + 1)]
    Segment.objects.filter(key__startswith=PREFIX).update(is_active=False)
    return median(taken[1:])


def _recheck(touched: dict[str, set[int]], moment: datetime) -> float:
    with transaction.atomic():
        return timed(lambda: memberships.recheck(touched=touched, now=moment, actor=ACTOR))
