"""The rule builder in a real browser: by mouse, by keyboard, in both languages, and without JavaScript."""

import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from campaigns.models import Campaign
from compliance.models import AuditLeaf
from config import roles
from segments.models import Segment
from segments.services import segments
from tests.journeys.conftest import PASSWORD, Watched

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

NESTED = {
    "all": [
        {"attribute": "city", "op": "eq", "value": "Wuhan"},
        {
            "any": [
                {"event": "purchase", "measure": "count", "op": "gte", "value": 2, "window": {"days": 30}},
                {"tag": "vip", "op": "has"},
            ]
        },
    ]
}
FULL = {
    "any": [
        {
            "event": "purchase", "measure": "sum", "op": "gte", "value": 20.5, "window": {"hours": 12},
            "category": ["fruit", "tea"], "currency": "CNY",
        },
        {"none": [{"attribute": "attributes.income", "op": "in", "value": ["50-74K"]}]},
        {"all": []},
        {"attribute": "attributes.floor", "op": "gt", "value": 3},
        {"attribute": "attributes.newsletter", "op": "eq", "value": True},
        {"attribute": "gender", "op": "in", "value": ["female", "other"]},
        {"attribute": "created_at", "op": "gte", "value": {"days_ago": 30}},
        {"attribute": "birth_date", "op": "lt", "value": "2000-01-31"},
        {"attribute": "city", "op": "is_set"},
        {"tag": "vip", "op": "has_not", "min_weight": 0.5},
        {"rfm": "recency", "op": "gte", "value": 4},
        {"event": "browse", "measure": "last", "op": "gt", "value": "2026-01-01T00:00:00+08:00"},
    ]
}  # fmt: skip


def create(definition: dict[str, Any]) -> Segment:
    return segments.create(key="built", name="Built", definition=definition, actor="test", now=timezone.now())


def change_page(watched: Watched, segment: Segment) -> Page:
    page = watched.open(reverse("admin:segments_segment_change", args=[segment.pk]))
    expect(page.locator(".rb-tree")).to_be_visible()
    return page


def add_page(watched: Watched) -> Page:
    page = watched.open(reverse("admin:segments_segment_add"))
    page.fill("#id_key", "built")
    page.fill("#id_name", "Built")
    expect(page.locator(".rb-tree")).to_be_visible()
    return page


def save(page: Page) -> None:
    with page.expect_navigation(wait_until="networkidle"):
        page.get_by_role("button", name=re.compile("^Save$")).click()


def stored() -> Any:
    return Segment.objects.get(key="built").definition


def written(page: Page) -> Any:
    return json.loads(page.locator("#id_definition").input_value())


def condition(page: Page, place: str) -> Locator:
    return page.get_by_role("group", name=re.compile(rf"^Condition {re.escape(place)}:"))


def drag(page: Page, start: Locator, end: Locator, *, below: bool = False) -> None:
    """Drag with the mouse in steps, as a hand does, so that the browser fires dragover on the way."""
    start.hover()
    page.mouse.down()
    box = end.bounding_box()
    assert box is not None
    for part in (0.4, 0.8 if below else 0.2):
        page.mouse.move(box["x"] + 60, box["y"] + box["height"] * part, steps=6)
    page.mouse.up()


def test_a_nested_rule_is_built_by_mouse_saved_and_opened_again(
    watched: Watched, superuser: User, installation: Campaign
) -> None:
    watched.sign_in(superuser)
    page = add_page(watched)
    page.get_by_role("button", name="Add condition", exact=True).click()
    first = condition(page, "1")
    first.get_by_label("Attribute", exact=True).select_option("city")
    first.get_by_label("Value", exact=True).click()
    first.get_by_role("option", name="Wuhan").click()
    page.get_by_role("button", name="Add group", exact=True).click()
    page.get_by_role("button", name="Add condition in group 2").click()
    event = condition(page, "2.1")
    event.get_by_label("Kind of condition 2.1").select_option("event")
    event.get_by_label("Event", exact=True).click()
    event.get_by_role("option", name="purchase").click()
    event.get_by_label("Value", exact=True).fill("2")
    event.get_by_label("When", exact=True).select_option("last")
    page.get_by_role("button", name="Add condition in group 2").click()
    tag = condition(page, "2.2")
    tag.get_by_label("Kind of condition 2.2").select_option("tag")
    tag.get_by_label("Tag", exact=True).fill("vi")
    tag.get_by_role("option", name="VIP").click()
    assert written(page) == NESTED
    save(page)
    assert stored() == NESTED
    page = change_page(watched, Segment.objects.get(key="built"))
    assert written(page) == NESTED
    expect(condition(page, "2.1").get_by_label("Length of time")).to_have_value("30")
    save(page)
    assert (stored(), Segment.objects.get(key="built").version) == (NESTED, 1)
    assert watched.problems == []


