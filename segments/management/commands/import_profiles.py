"""`manage.py import_profiles`: people from a file."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from segments.management.importing import ACTOR, add_common_arguments, refusals, report
from segments.services import imports


class Command(BaseCommand):
    """Create and update people; rows that cannot be used are kept with their reason."""

    help = "Takes in people from a CSV, Parquet or XLSX file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_common_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        with refusals("profiles") as (mapping, progress):
            job = imports.import_profiles(
                path=options["file"], source_key=options["source"], mapping=mapping(options["map"]), actor=ACTOR,
                now=timezone.now(), progress=progress,
            )  # fmt: skip
        report(self, job)
