"""How good a source's data is, from what was counted. Pure.

    validity     = valid / received           not rejected by a check or a rule
    completeness = complete / asked_complete  has all fields that the source's standard states
    uniqueness   = unique / valid             not sent before
    timeliness   = timely / asked_timely      received within the hours that the standard states
    score        = the mean of those of the four parts that were asked

A part whose denominator is 0 was not asked. The goal is 98 % (product plan, D3).
"""

from dataclasses import dataclass
from typing import Protocol

GOAL = 0.98


class Counted(Protocol):
    """The counts of a source and day, or sums of several."""

    received: int
    valid: int
    unique: int
    asked_complete: int
    complete: int
    asked_timely: int
    timely: int


@dataclass(frozen=True)
class Score:
    """Shares from 0 to 1; None where nothing was asked."""

    validity: float | None
    completeness: float | None
    uniqueness: float | None
    timeliness: float | None

    @property
    def total(self) -> float | None:
        """The mean of the parts that were asked."""
        parts = [self.validity, self.completeness, self.uniqueness, self.timeliness]
        asked = [part for part in parts if part is not None]
        return sum(asked) / len(asked) if asked else None


def score(counted: Counted) -> Score:
    """The parts of the score."""
    return Score(
        validity=_share(counted.valid, counted.received),
        completeness=_share(counted.complete, counted.asked_complete),
        uniqueness=_share(counted.unique, counted.valid),
        timeliness=_share(counted.timely, counted.asked_timely),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
