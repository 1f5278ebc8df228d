"""What the builder's views answer, and to whom."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from compliance.models import AuditLeaf
from config import roles
from segments.models import EventType
from tests.factories.campaigns import UserFactory
from tests.factories.segments import TagFactory, make_profile

pytestmark = pytest.mark.django_db
WUHAN = {"all": [{"attribute": "city", "op": "eq", "value": "Wuhan"}]}


@pytest.fixture(autouse=True)
def _roles() -> None:
    roles.apply_roles()


@pytest.fixture
def marketing() -> Client:
    return client_of("Marketing")


def client_of(*groups: str) -> Client:
    user = UserFactory(username=f"{len(groups)}-{groups[0].lower()}")
    user.groups.set(Group.objects.filter(name__in=groups))
    client = Client()
    client.force_login(user)
    return client


def ask(client: Client, page: str, definition: Any) -> dict[str, Any]:
    given = definition if isinstance(definition, str) else json.dumps(definition)
    answer = client.post(reverse(f"admin:segments_segment_{page}"), {"definition": given, "form": "one"})
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def test_a_preview_counts_tells_and_masks(marketing: Client) -> None:
    person = make_profile(1, city="Wuhan")
    make_profile(2, city="Oslo")
    found = ask(marketing, "preview", WUHAN)
    assert (found["count"], found["count_text"], found["sentence"]) == (1, "1 person", "City is “Wuhan”")
    assert found["shares"] == [{"path": "/all/0", "part": 0.5, "text": "removes 50% (1 person)"}]
    url = reverse("admin:segments_profile_change", args=[person.pk])
    assert found["sample"] == [{"id": person.pk, "name": "P***", "city": "Wuhan", "url": url}]


def test_a_condition_of_any_tells_what_it_adds(marketing: Client) -> None:
    for number in range(4):
        make_profile(number, city="Wuhan" if number else "Oslo")
    oslo = {"attribute": "city", "op": "eq", "value": "Oslo"}
    shares = ask(marketing, "preview", {"any": [oslo, *WUHAN["all"]]})["shares"]
    assert [share["text"] for share in shares] == ["adds 25% (1 person)", "adds 75% (3 people)"]


@pytest.mark.parametrize(
    ("definition", "path"),
    [
        ({"all": [{"attribute": "city", "op": "louder"}]}, "/all/0/op"),
        ({"any": [{"none": [{"tag": "lost", "op": "has"}]}]}, "/any/0/none/0"),
        ({"all": [{"any": [{"attribute": "city", "op": "eq"}]}]}, "/all/0/any/0/value"),
        ("{", ""),
    ],
)
def test_a_fault_is_answered_with_its_place(marketing: Client, definition: Any, path: str) -> None:
    error = ask(marketing, "preview", definition)["error"]
    assert error["path"] == path
    assert error["reason"]


def test_who_may_not_see_people_gets_no_sample() -> None:
    make_profile(1, city="Wuhan")
    user = UserFactory(username="writer")
    user.user_permissions.set([permission("add_segment"), permission("view_segment")])
    client = Client()
    client.force_login(user)
    found = ask(client, "preview", WUHAN)
    assert (found["count"], found["sample"]) == (1, [])
    values = client.get(reverse("admin:segments_segment_suggestions"), {"source": "events"})
    assert values.json() == {"suggestions": []}


def permission(codename: str) -> Permission:
    return Permission.objects.get(codename=codename)


def test_names_in_full_are_for_those_who_may_and_each_look_is_logged() -> None:
    person = make_profile(1, city="Wuhan", name="Ada")
    refused = client_of("Marketing").post(reverse("admin:segments_segment_names"), {"definition": json.dumps(WUHAN)})
    assert refused.status_code == 403
    assert not AuditLeaf.objects.filter(action="profile.personal_data_viewed").exists()
    assert ask(client_of("Marketing", "Support"), "names", WUHAN) == {"names": {str(person.pk): "Ada"}}
    leaf = AuditLeaf.objects.get(action="profile.personal_data_viewed")
    assert (leaf.actor, leaf.object_id) == ("user:2-marketing", str(person.subject.uid))


def test_previews_write_nothing(marketing: Client) -> None:
    make_profile(1, city="Wuhan")
    before = AuditLeaf.objects.count()
    ask(marketing, "preview", WUHAN)
    assert AuditLeaf.objects.count() == before


def test_suggestions_are_found_by_source(marketing: Client) -> None:
    TagFactory(key="vip", name="VIP")
    url = reverse("admin:segments_segment_suggestions")
    assert marketing.get(url, {"source": "tags", "q": "v\0i"}).json()["suggestions"] == [
        {"value": "vip", "label": "VIP"}
    ]
    assert marketing.get(url, {"source": "passwords"}).status_code == 404
    assert marketing.post(url).status_code == 405


def test_the_catalogue_says_how_properties_are_declared(marketing: Client) -> None:
    EventType.objects.create(name="purchase", properties={"size": {"type": "number", "required": True}})
    found = marketing.get(reverse("admin:segments_segment_catalogue")).json()
    assert found["declared"] == {"purchase": {"size": "number"}}


def test_the_catalogue_says_what_one_may(marketing: Client) -> None:
    url = reverse("admin:segments_segment_catalogue")
    found = marketing.get(url).json()
    assert (found["may_see_people"], found["may_see_names"]) == (True, False)
    assert found["texts"]["add_condition"] == "Add condition"
    assert client_of("Marketing", "Support").get(url).json()["may_see_names"]


def test_a_form_with_a_fault_tells_the_builder_where(marketing: Client) -> None:
    rule = {"all": [{"tag": "lost", "op": "has"}]}
    form = {"key": "lost", "name": "Lost", "is_active": "on", "definition": json.dumps(rule)}
    answer = marketing.post(reverse("admin:segments_segment_add"), form)
    assert answer.status_code == 200
    widget = answer.context["adminform"].form.fields["definition"].widget
    assert json.loads(widget.attrs["data-fault"]) == {"path": "/all/0", "reason": "no such tag: lost"}
    TagFactory(key="lost")
    assert marketing.post(reverse("admin:segments_segment_add"), form).status_code == 302
