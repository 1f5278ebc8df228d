"""Merging over the API, and what old public ids lead to."""

from typing import Any

import pytest
from django.test import Client

from compliance.models import ConsentState
from compliance.uuid7 import uuid7
from segments.models import Profile, ProfileMerge
from tests.factories.api import api, post
from tests.factories.compliance import NoticeFactory
from tests.segments.identity.stage import bought, merge, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def partner() -> Client:
    return api("profiles:read", "profiles:write", "profiles:merge", "consents:read", "consents:write", "events:write")


@pytest.fixture
def people() -> tuple[Profile, Profile]:
    return person(external_id="C1", city="Wuhan"), person(email="li@example.com", gender="female")


def uid(profile: Profile) -> str:
    return str(profile.subject.uid)


def test_two_profiles_are_merged_and_parted(partner: Client, people: tuple[Profile, Profile]) -> None:
    first, second = people
    answer = post(partner, f"profiles/{uid(first)}/merge/", {"absorb": uid(second), "note": "same card"})
    assert answer.status_code == 201
    made = answer.json()
    assert (made["survivor"], made["absorbed"], made["cause"], made["undone_at"]) == (
        uid(first), uid(second), "api", None,
    )  # fmt: skip
    read = partner.get(f"/api/v1/profiles/{uid(second)}/").json()
    assert (read["uid"], read["city"], read["gender"], read["merges"]) == (uid(first), "Wuhan", "female", [made])
    undone = post(partner, f"merges/{made['uid']}/undo/", {"note": "two cards"})
    assert undone.status_code == 200
    assert undone.json()["undone_at"]
    assert partner.get(f"/api/v1/profiles/{uid(second)}/").json()["uid"] == uid(second)
    assert ProfileMerge.objects.get().undone_by.startswith("api:")


def test_a_repeat_with_the_same_key_merges_once(partner: Client, people: tuple[Profile, Profile]) -> None:
    path, body = f"profiles/{uid(people[0])}/merge/", {"absorb": uid(people[1])}
    answers = [post(partner, path, body, Idempotency_Key="merge-1").json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert ProfileMerge.objects.count() == 1


@pytest.mark.parametrize("field", ["absorb", "note", "profile", "merge"])
def test_what_cannot_be_done_names_the_field(partner: Client, people: tuple[Profile, Profile], field: str) -> None:
    first, second = people
    third = person(wechat="w1")
    made = merge(first, second)
    calls: dict[str, tuple[str, dict[str, Any]]] = {
        "absorb": (f"profiles/{uid(first)}/merge/", {"absorb": str(uuid7())}),
        "note": (f"profiles/{uid(first)}/merge/", {"absorb": uid(third), "note": "x" * 241}),
        "profile": (f"profiles/{uid(second)}/merge/", {"absorb": uid(third)}),
        "merge": (f"merges/{made.uid}/undo/", {}),
    }
    if field == "merge":
        merge(third, first)
    answer = post(partner, *calls[field])
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_what_is_not_there_is_not_found(partner: Client) -> None:
    assert post(partner, f"profiles/{uuid7()}/merge/", {"absorb": str(uuid7())}).status_code == 404
    assert post(partner, f"merges/{uuid7()}/undo/", {}).status_code == 404


def test_merging_needs_its_own_scope(people: tuple[Profile, Profile]) -> None:
    client = api("profiles:read", "profiles:write")
    assert post(client, f"profiles/{uid(people[0])}/merge/", {"absorb": uid(people[1])}).status_code == 403


def test_an_old_uid_still_takes_events_and_decisions(partner: Client, people: tuple[Profile, Profile]) -> None:
    first, second = people
    merge(first, second)
    assert bought("", "1", "", uid=second.subject.uid) == "accepted"
    assert partner.get(f"/api/v1/profiles/{uid(first)}/").json()["stats"]["event_count"] == 1
    notice = NoticeFactory()
    body = {
        "subject": uid(second), "purpose": notice.purpose.key, "channel": "email", "action": "given", "method": "form",
        "notice": {"version": notice.version, "language": notice.language}, "source": "page",
        "occurred_at": "2026-03-01T12:00:00Z",
    }  # fmt: skip
    assert post(partner, "consents/", body).status_code == 201
    assert ConsentState.objects.get(subject=first.pk).action == "given"
    for one in people:
        rows = partner.get(f"/api/v1/consents/?subject={uid(one)}").json()["results"]
        assert [row["subject"] for row in rows] == [uid(second), uid(first)]
