"""Segments over the API: made, changed, refreshed, filled, explained, put out of use."""

import json
from typing import Any

import pytest
from django.test import Client

from compliance.models import AuditLeaf
from segments.models import Profile, Segment, SegmentMembership
from segments.services import segments
from tests.factories.api import api, make_client, post
from tests.factories.campaigns import CampaignFactory
from tests.factories.segments import make_profile
from tests.segments.membership.stage import (
    ACTOR,
    BEIJING,
    BUYERS,
    NOW,
    SHANGHAI,
    create,
    listed,
    members,
    move,
    take_in,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return api("segments:read", "segments:write", "profiles:read")


def patch(client: Client, key: str, body: Any, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.patch(f"/api/v1/segments/{key}/", json.dumps(body), content_type="application/json", headers=named)


def faults(answer: Any) -> list[str]:
    assert answer.status_code == 400, answer.content
    return [error["field"] for error in answer.json()["errors"]]


def is_conflict(answer: Any) -> str:
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict"), answer.content
    return str(answer.json()["detail"])


def test_a_segment_is_created_read_and_logged_under_the_clients_name() -> None:
    partner, _ = make_client("segments:write")
    body = {"key": "here", "name": "Here", "definition": SHANGHAI}
    answer = post(api("segments:write", client=partner), "segments/", body)
    assert answer.status_code == 201
    shown = answer.json()
    assert (shown["key"], shown["kind"], shown["version"], shown["definition"]) == ("here", "dynamic", 1, SHANGHAI)
    assert AuditLeaf.objects.get(action="segment.created").actor == f"api:{partner.client_id}"
    assert api("segments:read").get("/api/v1/segments/here/").json() == shown


def test_a_repeated_creation_makes_one(client: Client) -> None:
    body = {"key": "here", "name": "Here", "definition": SHANGHAI}
    answers = [post(client, "segments/", body, idempotency_key="k") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert Segment.objects.count() == 1


def test_a_snapshot_is_taken_at_once_and_a_list_needs_no_rule(client: Client) -> None:
    make_profile(1, city="Shanghai")
    shown = post(
        client, "segments/", {"key": "then", "name": "Then", "kind": "snapshot", "definition": SHANGHAI}
    ).json()
    assert (shown["member_count"], shown["taken_at"] is not None) == (1, True)
    shown = post(client, "segments/", {"key": "list", "name": "List", "kind": "uploaded"}).json()
    assert (shown["definition"], shown["taken_at"]) == ({}, None)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"definition": {"all": [SHANGHAI, {"attribute": "city", "op": "like", "value": "x"}]}}, "definition.all.1.op"),
        ({"definition": {"all": [{"tag": "unheard-of", "op": "has"}]}}, "definition.all.0"),
        (
            {"definition": {"event": "buy", "op": "eq", "value": 1, "where": [{"property": "color", "op": "like"}]}},
            "definition.where.0.op",
        ),
        ({"definition": {"segment": "here", "op": "in"}}, "definition"),
        ({"definition": {}}, "definition"),
        ({"definition": []}, "definition"),
        ({"kind": "uploaded"}, "definition"),
        ({"kind": "static"}, "kind"),
        ({"key": "taken"}, "key"),
        ({"key": "no blanks"}, "key"),
        ({"name": ""}, "name"),
        ({"members": 3}, "members"),
    ],
)
def test_what_is_wrong_with_a_segment_is_named(client: Client, changes: dict[str, Any], field: str) -> None:
    create("taken")
    body = {"key": "here", "name": "Here", "definition": SHANGHAI, **changes}
    assert faults(post(client, "segments/", body)) == [field]
    assert Segment.objects.count() == 1


def test_another_definition_is_a_new_version(client: Client) -> None:
    create()
    answer = patch(client, "here", {"definition": BEIJING, "name": "There"})
    shown = answer.json()
    assert (shown["version"], shown["definition"], shown["name"]) == (2, BEIJING, "There")
    assert patch(client, "here", {}).json() == shown
    assert faults(patch(client, "here", {"definition": {"any": [{}]}, "name": "Nowhere"})) == ["definition.any.0"]
    assert client.get("/api/v1/segments/here/").json()["name"] == "There"


def test_a_segment_is_put_out_of_use_and_back(client: Client) -> None:
    create()
    assert client.delete("/api/v1/segments/here/").json()["is_active"] is False
    assert patch(client, "here", {"is_active": True}).json()["is_active"] is True
    assert patch(client, "here", {"is_active": False, "name": "Old"}).json()["name"] == "Old"
    assert Segment.objects.get().is_active is False


def test_a_segment_that_is_asked_for_stays(client: Client) -> None:
    base = create("base")
    inside = create("inside", {"segment": "base", "op": "in"})
    assert "Inside" in is_conflict(client.delete("/api/v1/segments/base/"))
    assert "Inside" in is_conflict(patch(client, "base", {"is_active": False, "name": "Gone"}))
    segments.archive(segment=inside, actor=ACTOR, now=NOW)
    campaign = CampaignFactory(segment=base, name="Spring", state="submitted")
    assert "Spring" in is_conflict(client.delete("/api/v1/segments/base/"))
    base.refresh_from_db()
    assert (base.is_active, base.name) == (True, "Base")
    type(campaign).objects.filter(pk=campaign.pk).update(state="cancelled")
    assert client.delete("/api/v1/segments/base/").status_code == 200


