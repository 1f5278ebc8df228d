"""Rules on the columns of a file: each is asked once per distinct cell. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segments.cells import is_missing
from segments.cleaning.steps import Change, Fill, Plan, Verdict
from segments.imports.batch import Batch, each_distinct


@dataclass(frozen=True)
class CleanedColumns:
    """The cells of the fields that rules spoke of, and which rows they reject or hold, by their place."""

    columns: Mapping[str, Sequence[Any]]
    rejected: Mapping[int, Verdict]
    held: Mapping[int, Verdict]


def clean_columns(plan: Plan, batch: Batch, mapping: Mapping[str, str]) -> CleanedColumns:
    """Apply the rules in their order, as `clean_row` does, to all rows at once; `mapping` is of fields to columns."""
    columns: dict[str, Sequence[Any]] = {}
    rejected: dict[int, Verdict] = {}
    held: dict[int, Verdict] = {}

    def cells(field: str) -> Sequence[Any]:
        if field not in columns:
            if field not in mapping:
                return [None] * batch.size
            columns[field] = batch.column(mapping[field], _same)
        return columns[field]

    for step in plan.steps:
        found = cells(step.field)
        if isinstance(step, Change):
            if step.field in columns:
                columns[step.field] = each_distinct(found, step.apply)
        elif isinstance(step, Fill):
            fillers: Iterable[Any] = cells(step.source) if step.source else [step.constant] * batch.size
            columns[step.field] = _filled(found, fillers)
        else:
            for place, matches in enumerate(each_distinct(found, step.matches)):
                if matches and place not in rejected:
                    (held if step.holds else rejected).setdefault(place, step.verdict)
    return CleanedColumns(
        columns, rejected, {place: verdict for place, verdict in held.items() if place not in rejected}
    )


def _filled(found: Sequence[Any], fillers: Iterable[Any]) -> list[Any]:
    missing = each_distinct(found, is_missing)
    return [
        filler if gap and not is_missing(filler) else cell
        for cell, gap, filler in zip(found, missing, fillers, strict=True)
    ]


def _same(cell: Any) -> Any:
    return cell
