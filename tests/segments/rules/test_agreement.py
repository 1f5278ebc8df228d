"""The QuerySet of a rule agrees with a plain Python evaluation of the same tree."""

import random

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segments.models import Profile
from segments.rules import parse
from tests.segments.rules import oracle
from tests.segments.rules.trees import (
    ANNIVERSARIES,
    ATTRIBUTES,
    CONSENTS,
    EVENTS,
    JSON,
    PLACES,
    RFM,
    SEGMENTS,
    SEQUENCES,
    STATS,
    TAGS,
    TREES,
    Tree,
)
from tests.segments.rules.world import NOW, Person, random_person, store

IN_ONE_TRANSACTION = [HealthCheck.function_scoped_fixture]


@pytest.fixture
def population(db: None) -> dict[int, Person]:
    rng = random.Random(2026)
    people = [random_person(rng) for _ in range(100)]
    return dict(zip(store(people), people, strict=True))


@pytest.mark.parametrize(
    "conditions",
    [ATTRIBUTES, JSON, EVENTS, TAGS, RFM, STATS, SEGMENTS, CONSENTS, PLACES, ANNIVERSARIES, SEQUENCES],
    ids=["column", "json", "event", "tag", "rfm", "stat", "segment", "consent", "place", "anniversary", "sequence"],
)
@settings(max_examples=60, deadline=None, suppress_health_check=IN_ONE_TRANSACTION)
@given(data=st.data())
def test_a_single_condition_matches_whom_the_oracle_says(
    population: dict[int, Person], conditions: st.SearchStrategy[Tree], data: st.DataObject
) -> None:
    tree = data.draw(conditions)
    expected = {pk for pk, person in population.items() if oracle.matches(tree, person, NOW)}
    assert set(parse(tree).queryset(NOW)) == expected


@settings(max_examples=150, deadline=None, suppress_health_check=IN_ONE_TRANSACTION)
@given(tree=TREES)
def test_a_random_tree_matches_whom_the_oracle_says(population: dict[int, Person], tree: Tree) -> None:
    expected = {pk for pk, person in population.items() if oracle.matches(tree, person, NOW)}
    with CaptureQueriesContext(connection) as queries:
        found = list(parse(tree).queryset(NOW))
    assert set(found) == expected
    assert len(found) == len(expected), "a person came twice"
    assert len(queries) == 1


@settings(max_examples=40, deadline=None, suppress_health_check=IN_ONE_TRANSACTION)
@given(tree=TREES, seed=st.integers(0, 2**32))
def test_only_asks_about_just_these_people(population: dict[int, Person], tree: Tree, seed: int) -> None:
    only = random.Random(seed).sample(sorted(population), 20)
    expected = {pk for pk in only if oracle.matches(tree, population[pk], NOW)}
    rule = parse(tree)
    assert set(rule.queryset(NOW, only=only)) == expected
    rows = Profile.objects.filter(pk__in=only).values_list("subject_id", flat=True)
    assert set(rule.queryset(NOW, only=rows)) == expected


@settings(max_examples=40, deadline=None, suppress_health_check=IN_ONE_TRANSACTION)
@given(tree=TREES)
def test_the_queryset_can_stand_inside_another(population: dict[int, Person], tree: Tree) -> None:
    expected = sum(oracle.matches(tree, person, NOW) for person in population.values())
    people = parse(tree).queryset(NOW)
    assert Profile.objects.filter(pk__in=people).count() == people.count() == expected
    assert Profile.objects.exclude(pk__in=people).count() == len(population) - expected


@settings(max_examples=100, deadline=None)
@given(tree=TREES)
def test_the_json_form_is_read_back_as_the_same_rule(tree: Tree) -> None:
    rule = parse(tree)
    assert parse(rule.to_json()) == rule
    assert parse(rule.to_json()).to_json() == rule.to_json()
    assert rule.describe()
