"""Segments and their members over the API."""

from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from segments.services import segments
from tests.factories.api import api
from tests.factories.segments import SegmentFactory, make_profile

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return api("segments:read")


def walk(client: Client, path: str, limit: int) -> list[Any]:
    seen: list[Any] = []
    query: dict[str, Any] = {"limit": limit}
    while True:
        page = client.get(f"/api/v1/{path}", query).json()
        assert len(page["results"]) <= limit
        seen += page["results"]
        if page["next"] is None:
            return seen
        query["cursor"] = page["next"]


@pytest.mark.parametrize("limit", [1, 2, 3, 100, 500])
def test_all_segments_are_listed_once(client: Client, limit: int) -> None:
    made = [SegmentFactory() for _ in range(3)]
    assert [row["key"] for row in walk(client, "segments/", limit)] == [segment.key for segment in made]


def test_a_segment_is_shown_with_its_size(client: Client, now: datetime) -> None:
    segment = SegmentFactory(key="all", name="Everybody")
    make_profile(1)
    assert client.get("/api/v1/segments/").json()["results"][0]["refreshed_at"] is None
    segments.refresh(segment=segment, now=now, actor="test")
    shown = client.get("/api/v1/segments/").json()["results"][0]
    assert shown == {
        "uid": str(segment.uid),
        "key": "all",
        "name": "Everybody",
        "description": "",
        "kind": "dynamic",
        "version": 1,
        "refreshed_version": 1,
        "is_active": True,
        "member_count": 1,
        "refreshed_at": shown["refreshed_at"],
        "taken_at": None,
    }
    assert datetime.fromisoformat(shown["refreshed_at"]) == now


@pytest.mark.parametrize("limit", [1, 2, 5, 100])
def test_all_members_are_listed_once(client: Client, now: datetime, limit: int) -> None:
    people = [make_profile(number) for number in range(5)]
    segment = SegmentFactory(key="all")
    segments.refresh(segment=segment, now=now, actor="test")
    seen = walk(client, "segments/all/members/", limit)
    assert [row["uid"] for row in seen] == [str(profile.subject.uid) for profile in people]
    assert {datetime.fromisoformat(row["entered_at"]) for row in seen} == {now}


def test_members_who_come_and_go_shift_nobody_else(client: Client, now: datetime) -> None:
    people = [make_profile(number, city="Paris") for number in range(4)]
    segment = SegmentFactory(key="paris", definition={"attribute": "city", "op": "eq", "value": "Paris"})
    segments.refresh(segment=segment, now=now, actor="test")
    first = client.get("/api/v1/segments/paris/members/", {"limit": 2}).json()
    people[0].city = "Rome"
    people[0].save()
    segments.refresh(segment=segment, now=now, actor="test")
    second = client.get("/api/v1/segments/paris/members/", {"limit": 2, "cursor": first["next"]}).json()
    seen = [row["uid"] for row in first["results"] + second["results"]]
    assert seen == [str(profile.subject.uid) for profile in people]
    assert second["next"] is None


def test_a_segment_without_members_is_an_empty_page(client: Client) -> None:
    SegmentFactory(key="nobody")
    assert client.get("/api/v1/segments/nobody/members/").json() == {"results": [], "next": None}
