"""Monthly partitions of the large tables, so that old data is dropped by the month instead of row by row."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from django.db import connection, transaction

PARTITION_LOCK = 0x48454544_02


def month_of(moment: datetime | date) -> date:
    """The first day of the month, in UTC for a time."""
    return date(moment.year, moment.month, 1)


def next_month(month: date) -> date:
    """The first day of the month after."""
    return month_of(month + timedelta(days=32))


def start_of(month: date) -> datetime:
    """The moment at which the partition of a month begins."""
    return datetime(month.year, month.month, 1, tzinfo=UTC)


def ensure_months(table: str, months: Iterable[date]) -> None:
    """Create the partitions of `table` for these months (UTC) that are not there yet. Harmless when repeated."""
    wanted = {f"{table}_{month:%Y_%m}": month_of(month) for month in months}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relname = ANY(%s)", [list(wanted)])
        missing = wanted.keys() - {name for (name,) in cursor.fetchall()}
        if not missing:
            return
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [PARTITION_LOCK])
        for name in sorted(missing):
            start, end = wanted[name], next_month(wanted[name])
            cursor.execute(
                f"CREATE TABLE IF NOT EXISTS {connection.ops.quote_name(name)} "
                f"PARTITION OF {connection.ops.quote_name(table)} "
                f"FOR VALUES FROM ('{_bound(start)}') TO ('{_bound(end)}')"
            )


def _bound(month: date) -> str:
    # A date column takes the date in front; a timestamptz column takes it as midnight UTC whatever the session's zone.
    return f"{month:%Y-%m-%d} 00:00:00+00"
