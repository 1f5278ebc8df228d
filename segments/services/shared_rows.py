"""Counting once what several segments ask for: rows per person, kept in temporary tables until the transaction ends."""

import logging
from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping, Sequence
from datetime import datetime

from django.db import DatabaseError, connection, transaction

from segments.rules import Rule
from segments.rules.compilation import Rows

logger = logging.getLogger(__name__)


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


def prepare(rules: Sequence[Rule], now: datetime, only: Collection[int] | None = None) -> dict[Hashable, str]:
    """Make a table for each set of rows that more than one of the rules counts: the names by key. None, when that
    fails, which is logged: each counts for itself then. `only`: the rows of these people.

    In the caller's transaction, which must keep others from changing the members of these segments from before this
    until they are refreshed: else an event that comes between would be seen by one and not by the other.
    """
    wanted: dict[Hashable, list[Rows]] = defaultdict(list)
    for rule in rules:
        for key, rows in rule.grouped_rows(now, only).items():
            wanted[key].append(rows)
    shared = {key: askers for key, askers in wanted.items() if len(askers) > 1}
    tables = {key: f"shared_rows_{number}" for number, key in enumerate(shared, 1)}
    try:
        with transaction.atomic():
            for key, table in tables.items():
                _make(table, shared[key])
    except DatabaseError:
        logger.exception("counting at once for %d segments failed", len(rules))
        return {}
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
