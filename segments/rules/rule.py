"""A whole rule: the tree behind a segment and what can be asked of it."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils.text import capfirst

from segments.models import Profile
from segments.rules.compilation import Compilation, PeopleIds, Rows
from segments.rules.nodes import Dependencies, Node, Touched
from segments.rules.parse import parse_tree


@dataclass(frozen=True)
class Rule:
    """A parsed rule tree."""

    root: Node

    def queryset(
        self, now: datetime, only: PeopleIds | None = None, tables: Mapping[Hashable, str] | None = None
    ) -> QuerySet[Profile, int]:
        """The ids of the profiles that match at `now`, among `only` when that is given; one query, in no
        order.

        `tables` names tables that hold rows of `grouped_rows` already, by their key.
        """
        compilation = Compilation(now=now, only=only, tables=tables)
        return compilation.people(self.root.compile(compilation))

    def grouped_rows(self, now: datetime, only: PeopleIds | None = None) -> Mapping[Hashable, Rows]:
        """What the rule counts and sums per person, of `only` when that is given; rules with an equal key count the
        same rows.
        """
        compilation = Compilation(now=now, only=only)
        self.root.compile(compilation)
        return compilation.grouped

    def touched_by_clock(self, since: datetime, now: datetime) -> Touched:
        """The people for whom the passing of time alone may have changed the answer between the two moments: questions
        for their ids, which may find others, too; None when everybody must be asked.
        """
        return self.root.touched_by_clock(since, now)

    def describe(self) -> str:
        """The rule as a plain sentence in the active language."""
        return str(capfirst(self.root.describe()))

    def depends_on(self) -> Dependencies:
        """The event names, attributes and tags that can change the answer, and whether the clock can."""
        return self.root.depends_on()

    def to_json(self) -> dict[str, Any]:
        """The tree in the form that `parse` reads."""
        return self.root.to_json()


def parse(definition: object) -> Rule:
    """Read a rule tree from its JSON form (see the package's docstring). Raises `RuleError` with the faulty
    path.
    """
    return Rule(parse_tree(definition))
