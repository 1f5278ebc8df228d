"""`manage.py setup_tags`: the definitions of tags that ship with Heed."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from compliance.actors import SYSTEM
from segments.services import tags


class Command(BaseCommand):
    """Create those that are not there yet; what staff changed or retired stays. Run again after each upgrade."""

    help = "Creates the ready-made tags: lifecycle, value tier, favourite category, recent orders, interests."

    def handle(self, *args: Any, **options: Any) -> None:
        tags.ensure_ready_made(actor=SYSTEM, now=timezone.now())
