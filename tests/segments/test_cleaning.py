"""Cleaning rules at work: on API events, on files and on profiles alike, and their changes in the audit log."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from compliance.models import AuditLeaf
from segments.cleaning import RuleError
from segments.event_input import EventInput
from segments.models import CleaningRule, Event, Profile, QuarantinedEvent
from segments.profile_input import ProfileInput
from segments.selectors.profiles import find_by_identifier
from segments.services import cleaning, events, imports, profile_intake, profiles
from tests.factories.segments import CleaningRuleFactory, SourceFactory, make_profile
from tests.segments.files import write

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
TRIM = {"steps": ["trim", "nfkc", "spaces"]}


def view(event_id: str = "1", **changes: Any) -> EventInput:
    base: dict[str, Any] = {
        "event_id": event_id, "name": "browse", "occurred_at": NOON, "identifier": "external_id", "value": "C1",
    }  # fmt: skip
    return EventInput(**{**base, **changes})


def ingest(*given: EventInput, source: str = "shop") -> list[str]:
    results = events.ingest(source=SourceFactory(key=source), events=given, actor="test", now=NOON + timedelta(hours=1))
    return [f"{result.status} {result.field} {result.reason}".strip() for result in results]


def import_views(folder: Path, text: str, **options: Any) -> Any:
    given: dict[str, Any] = {"mapping": {}, "name": "browse", "currency": "CNY", "timezone": "UTC", **options}
    return imports.import_events(
        path=write(folder / "views.csv", text), source_key="shop", actor="test", now=NOON + timedelta(hours=1), **given
    )


def test_rules_work_in_their_order() -> None:
    make_profile(1)
    CleaningRuleFactory(position=2, action="map", parameters={"values": {"green tea": "tea"}})
    CleaningRuleFactory(position=1, action="normalise", parameters={"steps": ["trim", "lower", "spaces"]})
    assert ingest(view(category=" Green   TEA ")) == ["accepted"]
    assert Event.objects.get().category == "tea"


def test_a_rule_is_for_a_source_and_for_event_names() -> None:
    make_profile(1)
    CleaningRuleFactory(
        source=SourceFactory(key="app"), event_names=["browse"], action="reject",
        parameters={"op": "is_not_set", "reason": "no category"},
    )  # fmt: skip
    uid = Profile.objects.get().subject.uid
    named: dict[str, Any] = {"identifier": "", "value": "", "uid": uid}
    assert ingest(view()) == ["accepted"]
    assert ingest(view("2", name="click", **named), source="app") == ["accepted"]
    assert ingest(view("3", **named), source="app") == ["rejected category no category"]


def test_a_rule_that_is_switched_off_does_nothing() -> None:
    make_profile(1)
    CleaningRuleFactory(is_active=False, action="reject", parameters={"op": "is_not_set", "reason": "x"})
    assert ingest(view()) == ["accepted"]


def test_the_same_rules_clean_events_and_rows_of_a_file_alike(tmp_path: Path) -> None:
    make_profile(1)
    CleaningRuleFactory(field="external_id", parameters={"steps": ["trim", "upper"]})
    CleaningRuleFactory(parameters=TRIM)
    CleaningRuleFactory(field="properties.price", parameters=TRIM)
    CleaningRuleFactory(field="amount", action="complete", parameters={"from": "properties.price"})
    CleaningRuleFactory(field="currency", action="complete", parameters={"constant": "EUR"})
    CleaningRuleFactory(field="amount", action="reject", parameters={"op": "gt", "value": 100, "reason": "too dear"})
    CleaningRuleFactory(
        field="properties.color", action="hold", parameters={"op": "eq", "value": "none", "reason": "odd"}
    )
    rows = [
        ("1", " c1", "ｔｅａ", " 9.90", "red"),
        ("2", "C1", "tea", "200", "red"),
        ("3", "C1", "", "", "none"),
        ("4", "C1", "", "", "blue"),
        ("5", "C1", "", "dear", "blue"),
    ]
    sent = [
        view(event_id, value=who, category=what, properties={"price": price, "color": color}, currency="")
        for event_id, who, what, price, color in rows
    ]
    assert ingest(*sent) == [
        "accepted", "rejected amount too dear", "held properties.color odd", "accepted",
        "rejected amount is not a number",
    ]  # fmt: skip
    from_api = _stored()
    Event.objects.all().delete()
    QuarantinedEvent.objects.all().delete()
    text = "".join(f"{','.join(row)},2026-03-01T04:00:00Z\n" for row in rows)
    job = import_views(
        tmp_path, "event_id,external_id,category,price,color,occurred_at\n" + text,
        mapping={"properties.price": "price", "properties.color": "color"}, currency="EUR",
    )  # fmt: skip
    assert (job.accepted, job.duplicates, job.held, job.rejected) == (2, 0, 1, 2)
    assert [(row.row_number, row.field) for row in job.rejected_rows.order_by("row_number")] == [
        (2, "amount"), (5, "amount"),
    ]  # fmt: skip
    assert imports.rejected_row(job.rejected_rows.get(row_number=2))["category"] == "tea"
    assert _stored() == from_api
    assert from_api[0] == ("tea", Decimal("9.90"), "EUR", {"price": "9.90", "color": "red"})


def _stored() -> list[tuple[Any, ...]]:
    rows = Event.objects.order_by("category").values_list("category", "amount", "currency", "properties")
    return sorted(
        [
            (category, amount, currency, {name: value for name, value in (properties or {}).items() if value})
            for category, amount, currency, properties in rows
        ],
        key=lambda row: row[0],
        reverse=True,
    )


def test_a_rule_makes_a_field_that_no_column_is_mapped_to(tmp_path: Path) -> None:
    make_profile(1)
    CleaningRuleFactory(field="properties.shop", action="complete", parameters={"constant": "Wuhan"})
    CleaningRuleFactory(field="category", action="complete", parameters={"from": "properties.shop"})
    import_views(tmp_path, "external_id,occurred_at\nC1,2026-03-01\n")
    event = Event.objects.get()
    assert (event.category, event.properties) == ("Wuhan", {"shop": "Wuhan"})


def test_people_are_cleaned_from_the_api_and_from_files(tmp_path: Path) -> None:
    source = SourceFactory()
    CleaningRuleFactory(target="profiles", field="city", parameters=TRIM)
    CleaningRuleFactory(target="profiles", field="city", action="map", parameters={"values": {"Shen Zhen": "Shenzhen"}})
    CleaningRuleFactory(
        target="profiles", field="attributes.income", action="reject",
        parameters={"op": "gt", "value": 1_000_000, "reason": "not an income"},
    )  # fmt: skip
    given = [
        ProfileInput(external_id="1", city=" Shen  Zhen "),
        ProfileInput(external_id="2", attributes={"income": 2_000_000}),
    ]
    good, bad = profile_intake.take(source=source, inputs=given, actor="test", now=NOON)
    assert Profile.objects.get(pk=good.profile_id).city == "Shenzhen"
    assert (bad.profile_id, bad.field, bad.reason) == (None, "attributes.income", "not an income")
    path = write(tmp_path / "people.csv", "external_id,city,income\n3, Shen  Zhen,5\n4,Wuhan,2000000\n")
    job = imports.import_profiles(
        path=path, source_key="shop", mapping={"attributes.income": "income"}, actor="test", now=NOON
    )
    assert (job.accepted, job.rejected) == (1, 1)
    found = find_by_identifier("external_id", "3", source)
    assert found is not None
    assert found.city == "Shenzhen"


def test_a_field_is_completed_only_where_nothing_is_known_of_the_person() -> None:
    source = SourceFactory()
    make_profile(1, city="Wuhan")
    make_profile(2)
    CleaningRuleFactory(target="profiles", field="city", action="complete", parameters={"constant": "Shanghai"})
    CleaningRuleFactory(
        target="profiles", field="birth_date", action="complete", parameters={"from": "attributes.born"}
    )
    given = [
        ProfileInput(external_id="C1", attributes={"born": "1990-12-31"}),
        ProfileInput(external_id="C2"),
        ProfileInput(external_id="C3", city="Beijing", attributes={"born": "last year"}),
    ]
    first, second, third = profile_intake.take(source=source, inputs=given, actor="test", now=NOON)
    known, filled = Profile.objects.get(pk=first.profile_id), Profile.objects.get(pk=second.profile_id)
    assert (known.city, str(known.birth_date)) == ("Wuhan", "1990-12-31")
    assert filled.city == "Shanghai"
    assert (third.profile_id, third.field) == (None, "birth_date")


def test_without_rules_profiles_arrive_as_by_the_service_itself() -> None:
    source = SourceFactory()
    given = ProfileInput(external_id="1", city="", attributes={"vip": None})
    assert profile_intake.take(source=source, inputs=[given], actor="test", now=NOON)[0].created
    assert not profiles.upsert_many(source=source, inputs=[given], actor="test", now=NOON)[0].created


def details(action: str) -> Any:
    return json.loads(bytes(AuditLeaf.objects.get(action=action).data))["details"]


def test_each_change_of_a_rule_leaves_an_audit_leaf() -> None:
    rule = CleaningRule(name="Tidy", target="events", field="category", action="normalise", parameters=TRIM)
    cleaning.save(rule=rule, actor="user:anna", now=NOON)
    assert details("cleaning_rule.created")["parameters"] == TRIM
    cleaning.save(rule=rule, actor="user:anna", now=NOON)
    assert not AuditLeaf.objects.filter(action="cleaning_rule.changed").exists()
    rule.is_active = False
    cleaning.save(rule=rule, actor="user:anna", now=NOON)
    changed = details("cleaning_rule.changed")
    assert (changed["before"]["is_active"], changed["after"]["is_active"]) == (True, False)
    cleaning.remove(rule=rule, actor="user:anna", now=NOON)
    assert details("cleaning_rule.deleted")["name"] == "Tidy"
    assert not CleaningRule.objects.filter(name="Tidy").exists()


def test_a_rule_about_an_address_is_logged_as_a_commitment() -> None:
    parameters = {"op": "eq", "value": "li@example.com", "reason": "a test address"}
    rule = CleaningRule(name="No tests", target="profiles", field="email", action="reject", parameters=parameters)
    cleaning.save(rule=rule, actor="user:anna", now=NOON)
    assert set(details("cleaning_rule.created")["parameters"]) == {"salt", "sha256"}


def test_a_wrong_rule_is_not_kept() -> None:
    rule = CleaningRule(name="Wrong", target="events", field="category", action="normalise", parameters={})
    with pytest.raises(RuleError, match="steps"):
        cleaning.save(rule=rule, actor="user:anna", now=NOON)
    assert not CleaningRule.objects.filter(name="Wrong").exists()


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"target": "profiles", "field": "city", "event_names": ["browse"]}, "event_names_only_for_events"),
        ({"target": "profiles", "field": "city", "action": "hold"}, "holds_events_only"),
        ({"field": ""}, "names_a_field"),
    ],
)
def test_constraints_of_rules(changes: dict[str, Any], constraint: str) -> None:
    with pytest.raises(IntegrityError, match=f"cleaning_rule_{constraint}"), transaction.atomic():
        CleaningRuleFactory(**changes)


@pytest.fixture
def admin(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("admin"))
    return client


def form(**changes: Any) -> dict[str, Any]:
    given = {
        "name": "Tidy", "position": 5, "is_active": "on", "target": "events", "event_names": "browse,click",
        "field": "category", "action": "normalise", "parameters": json.dumps(TRIM),
    }  # fmt: skip
    return {**given, **changes}


def test_a_rule_is_made_changed_and_deleted_in_the_admin(admin: Client) -> None:
    admin.post(reverse("admin:segments_cleaningrule_add"), form())
    rule = CleaningRule.objects.get(name="Tidy")
    assert (rule.event_names, rule.parameters) == (["browse", "click"], TRIM)
    admin.post(reverse("admin:segments_cleaningrule_change", args=[rule.pk]), form(position=7))
    admin.post(reverse("admin:segments_cleaningrule_delete", args=[rule.pk]), {"post": "yes"})
    leaves = AuditLeaf.objects.filter(object_type="cleaning_rule", object_id=str(rule.pk)).order_by("id")
    assert [(leaf.action, leaf.actor) for leaf in leaves] == [
        (f"cleaning_rule.{act}", "user:admin") for act in ("created", "changed", "deleted")
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parameters": '{"steps": ["shout"]}'}, "steps: Give a list of one or more of trim"),
        ({"parameters": "{"}, "Enter a valid JSON."),
        ({"field": "colour"}, "“colour” is none of"),
        ({"event_names": "Not a name"}, "is no event name"),
        ({"target": "profiles", "event_names": "", "field": "city", "action": "hold"}, "Only events can be held"),
    ],
)
def test_a_wrong_rule_is_explained_in_the_admin(admin: Client, changes: dict[str, Any], message: str) -> None:
    page = admin.post(reverse("admin:segments_cleaningrule_add"), form(**changes)).content.decode()
    assert message in unescape(page)
    assert not CleaningRule.objects.filter(name="Tidy").exists()


def test_the_order_is_changed_in_the_list(admin: Client) -> None:
    CleaningRule.objects.all().delete()
    first, second = CleaningRuleFactory(position=1), CleaningRuleFactory(position=2)
    admin.get(reverse("admin:segments_cleaningrule_changelist"))
    rows = {"form-0-id": first.pk, "form-0-position": 3, "form-1-id": second.pk, "form-1-position": 2}
    management = {"form-TOTAL_FORMS": 2, "form-INITIAL_FORMS": 2}
    admin.post(reverse("admin:segments_cleaningrule_changelist"), {**rows, **management, "_save": "Save"})
    assert list(CleaningRule.objects.values_list("pk", flat=True)) == [second.pk, first.pk]
    assert AuditLeaf.objects.filter(action="cleaning_rule.changed").count() == 1
