"""Filters on properties of events and numbers of different values, in the rule builder in a real browser."""

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Locator, expect

from campaigns.models import Campaign
from segments.models import Event, EventType
from tests.journeys.builder_pages import (
    add_page,
    change_page,
    change_page_after_sign_in,
    condition,
    create,
    save,
    stored,
    written,
)
from tests.journeys.conftest import Watched

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

COLOR, SIZE = {"property": "color", "op": "eq", "value": "red"}, {"property": "size", "op": "gte", "value": 41}
RED = {"event": "purchase", "measure": "count", "op": "gte", "value": 1, "where": [COLOR, SIZE]}
MANY = {"event": "purchase", "measure": "distinct", "op": "gte", "value": 2, "of": "properties.color"}


@pytest.fixture(autouse=True)
def properties(installation: Campaign) -> None:
    """Purchases say a colour and, declared as a number, a size."""
    EventType.objects.create(name="purchase", properties={"size": {"type": "number"}, "due": {"type": "time"}})
    Event.objects.update(properties={"color": "red", "size": 41})


def labels(choices: Locator) -> list[str]:
    return [label for label in choices.locator("option").all_inner_texts() if label != "Choose…"]


def test_filters_follow_the_types_of_their_properties(watched: Watched, superuser: User, screenshots: Path) -> None:
    watched.sign_in(superuser)
    page = add_page(watched)
    page.get_by_role("button", name="Add condition", exact=True).click()
    event = condition(page, "1")
    event.get_by_label("Kind of condition 1").select_option("event")
    event.get_by_label("Event", exact=True).fill("purchase")
    event.get_by_role("button", name="More options").click()
    event.get_by_role("button", name="Add a filter on a property").click()
    first = event.get_by_role("group", name="Filter 1")
    expect(first.get_by_label("Property")).to_be_focused()
    expect(first.locator(".rb-option")).to_have_text(["due", "size", "color"])
    first.get_by_role("option", name="color").click()
    assert "contains" in labels(first.get_by_label("Operator"))
    first.get_by_role("combobox", name="Value", exact=True).click()
    first.get_by_role("option", name="red").click()
    event.get_by_role("button", name="Add a filter on a property").click()
    second = event.get_by_role("group", name="Filter 2")
    second.get_by_label("Property").fill("size")
    expect(second.get_by_label("Type of the value")).to_have_count(0)
    assert "is at least" in labels(second.get_by_label("Operator"))
    assert "contains" not in labels(second.get_by_label("Operator"))
    second.get_by_label("Operator").select_option("gte")
    second.get_by_role("combobox", name="Value", exact=True).fill("41")
    result = page.get_by_role("complementary", name="Who matches now")
    expect(result.get_by_text("“color” is “red” and “size” is at least 41")).to_be_visible()
    expect(result.get_by_text("19 people", exact=True)).to_be_visible()
    page.locator(".rb").screenshot(path=screenshots / "builder.where.png")
    assert written(page) == {"all": [RED]}
    second.get_by_label("Property").fill("due")
    assert labels(second.get_by_label("Operator"))[0] == "is before"
    second.get_by_label("Date").fill("2026-03-01T12:00")
    due = {"property": "due", "op": "gte", "value": "2026-03-01T12:00"}
    assert written(page) == {"all": [{**RED, "where": [COLOR, due]}]}
    second.get_by_role("button", name="Remove filter 2").click()
    save(page)
    assert stored() == {"all": [{**RED, "where": [COLOR]}]}
    assert watched.problems == []


def test_filters_and_different_values_by_keyboard_only(watched: Watched, superuser: User) -> None:
    page = change_page_after_sign_in(watched, superuser, {"all": [RED]})
    keys = page.keyboard
    event = condition(page, "1")
    for number in (2, 1):
        event.get_by_role("button", name=f"Remove filter {number}").focus()
        keys.press("Enter")
    expect(event.get_by_role("button", name="More options")).to_be_focused()
    keys.press("Enter")
    expect(event.get_by_role("button", name="Add a filter on a property")).to_be_focused()
    keys.press("Enter")
    expect(event.get_by_label("Property")).to_be_focused()
    expect(event.get_by_role("option", name="color")).to_be_visible()
    keys.press("ArrowUp")
    keys.press("Enter")
    for _ in range(3):
        keys.press("Tab")
    expect(
        event.get_by_role("group", name="Filter 1").get_by_role("combobox", name="Value", exact=True)
    ).to_be_focused()
    keys.type("red")
    event.get_by_label("Measure").focus()
    keys.type("Number of diff")
    expect(event.get_by_label("of", exact=True)).to_be_visible()
    keys.press("Tab")
    keys.type("Prop")
    keys.press("Tab")
    keys.type("color")
    event.get_by_label("Value", exact=True).first.fill("2")
    assert written(page) == {"all": [{**MANY, "where": [COLOR]}]}
    save(page)
    assert stored() == {"all": [{**MANY, "where": [COLOR]}]}
    assert watched.problems == []


def test_steps_have_filters_and_all_of_it_speaks_chinese(watched: Watched, superuser: User, screenshots: Path) -> None:
    steps = {
        "sequence": [{"event": "browse"}, {"event": "purchase", "where": [COLOR]}], "op": "did", "within": {"days": 3},
    }  # fmt: skip
    segment = create({"all": [steps, {**MANY, "where": [SIZE]}]})
    watched.sign_in(superuser)
    watched.page.context.add_cookies([{"name": "django_language", "value": "zh-hans", "url": watched.base}])
    page = change_page(watched, segment)
    step = page.get_by_role("group", name="第 2 步")
    step.get_by_role("group", name="筛选 1").get_by_role("combobox", name="值", exact=True).fill("blue")
    assert written(page)["all"][0]["sequence"][1]["where"] == [{**COLOR, "value": "blue"}]
    expect(page.locator(".rb-sentence")).to_contain_text("“purchase”（“color”是 “blue”）")
    expect(page.locator(".rb-sentence")).to_contain_text("“purchase”事件（“size”至少为 41）中“color”不同值的个数")
    page.locator(".rb").screenshot(path=screenshots / "builder.where.steps.png")
    assert watched.problems == []
