"""Counting how good the data of a source is, in the transaction that takes it in."""

from dataclasses import astuple, dataclass, fields
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection, transaction

from compliance.services import audit
from segments.models import QualityStandard, Source


@dataclass(frozen=True)
class Counts:
    """What one call or batch brought, as `QualityDay` keeps it."""

    received: int
    valid: int
    unique: int
    asked_complete: int = 0
    complete: int = 0
    asked_timely: int = 0
    timely: int = 0
    held: int = 0


COLUMNS = tuple(item.name for item in fields(Counts))
ADD = f"""
    INSERT INTO segments_qualityday (source_id, day, {", ".join(f'"{name}"' for name in COLUMNS)})
    VALUES (%s, %s, {", ".join(["%s"] * len(COLUMNS))})
    ON CONFLICT (source_id, day) DO UPDATE SET
        {", ".join(f'"{name}" = segments_qualityday."{name}" + EXCLUDED."{name}"' for name in COLUMNS)}
"""  # noqa: S608  # put together from constants only


def count(*, source: Source, counts: Counts, now: datetime) -> None:
    """Add to the counts of the source and the day of receipt. Call it last: all who send for one source wait here."""
    if counts.received:
        with connection.cursor() as cursor:
            cursor.execute(ADD, [source.pk, day_of(now), *astuple(counts)])


def day_of(moment: datetime) -> date:
    """The day in the installation's zone."""
    return moment.astimezone(ZoneInfo(settings.TIME_ZONE)).date()


def standard_of(source: Source) -> QualityStandard:
    """What is expected of a source: its own standard or the defaults."""
    return QualityStandard.objects.filter(source=source).first() or QualityStandard(source=source)


def earliest_timely(standard: QualityStandard, now: datetime) -> datetime | None:
    """What happened before this moment and is received now is late; None when timeliness is not asked."""
    return None if standard.lateness_hours is None else now - timedelta(hours=standard.lateness_hours)


def save_standard(*, standard: QualityStandard, actor: str, now: datetime) -> None:
    """Keep what is expected of a source, from the next data on."""
    with transaction.atomic():
        standard.save()
        audit.append(
            action="quality_standard.changed", actor=actor, object_type="source", object_id=standard.source.key,
            details={
                "event_fields": standard.event_fields, "profile_fields": standard.profile_fields,
                "lateness_hours": standard.lateness_hours,
            },
            now=now,
        )  # fmt: skip
