"""Counting once what several segments ask for: rows per person, kept in temporary tables until the transaction ends."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime

from django.db import connection

from segments.rules import Rule
from segments.rules.compilation import Rows


def families(rules: Mapping[int, Rule], now: datetime) -> list[list[int]]:
    """The ids of segments in groups within which each counts something that another one counts, too; in their order.

    Only segments that do not ask for other segments are put together: those must be refreshed after them.
    """
    askers: dict[Hashable, list[int]] = defaultdict(list)
    family = {pk: [pk] for pk in rules}
    for pk, rule in rules.items():
        if not rule.depends_on().segments:
            for key in rule.grouped_rows(now):
                askers[key].append(pk)
    for first, *others in askers.values():
        for other in others:
            if family[other] is not family[first]:
                family[first] += family[other]
                for member in family[other]:
                    family[member] = family[first]
    order = {pk: place for place, pk in enumerate(rules)}
    distinct = {id(members): members for members in family.values()}
    return [sorted(members, key=order.__getitem__) for members in distinct.values()]


def prepare(rules: Sequence[Rule], now: datetime) -> dict[Hashable, str]:
    """Make a table for each set of rows that more than one of the rules counts: the names by key.

    In the caller's transaction, which must keep others from changing the members of these segments from before this
    until they are refreshed: else an event that comes between would be seen by one and not by the other.
    """
    wanted: dict[Hashable, list[Rows]] = defaultdict(list)
    for rule in rules:
        for key, rows in rule.grouped_rows(now).items():
            wanted[key].append(rows)
    tables = {}
    for number, (key, askers) in enumerate((key, askers) for key, askers in wanted.items() if len(askers) > 1):
        tables[key] = f"shared_rows_{number + 1}"
        _make(tables[key], askers)
    return tables


def _make(table: str, askers: Sequence[Rows]) -> None:
    everything = Rows(askers[0].rows, askers[0].person, "", {})
    for rows in askers:
        everything.aggregates |= rows.aggregates
    sql, params = everything.grouped().query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS pg_temp.{table}")
        cursor.execute(f"CREATE TEMPORARY TABLE {table} ON COMMIT DROP AS {sql}", params)
        cursor.execute(f"ANALYZE pg_temp.{table}")
