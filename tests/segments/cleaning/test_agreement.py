"""Rules do to the columns of a file what they do to each of its rows."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from segments.cleaning import Plan, clean_columns, clean_row, parse
from segments.cleaning.steps import DailyLimit
from segments.imports.batch import ArrowBatch, each_distinct

FIELDS = ("category", "properties.a", "properties.b")
CELLS = st.sampled_from(["", "tea", " tea", "Tea", "5", "12", "ｔｅａ"])
OTHER = {"category": "properties.a", "properties.a": "properties.b", "properties.b": "category"}
PARAMETERS: dict[str, Any] = {
    "normalise": st.sampled_from([{"steps": ["trim"]}, {"steps": ["nfkc", "lower"]}]),
    "map": st.just({"values": {"tea": "5", "12": "tea", "Tea": ""}}),
    "reject": st.sampled_from(
        [{"op": "is_not_set", "reason": "r"}, {"op": "in", "value": ["tea", "5"], "reason": "r"}]
    ),
    "hold": st.sampled_from([{"op": "is_set", "reason": "h"}, {"op": "eq", "value": "tea", "reason": "h"}]),
}


@st.composite
def steps(draw: Any) -> Any:
    field = draw(st.sampled_from(FIELDS))
    action = draw(st.sampled_from([*PARAMETERS, "complete"]))
    if action == "complete":
        parameters = draw(st.sampled_from([{"constant": "tea"}, {"from": OTHER[field]}]))
    else:
        parameters = draw(PARAMETERS[action])
    step = parse(
        rule_id=draw(st.integers(1, 9)), target="events", action=action, field=field, event_names=[], source_id=None,
        parameters=parameters,
    )  # fmt: skip
    assert not isinstance(step, DailyLimit)
    return step


@given(
    plan=st.lists(steps(), max_size=6),
    rows=st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=6),
    mapped=st.sets(st.sampled_from(FIELDS)),
)
def test_columns_and_rows_agree(plan: list[Any], rows: list[tuple[str, ...]], mapped: set[str]) -> None:
    mapping = {field: field for field in FIELDS if field in mapped}
    by_column = clean_columns(Plan(plan), ArrowBatch.of_texts(1, FIELDS, rows), mapping)
    for place, row in enumerate(rows):
        one = clean_row(Plan(plan), {field: cell for field, cell in zip(FIELDS, row, strict=True) if field in mapped})
        assert by_column.rejected.get(place) == one.rejected
        if one.rejected:
            continue
        assert by_column.held.get(place) == one.held
        for field, column in by_column.columns.items():
            assert (column[place] or "") == (one.fields.get(field) or "")


def test_a_distinct_cell_is_converted_once_and_types_are_kept_apart() -> None:
    asked: list[Any] = []

    def convert(cell: Any) -> str:
        asked.append(cell)
        return f"{type(cell).__name__} {cell}"

    cells = [1, 1.0, True, 1, "1", [1], [1], True]
    assert each_distinct(cells, convert) == [
        "int 1", "float 1.0", "bool True", "int 1", "str 1", "list [1]", "list [1]", "bool True",
    ]  # fmt: skip
    assert asked == [1, 1.0, True, "1", [1], [1]]
