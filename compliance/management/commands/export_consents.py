"""`manage.py export_consents`: consent records for an auditor."""

import sys
from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from tqdm import tqdm

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
                    start=_moment("--from", options["start"]),
                    end=_moment("--to", options["end"]),
                    actor="command:export_consents",
                    now=timezone.now(),
                    progress=progress,
                )
            except exports.ExportError as error:
                raise CommandError(str(error)) from error
        self.stdout.write(f"{summary.records} records, {summary.notices} notices in {options['out']}")
        self.stdout.write(f"SHA-256 of manifest.json: {summary.manifest_sha256}")


def _moment(option: str, text: str | None) -> datetime | None:
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
