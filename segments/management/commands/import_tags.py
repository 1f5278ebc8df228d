"""`manage.py import_tags`: a tag for the people in a file."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from segments.management.importing import ACTOR, SHOWN, add_common_arguments, refusals
from segments.models import Tag
from segments.services import sources
from segments.services.tags import imports


class Command(BaseCommand):
    """Give a tag to the people in a file; the same file again changes nothing."""

    help = "Gives a tag to the people in a CSV or Parquet file, with its columns weight, confidence and expires_at."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("tag", help="key of a tag that is imported, comes from a model or is given by hand")
        add_common_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        tag = Tag.objects.filter(key=options["tag"]).first()
        if tag is None:
            raise CommandError(f"{options['tag']}: no such tag")
        with refusals("people") as (mapping, progress):
            try:
                result = imports.import_file(
                    tag=tag, source=sources.get_or_create(options["source"]), path=options["file"],
                    mapping=mapping(options["map"]), actor=ACTOR, now=timezone.now(), progress=progress,
                )  # fmt: skip
            except ValidationError as error:
                raise CommandError("; ".join(error.messages)) from None
        self.stdout.write(", ".join(f"{count} {status}" for status, count in result.counts.items()))
        for number, row in list(result.rejected.items())[:SHOWN]:
            self.stdout.write(f"  row {number}: {row.field}: {row.reason}")
