"""The pages of tags: forms that refuse by field, boosts, computing, tags of a person."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from segments.models import ProfileTag, Tag, TagBoost, TagExclusion
from segments.services import tags
from segments.services.tags import assignment
from segments.services.tags.assignment import Given
from tests.segments.tags.stage import ACTOR, carried, compute, define, person

pytestmark = pytest.mark.django_db

SHANGHAI = '{"attribute": "city", "op": "eq", "value": "Shanghai"}'


@pytest.fixture
def client() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("anna", "anna@example.com", "x"))
    return client


def form(**fields: Any) -> dict[str, Any]:
    plain = {
        "key": "local", "name": "Local", "kind": "rule", "layer": "dynamic", "position": "0", "is_active": "on",
        "given_weight": "1", "given_confidence": "1", "rhythm": "never", "minimum": "1",
    }  # fmt: skip
    return plain | fields


def inline(prefix: str, rows: list[dict[str, str]], initial: int = 0) -> dict[str, str]:
    found = {f"{prefix}-TOTAL_FORMS": str(len(rows)), f"{prefix}-INITIAL_FORMS": str(initial)}
    return found | {
        f"{prefix}-{number}-{name}": value for number, row in enumerate(rows) for name, value in row.items()
    }


def change_url(tag: Tag) -> str:
    return reverse("admin:segments_tag_change", args=[tag.pk])


def test_a_tag_is_made_and_changed_through_the_services(client: Client) -> None:
    answer = client.post(reverse("admin:segments_tag_add"), form(rule=SHANGHAI, rhythm="daily"))
    assert answer.status_code == 302, answer.context["errors"]
    tag = Tag.objects.get(key="local")
    assert (tag.rhythm, tag.path) == ("daily", "0000local")
    assert tag.due_at is not None
    data = form(rule=SHANGHAI, rhythm="weekly") | inline("parameters", []) | inline("boosts", [])
    answer = client.post(change_url(tag), data)
    assert answer.status_code == 302, answer.context["errors"]
    tag.refresh_from_db()
    assert tag.rhythm == "weekly"


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("rule", {"rule": '{"gone": 1}', "rhythm": "daily"}),
        ("rule", {"rule": "{", "rhythm": "daily"}),
        ("rule", {"rhythm": "daily"}),
        ("rhythm", {"rule": SHANGHAI}),
        ("measure", {"kind": "aggregate", "rhythm": "daily", "event_name": "purchase", "output": "weight"}),
        ("half_life_days", {"kind": "interest", "rhythm": "daily", "floor": "0.1"}),
    ],
)
def test_a_form_names_the_field(client: Client, field: str, fields: dict[str, str]) -> None:
    answer = client.post(reverse("admin:segments_tag_add"), form(**fields))
    assert answer.status_code == 200
    assert field in answer.context["adminform"].form.errors
    assert not Tag.objects.exists()


def test_fields_of_another_kind_are_left_out(client: Client) -> None:
    data = form(kind="manual", rule=SHANGHAI, event_name="purchase", half_life_days="nonsense")
    assert client.post(reverse("admin:segments_tag_add"), data).status_code == 302
    tag = Tag.objects.get()
    assert (tag.rule, tag.event_name, tag.half_life_days) == (None, "", None)
    page = client.get(change_url(tag)).content.decode()
    assert 'name="given_weight"' in page
    assert 'name="rule"' not in page


def test_thresholds_are_edited_and_a_rule_keeps_its_parameters(client: Client) -> None:
    tags.ensure_ready_made(actor=ACTOR, now=timezone.now())
    group = Tag.objects.get(key="lifecycle")
    Tag.objects.filter(pk=group.pk).update(due_at=None)
    rows = [
        {"id": str(row.pk), "tag": str(group.pk), "name": row.name, "value": str(row.value), "description": ""}
        for row in group.parameters.all()
    ]
    data = form(key="lifecycle", name="Lifecycle", kind="group", is_exclusive="on", rhythm="daily")
    rows[0]["value"] = "45"
    assert client.post(change_url(group), data | inline("parameters", rows, 3)).status_code == 302
    assert group.parameters.get(name="new_days").value == 45
    group.refresh_from_db()
    assert group.due_at is not None
    rows[0]["DELETE"] = "on"
    answer = client.post(change_url(group), data | inline("parameters", rows, 3))
    assert answer.status_code == 200
    assert "lifecycle-new: /value/days_ago/parameter: no such parameter: new_days" in answer.content.decode()
    assert group.parameters.count() == 3


def test_a_boost_is_added_on_the_page_of_its_tag_and_ended_on_its_own(client: Client, now: datetime) -> None:
    tag = define("vip", "manual", now)
    end = timezone.localtime() + timedelta(days=2)
    row = {
        "factor": "1.5", "goal": "Spring sale", "starts_at_0": f"{timezone.localtime():%Y-%m-%d}",
        "starts_at_1": "00:00:00", "ends_at_0": f"{end:%Y-%m-%d}", "ends_at_1": f"{end:%H:%M:%S}",
    }  # fmt: skip
    data = form(key="vip", name="Vip", kind="manual")
    answer = client.post(change_url(tag), data | inline("boosts", [row]))
    assert answer.status_code == 302, answer.context["errors"]
    boost = TagBoost.objects.get()
    assert boost.starts_at > timezone.now() - timedelta(minutes=1)  # not in the past
    past = row | {"ends_at_0": "2020-01-01"}
    answer = client.post(change_url(tag), data | inline("boosts", [{"id": str(boost.pk)}, past], 1))
    assert answer.status_code == 200
    client.post(reverse("admin:segments_tagboost_end_now", args=[boost.pk]), {"_form_submitted": "on"})
    boost.refresh_from_db()
    assert boost.ends_at <= timezone.now()


def test_computing_is_asked_for_and_shown(client: Client, now: datetime) -> None:
    person(city="Shanghai")
    tag = define("local", "rule", now, rule={"all": []}, rhythm="daily")
    compute(tag, timezone.now())
    assert "100.0%" in client.get(reverse("admin:segments_tag_changelist")).content.decode()
    client.post(reverse("admin:segments_tag_recompute", args=[tag.pk]), {"_form_submitted": "on"})
    page = client.get(reverse("admin:segments_tag_changelist")).content.decode()
    assert "Computing: 0 of 1 definitions done" in page
    tags.compute_due(now=timezone.now(), actor=ACTOR)
    assert "Computing:" not in client.get(reverse("admin:segments_tag_changelist")).content.decode()


def test_a_person_s_tags_are_shown_with_why_given_and_removed(client: Client) -> None:
    now = timezone.now()
    local = person(city="Shanghai")
    tag = define("local", "rule", now, rule={"attribute": "city", "op": "eq", "value": "Shanghai"}, rhythm="daily")
    vip = define("vip", "manual", now)
    compute(tag, now)
    page = client.get(reverse("admin:segments_profile_change", args=[local.pk])).content.decode()
    assert "By rule: City is" in page
    dialog = {"_form_submitted": "on"}
    client.post(reverse("admin:segments_profile_give_tag", args=[local.pk]), dialog | {"tag": vip.pk, "weight": "2"})
    assert ProfileTag.objects.get(tag=vip).source == "user:anna"
    client.post(
        reverse("admin:segments_profile_remove_tag", args=[local.pk]), dialog | {"tag": tag.pk, "reason": "asked"}
    )
    assert set(carried(local, timezone.now())) == {"vip"}
    exclusion = TagExclusion.objects.get()
    assert exclusion.reason == "asked"
    client.post(reverse("admin:segments_tagexclusion_readmit", args=[exclusion.pk]), dialog)
    assert set(carried(local, timezone.now())) == {"vip", "local"}


def test_a_tag_of_a_definition_by_category_cannot_be_given_itself(client: Client, now: datetime) -> None:
    interest = define("interest", "interest", now, half_life_days=3.0, floor=0.1, rhythm="daily", gains={"view": 1})
    someone = person()
    data = {"_form_submitted": "on", "tag": interest.pk}
    client.post(reverse("admin:segments_profile_give_tag", args=[someone.pk]), data)
    assert not ProfileTag.objects.exists()
    assignment.assign(tag=define("vip", "manual", now), given=Given(someone.pk), actor=ACTOR, now=now)
