"""Rules as plain sentences."""

from typing import Any

import pytest

from segments.rules import parse

VIP = {"tag": "vip", "op": "has"}
GENDER = {"attribute": "gender", "op": "is_set"}
AGE = {"attribute": "age", "op": "is_set"}
SHANGHAI = {"attribute": "city", "op": "eq", "value": "Shanghai"}


@pytest.mark.parametrize(
    ("definition", "sentence"),
    [
        ({"all": []}, "Everybody"),
        ({"none": []}, "Everybody"),
        ({"any": []}, "Nobody"),
        (VIP, "Has the tag “vip”"),
        ({**SHANGHAI, "op": "in", "value": ["Shanghai", "Beijing"]}, "City is one of “Shanghai”, “Beijing”"),
        ({"attribute": "gender", "op": "eq", "value": "female"}, "Gender is Female"),
        ({"attribute": "attributes.income", "op": "is_not_set"}, "“income” is not known"),
        (
            {"attribute": "birth_date", "op": "lt", "value": "2000-12-31"},
            "Date of birth is before 12/31/2000",
        ),
        ({"attribute": "attributes.member", "op": "eq", "value": True}, "“member” is yes"),
        ({"rfm": "recency", "op": "gte", "value": 4}, "Recency quintile is at least 4"),
        (
            {"stat": "last_order_at", "op": "gte", "value": {"days_ago": 1}},
            "Last order is not before 1 day ago",
        ),
        (
            {"tag": "vip", "op": "has_not", "min_weight": 0.5},
            "Has not the tag “vip” with a weight of at least 0.5",
        ),
        (
            {
                "event": "purchase",
                "measure": "sum",
                "op": "gte",
                "value": 300,
                "window": {"days": 30},
                "category": "tea",
                "currency": "CNY",
            },
            "Total amount of “purchase” events in category “tea” in CNY in the last 30 days is at least 300",
        ),
        (
            {
                "event": "purchase",
                "op": "eq",
                "value": 1,
                "window": {"calendar": "this_year"},
                "where": [
                    {"property": "color", "op": "eq", "value": "red"},
                    {"property": "due", "op": "lt", "value": {"days_ago": 2}},
                ],
            },
            "Number of “purchase” events (“color” is “red” and “due” is before 2 days ago) this year is 1",
        ),
        (
            {"event": "purchase", "measure": "distinct", "of": "category", "op": "gt", "value": 2},
            "Number of different categories of “purchase” events is more than 2",
        ),
        (
            {"event": "browse", "measure": "distinct", "of": "properties.shop", "op": "eq", "value": 0},
            "Number of different values of “shop” of “browse” events is 0",
        ),
        (
            {
                "sequence": [
                    {"event": "browse", "where": [{"property": "shop", "op": "is_set"}]},
                    {"event": "purchase"},
                ],
                "op": "did",
                "within": {"days": 1},
            },
            "Did “browse” (“shop” is known), then “purchase”, each within 1 day",
        ),
        (
            {"event": "browse", "op": "gt", "value": 2, "window": {"to": "2026-02-01"}},
            "Number of “browse” events before 02/01/2026 midnight is more than 2",
        ),
        (
            {"event": "browse", "op": "eq", "value": 0, "window": {"from": "2026-01-01", "to": "2026-02-01"}},
            "Number of “browse” events from 01/01/2026 midnight until before 02/01/2026 midnight is 0",
        ),
        (
            {"all": [SHANGHAI, {"any": [VIP, AGE]}, {"none": [GENDER]}]},
            "City is “Shanghai” and (has the tag “vip” or age is known) and not (gender is known)",
        ),
    ],
)
def test_the_sentence_of_a_rule(definition: dict[str, Any], sentence: str) -> None:
    assert parse(definition).describe() == sentence
