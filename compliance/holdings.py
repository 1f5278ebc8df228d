"""What is held about a person, and where: each app registers its part when Django starts.

Compliance knows a person only as a subject; access and erasure reach into all apps through this register, so that no
app can be forgotten and compliance imports none of them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Row = Mapping[str, Any]


def _nothing(_subject_id: int, _now: datetime) -> int:
    return 0


@dataclass(frozen=True)
class Holding:
    """One kind of data about people.

    `collect(subject_id)` gives its rows for the person to read: readable values, no internal ids. `erase(subject_id,
    now)` removes what may be removed, in the caller's transaction, and returns how many rows; without it the rows stay,
    as proofs do. Erasure goes from the last registered to the first, which the others refer to.
    """

    name: str
    collect: Callable[[int], Iterable[Row]]
    erase: Callable[[int, datetime], int] = _nothing


_register: dict[str, Holding] = {}


def register(holding: Holding) -> None:
    """Add a holding. Raises `ValueError` when another has its name."""
    if _register.get(holding.name, holding) != holding:
        raise ValueError(f"the holding {holding.name!r} is registered already")
    _register[holding.name] = holding


def all_holdings() -> list[Holding]:
    """In the order of registration."""
    return list(_register.values())
