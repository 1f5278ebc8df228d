"""What each condition of a rule's root group does, in one pass over the people."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import add
from typing import Any, cast

from django.db.models import Case, Count, IntegerField, Q, Value, When, lookups

from segments.rules.compilation import Compilation
from segments.rules.nodes import Group, Predicate


@dataclass(frozen=True)
class Share:
    """How many people match without the child of the root group at `path`, and with it."""

    path: str
    without: int
    matching: int


def shares(root: Group, now: datetime) -> list[Share]:
    """What each child of `root` removes (`all`, `none`) or adds (`any`) while all others stay as they are.

    A child is against somebody when it keeps the person out, or, in `any`, for somebody when it lets the person in.
    Where exactly one child is, it alone decides; so one query that counts people by the number of that child tells
    the effect of every child.
    """
    if not root.children:
        return []
    alone = _counts_by_lone_decider(root, now)
    everybody, undecided = sum(alone.values()), alone.get(0, 0)
    matching = everybody - undecided if root.kind == "any" else undecided
    sign = -1 if root.kind == "any" else 1
    return [
        Share(f"/{root.kind}/{index}", matching + sign * alone.get(index + 1, 0), matching)
        for index in range(len(root.children))
    ]


def _counts_by_lone_decider(root: Group, now: datetime) -> dict[int, int]:
    """People by the child, counted from 1, that alone decides on them; 0: none does, -1: several do."""
    compilation = Compilation(now=now)
    compiled = [child.compile(compilation) for child in root.children]
    deciders = _sum([_flag(predicate, 1, root.kind) for predicate in compiled])
    number = _sum([_flag(predicate, index, root.kind) for index, predicate in enumerate(compiled, 1)])
    alone = Case(
        When(lookups.Exact(deciders, 0), then=Value(0)),
        When(lookups.Exact(deciders, 1), then=number),
        default=Value(-1),
        output_field=IntegerField(),
    )
    people = compilation.people(Q()).annotate(alone=alone).values("alone").annotate(people=Count("*")).order_by()
    return dict(cast("Any", people.values_list("alone", "people")))


def _flag(predicate: Predicate, value: int, kind: str) -> Case:
    """`value` where the predicate decides: where it does not hold in `all`, where it holds in `any` and `none`."""
    holding, otherwise = (0, value) if kind == "all" else (value, 0)
    return Case(When(Q(predicate), then=Value(holding)), default=Value(otherwise), output_field=IntegerField())


def _sum(flags: Sequence[Any]) -> Any:
    return reduce(add, flags)
