"""The rule builder as a person at the screen knows it: pages, conditions by their place, the mouse."""

import json
import re
from typing import Any

from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from segments.models import Segment
from segments.services import segments
from tests.journeys.conftest import Watched

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
        {
            "event": "browse", "measure": "last", "op": "gt", "value": "2026-01-01T00:00:00+08:00",
            "where": [
                {"property": "color", "op": "in", "value": ["red", "blue"]},
                {"property": "due", "op": "gte", "value": {"days_ago": 3}},
            ],
        },
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


def change_page_after_sign_in(watched: Watched, user: User, definition: dict[str, Any]) -> Page:
    segment = create(definition)
    watched.sign_in(user)
    return change_page(watched, segment)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
