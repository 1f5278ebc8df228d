"""Left joins of subqueries, which the ORM has no words for.

A condition about a person's events becomes `LEFT JOIN (SELECT profile_id, count(*) .. GROUP BY profile_id) e
ON ..` and a comparison of `e.count`. Unlike EXISTS or IN, that form costs one pass however deep it stands
under any / none, never falls back to one subplan per person, and lets conditions share the pass. PostgreSQL
itself turns the join into an inner, semi or anti join where the tree allows it.

`SubqueryJoin` offers what `django.db.models.sql.datastructures.Join` documents as needed in
`Query.alias_map`; nothing else of Django's internals is touched.
"""

from collections.abc import Mapping
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Expression, Field, QuerySet
from django.db.models.sql.compiler import SQLCompiler
from django.db.models.sql.constants import LOUTER

Sql = tuple[str, tuple[Any, ...]]


class SubqueryJoin:
    """`LEFT OUTER JOIN (rows) alias ON alias.column = parent.parent_column`.

    `rows` has one row per value of `column`, so that the join never doubles a person. `table`, when given, holds them
    already.
    """

    join_type = LOUTER
    nullable = True
    filtered_relation = None

    def __init__(
        self, *, rows: QuerySet[Any, Any], alias: str, column: str, parent: str, parent_column: str, table: str = ""
    ) -> None:
        self.rows = rows
        self.table = table
        self.table_name = alias
        self.table_alias = alias
        self.column = column
        self.parent_alias = parent
        self.parent_column = parent_column

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Sql:
        """The JOIN clause with its parameters."""
        quote = compiler.quote_name_unless_alias
        sql, params = self.source_sql(compiler, connection)
        alias, parent = quote(self.table_alias), quote(self.parent_alias)
        on = f"{alias}.{quote(self.column)} = {parent}.{quote(self.parent_column)}"
        return f"{self.join_type} {sql} ON ({on})", params

    def source_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Sql:
        """The subquery, or the table that holds its rows, and the alias."""
        if self.table:
            quote = compiler.quote_name_unless_alias
            return f"{quote(self.table)} {quote(self.table_alias)}", ()
        # An always-empty subquery must still be a table of no rows here, hence no eliding.
        inner = self.rows.query.get_compiler(connection=connection, elide_empty=False)
        sql, params = inner.as_sql()
        return f"({sql}) {compiler.quote_name_unless_alias(self.table_alias)}", tuple(params)

    def relabeled_clone(self, change_map: Mapping[str, str]) -> "SubqueryJoin":
        """The same join under the aliases that it gets inside another query."""
        clone = SubqueryJoin(
            rows=self.rows,
            alias=self.table_name,
            column=self.column,
            parent=change_map.get(self.parent_alias, self.parent_alias),
            parent_column=self.parent_column,
            table=self.table,
        )
        clone.table_alias = change_map.get(self.table_alias, self.table_alias)
        return clone


class Source:
    """A table with at most one row per person: what else a query may begin with."""

    def __init__(self, *, table: str, alias: str, column: str) -> None:
        self.table = table
        self.table_alias = alias
        self.column = column

    def source_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Sql:
        """The table and its alias."""
        quote = compiler.quote_name_unless_alias
        return f"{quote(self.table)} {quote(self.table_alias)}", ()

    def relabeled_clone(self, change_map: Mapping[str, str]) -> "Source":
        """The same under another alias."""
        alias = change_map.get(self.table_alias, self.table_alias)
        return Source(table=self.table, alias=alias, column=self.column)


class Followed:
    """`source LEFT OUTER JOIN table ON ..`, in the place of a query's first table.

    With the people of `source` in front, PostgreSQL leaves `table` out when nothing is asked of it: its key is unique.
    """

    join_type = None
    parent_alias = None
    filtered_relation = None

    def __init__(self, *, source: Source | SubqueryJoin, table: str, alias: str, column: str) -> None:
        self.source = source
        self.table_name = table
        self.table_alias = alias
        self.column = column

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Sql:
        """The FROM clause up to and with `table`."""
        sql, params = self.source.source_sql(compiler, connection)
        quote = compiler.quote_name_unless_alias
        table, alias, source = quote(self.table_name), quote(self.table_alias), quote(self.source.table_alias)
        on = f"{alias}.{quote(self.column)} = {source}.{quote(self.source.column)}"
        return f"{sql} {LOUTER} {table} {alias} ON ({on})", params

    def relabeled_clone(self, change_map: Mapping[str, str]) -> "Followed":
        """The same under the aliases that it gets inside another query."""
        alias = change_map.get(self.table_alias, self.table_alias)
        source = self.source.relabeled_clone(change_map)
        return Followed(source=source, table=self.table_name, alias=alias, column=self.column)


class Absorbed:
    """An alias whose table stands elsewhere in the FROM clause."""

    join_type = LOUTER
    nullable = True
    filtered_relation = None

    def __init__(self, *, alias: str, parent: str) -> None:
        self.table_name = alias
        self.table_alias = alias
        self.parent_alias = parent

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Sql:
        """Nothing."""
        return "", ()

    def relabeled_clone(self, change_map: Mapping[str, str]) -> "Absorbed":
        """The same under another alias."""
        parent = change_map.get(self.parent_alias, self.parent_alias)
        clone = Absorbed(alias=self.table_name, parent=parent)
        clone.table_alias = change_map.get(self.table_alias, self.table_alias)
        return clone


class Column(Expression):
    """A column of a joined subquery."""

    contains_column_references = True

    def __init__(self, alias: str, name: str, output_field: "Field[Any, Any]") -> None:
        super().__init__(output_field=output_field)
        self.alias = alias
        self.name = name

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Sql:
        """`alias.name`."""
        quote = compiler.quote_name_unless_alias
        return f"{quote(self.alias)}.{quote(self.name)}", ()

    def relabeled_clone(self, change_map: Mapping[str, str]) -> "Column":
        """The same column under the alias that the join gets inside another query."""
        clone = self.copy()
        clone.alias = change_map.get(self.alias, self.alias)
        return clone
