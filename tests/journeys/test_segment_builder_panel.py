"""The rule builder in a real browser: who matches, faults, JSON, languages, themes, and without its script."""

import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse
from playwright.sync_api import expect

from campaigns.models import Campaign
from compliance.models import AuditLeaf
from config import roles
from segments.models import Profile, Segment
from tests.journeys.builder_pages import (
    FULL,
    NESTED,
    add_page,
    change_page,
    change_page_after_sign_in,
    condition,
    create,
    press,
    save,
    stored,
    written,
)
from tests.journeys.conftest import PASSWORD, Watched

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_who_matches_is_counted_while_one_edits(watched: Watched, superuser: User, installation: Campaign) -> None:
    page = change_page_after_sign_in(watched, superuser, {"all": [NESTED["all"][0], {"tag": "vip", "op": "has"}]})
    result = page.get_by_role("complementary", name="Who matches now")
    expect(result.get_by_text("3 people", exact=True)).to_be_visible()
    expect(result.get_by_text("City is “Wuhan” and has the tag “vip”")).to_be_visible()
    expect(condition(page, "1").get_by_text("removes 40% (2 people)")).to_be_visible()
    expect(condition(page, "2").get_by_text("removes 75% (9 people)")).to_be_visible()
    expect(result.locator(".rb-people").get_by_role("listitem")).to_have_count(3)
    press(page, "Remove Condition 2: Tag")
    expect(result.get_by_text("12 people", exact=True)).to_be_visible()
    expect(result.locator(".rb-people").get_by_role("listitem")).to_have_count(10)
    expect(result.get_by_text("P***").first).to_be_visible()
    assert watched.problems == []


def test_the_newest_rule_is_counted_when_questions_overtake_each_other(
    watched: Watched, superuser: User, installation: Campaign
) -> None:
    page = change_page_after_sign_in(watched, superuser, {"all": [NESTED["all"][0]]})
    result = page.get_by_role("complementary", name="Who matches now")
    expect(result.get_by_text("12 people", exact=True)).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/preview/") else None)
    value = condition(page, "1").get_by_label("Value", exact=True)
    value.press_sequentially("ington", delay=20)
    value.fill("Hangzhou")
    expect(result.get_by_text("City is “Hangzhou”")).to_be_visible()
    expect(result.get_by_text("12 people", exact=True)).to_be_visible()
    assert len(asked) < len("ington"), "asked once editing paused, not at each key"
    assert watched.problems == []


def test_names_in_full_are_shown_on_request_and_logged(
    watched: Watched, superuser: User, installation: Campaign
) -> None:
    page = change_page_after_sign_in(watched, superuser, {"all": [{"tag": "vip", "op": "has"}]})
    result = page.get_by_role("complementary", name="Who matches now")
    expect(result.get_by_text("5 people", exact=True)).to_be_visible()
    assert not AuditLeaf.objects.filter(action="profile.personal_data_viewed").exists()
    result.get_by_role("button", name="Show names in full").click()
    expect(result.get_by_text("Person 10")).to_be_visible()
    assert AuditLeaf.objects.filter(action="profile.personal_data_viewed", actor="user:admin").count() == 5


def test_marketing_builds_with_masked_names(watched: Watched, installation: Campaign) -> None:
    roles.apply_roles()
    user = User.objects.create_user("mei", "mei@example.com", PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name="Marketing"))
    page = change_page_after_sign_in(watched, user, {"all": []})
    result = page.get_by_role("complementary", name="Who matches now")
    expect(result.get_by_text(f"{Profile.objects.filter(merged_into=None).count()} people", exact=True)).to_be_visible()
    expect(result.get_by_text("P***")).to_have_count(10)
    expect(result.get_by_role("button", name="Show names in full")).to_have_count(0)
    assert watched.problems == []


