"""The catalogue offers what the parsers read, no more and no less, in the active language."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.utils import translation

from segments.admin.builder_texts import texts
from segments.rules import kinds, parse
from segments.rules.catalogue import Entry, Field, Option, catalogue, register
from segments.rules.conditions.attribute import COLUMNS
from segments.rules.conditions.event import MEASURES
from segments.rules.conditions.statistic import STATISTICS
from segments.rules.values import Boolean, Choice, Day, Moment, Number, ValueType

MADE_OF_TEXT = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|https?://(?!www\.w3)"
BUILT = {"empty": ["all", "any", "none"], "move": ["up", "down", "into", "out", "handle"]}
VALUES: dict[str, Any] = {
    "text": "tea", "number": 4, "moment": "2026-03-01T12:00", "day": "2026-03-01",
}  # fmt: skip


def fields(kind: str) -> dict[str, dict[str, Any]]:
    (entry,) = [entry for entry in catalogue()["kinds"] if entry["kind"] == kind]
    return {field["name"]: field for field in entry["fields"]}


def value_for(operator: dict[str, str], value_type: dict[str, Any]) -> dict[str, Any]:
    if operator["takes"] == "none":
        return {}
    value = value_type["options"][0][0] if value_type["input"] == "choice" else VALUES[value_type["input"]]
    return {"value": [value] if operator["takes"] == "list" else value}


def typed_options() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for entry in catalogue()["kinds"]:
        for field in entry["fields"]:
            for option in field.get("options", []):
                if "type" in option:
                    yield entry["kind"], field["name"], option


def test_every_kind_on_offer_is_registered_and_every_registered_kind_is_offered() -> None:
    assert {entry["kind"] for entry in catalogue()["kinds"]} == set(kinds())


def test_every_operator_on_offer_is_read_with_the_value_that_its_input_gives() -> None:
    asked = 0
    for kind, name, option in typed_options():
        for operator in option["type"]["operators"]:
            definition = {kind: option["value"], name: option["value"], "op": operator["op"]}
            if kind == "event":
                definition["event"] = "purchase"
                definition |= {"of": "category"} if option["value"] == "distinct" else {}
            parse(definition | value_for(operator, option["type"]))
            asked += 1
    assert asked > 100


def test_every_operator_of_a_property_is_read_in_a_filter() -> None:
    types = catalogue()["json_types"]
    assert [each["name"] for each in types] == ["text", "number", "boolean", "time"]
    assert fields("event")["where"] == fields("sequence")["sequence"]["fields"][-1]
    for each in types:
        for operator in each["operators"]:
            asked = {"property": "color", "op": operator["op"], **value_for(operator, each)}
            where = parse({"event": "purchase", "op": "gte", "value": 1, "where": [asked]}).to_json()["where"]
            assert where[0].keys() == asked.keys()


def test_nothing_that_can_be_asked_is_missing() -> None:
    assert [option["value"] for option in fields("attribute")["attribute"]["options"]] == list(COLUMNS)
    assert [option["value"] for option in fields("event")["measure"]["options"]] == list(MEASURES)
    for kind, known in STATISTICS.items():
        assert [option["value"] for option in fields(kind)[kind]["options"]] == list(known)


@pytest.mark.parametrize("value_type", [known for known, _ in COLUMNS.values()], ids=list(COLUMNS))
def test_an_input_fits_its_type(value_type: ValueType) -> None:
    inputs = {Choice: "choice", Boolean: "choice", Moment: "moment", Day: "day", Number: "number"}
    wanted = next((name for kind, name in inputs.items() if isinstance(value_type, kind)), "text")
    (found,) = {
        option["type"]["input"]
        for kind, _, option in typed_options()
        if kind == "attribute" and COLUMNS[option["value"]][0] is value_type
    }
    assert found == wanted


def test_operators_are_labelled_by_the_words_of_sentences() -> None:
    age = next(option for option in fields("attribute")["attribute"]["options"] if option["value"] == "age")
    assert {operator["op"]: operator["label"] for operator in age["type"]["operators"]} == {
        "eq": "is", "ne": "is not", "in": "is one of", "not_in": "is none of", "lt": "is less than",
        "lte": "is at most", "gt": "is more than", "gte": "is at least", "is_set": "is known",
        "is_not_set": "is not known",
    }  # fmt: skip
    first_seen = fields("attribute")["attribute"]["options"][-1]
    assert first_seen["value"] == "created_at"
    assert first_seen["type"]["operators"][0]["label"] == "is before"


def test_labels_speak_the_active_language() -> None:
    with translation.override("zh-hans"):
        options = fields("attribute")["attribute"]["options"]
    city = next(option for option in options if option["value"] == "city")
    assert city["label"] == "城市"
    labels = {operator["op"]: operator["label"] for operator in city["type"]["operators"]}
    assert (labels["eq"], labels["starts_with"]) == ("是", "以 … 开头")


def test_windows_on_offer_are_read() -> None:
    window = fields("event")["window"]
    forms: list[dict[str, Any]] = [{unit["value"]: 3} for unit in window["units"]]
    forms += [{"calendar": option["value"]} for option in window.get("options", [])]
    for form in forms:
        parse({"event": "purchase", "op": "gte", "value": 1, "window": form})


def test_a_kind_that_no_parser_reads_is_not_offered() -> None:
    register("telepathy", telepathy)
    register("telepathy", telepathy)
    assert "telepathy" not in {entry["kind"] for entry in catalogue()["kinds"]}
    with pytest.raises(ValueError, match="telepathy"):
        register("telepathy", other_telepathy)


def test_the_script_has_the_words_that_it_uses_and_no_others() -> None:
    folder = Path(finders.find("segments/builder") or "")
    script = "".join(path.read_text() for path in folder.glob("*.js"))
    named = set(re.findall(r"texts\.(\w+)", script))
    built = {f"{prefix}_{name}" for prefix, names in BUILT.items() for name in names}
    assert named - set(texts()) == set()
    assert set(texts()) - named - built == {"duplicate", "remove", "too_deep", "too_many"}, "asked for by name"


def test_no_script_is_long_and_none_makes_html_of_data() -> None:
    folder = Path(finders.find("segments/builder") or "")
    for path in folder.iterdir():
        content = path.read_text()
        assert len(content.splitlines()) < 300, path.name
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|https?://(?!www\.w3)", content
        )


def other_telepathy() -> Entry:
    return Entry("Telepathy", "bolt")


def telepathy() -> Entry:
    return Entry("Telepathy", "psychology", [Field("telepathy", "select", options=[Option("strong", "strong")])])
