"""`manage.py export_consents`: consent records for an auditor."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from compliance.management.moments import read_moment
from compliance.services import exports


class Command(BaseCommand):
    """Write CSV, JSON Lines and a manifest with SHA-256 of each file; the same bytes for the same range."""

    help = "Writes the consent records and notices of a range of time into a folder."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--out", required=True, type=Path, help="folder to write")
        parser.add_argument("--from", dest="start", help="recorded at or after this ISO 8601 time")
        parser.add_argument("--to", dest="end", help="recorded before this ISO 8601 time")

    def handle(self, *args: Any, **options: Any) -> None:
        with tqdm(desc="consents", unit="record", unit_scale=True, file=sys.stderr) as bar:

            def progress(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            try:
                summary = exports.export_consents(
                    out=options["out"],
                    start=read_moment("--from", options["start"]),
                    end=read_moment("--to", options["end"]),
                    actor="command:export_consents",
                    now=timezone.now(),
                    progress=progress,
                )
            except exports.ExportError as error:
                raise CommandError(str(error)) from error
        self.stdout.write(f"{summary.records} records, {summary.notices} notices in {options['out']}")
        self.stdout.write(f"SHA-256 of manifest.json: {summary.manifest_sha256}")
