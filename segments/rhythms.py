"""When a definition is computed next. Pure.

The clock is that of the installation's zone. "Before dawn" is 04:00, after RFM (03:15) and before anybody works.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

DAWN_HOUR = 4
HOURLY_MINUTE = 5
DAYS_A_WEEK = 7


def next_due(rhythm: str, now: datetime, zone: ZoneInfo) -> datetime | None:
    """The first moment after `now` that the rhythm names; None for a rhythm that names none (never, crontab)."""
    step = _STEPS.get(rhythm)
    return step(now.astimezone(zone)).astimezone(now.tzinfo) if step else None


def _hourly(local: datetime) -> datetime:
    at = local.replace(minute=HOURLY_MINUTE, second=0, microsecond=0)
    return at if at > local else at + timedelta(hours=1)


def _daily(local: datetime) -> datetime:
    at = _dawn(local)
    return at if at > local else _dawn(local + timedelta(days=1))


def _weekly(local: datetime) -> datetime:
    at = _dawn(local - timedelta(days=local.weekday()))
    return at if at > local else _dawn(at + timedelta(days=DAYS_A_WEEK))


def _monthly(local: datetime) -> datetime:
    at = _dawn(local.replace(day=1))
    return at if at > local else _dawn((at + timedelta(days=32)).replace(day=1))


def _dawn(local: datetime) -> datetime:
    return local.replace(hour=DAWN_HOUR, minute=0, second=0, microsecond=0)


_STEPS: dict[str, Callable[[datetime], datetime]] = {
    "at_once": _daily,
    "hourly": _hourly,
    "daily": _daily,
    "weekly": _weekly,
    "monthly": _monthly,
}
