"""Declared types of properties and attributes: what fits is taken, what does not is refused by name."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from compliance.models import AuditLeaf
from segments.models import AttributeType, Event, EventType, Profile
from segments.profile_input import InputError, ProfileInput
from segments.services import imports, profile_intake
from segments.value_types import Declared, SchemaError, ValueType, check, from_cell, parse_schema
from tests.factories.api import api, post
from tests.factories.segments import CleaningRuleFactory, SourceFactory, make_profile
from tests.segments.files import write
from tests.segments.test_cleaning import NOON, import_views, ingest, view

pytestmark = pytest.mark.django_db
PROPERTIES = {
    "color": {"type": "text"},
    "price": {"type": "number", "required": True},
    "sale": {"type": "boolean"},
    "seen": {"type": "time"},
}


@pytest.fixture
def event_type(db: None) -> EventType:
    make_profile(1)
    return EventType.objects.create(name="browse", properties=PROPERTIES)


@pytest.mark.parametrize(
    ("properties", "answer"),
    [
        ({"price": 1}, "accepted"),
        ({"price": 1.5, "color": "red", "sale": False, "seen": "2026-03-01T12:00:00+08:00"}, "accepted"),
        ({"price": 1, "size": {"free": ["form"]}}, "accepted"),
        ({"price": 1, "color": None}, "accepted"),
        ({"price": "1"}, "rejected properties.price is not a number"),
        ({"price": True}, "rejected properties.price is not a number"),
        ({"price": None}, "rejected properties.price is required"),
        ({}, "rejected properties.price is required"),
        ({"price": 1, "color": 5}, "rejected properties.color is not a text"),
        ({"price": 1, "sale": "no"}, "rejected properties.sale is not true or false"),
        ({"price": 1, "seen": "noon"}, "rejected properties.seen is not a time such as 2026-03-02T12:00:00+08:00"),
    ],
)
@pytest.mark.usefixtures("event_type")
def test_properties_of_an_event(properties: dict[str, Any], answer: str) -> None:
    assert ingest(view(properties=properties)) == [answer]
    if answer == "accepted":
        assert Event.objects.get().properties == properties


@pytest.mark.usefixtures("event_type")
def test_events_of_other_names_say_what_they_like() -> None:
    assert ingest(view(name="click", properties={"price": "dear"})) == ["accepted"]


@pytest.mark.usefixtures("event_type")
def test_rules_come_before_types() -> None:
    CleaningRuleFactory(
        field="properties.price", action="map", parameters={"values": {"one": 1}}, event_names=["browse"]
    )
    assert ingest(view(properties={"price": "one"})) == ["accepted"]


@pytest.mark.usefixtures("event_type")
def test_cells_of_a_file_are_read_as_their_type(tmp_path: Path) -> None:
    text = (
        "external_id,occurred_at,color,price,sale,seen,size\n"
        "C1,2026-02-01,7,1.50,TRUE,2026-01-01 08:00,XL\n"
        "C1,2026-02-02,,2,0,,\n"
        "C1,2026-02-03,,many,,,\n"
        "C1,2026-02-04,,,,,\n"
        "C1,2026-02-05,,1,maybe,,\n"
        "C1,2026-02-06,,1,,soon,\n"
    )
    mapping = {f"properties.{name}": name for name in ("color", "price", "sale", "seen", "size")}
    job = import_views(tmp_path, text, mapping=mapping)
    assert list(Event.objects.order_by("occurred_at").values_list("properties", flat=True)) == [
        {"color": "7", "price": 1.5, "sale": True, "seen": "2026-01-01T08:00:00", "size": "XL"},
        {"price": 2, "sale": False},
    ]
    assert [row.field for row in job.rejected_rows.order_by("row_number")] == [
        "properties.price", "properties.price", "properties.sale", "properties.seen",
    ]  # fmt: skip


@pytest.mark.usefixtures("event_type")
def test_a_required_property_needs_a_column(tmp_path: Path) -> None:
    job = import_views(tmp_path, "external_id,occurred_at\nC1,2026-02-01\n")
    assert job.rejected_rows.get().field == "properties.price"


def test_attributes_of_people(tmp_path: Path) -> None:
    AttributeType.objects.create(key="income", type="number")
    given = [
        ProfileInput(external_id="1", attributes={"income": 5, "hobby": ["any"]}),
        ProfileInput(external_id="2", attributes={"income": "5"}),
    ]
    good, bad = profile_intake.take(source=SourceFactory(), inputs=given, actor="test", now=NOON)
    assert good.profile_id
    assert (bad.field, bad.reason) == ("attributes.income", "is not a number")
    path = write(tmp_path / "people.csv", "external_id,income\n3,5\n4,much\n5,\n")
    job = imports.import_profiles(
        path=path, source_key="shop", mapping={"attributes.income": "income"}, actor="test", now=NOON
    )
    assert (job.accepted, job.rejected_rows.get().field) == (2, "attributes.income")
    assert list(Profile.objects.order_by("pk").values_list("attributes", flat=True))[1:] == [{"income": 5}, {}]


def test_the_api_names_the_wrong_attribute() -> None:
    AttributeType.objects.create(key="income", type="number")
    body = {"source": "shop", "external_id": "1", "attributes": {"income": "5"}}
    answer = post(api("profiles:write"), "profiles/", body)
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == ["attributes.income"]


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        ("number", "12", 12),
        ("number", 12.0, 12),
        ("boolean", True, True),
        ("boolean", 1.0, True),
        ("text", 5.0, "5"),
        ("time", datetime(2026, 3, 1, tzinfo=UTC), "2026-03-01T00:00:00+00:00"),
        ("time", date(2026, 3, 1), "2026-03-01"),
        ("number", "", None),
    ],
)
def test_cells(kind: str, cell: Any, value: Any) -> None:
    assert from_cell(Declared(ValueType(kind)), cell, field="x") == value


def test_a_number_that_json_cannot_hold_is_none() -> None:
    with pytest.raises(InputError, match="is not a number"):
        from_cell(Declared(ValueType.NUMBER), "1e400", field="x")


def test_a_required_cell_may_not_be_missing() -> None:
    with pytest.raises(InputError, match="is required"):
        from_cell(Declared(ValueType.TEXT, required=True), None, field="x")


def test_nothing_declared_means_anything_goes() -> None:
    check({}, {"anything": object()}, prefix="properties")


@pytest.mark.parametrize(
    "properties",
    [
        [],
        {"": {"type": "text"}},
        {"a": "text"},
        {"a\x00": {"type": "text"}},
        {"a": {}},
        {"a": {"type": "colour"}},
        {"a": {"type": ["text"]}},
        {"a": {"type": "text", "required": "yes"}},
        {"a": {"type": "text", "default": 1}},
        {f"p{number}": {"type": "text"} for number in range(101)},
    ],
)
def test_a_wrong_declaration_is_refused(properties: Any) -> None:
    with pytest.raises(SchemaError):
        parse_schema(properties)


def test_the_api_tells_the_declared_types(event_type: EventType) -> None:
    EventType.objects.create(name="click", description="A click")
    AttributeType.objects.create(key="income", type="number", description="a year")
    client = api("types:read")
    first = client.get("/api/v1/event-types/?limit=1").json()
    assert first["results"][0]["name"] == "browse"
    assert first["results"][0]["properties"]["color"] == {"type": "text", "required": False}
    second = client.get(f"/api/v1/event-types/?cursor={first['next']}").json()
    assert second == {"results": [{"name": "click", "description": "A click", "properties": {}}], "next": None}
    assert client.get("/api/v1/attribute-types/").json()["results"] == [
        {"key": "income", "type": "number", "description": "a year"}
    ]
    assert api("events:write").get("/api/v1/event-types/").status_code == 403


@pytest.fixture
def admin(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("admin"))
    return client


def test_types_are_declared_in_the_admin_and_logged(admin: Client) -> None:
    add = reverse("admin:segments_eventtype_add")
    wrong = admin.post(add, {"name": "browse", "properties": '{"a": {"type": "colour"}}'}).content.decode()
    assert "a: the type is none of text, number, boolean, time." in wrong
    assert "is no event name" in admin.post(add, {"name": "Kauf!", "properties": "{}"}).content.decode()
    admin.post(add, {"name": "browse", "properties": '{"a": {"type": "text"}}'})
    event_type = EventType.objects.get()
    admin.post(reverse("admin:segments_eventtype_delete", args=[event_type.pk]), {"post": "yes"})
    admin.post(reverse("admin:segments_attributetype_add"), {"key": "income", "type": "number"})
    attribute = AttributeType.objects.get()
    admin.post(reverse("admin:segments_attributetype_delete", args=[attribute.pk]), {"post": "yes"})
    leaves = AuditLeaf.objects.filter(object_type__in=["event_type", "attribute_type"]).order_by("id")
    assert [leaf.action for leaf in leaves] == [
        "event_type.saved", "event_type.deleted", "attribute_type.saved", "attribute_type.deleted",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("model", "values", "constraint"),
    [
        (EventType, {"name": "Kauf!"}, "event_type_name_is_plain"),
        (AttributeType, {"key": "no key", "type": "text"}, "attribute_type_key_is_plain"),
    ],
)
def test_names_of_types_are_plain(model: Any, values: dict[str, str], constraint: str) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        model.objects.create(**values)
