"""The people whom segments share."""

from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from segments.models import Segment, SegmentMembership
from segments.rules import parse
from segments.selectors import segment_overlap
from tests.factories.api import api
from tests.factories.segments import SegmentFactory, make_profile
from tests.segments.rules.world import Person, store

pytestmark = pytest.mark.django_db


def segment_of(people: list[int], key: str, now: datetime, **fields: Any) -> Segment:
    """A segment with these members."""
    segment: Segment = SegmentFactory(
        key=key, **{"name": key.title(), "member_count": len(people), "refreshed_at": now, **fields}
    )
    SegmentMembership.objects.bulk_create(
        [SegmentMembership(segment=segment, profile_id=person, entered_at=now) for person in people]
    )
    return segment


@pytest.fixture
def people(db: None) -> list[int]:
    return store([Person(city="Shanghai")] * 6 + [Person(city="Beijing")] * 4)


def test_each_cell_counts_shared_people_and_their_shares(people: list[int], now: datetime) -> None:
    one, other = segment_of(people[:4], "one", now), segment_of(people[2:10], "other", now)
    nobody = segment_of([], "nobody", now)
    found = segment_overlap.overlap([one, other, nobody])
    assert [[cell.people for cell in cells] for _segment, cells in found.rows()] == [[4, 2, 0], [2, 8, 0], [0, 0, 0]]
    cell = found.cell(one, other)
    assert (cell.share, cell.jaccard) == (0.5, 0.2)
    assert found.cell(other, one).share == 0.25
    assert found.cell(one, one).jaccard == 1
    assert (found.cell(nobody, nobody).share, found.cell(nobody, nobody).jaccard) == (0, 0)


def test_the_matrix_agrees_with_plain_sets(people: list[int], now: datetime) -> None:
    members = [{person for place, person in enumerate(people) if (number >> place % 5) & 1} for number in range(20)]
    segments = [segment_of(sorted(each), f"s{number}", now) for number, each in enumerate(members)]
    found = segment_overlap.overlap(segments)
    for row, mine in zip(segments, members, strict=True):
        for column, theirs in zip(segments, members, strict=True):
            assert found.cell(row, column).people == len(mine & theirs)


def test_one_statement_and_no_more_than_twenty(
    people: list[int], now: datetime, django_assert_num_queries: Any
) -> None:
    segments = [segment_of(people[:number], f"s{number}", now) for number in range(21)]
    with django_assert_num_queries(1):
        segment_overlap.overlap(segments[:20])
    with pytest.raises(ValueError, match="more than 20"):
        segment_overlap.overlap(segments)


def test_an_unsaved_rule_is_compared_without_being_stored(people: list[int], now: datetime) -> None:
    one, other = segment_of(people[4:8], "one", now), segment_of(people[6:], "other", now)
    rule = parse({"attribute": "city", "op": "eq", "value": "Shanghai"})
    assert segment_overlap.shared_with_rule(rule, [one.pk, other.pk], now) == {one.pk: 2}


@pytest.fixture
def client() -> Client:
    return api("segments:read")


def test_the_api_answers_with_rows(client: Client, people: list[int], now: datetime) -> None:
    segment_of(people[:4], "one", now)
    segment_of(people[2:10], "other", now)
    answer = client.get("/api/v1/segments/overlap/", {"keys": "other,one"})
    assert answer.json() == {
        "rows": [
            {
                "key": "other",
                "members": 8,
                "cells": [
                    {"key": "other", "people": 8, "share": 1.0, "jaccard": 1.0},
                    {"key": "one", "people": 2, "share": 0.25, "jaccard": 0.2},
                ],
            },
            {
                "key": "one",
                "members": 4,
                "cells": [
                    {"key": "other", "people": 2, "share": 0.5, "jaccard": 0.2},
                    {"key": "one", "people": 4, "share": 1.0, "jaccard": 1.0},
                ],
            },
        ]
    }


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ("one", "2 to 20"),
        ("one,one", "2 to 20"),
        (",".join(f"s{number}" for number in range(21)), "2 to 20"),
        ("one,lost", "lost"),
        ("one,Lost key", "no key"),
    ],
)
def test_wrong_keys_are_named(client: Client, now: datetime, keys: str, reason: str) -> None:
    segment_of([], "one", now)
    answer = client.get("/api/v1/segments/overlap/", {"keys": keys})
    assert answer.status_code == 400
    ((field, found),) = [tuple(error.values()) for error in answer.json()["errors"]]
    assert field == "keys"
    assert reason in found


def test_the_scope_is_asked_for(now: datetime) -> None:
    make_profile(1)
    assert api("profiles:read").get("/api/v1/segments/overlap/", {"keys": "a,b"}).status_code == 403
