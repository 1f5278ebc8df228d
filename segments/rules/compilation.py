"""One compilation of a rule tree: collects the subqueries of its conditions and makes one QuerySet."""

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, cast

from django.db.models import (
    Aggregate,
    BigIntegerField,
    BooleanField,
    Exists,
    F,
    ForeignKey,
    Func,
    OuterRef,
    Q,
    QuerySet,
    Value,
)

from segments.models import Profile, ProfileStats
from segments.rules.joins import Absorbed, Column, Followed, Source, SubqueryJoin
from segments.rules.nodes import Predicate
from segments.rules.predicates import STATISTICS, required, simplified

PeopleIds = Collection[int] | QuerySet[Any, int]
"""Ids of profiles, at hand or still in the database."""

PERSON = "subject_id"


class AnyOf(Func):
    """`x = ANY(array)`: one parameter however many ids, written once, and an index condition still."""

    template = "%(expressions)s::bigint[])"
    arg_joiner = " = ANY("
    output_field = BooleanField()


@dataclass
class Rows:
    """A subquery to join: rows of some model, grouped per person once an aggregate is asked of them."""

    rows: QuerySet[Any, Any]
    person: str
    alias: str
    aggregates: dict[str, Aggregate] = field(default_factory=dict)

    def grouped(self, only: QuerySet[Any, Any] | None = None) -> QuerySet[Any, Any]:
        """One row per person (of `only`, which is `rows` limited to some people), with the aggregates."""
        rows = (self.rows if only is None else only).order_by().values(self.person)
        return rows.annotate(**self.aggregates) if self.aggregates else rows

    @property
    def is_of_people(self) -> bool:
        """Whether the database holds each row to a profile."""
        person: Any = self.rows.model._meta.get_field(self.person)
        return (
            isinstance(person, ForeignKey) and person.related_model is Profile and bool(cast(Any, person).db_constraint)
        )


class Compilation:
    """What the conditions of one tree share while they are compiled.

    `now` is the clock of every relative time. `only` limits the question to these people; it is pushed into
    each subquery, so that asking about a thousand people reads the rows of a thousand. `tables` names, by key, tables
    that hold the rows of everybody already, with all aggregates that are asked of them.
    """

    def __init__(
        self, *, now: datetime, only: PeopleIds | None = None, tables: Mapping[Hashable, str] | None = None
    ) -> None:
        self.now = now
        self._tables = tables or {}
        self._only = only if only is None or isinstance(only, QuerySet) else f"{{{','.join(map(str, only))}}}"
        self._joined: dict[Hashable, Rows] = {}

    @property
    def grouped(self) -> Mapping[Hashable, Rows]:
        """By key, the rows that conditions asked aggregates of."""
        return {
            key: replace(rows, rows=self._limited(rows.rows, rows.person))
            for key, rows in self._joined.items()
            if rows.aggregates
        }

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
        condition = simplified(condition)
        needed = required(condition)
        people: QuerySet[Profile] = self._limited(Profile.objects.order_by().filter(condition), PERSON)
        profiles = people.query.get_initial_alias()
        first = self._first(people, needed)
        parent = (first.table_alias, first.column) if first else (profiles, PERSON)
        for key, found in self._joined.items():
            if first is None or found.alias != first.table_alias:
                people.query.join(cast(Any, self._join(key, found, *parent)))
        if first is None:
            return self._living(people).values_list(PERSON, flat=True)
        table = Followed(source=first, table=Profile._meta.db_table, alias=profiles, column=PERSON)
        people.query.alias_map[profiles] = cast(Any, table)
        person = Column(first.table_alias, first.column, BigIntegerField())
        return cast("QuerySet[Profile, int]", people.annotate(person=person).values_list("person", flat=True))

    def _first(self, people: QuerySet[Profile], needed: Collection[str]) -> Source | SubqueryJoin | None:
        """What to begin with instead of all profiles: rows that everybody who matches has, and only people have."""
        profiles = people.query.get_initial_alias()
        if STATISTICS in needed:
            table = ProfileStats._meta.db_table
            aliases = people.query.alias_map
            alias = next(alias for alias, join in aliases.items() if join.table_name == table)
            aliases[alias] = cast(Any, Absorbed(alias=alias, parent=profiles))
            return Source(table=table, alias=alias, column="profile_id")
        for key, found in self._joined.items():
            if found.alias in needed and found.is_of_people:
                join = self._join(key, found, profiles, PERSON)
                people.query.join(cast(Any, join))
                people.query.alias_map[found.alias] = cast(Any, Absorbed(alias=found.alias, parent=profiles))
                return join
        return None

    def _join(self, key: Hashable, found: Rows, parent: str, parent_column: str) -> SubqueryJoin:
        return SubqueryJoin(
            rows=found.grouped(self._limited(found.rows, found.person)), alias=found.alias, column=found.person,
            parent=parent, parent_column=parent_column, table=self._tables.get(key, ""),
        )  # fmt: skip

    def _living(self, people: QuerySet[Profile]) -> QuerySet[Profile]:
        """Without those who were merged into others. They are few, and have an index of their own: to look them up
        costs less than to read the row of everybody, but for a few people it is the other way round."""
        if self._only is not None:
            return people.filter(merged_into__isnull=True)
        absorbed = Profile.objects.filter(merged_into__isnull=False, pk=OuterRef("pk"))
        return people.filter(~Exists(absorbed))

    def _rows(self, key: Hashable, rows: QuerySet[Any, Any], person: str) -> Rows:
        alias = f"joined_{len(self._joined) + 1}"
        return self._joined.setdefault(key, Rows(rows, person, alias))

    def _limited(self, rows: QuerySet[Any, Any], person: str) -> QuerySet[Any, Any]:
        if self._only is None:
            return rows
        if isinstance(self._only, QuerySet):
            return rows.filter(**{f"{person}__in": self._only})
        return rows.filter(Q(AnyOf(F(person), Value(self._only))))