def test_a_fault_shows_at_its_node(watched: Watched, superuser: User, installation: Campaign) -> None:
    watched.sign_in(superuser)
    page = add_page(watched)
    page.get_by_role("button", name="Add group", exact=True).click()
    page.get_by_role("button", name="Add condition in group 1").click()
    faulty = condition(page, "1.1")
    faulty.get_by_label("Kind of condition 1.1").select_option("tag")
    faulty.get_by_label("Tag", exact=True).fill("lost")
    expect(faulty.get_by_text("no such tag: lost")).to_be_visible()
    expect(page.get_by_text("Complete the marked condition to see who matches.")).to_be_visible()
    save(page)
    expect(condition(page, "1.1").get_by_text("no such tag: lost")).to_be_visible()
    assert not Segment.objects.filter(key="built").exists()
    faulty.get_by_label("Tag", exact=True).fill("vip")
    expect(faulty.get_by_text("no such tag")).to_have_count(0)
    faulty.get_by_label("Kind of condition 1.1").select_option("attribute")
    faulty.get_by_label("Attribute", exact=True).select_option("age")
    faulty.get_by_label("Value", exact=True).fill("-4")
    expect(faulty.get_by_label("Value", exact=True)).to_have_attribute("aria-invalid", "true")
    assert watched.problems == []


def test_json_is_a_toggle_away_and_unknown_kinds_are_kept(
    watched: Watched, superuser: User, installation: Campaign
) -> None:
    segment = create({"all": [{"tag": "vip", "op": "has"}]})
    strange = {"telepathy": "strong", "op": "has"}
    Segment.objects.filter(pk=segment.pk).update(definition={"all": [strange]})
    watched.sign_in(superuser)
    page = change_page(watched, segment)
    expect(page.locator("#id_definition")).to_be_hidden()
    expect(condition(page, "1").get_by_label("Condition as JSON")).to_have_value(re.compile("telepathy"))
    page.get_by_role("button", name="Edit as JSON").click()
    page.fill("#id_definition", "{")
    page.get_by_role("button", name="Back to the builder").click()
    expect(page.get_by_role("alert")).to_contain_text("not valid JSON")
    page.fill("#id_definition", json.dumps(NESTED))
    page.get_by_role("button", name="Back to the builder").click()
    expect(condition(page, "2.2")).to_be_visible()
    save(page)
    assert stored() == NESTED


def test_the_builder_speaks_chinese(watched: Watched, superuser: User, installation: Campaign) -> None:
    segment = create(NESTED)
    watched.sign_in(superuser)
    watched.page.context.add_cookies([{"name": "django_language", "value": "zh-hans", "url": watched.base}])
    page = change_page(watched, segment)
    first = page.locator(".rb-condition").first
    expect(first.get_by_role("option", name="以 … 开头")).to_be_attached()
    expect(page.locator(".rb-sentence")).to_contain_text("城市是")
    first.locator("[data-key=value]").fill("武汉")
    expect(page.locator(".rb-sentence")).to_contain_text("武汉")
    assert written(page)["all"][0]["value"] == "武汉"
    assert watched.problems == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_nothing_leaves_the_screen(
    watched: Watched, superuser: User, installation: Campaign, screenshots: Any, theme: Any, width: int
) -> None:
    segment = create(FULL)
    watched.page.set_viewport_size({"width": width, "height": 900})
    watched.page.emulate_media(color_scheme=theme)
    watched.sign_in(superuser)
    page = change_page(watched, segment)
    expect(page.locator(".rb-count")).to_contain_text("people")
    page.screenshot(path=screenshots / f"segment.builder.{width}.{theme}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert watched.problems == []


def test_without_its_script_the_rule_is_written_as_json(
    watched: Watched, superuser: User, installation: Campaign
) -> None:
    watched.sign_in(superuser)
    watched.page.route("**/segments/builder/*.js", lambda route: route.abort())
    page = watched.open(reverse("admin:segments_segment_add"))
    page.fill("#id_key", "built")
    page.fill("#id_name", "Built")
    page.fill("#id_definition", json.dumps(NESTED))
    save(page)
    assert stored() == NESTED
