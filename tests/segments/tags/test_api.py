"""Tags over the API and from a file."""

import json
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from segments.models import ProfileTag
from tests.factories.api import api, post
from tests.segments.tags.stage import carried, compute, define, person

pytestmark = pytest.mark.django_db

UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.fixture
def client() -> Client:
    return api("tags:read", "tags:write", "profiles:read")


def test_definitions_are_listed(client: Client) -> None:
    now = timezone.now()
    group = define("price", "group", now, advice_content="Show the saving")
    define("thrifty", "import", now, parent=group)
    listed = client.get("/api/v1/tags/", {"limit": 1}).json()
    assert listed["results"][0]["key"] == "price"
    assert listed["results"][0]["advice_content"] == "Show the saving"
    rest = client.get("/api/v1/tags/", {"limit": 1, "cursor": listed["next"]}).json()
    assert (rest["results"][0]["parent"], rest["next"]) == ("price", None)


def test_people_are_given_a_tag_each_with_a_result(client: Client) -> None:
    now = timezone.now()
    define("crm", "import", now)
    first, second = person(), person(external_id="C-77")
    people: list[dict[str, Any]] = [
        {"uid": str(first.subject.uid), "weight": 2.5, "confidence": 0.5},
        {"external_id": "C-77"},
        {"uid": UNKNOWN},
        {"email": "stranger@example.com"},
        {"external_id": "C-77", "expires_at": "2020-01-01T00:00:00Z"},
    ]
    answer = post(client, "tags/crm/people/", {"source": "shop", "people": people}).json()
    assert [result["status"] for result in answer["results"]] == ["given", "given", *["rejected"] * 3]
    assert [result["field"] for result in answer["results"][2:]] == ["uid", "email", "expires_at"]
    assert (answer["given"], answer["excluded"], answer["rejected"]) == (2, 0, 3)
    assert carried(first, now) == {"crm": 2.5}
    assert ProfileTag.objects.get(profile=second).source == "import:shop"


def test_a_computed_tag_is_not_taken_in(client: Client) -> None:
    define("all", "rule", timezone.now(), rule={"all": []}, rhythm="daily")
    body = {"source": "shop", "people": [{"uid": str(person().subject.uid)}]}
    answer = post(client, "tags/all/people/", body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "key"


@pytest.mark.parametrize(
    ("people", "field"),
    [([{}], "people.0.uid"), ([{"uid": UNKNOWN, "email": "a@example.com"}], "people.0.uid"), ([], "people")],
)
def test_a_malformed_list_of_people_is_refused_by_place(client: Client, people: list[Any], field: str) -> None:
    define("crm", "import", timezone.now())
    answer = post(client, "tags/crm/people/", {"source": "shop", "people": people})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == field


def test_the_tags_of_a_person_come_with_weight_and_evidence_and_can_be_given_and_removed(client: Client) -> None:
    now = timezone.now()
    local = person(city="Shanghai")
    rule = {"attribute": "city", "op": "eq", "value": "Shanghai"}
    tag = define("local", "rule", now, rule=rule, rhythm="daily")
    define("vip", "manual", now)
    compute(tag, now)
    path = f"profiles/{local.subject.uid}/tags/"
    given = post(client, path, {"tag": "vip", "weight": 3, "expires_at": (now + timedelta(days=1)).isoformat()})
    assert given.status_code == 200, given.json()
    assert given.json()["evidence"]["sentence"].startswith("Given by api:")
    shown = client.get(f"/api/v1/{path}").json()["results"]
    assert [(row["key"], row["effective_weight"]) for row in shown] == [("vip", 3.0), ("local", 1.0)]
    assert shown[1]["evidence"]["figures"][0]["value"] == "yes"
    assert client.delete(f"/api/v1/{path}local/").json() == {"removed": True}
    assert client.delete(f"/api/v1/{path}local/").json() == {"removed": False}
    compute(tag, now)
    assert set(carried(local, now)) == {"vip"}


@pytest.mark.parametrize(("body", "field"), [({"tag": "gone"}, "tag"), ({"tag": "group"}, "tag"), ({}, "tag")])
def test_what_cannot_be_given_is_refused_by_field(client: Client, body: dict[str, str], field: str) -> None:
    define("group", "group", timezone.now())
    answer = post(client, f"profiles/{person().subject.uid}/tags/", body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == field


def test_a_file_is_taken_in_and_its_bad_rows_are_named(tmp_path: Path) -> None:
    now = timezone.now()
    define("crm", "import", now)
    someone = person(external_id="C-88")
    file = tmp_path / "people.csv"
    file.write_text("customer,weight,expires_at\nC-88,1.5,\nC-99,1,\nC-88,much,\n,1,\nC-88,1,soon\nC-88,-1,\n")
    out = StringIO()
    call_command("import_tags", "crm", str(file), "--source", "shop", "--map", "external_id=customer", stdout=out)
    lines = out.getvalue().splitlines()
    assert lines[0] == "1 given, 0 excluded, 5 rejected"
    assert [line.split(": ")[:2] for line in lines[1:]] == [
        ["  row 2", "external_id"], ["  row 3", "weight"], ["  row 4", ""], ["  row 5", "expires_at"],
        ["  row 6", "weight"],
    ]  # fmt: skip
    assert carried(someone, now + timedelta(seconds=5)) == {"crm": 1.5}


@pytest.mark.parametrize(
    ("tag", "mapping", "problem"),
    [
        ("gone", "", "no such tag"),
        ("crm", "name=customer", "none of the fields"),
        ("crm", "", "map at least one"),
        ("all", "external_id=customer", "computed"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tag: str, mapping: str, problem: str, tmp_path: Path) -> None:
    define("crm", "import", timezone.now())
    define("all", "rule", timezone.now(), rule={"all": []}, rhythm="daily")
    file = tmp_path / "people.csv"
    file.write_text("customer\nC-1\n")
    with pytest.raises(CommandError, match=problem):
        call_command("import_tags", tag, str(file), "--source", "shop", "--map", mapping)


def test_a_repeated_write_is_done_once(client: Client) -> None:
    define("vip", "manual", timezone.now())
    path = f"profiles/{person().subject.uid}/tags/"
    first = post(client, path, {"tag": "vip"}, Idempotency_Key="one")
    second = post(client, path, {"tag": "vip"}, Idempotency_Key="one")
    assert json.loads(first.content) == json.loads(second.content)
