"""Profiles over the API."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone

from compliance.models import AuditLeaf
from segments.models import Identity, Profile, ProfileTag, Source
from tests.factories.api import api, make_client, post
from tests.factories.segments import TagFactory, make_profile

pytestmark = pytest.mark.django_db
ADA = {
    "source": "shop",
    "external_id": "C-1",
    "email": "ada@example.com",
    "name": "Ada",
    "gender": "female",
    "birth_date": "1990-12-31",
    "language": "zh-Hans",
    "country": "CN",
    "region": "Zhejiang",
    "city": "杭州",
    "timezone": "Asia/Shanghai",
    "attributes": {"level": 3, "likes": ["tea"], "vip": True},
}


@pytest.fixture
def writer() -> Client:
    return api("profiles:write")


def reasons(answer: Any) -> dict[str, str]:
    assert answer.status_code == 400, answer.content
    return {error["field"]: error["reason"] for error in answer.json()["errors"]}


def test_a_new_person_is_created_and_logged_under_the_clients_name() -> None:
    partner, _ = make_client("profiles:write")
    answer = post(api("profiles:write", client=partner), "profiles/", ADA)
    assert answer.status_code == 201
    assert answer.json() == {
        "uid": str(Profile.objects.get().subject.uid), "created": True, "merged": False, "in_review": False,
    }  # fmt: skip
    assert AuditLeaf.objects.get(action="profiles.upserted").actor == f"api:{partner.client_id}"
    assert Source.objects.get().key == "shop"


def test_a_known_person_is_updated(writer: Client) -> None:
    uid = post(writer, "profiles/", ADA).json()["uid"]
    changes = {"source": "shop", "email": "ADA@example.com", "city": "", "attributes": {"level": 4}}
    answer = post(writer, "profiles/", changes)
    assert answer.status_code == 200
    assert answer.json() == {"uid": uid, "created": False, "merged": False, "in_review": False}
    profile = Profile.objects.get()
    assert (profile.city, profile.region) == ("", "Zhejiang")
    assert profile.attributes == {"level": 4, "likes": ["tea"], "vip": True}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "not an address"),
        ("email", 5),
        ("email", ["ada@example.com"]),
        ("email", None),
        ("email", ""),
        ("phone", "12"),
        ("device", "a\nb"),
        ("external_id", "x" * 255),
        ("external_id", 12),
        ("name", "x" * 121),
        ("name", {"first": "Ada"}),
        ("gender", "unknown"),
        ("gender", []),
        ("birth_date", "31.12.1990"),
        ("birth_date", "1990-02-30"),
        ("birth_date", "1990-12-31T00:00:00Z"),
        ("birth_date", "1849-12-31"),
        ("birth_date", "2999-01-01"),
        ("birth_date", 19901231),
        ("language", "chinese!"),
        ("country", "cn"),
        ("country", "CHN"),
        ("timezone", "Mars/Base"),
        ("city", "x" * 81),
        ("attributes", []),
        ("attributes", "text"),
        ("attributes", {f"a{number}": 1 for number in range(201)}),
        ("source", "no slug!"),
        ("source", "x" * 51),
        ("source", 7),
        ("shoe_size", 42),
    ],
)
def test_bad_fields_are_named_and_nothing_is_stored(writer: Client, field: str, value: Any) -> None:
    answer = post(writer, "profiles/", {**ADA, field: value})
    assert list(reasons(answer)) == [field]
    assert not Profile.objects.exists()


def test_attributes_are_named_one_by_one(writer: Client) -> None:
    answer = post(writer, "profiles/", {**ADA, "attributes": {"shoe size": 42}})
    assert list(reasons(answer)) == ["attributes.shoe size"]


def test_a_person_needs_an_identifier(writer: Client) -> None:
    assert list(reasons(post(writer, "profiles/", {"source": "shop", "name": "Ada"}))) == ["external_id"]


def test_identifiers_of_two_people_who_contradict_each_other_are_for_staff(writer: Client) -> None:
    make_profile(1)
    second = make_profile(2)
    body = {"source": "shop", "external_id": "C1", "email": "person-2@example.com"}
    answer = post(writer, "profiles/", body).json()
    assert answer == {"uid": str(second.subject.uid), "created": False, "merged": False, "in_review": True}


def read(client: Client, profile: Profile) -> Any:
    return client.get(f"/api/v1/profiles/{profile.subject.uid}/")


def test_reading_shows_no_identifying_data_and_leaves_no_leaf(writer: Client) -> None:
    post(writer, "profiles/", ADA)
    answer = read(api("profiles:read"), Profile.objects.get())
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["name"], shown["identifiers"]) == (None, None)
    assert b"ada" not in answer.content.lower()
    assert shown["birth_date"] == "1990-12-31"
    assert (shown["city"], shown["attributes"]) == ("杭州", ADA["attributes"])
    assert UUID(shown["uid"]) == Profile.objects.get().subject.uid
    assert not AuditLeaf.objects.filter(action="profile.personal_data_viewed").exists()


def test_the_scope_for_personal_data_shows_it_and_the_look_is_logged(writer: Client) -> None:
    post(writer, "profiles/", ADA)
    partner, _ = make_client("profiles:read", "profiles:personal")
    shown = read(api("profiles:read", "profiles:personal", client=partner), Profile.objects.get()).json()
    assert shown["name"] == "Ada"
    assert shown["identifiers"] == [
        {"kind": "email", "value": "ada@example.com", "is_primary": True},
        {"kind": "external", "value": "C-1", "is_primary": True},
    ]
    leaf = AuditLeaf.objects.get(action="profile.personal_data_viewed")
    assert (leaf.actor, leaf.object_id) == (f"api:{partner.client_id}", shown["uid"])
    assert b"ada" not in bytes(leaf.data).lower()


def test_the_scope_for_personal_data_alone_opens_nothing() -> None:
    assert read(api("profiles:personal"), make_profile()).status_code == 403


def test_statistics_and_current_tags_are_shown() -> None:
    profile = make_profile()
    now = timezone.now()
    for key, expires_at in [("vip", None), ("tea", now + timedelta(days=1)), ("old", now - timedelta(days=1))]:
        ProfileTag.objects.create(
            profile=profile, tag=TagFactory(key=key), weight=Decimal("1.5"), source="test", assigned_at=now,
            expires_at=expires_at,
        )  # fmt: skip
    shown = read(api("profiles:read"), profile).json()
    assert [(tag["key"], tag["weight"]) for tag in shown["tags"]] == [("tea", 1.5), ("vip", 1.5)]
    assert shown["stats"]["order_amount"] == "0.00"
    assert shown["stats"]["rfm_recency"] is None


def test_nobody_has_an_unknown_uid() -> None:
    path = "/api/v1/profiles/01890a5d-ac96-774b-bcce-b302099a8057/"
    assert api("profiles:read").get(path).status_code == 404
    assert api("profiles:read").get("/api/v1/profiles/1/").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "email", "value": " Person-1@EXAMPLE.com "},
        {"kind": "external_id", "value": "C1", "source": "shop"},
    ],
)
def test_a_person_is_found_by_an_identifier(body: dict[str, str]) -> None:
    profile = make_profile(1)
    answer = post(api("profiles:read"), "profiles/find/", body)
    assert answer.status_code == 200
    assert answer.json()["uid"] == str(profile.subject.uid)
    assert answer.json()["name"] is None


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "email", "value": "nobody@example.com"},
        {"kind": "external_id", "value": "C1", "source": "other"},
        {"kind": "wechat", "value": "person-1@example.com"},
    ],
)
def test_nobody_is_found_by_what_nobody_has(body: dict[str, str]) -> None:
    make_profile(1)
    answer = post(api("profiles:read"), "profiles/find/", body)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert Source.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "name", "value": "Ada"}, "kind"),
        ({"kind": "email", "value": "Ada"}, "value"),
        ({"kind": "email", "value": "a\x01b"}, "value"),
        ({"kind": "external_id", "value": "C1"}, "source"),
        ({"kind": "email"}, "value"),
    ],
)
def test_searches_that_make_no_sense_are_refused(body: dict[str, str], field: str) -> None:
    assert list(reasons(post(api("profiles:read"), "profiles/find/", body))) == [field]


def test_identifiers_are_stored_encrypted(writer: Client) -> None:
    post(writer, "profiles/", ADA)
    for identity in Identity.objects.all():
        assert b"ada" not in bytes(identity.value_encrypted).lower()