def test_a_nested_rule_is_built_by_keyboard_only(watched: Watched, superuser: User, installation: Campaign) -> None:
    watched.sign_in(superuser)
    page = add_page(watched)
    keys = page.keyboard
    page.get_by_role("button", name="Add condition", exact=True).focus()
    keys.press("Enter")
    expect(page.get_by_label("Kind of condition 1")).to_be_focused()
    keys.press("Tab")
    keys.type("Cit")
    expect(page.get_by_label("Attribute", exact=True)).to_be_focused()
    keys.press("Tab")
    keys.press("Tab")
    expect(page.get_by_role("combobox", name="Value")).to_be_focused()
    expect(page.get_by_role("option", name="Wuhan")).to_be_visible()
    keys.type("wu")
    expect(page.locator(".rb-option:visible")).to_have_count(1)
    keys.press("ArrowDown")
    keys.press("Enter")
    page.get_by_role("button", name="Add group", exact=True).focus()
    keys.press("Enter")
    expect(page.get_by_role("button", name="Add condition in group 2")).to_be_focused()
    keys.press("Enter")
    keys.type("Tag")
    expect(page.get_by_label("Kind of condition 2.1")).to_be_focused()
    keys.press("Tab")
    keys.press("Tab")
    keys.type("vip")
    page.get_by_role("button", name=re.compile("^Duplicate Condition 2.1")).focus()
    keys.press("Enter")
    expect(page.get_by_role("button", name=re.compile("^Duplicate Condition 2.2"))).to_be_focused()
    page.get_by_label("Kind of condition 2.2").focus()
    keys.type("Ev")
    keys.press("Tab")
    keys.type("purchase")
    for _ in range(3):
        keys.press("Tab")
    expect(condition(page, "2.2").get_by_label("Value", exact=True)).to_be_focused()
    keys.press("Control+a")
    keys.type("2")
    keys.press("Tab")
    keys.type("in the l")
    expect(condition(page, "2.2").get_by_label("When")).to_be_focused()
    page.get_by_role("button", name=re.compile("^Move Condition 2.2: Event: drag")).focus()
    keys.press("ArrowUp")
    expect(page.get_by_role("button", name=re.compile("^Move Condition 2.1: Event: drag"))).to_be_focused()
    expect(page.get_by_role("status").filter(has_text="Moved to 2.1.")).to_be_attached()
    assert written(page) == NESTED
    save(page)
    assert stored() == NESTED
    assert watched.problems == []


def test_nodes_move_by_buttons_into_and_out_of_groups(
    watched: Watched, superuser: User, installation: Campaign
) -> None:
    city, vip = NESTED["all"][0], {"tag": "vip", "op": "has"}
    page = change_page_after_sign_in(watched, superuser, {"all": [city, {"any": [vip]}]})
    press(page, "Move Condition 1: Attribute into the neighbouring group")
    assert written(page) == {"all": [{"any": [city, vip]}]}
    press(page, "Move Condition 1.1: Attribute down")
    assert written(page) == {"all": [{"any": [vip, city]}]}
    press(page, "Move Condition 1.2: Attribute up")
    press(page, "Move Condition 1.1: Attribute out of its group")
    assert written(page) == {"all": [{"any": [vip]}, city]}
    expect(page.get_by_role("button", name="Move Condition 2: Attribute out of its group")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="It cannot be moved further.")).to_be_attached()
    assert written(page) == {"all": [{"any": [vip]}, city]}
    press(page, "Duplicate Group 1")
    assert written(page) == {"all": [{"any": [vip]}, {"any": [vip]}, city]}
    page.get_by_role("radiogroup", name="Who is in: group 2").get_by_text("None of these").click()
    press(page, "Remove Group 1")
    assert written(page) == {"all": [{"none": [vip]}, city]}
    expect(page.get_by_role("button", name="Remove Group 1")).to_be_focused()
    assert watched.problems == []


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def change_page_after_sign_in(watched: Watched, user: User, definition: dict[str, Any]) -> Page:
    segment = create(definition)
    watched.sign_in(user)
    return change_page(watched, segment)


def test_nodes_are_dragged(watched: Watched, superuser: User, installation: Campaign) -> None:
    city, vip, rfm = NESTED["all"][0], {"tag": "vip", "op": "has"}, {"rfm": "recency", "op": "gte", "value": 4}
    page = change_page_after_sign_in(watched, superuser, {"all": [city, rfm, {"any": [vip]}]})
    drag(page, handle(page, "Condition 2"), condition(page, "1"))
    assert written(page) == {"all": [rfm, city, {"any": [vip]}]}
    drag(page, handle(page, "Condition 1"), condition(page, "3.1"), below=True)
    assert written(page) == {"all": [city, {"any": [vip, rfm]}]}
    drag(page, handle(page, "Group 2"), condition(page, "2.2"))
    assert written(page) == {"all": [city, {"any": [vip, rfm]}]}, "no group goes into itself"
    drag(page, handle(page, "Group 2"), condition(page, "1"))
    assert written(page) == {"all": [{"any": [vip, rfm]}, city]}
    assert watched.problems == []


