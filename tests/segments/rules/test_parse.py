"""Definitions that cannot be used are refused with the path of the faulty node."""

from typing import Any

import pytest

from segments.rules import RuleError, kinds, parse, register
from segments.rules.parse import MAX_CONDITIONS, MAX_DEPTH
from segments.rules.registry import parser_of

VIP = {"tag": "vip", "op": "has"}
BOUGHT = {"event": "purchase", "op": "gte", "value": 1}
RED = {"property": "color", "op": "eq", "value": "red"}


def nested(depth: int) -> dict[str, Any]:
    tree: dict[str, Any] = VIP
    for _ in range(depth - 1):
        tree = {"all": [tree]}
    return tree


@pytest.mark.parametrize(
    ("definition", "path"),
    [
        (None, ""),
        ([], ""),
        ({}, ""),
        ({"all": [], "any": []}, ""),
        ({"tag": "vip", "rfm": "recency", "op": "has"}, ""),
        ({"sql": "DROP TABLE"}, ""),
        ({"all": {}}, "/all"),
        ({"all": [VIP, {"any": ["x"]}]}, "/all/1/any/0"),
        ({"all": [], "name": "x"}, "/name"),
        ({"tag": "vip", "op": "has", "a/b~c": 1}, "/a~1b~0c"),
        ({"tag": "", "op": "has"}, "/tag"),
        ({"tag": ["vip"], "op": "has"}, "/tag"),
        ({"tag": "vip"}, "/op"),
        ({"tag": "vip", "op": "has", "min_weight": 0}, "/min_weight"),
        ({"attribute": "password", "op": "eq", "value": "x"}, "/attribute"),
        ({"attribute": "attributes.", "op": "eq", "value": "x"}, "/attribute"),
        ({"attribute": "attributes.a\0", "op": "eq", "value": "x"}, "/attribute"),
        ({"attribute": ["city"], "op": "eq", "value": "x"}, "/attribute"),
        ({"attribute": "city", "op": "eq"}, "/value"),
        ({"attribute": "city", "op": "eq", "value": ""}, "/value"),
        ({"attribute": "city", "op": "eq", "value": "x\0"}, "/value"),
        ({"attribute": "city", "op": "eq", "value": "\ud800"}, "/value"),
        ({"attribute": "city", "op": "eq", "value": 4}, "/value"),
        ({"attribute": "city", "op": "gt", "value": "x"}, "/op"),
        ({"attribute": "city", "op": ["eq"], "value": "x"}, "/op"),
        ({"attribute": "city", "op": "in", "value": []}, "/value"),
        ({"attribute": "city", "op": "in", "value": "Shanghai"}, "/value"),
        ({"attribute": "city", "op": "in", "value": ["Shanghai", 4]}, "/value/1"),
        ({"attribute": "city", "op": "is_set", "value": "x"}, "/value"),
        ({"attribute": "gender", "op": "eq", "value": "f"}, "/value"),
        ({"attribute": "age", "op": "gte", "value": 60.5}, "/value"),
        ({"attribute": "age", "op": "gte", "value": True}, "/value"),
        ({"attribute": "birth_date", "op": "lt", "value": "2026-02-30"}, "/value"),
        ({"attribute": "birth_date", "op": "lt", "value": {"days_ago": -1}}, "/value/days_ago"),
        ({"attribute": "birth_date", "op": "lt", "value": {"days_ago": 1, "x": 1}}, "/value"),
        ({"attribute": "created_at", "op": "eq", "value": "2026-01-01"}, "/op"),
        ({"attribute": "created_at", "op": "lt", "value": "2026-01-01T25:00:00"}, "/value"),
        ({"attribute": "created_at", "op": "lt", "value": 2026}, "/value"),
        ({"attribute": "attributes.x", "op": "eq", "value": None}, "/value"),
        ({"attribute": "attributes.x", "op": "eq", "value": {"y": 1}}, "/value"),
        ({"attribute": "attributes.x", "op": "lt", "value": "4"}, "/value"),
        ({"attribute": "attributes.x", "op": "lt", "value": ["2026-01-01"]}, "/value"),
        ({"attribute": "attributes.x", "op": "eq", "value": {"days_ago": 1}}, "/value"),
        ({"attribute": "attributes.x", "op": "gt", "value": {"days_ago": -1}}, "/value/days_ago"),
        ({"attribute": "attributes.x", "op": "contains", "value": 4}, "/op"),
        ({"attribute": "attributes.x", "op": "eq", "value": float("nan")}, "/value"),
        ({"attribute": "attributes.x", "op": "eq", "value": float("inf")}, "/value"),
        ({"attribute": "attributes.x", "op": "eq", "value": 10**16}, "/value"),
        ({"attribute": "attributes.x", "op": "in", "value": [1, "1"]}, "/value/1"),
        ({"event": "", "op": "gte", "value": 1}, "/event"),
        ({"event": "purchase", "measure": "median", "op": "gte", "value": 1}, "/measure"),
        ({"event": "purchase", "op": "gte", "value": 1.5}, "/value"),
        ({"event": "purchase", "op": "is_set"}, "/op"),
        ({"event": "purchase", "measure": "last", "op": "gte", "value": 3}, "/value"),
        ({"event": "purchase", "op": "gte", "value": 1, "window": {}}, "/window"),
        ({"event": "purchase", "op": "gte", "value": 1, "window": None}, "/window"),
        ({"event": "purchase", "op": "gte", "value": 1, "window": {"days": 0}}, "/window/days"),
        ({"event": "purchase", "op": "gte", "value": 1, "window": {"days": 1, "hours": 1}}, "/window"),
        ({"event": "purchase", "op": "gte", "value": 1, "window": {"from": "soon"}}, "/window/from"),
        (
            {
                "event": "purchase",
                "op": "gte",
                "value": 1,
                "window": {"from": "2026-02-01", "to": "2026-02-01"},
            },
            "/window/to",
        ),
        ({"event": "purchase", "op": "gte", "value": 1, "category": []}, "/category"),
        ({"event": "purchase", "op": "gte", "value": 1, "category": ["tea", 1]}, "/category/1"),
        ({"event": "purchase", "op": "gte", "value": 1, "currency": "yuan"}, "/currency"),
        ({**BOUGHT, "where": {}}, "/where"),
        ({**BOUGHT, "where": []}, "/where"),
        ({**BOUGHT, "where": ["red"]}, "/where/0"),
        ({**BOUGHT, "where": [RED] * 21}, "/where"),
        ({**BOUGHT, "where": [RED, {"op": "is_set"}]}, "/where/1/property"),
        ({**BOUGHT, "where": [{"property": "", "op": "is_set"}]}, "/where/0/property"),
        ({**BOUGHT, "where": [{"property": "a\0", "op": "is_set"}]}, "/where/0/property"),
        ({**BOUGHT, "where": [{**RED, "not": True}]}, "/where/0/not"),
        ({**BOUGHT, "where": [{"property": "color", "op": "eq"}]}, "/where/0/value"),
        ({**BOUGHT, "where": [{"property": "color", "op": "is_set", "value": 1}]}, "/where/0/value"),
        ({**BOUGHT, "where": [{"property": "color", "op": "contains", "value": 4}]}, "/where/0/op"),
        ({**BOUGHT, "where": [{"property": "color", "op": "in", "value": ["red", 4]}]}, "/where/0/value/1"),
        ({**BOUGHT, "where": [{"property": "color", "op": "lt", "value": "red"}]}, "/where/0/value"),
        (
            {**BOUGHT, "where": [{"property": "color", "op": "lt", "value": {"days_ago": -1}}]},
            "/where/0/value/days_ago",
        ),
        ({**BOUGHT, "where": [{"property": "gift", "op": "gt", "value": True}]}, "/where/0/op"),
        ({"event": "purchase", "measure": "distinct", "op": "gte", "value": 1}, "/of"),
        ({"event": "purchase", "measure": "distinct", "of": "amount", "op": "gte", "value": 1}, "/of"),
        ({"event": "purchase", "measure": "distinct", "of": "properties.", "op": "gte", "value": 1}, "/of"),
        ({"event": "purchase", "measure": "distinct", "of": "category", "op": "gte", "value": 1.5}, "/value"),
        ({**BOUGHT, "of": "category"}, "/of"),
        ({"sequence": [BOUGHT, BOUGHT], "op": "did", "within": {"days": 1}}, "/sequence/0/op"),
        (
            {
                "sequence": [{"event": "browse"}, {"event": "purchase", "where": [RED, {}]}],
                "op": "did",
                "within": {"days": 1},
            },
            "/sequence/1/where/1/property",
        ),
        ({"rfm": "value", "op": "gte", "value": 4}, "/rfm"),
        ({"rfm": "recency", "op": "gte", "value": 6}, "/value"),
        ({"stat": "rfm_recency", "op": "gte", "value": 4}, "/stat"),
        ({"stat": "order_count", "op": "in", "value": [1]}, "/op"),
    ],
)
def test_a_faulty_definition_is_refused_at_its_place(definition: object, path: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse(definition)
    assert caught.value.path == path
    assert caught.value.reason


def test_a_refusal_names_what_is_allowed() -> None:
    with pytest.raises(RuleError, match="lt, lte, gt, gte"):
        parse({"stat": "last_order_at", "op": "after", "value": "2026-01-01"})


def test_the_size_of_a_tree_is_limited() -> None:
    parse(nested(MAX_DEPTH))
    with pytest.raises(RuleError, match="deep"):
        parse(nested(MAX_DEPTH + 1))
    parse({"any": [VIP] * MAX_CONDITIONS})
    with pytest.raises(RuleError, match="conditions"):
        parse({"any": [VIP] * (MAX_CONDITIONS + 1)})
    filtered = {**BOUGHT, "where": [RED] * 4}
    parse({"any": [filtered] * (MAX_CONDITIONS // 5)})
    with pytest.raises(RuleError, match="conditions"):
        parse({"any": [*[filtered] * (MAX_CONDITIONS // 5), VIP]})


def test_the_stored_form_says_what_was_implied() -> None:
    rule = parse({"event": "browse", "op": "gte", "value": 2, "category": "tea", "window": {"from": "2026-02-01"}})
    assert rule.to_json() == {
        "event": "browse",
        "measure": "count",
        "op": "gte",
        "value": 2,
        "window": {"from": "2026-02-01T00:00:00+08:00"},
        "category": ["tea"],
    }


def test_dependencies_are_those_of_all_nodes() -> None:
    found = parse(
        {
            "any": [
                {"attribute": "attributes.income", "op": "is_set"},
                {"none": [VIP, {"event": "browse", "op": "gte", "value": 1}]},
                {"attribute": "age", "op": "lt", "value": 18},
            ]
        }
    ).depends_on()
    assert found.attributes == {"attributes.income", "birth_date"}
    assert (found.tags, found.events) == ({"vip"}, {"browse"})


@pytest.mark.parametrize(
    ("definition", "clock"),
    [
        ({"attribute": "city", "op": "eq", "value": "Shanghai"}, False),
        ({"attribute": "created_at", "op": "lt", "value": "2026-01-01"}, False),
        ({"attribute": "created_at", "op": "lt", "value": {"days_ago": 3}}, True),
        ({"attribute": "birth_date", "op": "in", "value": ["2000-01-01", {"days_ago": 3}]}, True),
        ({"attribute": "age", "op": "is_set"}, True),
        (VIP, True),
        ({"rfm": "recency", "op": "is_set"}, True),
        ({"stat": "order_count", "op": "gte", "value": 1}, False),
        ({"event": "browse", "op": "gte", "value": 1}, False),
        ({"event": "browse", "op": "gte", "value": 1, "window": {"from": "2026-01-01"}}, False),
        ({"event": "browse", "op": "gte", "value": 1, "window": {"hours": 1}}, True),
        ({"event": "browse", "measure": "last", "op": "lt", "value": {"days_ago": 1}}, True),
        ({**BOUGHT, "where": [RED]}, False),
        ({**BOUGHT, "where": [RED, {"property": "due", "op": "gt", "value": {"days_ago": 1}}]}, True),
        ({"attribute": "attributes.due", "op": "gt", "value": "2026-01-01"}, False),
        ({"attribute": "attributes.due", "op": "gt", "value": {"days_ago": 1}}, True),
        ({"none": []}, False),
    ],
)
def test_whether_the_clock_alone_can_change_the_answer(definition: dict[str, Any], clock: bool) -> None:
    assert parse(definition).depends_on().clock is clock


def test_other_apps_can_register_kinds_but_not_take_one() -> None:
    assert {"attribute", "event", "rfm", "stat", "tag"} <= set(kinds())
    register("tag", parser_of("tag"))
    for taken in ("tag", "all"):
        with pytest.raises(ValueError, match="taken"):
            register(taken, parser_of("rfm"))
