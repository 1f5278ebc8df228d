"""`manage.py setup_windows`: the send windows and quiet hours that ship with Heed."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from campaigns.services import hours
from compliance.actors import SYSTEM


class Command(BaseCommand):
    """Create them where there are none yet; what staff changed stays. Run again after each upgrade."""

    help = "Creates the ready-made send windows, and quiet nights on SMS, push and WeChat."

    def handle(self, *args: Any, **options: Any) -> None:
        hours.ensure_ready_made(actor=SYSTEM, now=timezone.now())
