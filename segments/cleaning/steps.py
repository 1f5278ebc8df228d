"""What a checked rule does, in a form that works on one value as well as on a column. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Change:
    """Another value in place of the one found (normalise, map)."""

    field: str
    apply: Callable[[Any], Any]


@dataclass(frozen=True)
class Fill:
    """Where the field is missing: `constant`, or what stands in the field `source`."""

    field: str
    constant: Any = None
    source: str = ""


@dataclass(frozen=True)
class Verdict:
    """Why something is rejected or held. `rule_id` is the rule that says so."""

    rule_id: int
    field: str
    reason: str


@dataclass(frozen=True)
class Judge:
    """Rejects or holds what matches."""

    field: str
    matches: Callable[[Any], bool]
    verdict: Verdict
    holds: bool


@dataclass(frozen=True)
class DailyLimit:
    """Holds the events called one of `events` that one person does beyond `per_day` on a day of the installation's
    zone. `source_id` is set when only those of one source count; `events` is empty when all names do."""

    events: frozenset[str]
    per_day: int
    source_id: int | None
    verdict: Verdict


Step = Change | Fill | Judge | DailyLimit


@dataclass(frozen=True)
class Plan:
    """The rules that concern one kind of row, in their order."""

    steps: Sequence[Change | Fill | Judge] = ()
    limits: Sequence[DailyLimit] = field(default=())

    @property
    def is_empty(self) -> bool:
        """Whether rows stay as they came."""
        return not self.steps