def handle(page: Page, what: str) -> Locator:
    return page.get_by_role("button", name=re.compile(rf"^Move {what}\b.*: drag"))


def test_every_kind_of_input_shows_what_is_stored(watched: Watched, superuser: User, installation: Campaign) -> None:
    page = change_page_after_sign_in(watched, superuser, FULL)
    assert written(page) == FULL
    event = condition(page, "1")
    expect(event.get_by_label("Length of time")).to_have_value("12")
    expect(event.get_by_label("Unit of time")).to_have_value("hours")
    expect(event.get_by_role("button", name="Remove tea")).to_be_visible()
    expect(condition(page, "4").get_by_label("Type of the value")).to_have_value("number")
    expect(condition(page, "5").get_by_label("Value", exact=True)).to_have_value("true")
    expect(condition(page, "6").get_by_role("checkbox", name="Other")).to_be_checked()
    expect(condition(page, "6").get_by_role("checkbox", name="Male", exact=True)).not_to_be_checked()
    expect(condition(page, "7").get_by_label("Number of days")).to_have_value("30")
    expect(condition(page, "8").get_by_label("Date")).to_have_value("2000-01-31")
    expect(condition(page, "10").get_by_label("Weight of at least")).to_have_value("0.5")
    expect(condition(page, "12").get_by_label("Date")).to_have_value("2026-01-01T00:00")
    condition(page, "8").get_by_label("Date").fill("2001-02-03")
    condition(page, "12").get_by_label("Date").fill("2026-02-02T10:30")
    condition(page, "6").get_by_role("checkbox", name="Other").uncheck()
    event.get_by_role("button", name="Remove tea").click()
    event.get_by_label("Category: Add a value").fill("toys")
    event.get_by_label("Category: Add a value").press("Enter")
    condition(page, "4").get_by_label("Type of the value").select_option("text")
    condition(page, "4").get_by_label("Value", exact=True).fill("high")
    found = written(page)["any"]
    assert found[0]["category"] == ["fruit", "toys"]
    assert found[3] == {"attribute": "attributes.floor", "op": "eq", "value": "high"}
    assert (found[5]["value"], found[7]["value"]) == (["female"], "2001-02-03")
    assert found[11]["value"] == "2026-02-02T10:30+08:00"
    assert watched.problems == []


def test_who_matches_is_counted_while_one_edits(watched: Watched, superuser: User, installation: Campaign) -> None:
    page = change_page_after_sign_in(watched, superuser, {"all": [NESTED["all"][0], {"tag": "vip", "op": "has"}]})
    result = page.get_by_role("complementary", name="Who matches now")
    expect(result.get_by_text("3 people", exact=True)).to_be_visible()
    expect(result.get_by_text("City is “Wuhan” and has the tag “vip”")).to_be_visible()
    expect(condition(page, "1").get_by_text("removes 40% (2 people)")).to_be_visible()
    expect(condition(page, "2").get_by_text("removes 75% (9 people)")).to_be_visible()
    expect(result.get_by_role("listitem")).to_have_count(3)
    press(page, "Remove Condition 2: Tag")
    expect(result.get_by_text("12 people", exact=True)).to_be_visible()
    expect(result.get_by_role("listitem")).to_have_count(10)
    expect(result.get_by_text("P***").first).to_be_visible()
    assert watched.problems == []


def test_the_newest_rule_is_counted_when_questions_overtake_each_other(
    watched: Watched, superuser: User, installation: Campaign
) -> None:
    page = change_page_after_sign_in(watched, superuser, {"all": [NESTED["all"][0]]})
    result = page.get_by_role("complementary", name="Who matches now")
    expect(result.get_by_text("12 people")).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/preview/") else None)
    value = condition(page, "1").get_by_label("Value", exact=True)
    value.press_sequentially("ington", delay=20)
    value.fill("Hangzhou")
    expect(result.get_by_text("City is “Hangzhou”")).to_be_visible()
    expect(result.get_by_text("12 people")).to_be_visible()
    assert len(asked) < len("ington"), "asked once editing paused, not at each key"
    assert watched.problems == []


def test_names_in_full_are_shown_on_request_and_logged(
    watched: Watched, superuser: User, installation: Campaign
) -> None:
    page = change_page_after_sign_in(watched, superuser, {"all": [{"tag": "vip", "op": "has"}]})
    result = page.get_by_role("complementary", name="Who matches now")
    expect(result.get_by_text("5 people")).to_be_visible()
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
    expect(result.get_by_text("25 people")).to_be_visible()
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
