"""Segments that count the same are refreshed together, and with the same result as alone."""

import random
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segments.models import Segment, SegmentMembership
from segments.rules import parse
from segments.services import refreshing, segments, shared_rows
from tests.segments.rules import oracle
from tests.segments.rules.trees import EVENTS, TREES, Tree
from tests.segments.rules.world import NOW, Person, random_person, store

pytestmark = pytest.mark.django_db

OFTEN = {"event": "purchase", "op": "gte", "value": 2, "window": {"days": 30}}
MUCH = {"event": "purchase", "measure": "sum", "op": "gte", "value": 10, "window": {"days": 30}}
TEA = {"event": "purchase", "op": "gte", "value": 1, "window": {"days": 30}, "category": "tea"}
LATELY = {"event": "purchase", "op": "gte", "value": 1, "window": {"days": 7}}


@pytest.fixture
def population() -> dict[int, Person]:
    rng = random.Random(2027)
    people = [random_person(rng) for _ in range(60)]
    return dict(zip(store(people), people, strict=True))


def make(key: str, tree: Any) -> Segment:
    return segments.create(key=key, name=key, definition=tree, actor="test", now=NOW)


def members(key: str) -> set[int]:
    return set(SegmentMembership.objects.filter(segment__key=key).values_list("profile_id", flat=True))


def expected(tree: Tree, population: dict[int, Person]) -> set[int]:
    return {pk for pk, person in population.items() if oracle.matches(tree, person, NOW)}


def families(*trees: Any) -> list[list[int]]:
    return shared_rows.families({place: parse(tree) for place, tree in enumerate(trees)}, NOW)


def test_families_are_joined_by_what_they_count() -> None:
    assert families(OFTEN, TEA, MUCH, LATELY) == [[0, 2], [1], [3]]
    assert families(OFTEN, TEA, {"all": [TEA, LATELY]}, {"any": [LATELY, MUCH]}) == [[0, 1, 2, 3]]
    assert families({"all": []}, {"tag": "vip", "op": "has"}) == [[0], [1]]


def test_who_asks_for_a_segment_stays_behind_it() -> None:
    assert families(OFTEN, {"all": [MUCH, {"segment": "often", "op": "in"}]}, MUCH) == [[0, 2], [1]]


def test_rows_that_two_count_are_read_once(population: dict[int, Person]) -> None:
    make("often", OFTEN)
    make("much", {"all": [MUCH, OFTEN]})
    make("lately", LATELY)
    with CaptureQueriesContext(connection) as queries:
        results = refreshing.refresh_all(now=NOW, actor="test")
    counting = [query["sql"] for query in queries if "GROUP BY" in query["sql"]]
    assert len(counting) == 2  # one for the two segments, one for the third
    for key, tree in (("often", OFTEN), ("much", {"all": [MUCH, OFTEN]}), ("lately", LATELY)):
        assert members(key) == expected(tree, population)
        assert results[key].members == len(members(key)) > 0


def test_one_that_fails_stops_none_of_its_family(population: dict[int, Person]) -> None:
    make("often", OFTEN)
    broken = make("broken", {"all": [MUCH, {"attribute": "city", "op": "eq", "value": "Beijing"}]})
    make("much", MUCH)
    with connection.cursor() as cursor:  # a member who is not allowed to be one
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            "ALTER TABLE segments_segmentmembership ADD CONSTRAINT test_refused CHECK (segment_id <> %s) NOT VALID",
            [broken.pk],
        )
    assert "broken" not in refreshing.refresh_all(now=NOW, actor="test")
    assert members("much") == expected(MUCH, population)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trees=st.lists(st.one_of(EVENTS, TREES), min_size=2, max_size=6))
def test_refreshed_together_they_hold_whom_the_oracle_says(population: dict[int, Person], trees: list[Tree]) -> None:
    Segment.objects.filter(key__startswith="s-").delete()
    for place, tree in enumerate(trees):
        Segment.objects.create(key=f"s-{place}", name="s", definition=parse(tree).to_json(), is_active=True)
    refreshing.refresh_all(now=NOW, actor="test")
    for place, tree in enumerate(trees):
        if not parse(tree).depends_on().segments:
            assert members(f"s-{place}") == expected(tree, population), tree


def test_a_window_is_part_of_what_is_shared() -> None:
    whole = {"event": "purchase", "op": "gte", "value": 2, "category": "tea"}
    assert families(TEA, whole) == [[0], [1]]
