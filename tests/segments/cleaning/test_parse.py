"""What a cleaning rule may say, and that a mistake is named by its place."""

from typing import Any

import pytest

from segments.cleaning import DailyLimit, RuleError, parse

NUMBER_RULE = {"op": "gt", "value": 5, "reason": "too much"}


def read(**changes: Any) -> Any:
    rule: dict[str, Any] = {
        "rule_id": 1, "target": "events", "action": "normalise", "field": "category", "event_names": [],
        "source_id": None, "parameters": {"steps": ["trim"]},
    }  # fmt: skip
    return parse(**{**rule, **changes})


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"parameters": []}, "parameters"),
        ({"parameters": {}}, "parameters.steps"),
        ({"parameters": {"steps": []}}, "parameters.steps"),
        ({"parameters": {"steps": "trim"}}, "parameters.steps"),
        ({"parameters": {"steps": ["shout"]}}, "parameters.steps"),
        ({"parameters": {"steps": [["trim"]]}}, "parameters.steps"),
        ({"parameters": {"steps": ["trim"], "more": 1}}, "parameters.more"),
        ({"field": "colour"}, "field"),
        ({"field": ""}, "field"),
        ({"field": "properties."}, "field"),
        ({"field": "amount"}, "field"),
        ({"field": "city"}, "field"),
        ({"target": "profiles", "field": "attributes.no name"}, "field"),
        ({"target": "profiles", "field": "city", "event_names": ["purchase"]}, "event_names"),
        ({"event_names": ["Not a name"]}, "event_names"),
        ({"action": "map", "parameters": {"values": {}}}, "parameters.values"),
        ({"action": "map", "parameters": {"values": ["a"]}}, "parameters.values"),
        ({"action": "map", "parameters": {"values": {"a": 5}}}, "parameters.values.a"),
        ({"action": "map", "parameters": {"values": {"a": {}}}}, "parameters.values.a"),
        ({"action": "map", "parameters": {"values": {"a": "x\x00"}}}, "parameters"),
        ({"action": "reject", "parameters": {"op": "eq", "value": "\ud800", "reason": "x"}}, "parameters"),
        ({"action": "map", "parameters": {"values": {"a": "1", "A": "2"}, "ignore_case": True}}, "parameters.values"),
        ({"action": "map", "parameters": {"values": {"a": "b"}, "ignore_case": 1}}, "parameters.ignore_case"),
        ({"action": "complete", "parameters": {}}, "parameters"),
        ({"action": "complete", "parameters": {"constant": "a", "from": "currency"}}, "parameters"),
        ({"action": "complete", "parameters": {"constant": ""}}, "parameters.constant"),
        ({"action": "complete", "parameters": {"constant": None}}, "parameters.constant"),
        ({"action": "complete", "parameters": {"constant": float("nan")}}, "parameters.constant"),
        ({"action": "complete", "field": "amount", "parameters": {"constant": "much"}}, "parameters.constant"),
        ({"action": "complete", "parameters": {"from": "colour"}}, "parameters.from"),
        ({"action": "complete", "parameters": {"from": "category"}}, "parameters.from"),
        ({"action": "complete", "parameters": {"from": ["currency"]}}, "parameters.from"),
        ({"action": "complete", "parameters": {"from": "email"}}, "parameters.from"),
        ({"action": "complete", "field": "email", "parameters": {"constant": "a@example.com"}}, "field"),
        ({"action": "reject", "parameters": {"op": "is_set"}}, "parameters.reason"),
        ({"action": "reject", "parameters": {"op": "is_set", "reason": " "}}, "parameters.reason"),
        ({"action": "reject", "parameters": {"op": "is_set", "value": 1, "reason": "x"}}, "parameters.value"),
        ({"action": "reject", "parameters": {"op": "eq", "reason": "x"}}, "parameters.value"),
        ({"action": "reject", "parameters": {"op": "in", "value": "a", "reason": "x"}}, "parameters.value"),
        ({"action": "reject", "parameters": {"op": "in", "value": ["a", 1], "reason": "x"}}, "parameters.value"),
        ({"action": "reject", "parameters": {"op": "louder", "value": "a", "reason": "x"}}, "parameters.op"),
        ({"action": "reject", "parameters": {"op": "gt", "value": "a", "reason": "x"}}, "parameters.op"),
        ({"action": "reject", "parameters": NUMBER_RULE}, "parameters.value"),
        ({"action": "reject", "field": "amount", "parameters": {**NUMBER_RULE, "value": "5"}}, "parameters.value"),
        ({"action": "reject", "field": "properties.n", "parameters": {**NUMBER_RULE, "value": {}}}, "parameters.value"),
        (
            {
                "action": "reject", "target": "profiles", "field": "birth_date",
                "parameters": {"op": "lt", "value": "long ago", "reason": "x"},
            },
            "parameters.value",
        ),
        ({"action": "hold", "target": "profiles", "field": "city", "parameters": {}}, "action"),
        ({"action": "hold", "parameters": {"per_day": 5, "reason": "x"}}, "field"),
        ({"action": "hold", "field": "", "parameters": {"per_day": 0, "reason": "x"}}, "parameters.per_day"),
        ({"action": "hold", "field": "", "parameters": {"per_day": True, "reason": "x"}}, "parameters.per_day"),
        ({"action": "hold", "field": "", "parameters": {"per_day": 5}}, "parameters.reason"),
        ({"action": "hold", "field": "", "parameters": {"per_day": 5, "reason": "x", "op": "eq"}}, "parameters.op"),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_refused_by_its_place(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(RuleError) as caught:
        read(**changes)
    assert caught.value.field == place
    assert caught.value.reason


def test_a_daily_limit() -> None:
    limit = read(
        action="hold", field="", event_names=["browse"], source_id=7, parameters={"per_day": 1000, "reason": "many"}
    )
    assert isinstance(limit, DailyLimit)
    assert (limit.events, limit.per_day, limit.source_id) == ({"browse"}, 1000, 7)


@pytest.mark.parametrize(
    ("steps", "given", "expected"),
    [
        (["trim"], "  tea ", "tea"),
        (["spaces", "trim"], " green \t\n tea ", "green tea"),
        (["nfkc"], "ＡＢＣ１２３　ｶﾞ", "ABC123 ガ"),
        (["lower"], "TEA", "tea"),
        (["upper"], "cny", "CNY"),
        (["trim", "title"], " new york ", "New York"),
        (["trim"], 5, 5),
        (["trim"], None, None),
    ],
)
def test_normalising(steps: list[str], given: Any, expected: Any) -> None:
    assert read(parameters={"steps": steps}).apply(given) == expected


@pytest.mark.parametrize(
    ("ignore_case", "given", "expected"),
    [
        (False, "Shen Zhen", "Shenzhen"),
        (False, "shen zhen", "shen zhen"),
        (True, "shen ZHEN", "Shenzhen"),
        (True, 1, "one"),
        (False, True, "yes"),
        (True, "", ""),
        (True, ["Shen Zhen"], ["Shen Zhen"]),
    ],
)
def test_mapping(ignore_case: bool, given: Any, expected: Any) -> None:
    values = {"Shen Zhen": "Shenzhen", "1": "one", "true": "yes"}
    step = read(field="properties.x", action="map", parameters={"values": values, "ignore_case": ignore_case})
    assert step.apply(given) == expected


@pytest.mark.parametrize(
    ("op", "value", "cell", "expected"),
    [
        ("gt", 5, 6, True),
        ("gt", 5, "5.5", True),
        ("gt", 5, "many", False),
        ("gt", 5, True, False),
        ("ne", 5, None, False),
        ("in", [1, 2], "2.0", True),
        ("not_in", ["a"], "b", True),
        ("not_in", ["a"], "", False),
        ("contains", "bot", "robot", True),
        ("starts_with", "bot", "robot", False),
        ("eq", True, "TRUE", True),
        ("eq", "true", True, False),
        ("eq", "5", 5, True),
        ("eq", "5", 5.0, True),
        ("is_set", None, 0, True),
        ("is_set", None, "", False),
        ("is_not_set", None, None, True),
        ("is_not_set", None, float("nan"), True),
    ],
)
def test_comparisons(op: str, value: Any, cell: Any, expected: bool) -> None:
    parameters = {"op": op, "reason": "x"} | ({} if value is None else {"value": value})
    step = read(field="properties.x", action="reject", parameters=parameters)
    assert step.matches(cell) is expected


def test_days_are_compared_as_days() -> None:
    step = read(
        target="profiles", field="birth_date", action="reject",
        parameters={"op": "lt", "value": "1920-01-01", "reason": "x"},
    )  # fmt: skip
    assert step.matches("1919-12-31")
    assert not step.matches("1920-01-01")
    assert not step.matches("?")
