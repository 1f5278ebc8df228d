"""`manage.py import_events`: what people did, from a file."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from segments.management.importing import ACTOR, add_common_arguments, refusals, report
from segments.services import imports


class Command(BaseCommand):
    """Store events once each and count them; rows that cannot be used are kept with their reason."""

    help = "Takes in events from a CSV, Parquet or XLSX file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_common_arguments(parser)
        parser.add_argument("--name", required=True, help="what happened, such as purchase or add_to_cart")
        parser.add_argument("--currency", default="CNY", help="of amounts (ISO 4217, default: %(default)s)")
        parser.add_argument(
            "--timezone", default=settings.TIME_ZONE, help="of times without an offset (default: %(default)s)"
        )
        parser.add_argument("--create-missing", action="store_true", help="create people who are not known yet")

    def handle(self, *args: Any, **options: Any) -> None:
        with refusals("events") as (mapping, progress):
            job = imports.import_events(
                path=options["file"], source_key=options["source"], mapping=mapping(options["map"]),
                name=options["name"], currency=options["currency"], timezone=options["timezone"],
                create_missing=options["create_missing"], actor=ACTOR, now=timezone.now(), progress=progress,
            )  # fmt: skip
        report(self, job)
