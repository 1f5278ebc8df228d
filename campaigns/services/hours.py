"""Changing send windows and quiet hours. They concern many people at once, so each change leaves an audit leaf."""

from datetime import datetime

from django.db import connection, transaction
from django.utils.translation import gettext as _

from campaigns.hours import parse_ranges, write_ranges
from campaigns.models import QuietHours, SendWindow
from compliance.channels import Channel
from compliance.services import audit

WORKDAYS = [1, 2, 3, 4, 5]
NIGHT = "22:00-08:00"
LOUD = (Channel.SMS, Channel.PUSH, Channel.WECHAT)
"""Channels whose messages can wake somebody."""
LOCK = 0x48454544_07


@transaction.atomic
def save_window(*, window: SendWindow, actor: str, now: datetime) -> SendWindow:
    """Store a new or changed window. A campaign approved with the former one has to be approved again.

    Raises `ValidationError`.
    """
    action = "window.created" if window.pk is None else "window.changed"
    window.full_clean()
    window.hours = write_ranges(parse_ranges(window.hours))
    window.weekdays = sorted(set(window.weekdays))
    window.save()
    _leaf(window, action, actor, now)
    return window


@transaction.atomic
def delete_window(*, window: SendWindow, actor: str, now: datetime) -> None:
    """Remove a window. Raises `ProtectedError` while a campaign has it."""
    _leaf(window, "window.deleted", actor, now)
    window.delete()


@transaction.atomic
def save_quiet(*, quiet: QuietHours, actor: str, now: datetime) -> QuietHours:
    """Store new or changed quiet hours, in effect for what is planned or sent from now on. Raises `ValidationError`."""
    action = "quiet_hours.created" if quiet.pk is None else "quiet_hours.changed"
    quiet.full_clean()
    quiet.hours = write_ranges(parse_ranges(quiet.hours))
    quiet.save()
    _leaf(quiet, action, actor, now)
    return quiet


@transaction.atomic
def delete_quiet(*, quiet: QuietHours, actor: str, now: datetime) -> None:
    """Remove quiet hours. What they put off stays put off."""
    _leaf(quiet, "quiet_hours.deleted", actor, now)
    quiet.delete()


@transaction.atomic
def ensure_ready_made(*, actor: str, now: datetime) -> None:
    """Create two windows when there is none at all, and quiet nights on channels that can wake people likewise.

    Harmless when repeated, and when several processes start at once.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    if not SendWindow.objects.exists():
        lunch = SendWindow(name=_("Lunch and evening"), hours="12:00-13:30, 20:00-22:00")
        office = SendWindow(name=_("Office hours (PC)"), hours="09:00-17:00", weekdays=WORKDAYS)
        for window in (lunch, office):
            save_window(window=window, actor=actor, now=now)
    if not QuietHours.objects.exists():
        for channel in LOUD:
            save_quiet(quiet=QuietHours(channel=channel, hours=NIGHT), actor=actor, now=now)


def _leaf(what: SendWindow | QuietHours, action: str, actor: str, now: datetime) -> None:
    names = [field.name for field in what._meta.concrete_fields if field.name != "id"]
    details = {name: getattr(what, name) for name in names}
    kind = action.partition(".")[0]
    audit.append(action=action, actor=actor, object_type=kind, object_id=what.pk, details=details, now=now)
