"""One compilation of a rule tree: collects the subqueries of its conditions and makes one QuerySet."""

from collections.abc import Collection, Hashable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from django.contrib.postgres.fields import ArrayField
from django.db.models import Aggregate, BigIntegerField, BooleanField, Exists, F, Func, OuterRef, Q, QuerySet, Value

from segments.models import Profile
from segments.rules.joins import Column, SubqueryJoin
from segments.rules.nodes import Predicate

PeopleIds = Collection[int] | QuerySet[Any, int]
"""Ids of profiles, at hand or still in the database."""


class AnyOf(Func):
    """`x = ANY(array)`: one parameter however many ids, and an index condition still."""

    template = "%(expressions)s)"
    arg_joiner = " = ANY("
    output_field = BooleanField()


@dataclass
class _Rows:
    """A subquery to join: rows of some model, grouped per person once an aggregate is asked of them."""

    rows: QuerySet[Any, Any]
    person: str
    alias: str
    aggregates: dict[str, Aggregate] = field(default_factory=dict)


class Compilation:
    """What the conditions of one tree share while they are compiled.

    `now` is the clock of every relative time. `only` limits the question to these people; it is pushed into
    each subquery, so that asking about a thousand people reads the rows of a thousand.
    """

    def __init__(self, *, now: datetime, only: PeopleIds | None = None) -> None:
        self.now = now
        self._only = only
        self._joined: dict[Hashable, _Rows] = {}

    def joined(self, key: Hashable, rows: QuerySet[Any, Any], *, person: str = "profile_id") -> Column:
        """Join `rows`, which must hold at most one row per person; null in the result means that there is
        none.

        `person` names the column of `rows` with the person's id. Conditions that give an equal `key` share
        one join, so the key must hold all that `rows` depends on.
        """
        found = self._rows(key, rows, person)
        return Column(found.alias, person, BigIntegerField())

    def aggregate(
        self,
        key: Hashable,
        rows: QuerySet[Any, Any],
        name: str,
        aggregate: Aggregate,
        *,
        person: str = "profile_id",
    ) -> Column:
        """Join `rows` grouped per person and return the column `name` with the aggregate; null where there
        are no rows.

        Conditions that give an equal `key` share one grouped subquery; equal names in it must mean equal
        aggregates.
        """
        found = self._rows(key, rows, person)
        found.aggregates[name] = aggregate
        return Column(found.alias, name, aggregate.output_field)

    def people(self, condition: Predicate) -> QuerySet[Profile, int]:
        """The ids of the people for whom `condition` holds, in no order."""
        people = Profile.objects.order_by()
        parent = people.query.get_initial_alias()
        for found in self._joined.values():
            rows = self._limited(found.rows, found.person).order_by().values(found.person)
            if found.aggregates:
                rows = rows.annotate(**found.aggregates)
            join = SubqueryJoin(
                rows=rows, alias=found.alias, column=found.person, parent=parent, parent_column="subject_id"
            )
            people.query.join(cast(Any, join))
        return self._limited(self._living(people).filter(condition), "subject_id").values_list("subject_id", flat=True)

    def _living(self, people: QuerySet[Profile]) -> QuerySet[Profile]:
        """Without those who were merged into others. They are few, and have an index of their own: to look them up
        costs less than to read the row of everybody, but for a few people it is the other way round."""
        if self._only is not None:
            return people.filter(merged_into__isnull=True)
        absorbed = Profile.objects.filter(merged_into__isnull=False, pk=OuterRef("pk"))
        return people.filter(~Exists(absorbed))

    def _rows(self, key: Hashable, rows: QuerySet[Any, Any], person: str) -> _Rows:
        alias = f"joined_{len(self._joined) + 1}"
        return self._joined.setdefault(key, _Rows(rows, person, alias))

    def _limited(self, rows: QuerySet[Any, Any], person: str) -> QuerySet[Any, Any]:
        if self._only is None:
            return rows
        if isinstance(self._only, QuerySet):
            return rows.filter(**{f"{person}__in": self._only})
        ids = Value(list(self._only), output_field=ArrayField(BigIntegerField()))
        return rows.filter(Q(AnyOf(F(person), ids)))