def test_a_rule_is_refreshed_a_snapshot_taken_and_a_list_neither(client: Client) -> None:
    person = make_profile(1, city="Shanghai")
    here, then = create(), create("then", BEIJING, kind="snapshot")
    move(person, "Beijing")
    assert post(client, "segments/then/refresh/", {}).json() == {"entered": 1, "left": 0, "members": 1}
    assert post(client, "segments/here/refresh/", {}).json() == {"entered": 0, "left": 0, "members": 0}
    assert (members(here), members(then)) == (set(), {person.pk})
    listed("friends")
    is_conflict(post(client, "segments/friends/refresh/", {}))
    segments.archive(segment=here, actor=ACTOR, now=NOW)
    is_conflict(post(client, "segments/here/refresh/", {}))


def test_an_unsaved_rule_is_counted(client: Client) -> None:
    make_profile(1, city="Shanghai")
    make_profile(2, city="Beijing")
    answer = post(client, "segment-preview/", {"definition": {"all": [SHANGHAI, {"none": [BUYERS]}]}})
    shown = answer.json()
    assert (shown["count"], shown["shares"][0]) == (1, {"path": "/all/0", "without": 2, "matching": 1})
    assert set(shown) == {"sentence", "count", "shares", "warnings"}
    assert faults(post(client, "segment-preview/", {"definition": {"any": [{"x": 1}]}})) == ["definition.any.0"]
    assert not Segment.objects.exists()


def test_members_are_uploaded_each_with_a_result(client: Client) -> None:
    person = make_profile(1)
    friends = listed("friends")
    people = [{"email": "person-1@example.com"}, {"uid": str(person.subject.uid)}, {"external_id": "C9"}]
    answer = post(client, "segments/friends/members/", {"source": "shop", "people": people}).json()
    assert [row["status"] for row in answer["results"]] == ["accepted", "duplicate", "rejected"]
    assert answer["results"][2]["field"] == "external_id"
    assert {name: answer[name] for name in ("accepted", "duplicate", "rejected", "entered", "left", "members")} == {
        "accepted": 1, "duplicate": 1, "rejected": 1, "entered": 1, "left": 0, "members": 1,
    }  # fmt: skip
    gone = {"source": "shop", "mode": "remove", "people": people[:1]}
    assert post(client, "segments/friends/members/", gone).json()["left"] == 1
    assert members(friends) == set()


def test_a_batch_that_cannot_be_used_is_refused(client: Client) -> None:
    listed("friends")
    create()
    people = [{"email": "person-1@example.com"}]
    is_conflict(post(client, "segments/here/members/", {"source": "shop", "people": people}))
    too_many = {"source": "shop", "people": people * 1_001}
    assert faults(post(client, "segments/friends/members/", too_many)) == ["people"]
    two = {"source": "shop", "people": [{"email": "a@example.com", "phone": "1"}]}
    assert faults(post(client, "segments/friends/members/", two)) == ["people.0.uid"]
    swap = {"source": "shop", "people": people, "mode": "swap"}
    assert faults(post(client, "segments/friends/members/", swap)) == ["mode"]


def test_the_history_is_paged_and_filtered(client: Client) -> None:
    people = [make_profile(number) for number in range(3)]
    friends = listed("friends", *people)
    take_in(friends, people[0], mode="remove")
    seen: list[Any] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        page = client.get("/api/v1/segments/friends/history/", query).json()
        seen += page["results"]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert [row["change"] for row in seen] == ["left", "entered", "entered", "entered"]
    assert seen[0] == {
        "uid": str(people[0].subject.uid), "change": "left", "cause": "upload", "version": 1, "at": seen[0]["at"],
    }  # fmt: skip
    left = client.get("/api/v1/segments/friends/history/", {"change": "left"}).json()["results"]
    assert left == seen[:1]
    assert faults(client.get("/api/v1/segments/friends/history/", {"change": "moved"})) == ["change"]


def test_the_segments_of_a_person_are_told_and_why(client: Client) -> None:
    person = make_profile(1, city="Shanghai")
    here = create("here", {"all": [SHANGHAI]})
    segments.refresh(segment=here, now=NOW, actor=ACTOR)
    path = f"/api/v1/profiles/{person.subject.uid}/segments/"
    (plain,) = client.get(path).json()["results"]
    assert (plain["key"], plain["kind"], plain["why"]) == ("here", "dynamic", None)
    (told,) = client.get(path, {"explain": "true"}).json()["results"]
    assert told["why"]["cause"] == "definition"
    assert [(node["path"], node["holds"]) for node in told["why"]["nodes"]] == [("", True), ("/all/0", True)]
    assert faults(client.get(path, {"explain": "yes"})) == ["explain"]
    assert client.get("/api/v1/profiles/01890a5d-ac96-774b-bcce-b302099a8057/segments/").status_code == 404


def test_reading_does_not_let_write(now: Any) -> None:
    create()
    reader = api("segments:read")
    assert patch(reader, "here", {"name": "x"}).status_code == 403
    assert reader.delete("/api/v1/segments/here/").status_code == 403
    assert not SegmentMembership.objects.exists()
    assert not Profile.objects.exists()
