"""A hundred thousand people: refresh, recheck and preview find whom plain SQL finds. Speed is the benchmark's job."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from segments import causes
from segments.models import Segment, SegmentMembership
from segments.rules import parse
from segments.selectors import segments as selectors
from segments.services import memberships, refreshing, segments
from tests.benchmarks.segment_suite import population
from tests.benchmarks.segment_suite.newer_rules import SUITE
from tests.benchmarks.segment_suite.rules import Case

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
SIZE = population.Size(people=100_000, events=200_000)
ACTOR = "test"


@pytest.mark.django_db
def test_a_hundred_thousand_people() -> None:
    """In one test, for the people are made once."""
    population.make(SIZE, now=NOW)
    population.check_digests()
    made = {case.key: _segment(case) for case in SUITE}
    results = refreshing.refresh_all(now=NOW, actor=ACTOR)
    for case in SUITE:
        expected = _found_by_sql(case, NOW)
        assert set(_members(made[case.key])) == expected, case.key
        assert results[case.key].members == len(expected) == selectors.count(case.definition, NOW), case.key
        assert selectors.sample(case.definition, NOW) == sorted(expected)[:10], case.key
    later = NOW + timedelta(days=3)
    some = set(range(1, SIZE.people, 97))
    memberships.recheck(touched={causes.IDENTITY: some}, now=later, actor=ACTOR)
    for case in SUITE:
        rechecked, others = _found_by_sql(case, later) & some, _found_by_sql(case, NOW) - some
        members = set(_members(made[case.key]))
        assert members == rechecked | others, case.key
        assert rechecked == set(parse(case.definition).queryset(later, only=some)), case.key
        made[case.key].refresh_from_db()
        assert made[case.key].member_count == len(members)


def _segment(case: Case) -> Segment:
    return segments.create(key=case.key, name=case.key, definition=case.definition, actor=ACTOR, now=NOW)


def _members(segment: Segment) -> Iterator[int]:
    return SegmentMembership.objects.filter(segment=segment).values_list("profile_id", flat=True).iterator()


def _found_by_sql(case: Case, now: datetime) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(case.postgres(now))
        return {person for (person,) in cursor.fetchall()}
