"""Rules on one row: an event or a person, as its fields by name. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from segments.cells import is_missing
from segments.cleaning.steps import Change, Fill, Plan, Verdict


@dataclass(frozen=True)
class CleanedRow:
    """The fields after all rules, which of them were missing and are filled, and the first rule that rejects or holds
    the row."""

    fields: Mapping[str, Any]
    rejected: Verdict | None = None
    held: Verdict | None = None
    filled: frozenset[str] = frozenset()


def clean_row(plan: Plan, given: Mapping[str, Any]) -> CleanedRow:
    """Apply the rules in their order. A rejected row is left as it is then."""
    fields = dict(given)
    held: Verdict | None = None
    filled: set[str] = set()
    for step in plan.steps:
        value = fields.get(step.field)
        if isinstance(step, Change):
            if step.field in fields:
                fields[step.field] = step.apply(value)
        elif isinstance(step, Fill):
            filler = fields.get(step.source) if step.source else step.constant
            if is_missing(value) and not is_missing(filler):
                fields[step.field] = filler
                filled.add(step.field)
        elif step.matches(value):
            if not step.holds:
                return CleanedRow(fields, rejected=step.verdict, held=held)
            held = held or step.verdict
    return CleanedRow(fields, held=held, filled=frozenset(filled))
