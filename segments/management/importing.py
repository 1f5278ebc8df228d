"""What the two import commands share."""

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from segments.imports.mapping import MappingError, parse
from segments.imports.readers import ReaderError
from segments.models import ImportJob
from segments.profile_input import InputError
from segments.services.sources import SourceError

ACTOR = "command:import"
SHOWN = 5


def add_common_arguments(parser: ArgumentParser) -> None:
    """The file, its source and its mapping."""
    parser.add_argument("file", type=Path, help="a .csv file in UTF-8 with a header line, a .parquet or an .xlsx file")
    parser.add_argument("--source", required=True, help="key of the system that the file comes from")
    parser.add_argument("--map", default="", help="field=column,...; columns named like a field need none")


@contextmanager
def refusals(unit: str) -> Iterator[tuple[Callable[[str], dict[str, str]], Callable[[int, int], None]]]:
    """A progress bar, and errors of the file or its mapping as errors of the command."""
    with tqdm(unit=f" {unit}", unit_scale=True, file=sys.stderr) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        try:
            yield parse, progress
        except (ReaderError, MappingError, SourceError, InputError) as error:
            raise CommandError(str(error)) from error


def report(command: BaseCommand, job: ImportJob) -> None:
    """Say what became of the rows, with the first refusals."""
    held = f", {job.held} held in quarantine" if job.held else ""
    command.stdout.write(f"{job.accepted} accepted, {job.duplicates} duplicates, {job.rejected} rejected" + held)
    for row in job.rejected_rows.order_by("row_number")[:SHOWN]:
        command.stdout.write(f"  row {row.row_number}: {row.field}: {row.reason}")
    if job.rejected > SHOWN:
        command.stdout.write(f"  all {job.rejected} stand in the admin under Imports")
