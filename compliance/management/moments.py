"""Times on the command line."""

from datetime import datetime

from django.core.management.base import CommandError
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime


def read_moment(option: str, text: str | None) -> datetime | None:
    """An ISO 8601 date or time; without a zone it is taken in the installation's zone."""
    if text is None:
        return None
    try:
        day = parse_date(text)
        moment = datetime(day.year, day.month, day.day) if day else parse_datetime(text)  # noqa: DTZ001
    except ValueError as error:
        raise CommandError(f"{option}: {error}") from error
    if moment is None:
        raise CommandError(f"{option}: {text!r} is not an ISO 8601 date or time")
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
