"""Why somebody is in a segment: which nodes of its rule hold for them."""

import random

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segments.models import Segment
from segments.rules import parse
from segments.selectors import explanations
from segments.services import segments
from tests.factories.segments import make_profile
from tests.segments.membership.stage import ACTOR, BEIJING, BUYERS, NOW, SHANGHAI, create, listed, move
from tests.segments.rules import oracle
from tests.segments.rules.trees import TREES, Tree
from tests.segments.rules.world import Person, random_person, store

pytestmark = pytest.mark.django_db


@pytest.fixture
def population() -> dict[int, Person]:
    rng = random.Random(7)
    people = [random_person(rng) for _ in range(10)]
    return dict(zip(store(people), people, strict=True))


def node_at(tree: Tree, path: str) -> Tree:
    """The node with this JSON Pointer, whose keys hold no slash here."""
    found = tree
    for step in path.split("/")[1:]:
        found = found[int(step)] if isinstance(found, list) else found[step]
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=TREES, chosen=st.integers(0, 9))
def test_each_node_holds_as_the_oracle_says(population: dict[int, Person], tree: Tree, chosen: int) -> None:
    pk, person = list(population.items())[chosen]
    with CaptureQueriesContext(connection) as queries:
        answers = explanations.explain(parse(tree).root, pk, NOW)
    assert len(queries) <= 1
    assert answers[0].path == ""
    for answer in answers:
        assert answer.holds == oracle.matches(node_at(tree, answer.path), person, NOW), answer


def test_each_segment_of_a_person_is_explained() -> None:
    person = make_profile(1, city="Shanghai")
    create("others", BEIJING)
    local = create("local", {"all": [SHANGHAI, {"none": [BUYERS]}]})
    listed("friends", person)
    segments.refresh(segment=local, now=NOW, actor=ACTOR)
    friends, here = explanations.reasons(person.pk, NOW)
    assert (friends.membership.segment.key, friends.cause, list(friends.nodes)) == ("friends", "upload", [])
    assert (here.membership.segment.key, here.cause) == ("local", "definition")
    assert [(node.path, node.depth, node.holds) for node in here.nodes] == [
        ("", 0, True), ("/all/0", 1, True), ("/all/1", 1, True), ("/all/1/none/0", 2, False),
    ]  # fmt: skip
    assert "Shanghai" in here.sentence


def test_a_snapshot_tells_what_does_not_hold_any_more() -> None:
    person = make_profile(1, city="Shanghai")
    create(kind="snapshot")
    move(person, "Beijing")
    (reason,) = explanations.reasons(person.pk, NOW)
    assert [node.holds for node in reason.nodes] == [False]


def test_a_rule_that_cannot_be_read_is_not_explained() -> None:
    person = make_profile(1, city="Shanghai")
    segment = create(kind="snapshot")
    Segment.objects.filter(pk=segment.pk).update(definition={"gone": 1})
    (reason,) = explanations.reasons(person.pk, NOW)
    assert (reason.sentence, list(reason.nodes)) == ("", [])


def test_nothing_holds_for_nobody() -> None:
    assert [answer.holds for answer in explanations.explain(parse(SHANGHAI).root, 404, NOW)] == [False]
