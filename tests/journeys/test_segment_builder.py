"""Building rules in a real browser: by mouse and by keyboard, moving, dragging, every kind of input."""

import re

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Locator, Page, expect

from campaigns.models import Campaign
from segments.models import Segment
from tests.journeys.builder_pages import (
    FULL,
    NESTED,
    add_page,
    change_page,
    change_page_after_sign_in,
    condition,
    drag,
    press,
    save,
    stored,
    written,
)
from tests.journeys.conftest import Watched

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


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
